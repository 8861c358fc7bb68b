//! The guarantees of the accounts of callers whose changes race with others.

use shared::store::{EmailChangeOutcome, PhoneChangeOutcome, RefreshOutcome};
use shared::values::Purpose::PhoneChange;

use super::accounts::{assert_replaced, change_email, change_password, change_phone, profile_of, signed_up_as};
use super::*;

pub(crate) async fn concurrent_updates_of_name_and_nickname_keep_both(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let profiles = test
        .race_of_callers(|store, n| async move {
            let (name, nickname) = (parse("Lee Jiwoo"), parse("jiwoo"));
            let is_name = n % 20 == 0;
            if !is_name && n % 20 != 10 {
                return store.profile(&caller(&session), NOW).await;
            }
            let (name, nickname) = (is_name.then_some(&name), (!is_name).then_some(&nickname));
            store.update_profile(&caller(&session), name, nickname, NOW).await
        })
        .await;
    let expected = ["minji@example.com", phone(1).e164(), "Lee Jiwoo", "jiwoo"].map(str::to_owned);
    assert_eq!(profile_of(store, &session).await, expected);
    // The last update, whichever it is, returns both.
    let returned: Vec<_> = profiles.into_iter().map(|profile| profile.unwrap()).collect();
    let has_both = |n: &usize| returned[*n].name.0 == "Lee Jiwoo" && returned[*n].nickname.0 == "jiwoo";
    assert!((0..CALLS).filter(|n| n % 10 == 0).any(|n| has_both(&n)));
}

pub(crate) async fn changes_race_with_a_logout(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let outcomes = test
        .race_of_callers(|store, n| {
            let key = key.clone();
            async move {
                match n % 4 {
                    _ if n == CALLS / 2 => store.revoke_session(&session).await.map(|()| None)?,
                    0 => Some(change_password(&*store, &session, "the second hash").await?),
                    1 => Some(change_phone(&*store, &session, &phone(2), &key).await?.1),
                    2 => Some(change_email(&*store, &session, "new@example.com").await?.1),
                    _ => store.delete_account(&caller(&session), NOW).await.map(|()| None)?,
                };
                Ok(n != CALLS / 2)
            }
        })
        .await;
    let changed = outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count();
    assert!(changed <= 1, "{outcomes:?}");
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(_) | Err(CallerError::Revoked | CallerError::UserNotFound)), "{outcome:?}");
    }
    // The session is over, whoever came first.
    assert!(store.profile(&caller(&session), NOW).await.is_err());
    if changed == 0 {
        assert_eq!(password_hash_of(store, &phone(1)).await, "the first hash");
        assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (true, true));
    }
}

pub(crate) async fn change_of_the_phone_races_with_resets_of_the_old_number(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let mut resets = Vec::new();
    for _ in 0..CALLS {
        resets.push(verified(store, phone(1), PasswordReset, NOW).await.key);
    }
    let outcomes = test
        .race_of_callers(|store, n| {
            let (key, reset) = (key.clone(), resets[n].clone());
            async move {
                if n % 2 == 0 {
                    return change_phone(&*store, &session, &phone(2), &key).await.map(|(outcome, _)| Some(outcome));
                }
                let is_reset = store.reset_password(session.user_id, &second_hash(), &phone(1), &reset, NOW).await?;
                Ok((!is_reset).then_some(PhoneChangeOutcome::NotVerified))
            }
        })
        .await;
    let is_moved = store.is_phone_taken(&phone(2)).await.unwrap();
    let count = |expected: &Option<PhoneChangeOutcome>| {
        outcomes.iter().filter(|outcome| matches!(outcome, Ok(found) if found == expected)).count()
    };
    let moved = count(&Some(PhoneChangeOutcome::Changed { previous: phone(1), claims: Claims::NONE }));
    assert_eq!(moved, usize::from(is_moved));
    if is_moved {
        // No reset of the old number happened, neither before the change nor after it.
        assert_eq!(count(&None), 0);
        assert_eq!(password_hash_of(store, &phone(2)).await, "the first hash");
    } else {
        assert_eq!(count(&None), CALLS / 2);
    }
}

pub(crate) async fn concurrent_changes_of_one_session_succeed_once(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let outcomes = test
        .race_of_callers(|store, n| {
            let key = key.clone();
            async move {
                match n % 3 {
                    0 => change_password(&*store, &session, "the second hash").await,
                    1 => change_phone(&*store, &session, &phone(2), &key).await.map(|(_, new)| new),
                    _ => change_email(&*store, &session, "new@example.com").await.map(|(_, new)| new),
                }
            }
        })
        .await;
    let changed: Vec<&Session> = outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).collect();
    assert_eq!(changed.len(), 1);
    assert_replaced(store, &session, changed[0], &[]).await;
    let profile = profile_of(store, changed[0]).await;
    let is_changed = [
        profile[0] == "new@example.com",
        profile[1] == phone(2).e164(),
        store.own_credentials(&caller(changed[0]), NOW).await.unwrap().password_hash == second_hash(),
    ];
    assert_eq!(is_changed.iter().filter(|&&is_changed| is_changed).count(), 1, "{is_changed:?}");
}

/// Returns the number of the user who has the phone number, according to their profiles.
async fn owners(store: &dyn FullStore, sessions: &[Session], phone: &Phone) -> usize {
    let mut owners = 0;
    for session in sessions {
        owners += usize::from(profile_of(store, session).await[1] == phone.e164());
    }
    owners
}

pub(crate) async fn concurrent_changes_to_one_phone_succeed_once(test: TestStore) {
    let store = test.connection();
    let (mut users, mut keys) = (Vec::new(), Vec::new());
    for nth in 0..CALLS {
        users.push(signed_up_as(store, nth).await);
        keys.push(verified(store, phone(500), PhoneChange, NOW).await.key);
    }
    let outcomes = test
        .race_of_callers(|store, n| {
            let (session, key) = (users[n], keys[n].clone());
            async move { change_phone(&*store, &session, &phone(500), &key).await }
        })
        .await;
    let mut winners = 0;
    for (n, outcome) in outcomes.iter().enumerate() {
        let (outcome, new) = outcome.as_ref().unwrap();
        let is_winner = *outcome == PhoneChangeOutcome::Changed { previous: phone(n), claims: Claims::NONE };
        assert!(is_winner || *outcome == PhoneChangeOutcome::Taken, "{outcome:?}");
        if is_winner {
            users[n] = *new;
            winners += 1;
        }
        assert_eq!(store.is_phone_taken(&phone(n)).await.unwrap(), !is_winner);
        assert_eq!(is_verified(store, &keys[n], PhoneChange, NOW).await, !is_winner);
    }
    assert_eq!((winners, owners(store, &users, &phone(500)).await), (1, 1));
}

pub(crate) async fn change_of_the_phone_races_with_sign_ups_for_one_owner(test: TestStore) {
    let store = test.connection();
    let (mut users, mut keys) = (Vec::new(), Vec::new());
    for nth in 0..CALLS {
        let purpose = if nth % 2 == 0 { PhoneChange } else { Signup };
        let is_user = nth % 2 == 0;
        users.push(if is_user { Some(signed_up_as(store, nth).await) } else { None });
        keys.push(verified(store, phone(500), purpose, NOW).await.key);
    }
    let outcomes = test
        .race_of_callers(|store, n| {
            let (session, key) = (users[n], keys[n].clone());
            async move {
                if let Some(session) = session {
                    let (outcome, _) = change_phone(&*store, &session, &phone(500), &key).await?;
                    return Ok((outcome != PhoneChangeOutcome::Taken).then_some(session.user_id));
                }
                let user = user(&format!("user{n}@example.com"), phone(500));
                let outcome = sign_up(&*store, &user, &key, NOW).await?;
                Ok((outcome == SignUpOutcome::Created).then_some(user.id))
            }
        })
        .await;
    let winners: Vec<UserId> = outcomes.into_iter().filter_map(Result::unwrap).collect();
    let owner = store.account(&phone(500)).await.unwrap().unwrap().user_id;
    assert_eq!(winners, [owner]);
    for (nth, session) in users.iter().enumerate() {
        let is_free = session.is_none_or(|session| session.user_id == owner);
        assert_eq!(store.is_phone_taken(&phone(nth)).await.unwrap(), !is_free);
    }
}

pub(crate) async fn crossing_changes_of_the_email_leave_one_owner_of_each(test: TestStore) {
    let store = test.connection();
    let users = [signed_up_as(store, 0).await, signed_up_as(store, 1).await];
    // Each requests the other one's email, or the first one also a free email: then the second one may get the first's.
    let outcomes = test
        .race_of_callers(|store, n| {
            let session = users[n % 2];
            let email =
                ["user1@example.com", "user0@example.com", "free@example.com"][if n % 4 == 2 { 2 } else { n % 2 }];
            async move { change_email(&*store, &session, email).await }
        })
        .await;
    let mut current = users;
    for (n, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok((EmailChangeOutcome::Changed { .. }, new)) => {
                assert_eq!(current[n % 2], users[n % 2], "a session changed the email twice");
                current[n % 2] = new;
            }
            Ok((EmailChangeOutcome::Taken, _)) | Err(CallerError::Revoked) => {}
            Err(error) => panic!("{error}"),
        }
    }
    let [first, second] = [profile_of(store, &current[0]).await, profile_of(store, &current[1]).await];
    assert_eq!(first[0], "free@example.com", "a call for the free email succeeds");
    assert!(matches!(second[0].as_str(), "user0@example.com" | "user1@example.com"));
    for email in ["user0@example.com", "user1@example.com", "free@example.com"] {
        let login = LoginIdentifier::Email(parse(email));
        let owner = store.credentials(&login).await.unwrap().map(|credentials| credentials.user_id);
        let expected = [(&first, users[0].user_id), (&second, users[1].user_id)];
        let expected = expected.into_iter().find(|(profile, _)| profile[0] == email).map(|(_, user_id)| user_id);
        assert_eq!(owner, expected, "{email}");
    }
}

/// Asserts that the user with the first phone number is deleted, and that email and phone number are free.
async fn assert_deleted(store: &dyn FullStore, session: &Session) {
    assert_rejected!(store.profile(&caller(session), NOW).await, UserNotFound);
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    signed_up(store, "minji@example.com", phone(1), NOW + 120).await;
    assert_rejected!(store.profile(&caller(session), NOW).await, UserNotFound);
}

pub(crate) async fn deletion_races_with_refreshes(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    let deletions = test
        .race_of_callers(|store, n| async move {
            if n % 10 == 5 {
                return store.delete_account(&caller(&session), NOW).await.map(|()| true);
            }
            let session = if n % 2 == 0 { session } else { other };
            store.refresh_session(&next(session, NOW), &Claims::NONE, NOW).await?;
            Ok(false)
        })
        .await;
    assert_eq!(deletions.iter().filter(|outcome| matches!(outcome, Ok(true))).count(), 1);
    for session in [session, other, next(session, NOW), next(other, NOW)] {
        assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Revoked);
    }
    assert_deleted(store, &session).await;
}

pub(crate) async fn deletion_races_with_logins(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let sessions = test
        .race_of_callers(|store, n| async move {
            if n == CALLS / 2 {
                store.delete_account(&caller(&session), NOW).await?;
                store.delete_sessions(session.user_id).await?;
                return Ok(session);
            }
            // Both kinds of login read the account first.
            let Some(account) = store.account(&phone(1)).await? else { return Ok(session) };
            let login = Session::new(account.user_id, account.token_version, session_lifetime(), NOW);
            if n % 2 == 0 {
                store.start_session(&login, &user_agent()).await?;
            } else {
                let key = sms_session(phone(1), Login, NOW);
                store.open_sms_session(&key).await?;
                assert!(store.start_session_by_code(&login, &user_agent(), &phone(1), &key.key, NOW).await?);
            }
            Ok(login)
        })
        .await;
    for session in sessions {
        let session = session.unwrap();
        assert_rejected!(store.profile(&caller(&session), NOW).await, UserNotFound);
        assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Revoked);
    }
    assert_deleted(store, &session).await;
}

pub(crate) async fn deletion_races_with_resets(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let mut keys = Vec::new();
    for _ in 0..CALLS {
        keys.push(verified(store, phone(1), PasswordReset, NOW).await.key);
    }
    let outcomes = test
        .race_of_callers(|store, n| {
            let key = keys[n].clone();
            async move {
                if n % 2 == 0 {
                    return store.delete_account(&caller(&session), NOW).await.map(|()| "deleted");
                }
                let is_reset = store.reset_password(session.user_id, &second_hash(), &phone(1), &key, NOW).await?;
                Ok(if is_reset { "reset" } else { "not reset" })
            }
        })
        .await;
    let count = |word| outcomes.iter().filter(|outcome| matches!(outcome, Ok(done) if *done == word)).count();
    match (count("deleted"), count("reset")) {
        // A reset revokes the session that deletes.
        (0, resets) => {
            assert_eq!(resets, CALLS / 2);
            assert_rejected!(store.profile(&caller(&session), NOW).await, Revoked);
            assert_eq!(password_hash_of(store, &phone(1)).await, "the second hash");
            assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (true, true));
        }
        (1, 0) => assert_deleted(store, &session).await,
        others => panic!("{others:?}"),
    }
}

pub(crate) async fn change_of_the_password_races_with_a_reset(test: TestStore) {
    let (store, now) = (test.connection(), NOW);
    let session = logged_in(store).await;
    let key = verified(store, phone(1), PasswordReset, now).await.key;
    let outcomes = test
        .race_of_callers(|store, n| {
            let key = key.clone();
            async move {
                if n == CALLS / 2 {
                    let hash = PasswordHash::from_stored("the hash of the reset".to_owned());
                    let is_reset = store.reset_password(session.user_id, &hash, &phone(1), &key, now).await?;
                    assert!(is_reset);
                    return Ok(None);
                }
                change_password(&*store, &session, &format!("hash {n}")).await.map(Some)
            }
        })
        .await;
    // The reset happens last, even if a change happened before it.
    assert_eq!(password_hash_of(store, &phone(1)).await, "the hash of the reset");
    let changed: Vec<Session> = outcomes.into_iter().filter_map(|outcome| outcome.ok().flatten()).collect();
    assert!(changed.len() <= 1);
    assert_eq!(token_version_of(store, session.user_id).await, 1 + u32::try_from(changed.len()).unwrap());
    for revoked in changed.iter().chain([&session]) {
        assert_rejected!(store.profile(&caller(revoked), now).await, Revoked);
        assert_eq!(refresh(store, *revoked, now).await, RefreshOutcome::Revoked);
    }
}
