//! The guarantees of the accounts of callers.

use std::collections::HashSet;

use shared::limits::Bucket;
use shared::store::{CountOutcome, EmailChangeOutcome, Limit, PhoneChangeOutcome, RefreshOutcome, Subject};
use shared::values::Purpose::PhoneChange;

use super::*;

/// Returns the session that replaces one after a change.
fn replacing(session: &Session, now: i64) -> Session {
    Session::replacing(&caller(session), session_lifetime(), now)
}

/// Signs up as the user of this number. Returns the new session.
async fn signed_up_as(store: &dyn Store, nth: usize) -> Session {
    let key = verified(store, phone(nth), Signup, NOW).await.key;
    let user = user(&format!("user{nth}@example.com"), phone(nth));
    let session = new_session(user.id, NOW);
    let outcome = store.sign_up(&user, &session, &user_agent(), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
    session
}

async fn change_password(store: &dyn Store, session: &Session, hash: &str) -> Result<Session, CallerError> {
    let (new, hash) = (replacing(session, NOW), PasswordHash::from_stored(hash.to_owned()));
    store.change_password(&caller(session), &hash, &new, &user_agent(), NOW).await?;
    Ok(new)
}

async fn change_phone(
    store: &dyn Store,
    session: &Session,
    phone: &Phone,
    key: &SmsSessionKey,
) -> Result<(PhoneChangeOutcome, Session), CallerError> {
    let new = replacing(session, NOW);
    Ok((store.change_phone(&caller(session), phone, key, &new, &user_agent(), NOW).await?, new))
}

async fn change_email(
    store: &dyn Store,
    session: &Session,
    email: &str,
) -> Result<(EmailChangeOutcome, Session), CallerError> {
    let new = replacing(session, NOW);
    Ok((store.change_email(&caller(session), &parse(email), &new, &user_agent(), NOW).await?, new))
}

/// Returns email, phone number, name and nickname.
async fn profile_of(store: &dyn Store, session: &Session) -> [String; 4] {
    let profile = store.profile(&caller(session), NOW).await.unwrap();
    [profile.email.0, profile.phone.0, profile.name.0, profile.nickname.0]
}

/// Asserts that `new` replaced `old`, and that `others` are revoked.
async fn assert_replaced(store: &dyn Store, old: &Session, new: &Session, others: &[Session]) {
    assert_eq!((new.token_version, new.started_at), (old.token_version + 1, old.started_at));
    for revoked in others.iter().chain([old]) {
        assert_rejected!(store.profile(&caller(revoked), NOW).await, Revoked);
        assert_eq!(refresh(store, *revoked, NOW).await, RefreshOutcome::Revoked);
    }
    store.profile(&caller(new), NOW).await.unwrap();
    assert_eq!(refresh(store, *new, NOW).await, RefreshOutcome::Refreshed);
    assert_eq!(store.list_sessions(&caller(new), NOW).await.unwrap().len(), 1);
}

pub(crate) async fn profile_requires_a_current_session_and_token_version(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let profile = async |caller: Caller, now| store.profile(&caller, now).await;
    profile(caller(&session), NOW).await.unwrap();
    let unknown = Caller { session_id: new_session(session.user_id, NOW).id, ..caller(&session) };
    let newer = Caller { token_version: 1, ..caller(&session) };
    for (caller, now) in [(unknown, NOW), (newer, NOW), (caller(&session), session.expires_at)] {
        assert_rejected!(profile(caller, now).await, Revoked);
    }
    let unknown_user = Caller { user_id: UserId::new(NOW), ..caller(&session) };
    assert_rejected!(profile(unknown_user, NOW).await, UserNotFound);

    let other = logged_in_again(store, session.user_id, NOW).await;
    store.revoke_session(&session).await.unwrap();
    assert_rejected!(profile(caller(&session), NOW).await, Revoked);
    profile(caller(&other), NOW).await.unwrap();
    store.revoke_all_sessions(&other).await.unwrap();
    assert_rejected!(profile(caller(&other), NOW).await, Revoked);
}

pub(crate) async fn update_of_the_profile_replaces_the_fields_that_are_given(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let own = caller(&session);
    let (name, nickname) = (parse("Lee Jiwoo"), parse("jiwoo"));
    let profile = store.update_profile(&own, Some(&name), None, NOW).await.unwrap();
    assert_eq!((profile.name.0.as_str(), profile.nickname.0.as_str()), ("Lee Jiwoo", "minji"));
    let profile = store.update_profile(&own, None, Some(&nickname), NOW).await.unwrap();
    assert_eq!((profile.name.0.as_str(), profile.nickname.0.as_str()), ("Lee Jiwoo", "jiwoo"));
    let expected = ["minji@example.com", phone(1).e164(), "Lee Jiwoo", "jiwoo"].map(str::to_owned);
    assert_eq!(profile_of(store, &session).await, expected);
    assert_eq!(token_version_of(store, session.user_id).await, 0);
}

pub(crate) async fn change_of_the_password_replaces_the_password_and_the_session(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let own = store.own_credentials(&caller(&session), NOW).await.unwrap();
    assert_eq!((own.password_hash.as_str(), own.phone), ("the first hash", phone(1)));
    assert_eq!((own.email.0.as_str(), own.name.0.as_str()), ("minji@example.com", "Kim Minji"));
    let other = logged_in_again(store, session.user_id, NOW).await;
    let new = change_password(store, &session, "the second hash").await.unwrap();
    assert_replaced(store, &session, &new, &[other]).await;
    let credentials = store.credentials(&LoginIdentifier::Phone(phone(1))).await.unwrap().unwrap();
    assert_eq!(credentials.password_hash.as_str(), "the second hash");
    assert_eq!(credentials.password_reset_at, NOW, "device tokens stay valid");
}

pub(crate) async fn change_of_the_phone_moves_the_number_and_consumes_the_sms_session(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let (outcome, new) = change_phone(store, &session, &phone(2), &key).await.unwrap();
    assert_eq!(outcome, PhoneChangeOutcome::Changed { previous: phone(1) });
    assert_replaced(store, &session, &new, &[other]).await;
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (true, false));
    assert_eq!(is_taken(store, "minji@example.com", phone(2)).await, (true, true));
    assert!(!is_verified(store, &key, PhoneChange, NOW).await);
    let account = store.account(&phone(2)).await.unwrap().unwrap();
    assert_eq!((account.user_id, account.password_reset_at), (session.user_id, NOW), "device tokens stay valid");
    // The previous number can sign up.
    signed_up(store, "other@example.com", phone(1), NOW).await;
}

pub(crate) async fn change_of_the_phone_requires_an_sms_session_verified_for_its_phone_and_purpose(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let unverified = opened(store, phone(2), PhoneChange, NOW).await.key;
    let other_phone = verified(store, phone(3), PhoneChange, NOW).await.key;
    let other_purpose = verified(store, phone(2), Signup, NOW).await.key;
    for key in [&SmsSessionId::random().key(), &unverified, &other_phone, &other_purpose] {
        let (outcome, new) = change_phone(store, &session, &phone(2), key).await.unwrap();
        assert_eq!(outcome, PhoneChangeOutcome::NotVerified);
        assert_rejected!(store.profile(&caller(&new), NOW).await, Revoked);
    }
    assert_eq!(profile_of(store, &session).await[1], phone(1).e164());
    assert!(is_verified(store, &other_phone, PhoneChange, NOW).await);
    assert!(!store.is_phone_taken(&phone(2)).await.unwrap());
}

pub(crate) async fn change_of_the_phone_to_a_taken_number_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    signed_up(store, "other@example.com", phone(2), NOW).await;
    for taken in [phone(2), phone(1)] {
        let key = verified(store, taken.clone(), PhoneChange, NOW).await.key;
        let (outcome, _) = change_phone(store, &session, &taken, &key).await.unwrap();
        assert_eq!(outcome, PhoneChangeOutcome::Taken);
        assert!(is_verified(store, &key, PhoneChange, NOW).await, "the SMS session stays usable");
    }
    assert_eq!(profile_of(store, &session).await[1], phone(1).e164());
    assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Refreshed);
}

pub(crate) async fn change_of_the_email_moves_the_email(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    let (outcome, second) = change_email(store, &session, "New@Example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Changed);
    assert_replaced(store, &session, &second, &[other]).await;
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, true));
    assert_eq!(is_taken(store, "new@example.com", phone(1)).await, (true, true));
    assert_eq!(profile_of(store, &second).await[0], "New@example.com");
    // Another spelling of the same email.
    let second = next(second, NOW);
    let (outcome, third) = change_email(store, &second, "new@example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Changed);
    assert_replaced(store, &second, &third, &[]).await;
    assert_eq!(profile_of(store, &third).await[0], "new@example.com");
    assert!(store.is_email_taken(&parse("new@example.com")).await.unwrap());
    signed_up(store, "minji@example.com", phone(2), NOW).await;
}

pub(crate) async fn change_of_the_email_to_a_taken_one_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    signed_up(store, "Other@example.com", phone(2), NOW).await;
    let (outcome, _) = change_email(store, &session, "other@example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Taken);
    assert_eq!(profile_of(store, &session).await[0], "minji@example.com");
    assert!(store.is_email_taken(&parse("minji@example.com")).await.unwrap());
    assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Refreshed);
}

pub(crate) async fn deletion_frees_email_and_phone_and_deletes_the_counts(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let user_id = session.user_id;
    let other = logged_in_again(store, user_id, NOW).await;
    let once = |subject| Limit { is_kept: true, ..Limit::new(subject, Bucket::new(1, 3600)) };
    let limits = [once(Subject::passwords_of_account(user_id)), once(Subject::sms_to_account(user_id))];
    for limit in &limits {
        assert_eq!(store.count(limit, NOW).await.unwrap(), CountOutcome::Counted);
        assert!(matches!(store.count(limit, NOW).await.unwrap(), CountOutcome::RateLimited { .. }));
    }
    store.delete_account(&caller(&session), NOW).await.unwrap();
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    assert!(store.account(&phone(1)).await.unwrap().is_none());
    for limit in &limits {
        assert_eq!(store.count(limit, NOW).await.unwrap(), CountOutcome::Counted);
    }
    for revoked in [session, other] {
        assert_eq!(refresh(store, revoked, NOW).await, RefreshOutcome::Revoked);
        assert_rejected!(store.profile(&caller(&revoked), NOW).await, UserNotFound);
        assert_rejected!(store.delete_account(&caller(&revoked), NOW).await, UserNotFound);
    }
    let new = signed_up(store, "minji@example.com", phone(1), NOW).await;
    assert_ne!(new.id, user_id);
    assert_rejected!(store.profile(&caller(&session), NOW).await, UserNotFound);
}

/// Calls every step of a caller, each of which the store rejects with the same error.
async fn rejections(store: &dyn Store, session: &Session, key: &SmsSessionKey, now: i64) -> HashSet<String> {
    let (own, new, agent) = (caller(session), replacing(session, now), user_agent());
    let error = |error: Option<CallerError>| format!("{:?}", error.expect("the caller was not rejected"));
    HashSet::from([
        error(store.profile(&own, now).await.err()),
        error(store.update_profile(&own, Some(&parse("Lee Jiwoo")), None, now).await.err()),
        error(store.own_credentials(&own, now).await.err()),
        error(store.change_password(&own, &second_hash(), &new, &agent, now).await.err()),
        error(store.change_phone(&own, &phone(2), key, &new, &agent, now).await.err()),
        error(store.change_email(&own, &parse("new@example.com"), &new, &agent, now).await.err()),
        error(store.delete_account(&own, now).await.err()),
        error(store.list_sessions(&own, now).await.err()),
        error(store.revoke_listed_session(&own, session.id, now).await.err()),
    ])
}

pub(crate) async fn rejected_caller_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let rejected = |error: &str| HashSet::from([error.to_owned()]);

    let revoked = logged_in_again(store, session.user_id, NOW).await;
    store.revoke_session(&revoked).await.unwrap();
    let older = Session { token_version: 7, ..session };
    let unknown = Session { user_id: UserId::new(NOW), ..session };
    for rejected_session in [&revoked, &older] {
        assert_eq!(rejections(store, rejected_session, &key, NOW).await, rejected("Revoked"));
    }
    assert_eq!(rejections(store, &session, &key, session.expires_at).await, rejected("Revoked"));
    assert_eq!(rejections(store, &unknown, &key, NOW).await, rejected("UserNotFound"));
    store.set_disabled(session.user_id, true, NOW).await.unwrap();
    assert_eq!(rejections(store, &session, &key, NOW).await, rejected("UserDisabled"));
    store.set_disabled(session.user_id, false, NOW).await.unwrap();

    let expected = ["minji@example.com", phone(1).e164(), "Kim Minji", "minji"].map(str::to_owned);
    assert_eq!(profile_of(store, &session).await, expected);
    assert_eq!(password_hash_of(store, &phone(1)).await, "the first hash");
    assert_eq!(is_taken(store, "new@example.com", phone(2)).await, (false, false));
    assert!(is_verified(store, &key, PhoneChange, NOW).await);
    assert_eq!(token_version_of(store, session.user_id).await, 0);
    assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Refreshed);
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
async fn owners(store: &dyn Store, sessions: &[Session], phone: &Phone) -> usize {
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
        let is_winner = *outcome == PhoneChangeOutcome::Changed { previous: phone(n) };
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
            Ok((EmailChangeOutcome::Changed, new)) => {
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
async fn assert_deleted(store: &dyn Store, session: &Session) {
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
            store.refresh_session(&next(session, NOW), NOW).await?;
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
    // The reset happens last, whatever came before it.
    assert_eq!(password_hash_of(store, &phone(1)).await, "the hash of the reset");
    let changed: Vec<Session> = outcomes.into_iter().filter_map(|outcome| outcome.ok().flatten()).collect();
    assert!(changed.len() <= 1);
    assert_eq!(token_version_of(store, session.user_id).await, 1 + u32::try_from(changed.len()).unwrap());
    for revoked in changed.iter().chain([&session]) {
        assert_rejected!(store.profile(&caller(revoked), now).await, Revoked);
        assert_eq!(refresh(store, *revoked, now).await, RefreshOutcome::Revoked);
    }
}
