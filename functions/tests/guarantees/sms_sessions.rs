//! The guarantees of SMS sessions.

use shared::store::SignUpAttemptOutcome;

use super::*;

fn is_recorded(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Recorded { .. })
}

pub(crate) async fn cancelled_sms_session_is_not_found(test: TestStore) {
    let store = test.connection();
    let session = opened(store, phone(1), Signup, NOW).await;
    for _ in 0..2 {
        store.cancel_sms_session(&session.key).await.unwrap();
        assert_eq!(attempt(store, &session, NOW).await, AttemptOutcome::NotFound);
    }
}

pub(crate) async fn recorded_attempt_returns_the_purpose_and_mac_of_its_session(test: TestStore) {
    let store = test.connection();
    for (n, (purpose, length)) in
        [(Signup, CodeLength::Six), (PasswordReset, CodeLength::Eight), (Login, CodeLength::Eight)]
            .into_iter()
            .enumerate()
    {
        let (id, code) = (SmsSessionId::random(), AuthCode::random(length));
        let session = sms_session_with(&id, &code, phone(n), purpose, NOW);
        store.open_sms_session(&session).await.unwrap();
        match attempt(store, &session, NOW + 299).await {
            AttemptOutcome::Recorded(sent) => {
                assert_eq!((sent.purpose, sent.ip, sent.sent_at), (purpose, session.ip, NOW));
                assert!(id.code_matches(&phone(n), sent.purpose, &code, &sent.code_mac));
                assert!(!id.code_matches(&phone(7), sent.purpose, &code, &sent.code_mac));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(attempt(store, &session, NOW + 300).await, AttemptOutcome::CodeExpired);
    }
    let unknown = sms_session(phone(1), Signup, NOW);
    assert_eq!(attempt(store, &unknown, NOW).await, AttemptOutcome::NotFound);
}

pub(crate) async fn expired_sms_session_is_not_found_before_it_is_deleted(test: TestStore) {
    let store = test.connection();
    let session = opened(store, phone(1), Signup, NOW).await;
    let expires_at = session.expires_at;
    assert_eq!(attempt(store, &session, expires_at - 1).await, AttemptOutcome::CodeExpired);
    assert_eq!(attempt(store, &session, expires_at).await, AttemptOutcome::NotFound);
    assert_eq!(mark_verified(store, &session, expires_at).await, VerificationOutcome::NotFound);

    let key = verified(store, phone(2), Signup, NOW).await.key;
    let expires_at = NOW + config().verified_seconds;
    let user = user("minji@example.com", phone(2));
    assert_eq!(sign_up(store, &user, &key, expires_at).await.unwrap(), SignUpOutcome::NotVerified);
    assert_eq!(sign_up(store, &user, &key, expires_at - 1).await.unwrap(), SignUpOutcome::Created);
}

pub(crate) async fn concurrent_guesses_are_limited_to_five(test: TestStore) {
    let key = opened(test.connection(), phone(1), Signup, NOW).await.key;
    let outcomes = test
        .race(|store, _| {
            let key = key.clone();
            async move { store.record_attempt(&key, config().code_seconds, NOW + 1).await }
        })
        .await;
    let rate_limited = AttemptOutcome::RateLimited { retry_after: 599 };
    assert_eq!(outcomes.iter().filter(|outcome| is_recorded(outcome)).count(), 5);
    assert_eq!(outcomes.iter().filter(|&outcome| *outcome == rate_limited).count(), CALLS - 5);
}

pub(crate) async fn attempts_count_on_their_session_only(test: TestStore) {
    let store = test.connection();
    let few = SmsSession { max_attempts: 3, ..sms_session(phone(1), PasswordReset, NOW) };
    store.open_sms_session(&few).await.unwrap();
    for _ in 0..3 {
        assert!(is_recorded(&attempt(store, &few, NOW).await));
    }
    assert_eq!(attempt(store, &few, NOW).await, AttemptOutcome::RateLimited { retry_after: 600 });
    let other = opened(store, phone(1), Signup, NOW + 60).await;
    for _ in 0..5 {
        assert!(is_recorded(&attempt(store, &other, NOW + 60).await), "wrong codes lock no other session");
    }
    assert_eq!(attempt(store, &other, NOW + 60).await, AttemptOutcome::RateLimited { retry_after: 600 });
}

pub(crate) async fn sms_session_is_verified_until_it_expires(test: TestStore) {
    let store = test.connection();
    let session = opened(store, phone(1), Signup, NOW).await;
    assert!(!is_verified(store, &session.key, Signup, NOW).await);
    assert_eq!(mark_verified(store, &session, NOW + 299).await, VerificationOutcome::Verified);
    assert_eq!(store.verified_phone(&session.key, Signup, NOW + 898).await.unwrap(), Some(phone(1)));
    assert!(!is_verified(store, &session.key, PasswordReset, NOW + 898).await);
    assert_eq!(mark_verified(store, &session, NOW + 898).await, VerificationOutcome::AlreadyVerified);
    assert!(!is_verified(store, &session.key, Signup, NOW + 899).await, "a repetition does not extend it");
    assert_eq!(mark_verified(store, &session, NOW + 899).await, VerificationOutcome::NotFound);
}

pub(crate) async fn concurrent_verifications_mark_the_session_once(test: TestStore) {
    let key = opened(test.connection(), phone(1), Signup, NOW).await.key;
    let outcomes = test
        .race(|store, _| {
            let key = key.clone();
            async move { store.mark_verified(&key, NOW + 600, NOW).await }
        })
        .await;
    let count = |outcome| outcomes.iter().filter(|&&found| found == outcome).count();
    assert_eq!(count(VerificationOutcome::Verified), 1);
    assert_eq!(count(VerificationOutcome::AlreadyVerified), CALLS - 1);
}

pub(crate) async fn sms_session_of_a_known_device_has_no_address(test: TestStore) {
    let store = test.connection();
    let session = SmsSession { ip: None, ..sms_session(phone(1), Signup, NOW) };
    store.open_sms_session(&session).await.unwrap();
    match attempt(store, &session, NOW).await {
        AttemptOutcome::Recorded(sent) => assert_eq!(sent.ip, None),
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn unknown_sms_session_is_not_verified(test: TestStore) {
    let store = test.connection();
    let unknown = sms_session(phone(1), Signup, NOW);
    assert_eq!(mark_verified(store, &unknown, NOW).await, VerificationOutcome::NotFound);
    assert!(!is_verified(store, &unknown.key, Signup, NOW).await);
}

pub(crate) async fn sign_up_attempts_require_a_session_verified_for_the_phone_and_for_sign_up(test: TestStore) {
    let store = test.connection();
    let record = async |key: &SmsSessionKey, now| store.record_sign_up_attempt(key, &phone(1), 5, now).await.unwrap();
    let unverified = opened(store, phone(1), Signup, NOW).await.key;
    let other_phone = verified(store, phone(2), Signup, NOW).await.key;
    for key in [SmsSessionId::random().key(), unverified, other_phone] {
        assert_eq!(record(&key, NOW).await, SignUpAttemptOutcome::NotVerified);
    }
    let reset = verified(store, phone(1), PasswordReset, NOW + 60).await.key;
    assert_eq!(record(&reset, NOW + 60).await, SignUpAttemptOutcome::OtherPurpose);
    let key = verified(store, phone(1), Signup, NOW + 120).await.key;
    assert_eq!(record(&key, NOW + 719).await, SignUpAttemptOutcome::Recorded);
    assert_eq!(record(&key, NOW + 720).await, SignUpAttemptOutcome::NotVerified, "it has expired");
}

pub(crate) async fn concurrent_sign_up_attempts_are_limited_to_five(test: TestStore) {
    let store = test.connection();
    let key = verified(store, phone(1), Signup, NOW).await.key;
    let outcomes = test
        .race(|store, _| {
            let key = key.clone();
            async move { store.record_sign_up_attempt(&key, &phone(1), 5, NOW).await }
        })
        .await;
    let count = |outcome| outcomes.iter().filter(|&&found| found == outcome).count();
    assert_eq!(count(SignUpAttemptOutcome::Recorded), 5);
    assert_eq!(count(SignUpAttemptOutcome::NotVerified), CALLS - 5);
    // The fifth attempt can still succeed.
    let outcome = sign_up(store, &user("minji@example.com", phone(1)), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
}
