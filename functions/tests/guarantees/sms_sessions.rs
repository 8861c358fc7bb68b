//! The guarantees of SMS sessions and of the rate limit of sends.

use shared::store::SignUpAttemptOutcome;

use super::*;

fn is_recorded(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Recorded { .. })
}

/// Requests a send that the limit rejects. Returns the seconds until the next one is allowed.
async fn retry_after(store: &dyn Store, phone: Phone, now: i64) -> i64 {
    match open(store, &sms_session(phone, Signup, now), now).await {
        OpenOutcome::RateLimited { retry_after } => retry_after,
        OpenOutcome::Opened => panic!("the session was opened"),
    }
}

async fn cancel(store: &dyn Store, session: &SmsSession) {
    store.cancel_sms_session(session, &send_limit()).await.unwrap();
}

pub(crate) async fn sends_to_one_phone_are_a_minute_apart(test: TestStore) {
    let store = test.connection();
    opened(store, phone(1), Signup, NOW).await;
    assert_eq!(retry_after(store, phone(1), NOW).await, 60);
    assert_eq!(retry_after(store, phone(1), NOW + 59).await, 1);
    opened(store, phone(2), Signup, NOW).await;
    opened(store, phone(1), Signup, NOW + 60).await;
    assert_eq!(retry_after(store, phone(1), NOW + 61).await, 59);
}

pub(crate) async fn sends_to_one_phone_are_limited_per_hour_and_per_day(test: TestStore) {
    let store = test.connection();
    for n in 0..5 {
        opened(store, phone(1), Signup, NOW + 60 * n).await;
    }
    assert_eq!(retry_after(store, phone(1), NOW + 600).await, 3000);
    for n in 0..5 {
        opened(store, phone(1), Signup, NOW + 3600 + 60 * n).await;
    }
    assert_eq!(retry_after(store, phone(1), NOW + 7400).await, DAY - 7400);
    assert_eq!(retry_after(store, phone(1), NOW + DAY - 1).await, 1);
    opened(store, phone(1), Signup, NOW + DAY).await;
    assert_eq!(retry_after(store, phone(1), NOW + DAY + 1).await, 59, "the limit per minute is the tighter one");
    opened(store, phone(1), Signup, NOW + DAY + 60).await;
}

pub(crate) async fn rate_limited_send_opens_no_session(test: TestStore) {
    let store = test.connection();
    opened(store, phone(1), Signup, NOW).await;
    let rejected = sms_session(phone(1), Signup, NOW);
    assert_ne!(open(store, &rejected, NOW).await, OpenOutcome::Opened);
    assert_eq!(attempt(store, &rejected, NOW).await, AttemptOutcome::NotFound);
}

pub(crate) async fn concurrent_sends_to_one_phone_open_one_session(test: TestStore) {
    let outcomes = test
        .race(|store, _| async move {
            store.open_sms_session(&sms_session(phone(1), Signup, NOW), &send_limit(), NOW).await
        })
        .await;
    let rate_limited = OpenOutcome::RateLimited { retry_after: 60 };
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == OpenOutcome::Opened).count(), 1);
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == rate_limited).count(), CALLS - 1);
}

pub(crate) async fn cancelling_a_send_refunds_it(test: TestStore) {
    let store = test.connection();
    for _ in 0..20 {
        let session = opened(store, phone(1), Signup, NOW).await;
        cancel(store, &session).await;
        assert_eq!(attempt(store, &session, NOW).await, AttemptOutcome::NotFound);
    }
    opened(store, phone(1), Signup, NOW).await;
}

pub(crate) async fn cancelling_a_send_restores_the_limits_per_hour_and_per_day(test: TestStore) {
    let store = test.connection();
    for n in 0..4 {
        opened(store, phone(1), Signup, NOW + 60 * n).await;
    }
    for n in 0..5 {
        opened(store, phone(1), Signup, NOW + 3600 + 60 * n).await;
    }
    // The tenth send of the day: the limit remembers ten.
    let tenth = opened(store, phone(1), Signup, NOW + 8000).await;
    cancel(store, &tenth).await;
    opened(store, phone(1), Signup, NOW + 8000).await;
    assert_eq!(retry_after(store, phone(1), NOW + 12_000).await, DAY - 12_000);
}

pub(crate) async fn cancelling_a_session_that_is_not_open_refunds_nothing(test: TestStore) {
    let store = test.connection();
    cancel(store, &sms_session(phone(1), Signup, NOW)).await;
    let first = opened(store, phone(1), Signup, NOW).await;
    cancel(store, &sms_session(phone(1), Signup, NOW)).await;
    assert_eq!(retry_after(store, phone(1), NOW).await, 60, "the send still counts");
    cancel(store, &first).await;
    cancel(store, &first).await;
    opened(store, phone(1), Signup, NOW).await;
}

pub(crate) async fn largest_configurable_limits_are_enforced(test: TestStore) {
    let store = test.connection();
    let config =
        Config { seconds_between_sends: 1, sends_per_phone_per_hour: 50, sends_per_phone_per_day: 50, ..config() };
    let send_limit = config.send_limit();
    for n in 0..50 {
        let session = SmsSession { max_attempts: 10, ..sms_session(phone(1), Signup, NOW + n) };
        assert_eq!(store.open_sms_session(&session, &send_limit, NOW + n).await.unwrap(), OpenOutcome::Opened);
        for _ in 0..10 {
            assert!(is_recorded(&attempt(store, &session, NOW + n).await));
        }
        assert!(!is_recorded(&attempt(store, &session, NOW + n).await));
    }
    let session = sms_session(phone(1), Signup, NOW + 50);
    let outcome = store.open_sms_session(&session, &send_limit, NOW + 50).await.unwrap();
    assert_eq!(outcome, OpenOutcome::RateLimited { retry_after: DAY - 50 });
}

pub(crate) async fn recorded_attempt_returns_the_purpose_and_mac_of_its_session(test: TestStore) {
    let store = test.connection();
    for (n, (purpose, length)) in
        [(Signup, CodeLength::Six), (PasswordReset, CodeLength::Eight)].into_iter().enumerate()
    {
        let (id, code) = (SmsSessionId::random(), AuthCode::random(length));
        let session = sms_session_with(&id, &code, phone(n), purpose, NOW);
        assert_eq!(open(store, &session, NOW).await, OpenOutcome::Opened);
        match attempt(store, &session, NOW + 299).await {
            AttemptOutcome::Recorded { purpose: stored, code_mac } => {
                assert_eq!(stored, purpose);
                assert!(id.code_matches(&phone(n), stored, &code, &code_mac));
                assert!(!id.code_matches(&phone(7), stored, &code, &code_mac));
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
    assert_eq!(open(store, &few, NOW).await, OpenOutcome::Opened);
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

pub(crate) async fn unknown_sms_session_is_not_verified(test: TestStore) {
    let store = test.connection();
    let unknown = sms_session(phone(1), Signup, NOW);
    assert_eq!(mark_verified(store, &unknown, NOW).await, VerificationOutcome::NotFound);
    assert!(!is_verified(store, &unknown.key, Signup, NOW).await);
}

pub(crate) async fn sign_up_attempts_require_a_session_verified_for_the_phone_and_for_sign_up(test: TestStore) {
    let store = test.connection();
    let record = async |key: &SmsSessionKey, now| store.record_sign_up_attempt(key, &phone(1), now).await.unwrap();
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
            async move { store.record_sign_up_attempt(&key, &phone(1), NOW).await }
        })
        .await;
    let count = |outcome| outcomes.iter().filter(|&&found| found == outcome).count();
    assert_eq!(count(SignUpAttemptOutcome::Recorded), 5);
    assert_eq!(count(SignUpAttemptOutcome::NotVerified), CALLS - 5);
    // The fifth attempt can still succeed.
    let outcome = sign_up(store, &user("minji@example.com", phone(1)), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
}
