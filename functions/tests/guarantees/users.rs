//! The guarantees of users.

use shared::store::Profile;

use shared::secret::Masked;

use super::*;

/// Returns a key under which no SMS session is stored.
fn unknown_key() -> SmsSessionKey {
    SmsSessionId::random().key()
}

pub(crate) async fn email_and_phone_are_taken_after_sign_up(test: TestStore) {
    let store = test.connection();
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    signed_up(store, "Minji@Example.com", phone(1), NOW).await;
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (true, true));
    assert_eq!(is_taken(store, "other@example.com", phone(2)).await, (false, false));
}

pub(crate) async fn sign_up_creates_the_user_and_consumes_the_sms_session(test: TestStore) {
    let store = test.connection();
    let key = verified(store, phone(1), Signup, NOW).await.key;
    let new = user("Minji@example.com", phone(1));
    let session = new_session(new.id, NOW);
    let outcome = store.sign_up(&new, &session, &user_agent(), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
    assert!(!is_verified(store, &key, Signup, NOW).await);

    let personal = |text: &str| Masked(text.to_owned());
    let profile = Profile {
        name: personal("Kim Minji"),
        email: personal("Minji@example.com"),
        phone: personal(phone(1).e164()),
        nickname: personal("minji"),
    };
    assert_eq!(store.profile(&caller(&session), NOW).await.unwrap(), profile);
    for login in [LoginIdentifier::Email(parse("minji@EXAMPLE.com")), LoginIdentifier::Phone(phone(1))] {
        let credentials = store.credentials(&login).await.unwrap().unwrap();
        assert_eq!((credentials.user_id, credentials.token_version), (new.id, 0));
        assert!(!credentials.is_disabled);
        assert_eq!(credentials.password_hash, new.password_hash);
    }
    let account = store.account(&phone(1)).await.unwrap().unwrap();
    let expected = (new.id, "Minji@example.com", "Kim Minji");
    assert_eq!((account.user_id, account.email.0.as_str(), account.name.0.as_str()), expected);

    assert!(!account.is_disabled && !exists(store, UserId::new(NOW)).await);
    let unknown = LoginIdentifier::Email(parse("other@example.com"));
    assert!(store.credentials(&unknown).await.unwrap().is_none());
    assert!(store.account(&phone(2)).await.unwrap().is_none());
}

pub(crate) async fn sign_up_requires_an_sms_session_verified_for_its_phone_and_purpose(test: TestStore) {
    let store = test.connection();
    let new = user("minji@example.com", phone(1));
    let unverified = opened(store, phone(1), Signup, NOW).await.key;
    let other_phone = verified(store, phone(2), Signup, NOW).await.key;
    let other_purpose = verified(store, phone(1), PasswordReset, NOW + 60).await.key;
    for key in [unknown_key(), unverified, other_phone, other_purpose] {
        assert_eq!(sign_up(store, &new, &key, NOW + 60).await.unwrap(), SignUpOutcome::NotVerified);
    }
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    assert!(!exists(store, new.id).await);
    // A rejected sign-up also starts no session, which a later user with the same id could refresh.
    let session = new_session(new.id, NOW + 60);
    let rejected = store.sign_up(&new, &session, &user_agent(), &unknown_key(), NOW + 60).await.unwrap();
    assert_eq!(rejected, SignUpOutcome::NotVerified);
    let key = verified(store, phone(1), Signup, NOW + 120).await.key;
    assert_eq!(sign_up(store, &new, &key, NOW + 120).await.unwrap(), SignUpOutcome::Created);
    assert_eq!(refresh(store, session, NOW + 120).await, RefreshOutcome::Revoked);
}

pub(crate) async fn sign_up_with_a_taken_email_or_phone_changes_nothing(test: TestStore) {
    let store = test.connection();
    signed_up(store, "minji@example.com", phone(1), NOW).await;
    let key = verified(store, phone(2), Signup, NOW).await.key;
    let taken = user("MINJI@example.com", phone(2));
    let outcome = sign_up(store, &taken, &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Taken { email: true, phone: false });
    assert!(!store.is_phone_taken(&phone(2)).await.unwrap());
    assert!(!exists(store, taken.id).await);
    let outcome = sign_up(store, &user("other@example.com", phone(2)), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created, "the SMS session was still usable");

    let now = NOW + 60;
    let key = verified(store, phone(1), Signup, now).await.key;
    let outcome = sign_up(store, &user("new@example.com", phone(1)), &key, now).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Taken { email: false, phone: true });
    assert!(!store.is_email_taken(&parse("new@example.com")).await.unwrap());
    let outcome = sign_up(store, &user("other@example.com", phone(1)), &key, now).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Taken { email: true, phone: true });
    // A session that is not verified does not disclose what is taken.
    let outcome = sign_up(store, &user("minji@example.com", phone(1)), &unknown_key(), now).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::NotVerified);
}

pub(crate) async fn concurrent_sign_ups_with_one_sms_session_create_one_user(test: TestStore) {
    let store = test.connection();
    let key = verified(store, phone(1), Signup, NOW).await.key;
    let outcomes = test
        .race(|store, n| {
            let (key, new) = (key.clone(), user(&format!("minji{n}@example.com"), phone(1)));
            async move { sign_up(&*store, &new, &key, NOW).await.map(|outcome| (outcome, new)) }
        })
        .await;
    for (outcome, new) in &outcomes {
        let is_email_taken = store.is_email_taken(&new.email).await.unwrap();
        let exists = exists(store, new.id).await;
        let is_created = *outcome == SignUpOutcome::Created;
        assert!(is_created || *outcome == SignUpOutcome::NotVerified, "{outcome:?}");
        assert_eq!((is_email_taken, exists), (is_created, is_created), "all items are created, or none");
    }
    assert_eq!(outcomes.iter().filter(|(outcome, _)| *outcome == SignUpOutcome::Created).count(), 1);
}

pub(crate) async fn concurrent_sign_ups_with_one_email_create_one_user(test: TestStore) {
    let store = test.connection();
    let mut keys = Vec::new();
    for n in 0..CALLS {
        keys.push(verified(store, phone(n), Signup, NOW).await.key);
    }
    let outcomes = test
        .race(|store, n| {
            let key = keys[n].clone();
            async move { sign_up(&*store, &user("minji@example.com", phone(n)), &key, NOW).await }
        })
        .await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let is_created = *outcome == SignUpOutcome::Created;
        assert!(is_created || *outcome == SignUpOutcome::Taken { email: true, phone: false }, "{outcome:?}");
        assert_eq!(store.is_phone_taken(&phone(n)).await.unwrap(), is_created);
        let is_consumed = !is_verified(store, &keys[n], Signup, NOW).await;
        assert_eq!(is_consumed, is_created, "a 409 leaves the SMS session usable");
    }
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == SignUpOutcome::Created).count(), 1);
}

pub(crate) async fn reset_replaces_the_password_and_consumes_the_sms_session(test: TestStore) {
    let (store, now) = (test.connection(), NOW + 60);
    let user = signed_up(store, "minji@example.com", phone(1), NOW).await;
    let key = verified(store, phone(1), PasswordReset, now).await.key;
    assert!(store.reset_password(user.id, &second_hash(), &phone(1), &key, now).await.unwrap());
    assert_eq!(password_hash_of(store, &phone(1)).await, "the second hash");
    assert!(exists(store, user.id).await);
    assert!(!store.reset_password(user.id, &user.password_hash, &phone(1), &key, now).await.unwrap());
    assert_eq!(password_hash_of(store, &phone(1)).await, "the second hash");
}

pub(crate) async fn reset_requires_a_user_and_an_sms_session_verified_for_its_phone_and_purpose(test: TestStore) {
    let (store, now) = (test.connection(), NOW + 120);
    let user = signed_up(store, "minji@example.com", phone(1), NOW).await;
    let unverified = opened(store, phone(1), PasswordReset, NOW + 60).await.key;
    let other_phone = verified(store, phone(2), PasswordReset, NOW).await.key;
    let other_purpose = verified(store, phone(1), Signup, now).await.key;
    for key in [&unknown_key(), &unverified, &other_phone, &other_purpose] {
        assert!(!store.reset_password(user.id, &second_hash(), &phone(1), key, now).await.unwrap());
    }
    assert_eq!(password_hash_of(store, &phone(1)).await, "the first hash");
    let unknown = UserId::new(NOW);
    assert!(!store.reset_password(unknown, &second_hash(), &phone(2), &other_phone, now).await.unwrap());
    let is_usable = is_verified(store, &other_phone, PasswordReset, now).await;
    assert!(is_usable, "a reset for an unknown user does not consume the SMS session");
    assert!(!exists(store, unknown).await);
}

pub(crate) async fn concurrent_resets_with_one_sms_session_succeed_once(test: TestStore) {
    let store = test.connection();
    let id = signed_up(store, "minji@example.com", phone(1), NOW).await.id;
    let key = verified(store, phone(1), PasswordReset, NOW + 60).await.key;
    let outcomes = test
        .race(|store, n| {
            let (key, hash) = (key.clone(), PasswordHash::from_stored(format!("hash {n}")));
            async move { store.reset_password(id, &hash, &phone(1), &key, NOW + 60).await }
        })
        .await;
    let succeeded: Vec<usize> = (0..CALLS).filter(|&n| outcomes[n]).collect();
    assert_eq!(succeeded.len(), 1);
    assert_eq!(password_hash_of(store, &phone(1)).await, format!("hash {}", succeeded[0]));
}

pub(crate) async fn disabled_user_is_rejected_until_enabled(test: TestStore) {
    let (store, now) = (test.connection(), NOW + 60);
    let session = logged_in(store).await;
    let id = session.user_id;
    let key = verified(store, phone(1), PasswordReset, now).await.key;
    for _ in 0..2 {
        assert!(store.set_disabled(id, true, now).await.unwrap());
    }
    assert!(matches!(store.profile(&caller(&session), now).await, Err(CallerError::UserDisabled)));
    assert_eq!(refresh(store, session, now).await, RefreshOutcome::UserDisabled);
    assert!(store.credentials(&LoginIdentifier::Phone(phone(1))).await.unwrap().unwrap().is_disabled);
    assert!(store.account(&phone(1)).await.unwrap().unwrap().is_disabled);
    assert!(!store.reset_password(id, &second_hash(), &phone(1), &key, now).await.unwrap());

    assert!(store.set_disabled(id, false, now).await.unwrap());
    store.profile(&caller(&session), now).await.unwrap();
    assert_eq!(refresh(store, session, now).await, REFRESHED);
    assert!(store.reset_password(id, &second_hash(), &phone(1), &key, now).await.unwrap());
    let unknown = UserId::new(NOW);
    assert!(!store.set_disabled(unknown, true, now).await.unwrap());
    assert!(!exists(store, unknown).await);
}
