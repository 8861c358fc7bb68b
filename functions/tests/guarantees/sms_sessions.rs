//! The guarantees of SMS sessions and of the rate limits of phone numbers.

use super::*;

/// Records an attempt for the phone number of `session`.
async fn attempt(store: &dyn Store, session: &SmsSession, limits: &AttemptLimits, now: i64) -> AttemptOutcome {
    store.record_attempt(&session.key, &session.phone, limits, now).await.unwrap()
}

fn is_recorded(outcome: &AttemptOutcome) -> bool {
    matches!(outcome, AttemptOutcome::Recorded { .. })
}

/// Requests a send that the limit rejects. Returns the seconds until the next one is allowed.
async fn retry_after(store: &dyn Store, phone: Phone, now: i64) -> i64 {
    match open(store, &sms_session(phone, None, now), now).await {
        OpenOutcome::RateLimited { retry_after } => retry_after,
        OpenOutcome::Opened => panic!("the session was opened"),
    }
}

async fn cancel(store: &dyn Store, session: &SmsSession) {
    store.cancel_sms_session(session, &send_limit()).await.unwrap();
}

pub(crate) async fn sends_to_one_phone_are_a_minute_apart(test: TestStore) {
    let store = test.connection();
    opened(store, phone(1), None, NOW).await;
    assert_eq!(retry_after(store, phone(1), NOW).await, 60);
    assert_eq!(retry_after(store, phone(1), NOW + 59).await, 1);
    opened(store, phone(2), None, NOW).await;
    opened(store, phone(1), None, NOW + 60).await;
    assert_eq!(retry_after(store, phone(1), NOW + 61).await, 59);
}

pub(crate) async fn sends_to_one_phone_are_limited_per_hour_and_per_day(test: TestStore) {
    let store = test.connection();
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 60 * n).await;
    }
    assert_eq!(retry_after(store, phone(1), NOW + 600).await, 3000);
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 3600 + 60 * n).await;
    }
    assert_eq!(retry_after(store, phone(1), NOW + 7400).await, DAY - 7400);
    assert_eq!(retry_after(store, phone(1), NOW + DAY - 1).await, 1);
    opened(store, phone(1), None, NOW + DAY).await;
    assert_eq!(retry_after(store, phone(1), NOW + DAY + 1).await, 59, "the limit per minute is the tighter one");
    opened(store, phone(1), None, NOW + DAY + 60).await;
}

pub(crate) async fn rate_limited_send_opens_no_session(test: TestStore) {
    let store = test.connection();
    opened(store, phone(1), None, NOW).await;
    let rejected = sms_session(phone(1), None, NOW);
    assert_ne!(open(store, &rejected, NOW).await, OpenOutcome::Opened);
    assert_eq!(attempt(store, &rejected, &attempt_limits(), NOW).await, AttemptOutcome::NotFound);
}

pub(crate) async fn concurrent_sends_to_one_phone_open_one_session(test: TestStore) {
    let outcomes =
        test.race(|store, _| async move {
            store.open_sms_session(&sms_session(phone(1), None, NOW), &send_limit(), NOW).await
        })
        .await;
    let rate_limited = OpenOutcome::RateLimited { retry_after: 60 };
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == OpenOutcome::Opened).count(), 1);
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == rate_limited).count(), CALLS - 1);
}

pub(crate) async fn cancelling_a_send_refunds_it(test: TestStore) {
    let store = test.connection();
    for _ in 0..20 {
        let session = opened(store, phone(1), None, NOW).await;
        cancel(store, &session).await;
        assert_eq!(attempt(store, &session, &attempt_limits(), NOW).await, AttemptOutcome::NotFound);
    }
    opened(store, phone(1), None, NOW).await;
}

pub(crate) async fn cancelling_a_send_restores_the_limits_per_hour_and_per_day(test: TestStore) {
    let store = test.connection();
    for n in 0..4 {
        opened(store, phone(1), None, NOW + 60 * n).await;
    }
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 3600 + 60 * n).await;
    }
    // The tenth send of the day: the limit remembers ten.
    let tenth = opened(store, phone(1), None, NOW + 8000).await;
    cancel(store, &tenth).await;
    opened(store, phone(1), None, NOW + 8000).await;
    assert_eq!(retry_after(store, phone(1), NOW + 12_000).await, DAY - 12_000);
}

pub(crate) async fn cancelling_a_session_that_is_not_open_refunds_nothing(test: TestStore) {
    let store = test.connection();
    cancel(store, &sms_session(phone(1), None, NOW)).await;
    let first = opened(store, phone(1), None, NOW).await;
    cancel(store, &sms_session(phone(1), None, NOW)).await;
    assert_eq!(retry_after(store, phone(1), NOW).await, 60, "the send still counts");
    cancel(store, &first).await;
    cancel(store, &first).await;
    opened(store, phone(1), None, NOW).await;
}

pub(crate) async fn largest_configurable_limits_are_enforced(test: TestStore) {
    let store = test.connection();
    let config = Config {
        seconds_between_sends: 1,
        sends_per_phone_per_hour: 50,
        sends_per_phone_per_day: 50,
        failed_attempts_per_phone_per_day: 50,
        attempts_per_sms_session: 10,
        ..config()
    };
    let (send_limit, attempt_limits) = (config.send_limit(), config.attempt_limits());
    for n in 0..50 {
        let session = sms_session(phone(1), None, NOW + n);
        assert_eq!(store.open_sms_session(&session, &send_limit, NOW + n).await.unwrap(), OpenOutcome::Opened);
        assert!(is_recorded(&attempt(store, &session, &attempt_limits, NOW + n).await));
    }
    let session = sms_session(phone(1), None, NOW + 50);
    let outcome = store.open_sms_session(&session, &send_limit, NOW + 50).await.unwrap();
    assert_eq!(outcome, OpenOutcome::RateLimited { retry_after: DAY - 50 });
}

pub(crate) async fn recorded_attempt_returns_the_purpose_and_mac_of_its_session(test: TestStore) {
    let store = test.connection();
    for (n, purpose) in [None, Some(Purpose::Signup), Some(Purpose::PasswordReset)].into_iter().enumerate() {
        let (id, code) = (SmsSessionId::random(), AuthCode::random());
        let session = sms_session_with(&id, &code, phone(n), purpose, NOW);
        assert_eq!(open(store, &session, NOW).await, OpenOutcome::Opened);
        match attempt(store, &session, &attempt_limits(), NOW + 299).await {
            AttemptOutcome::Recorded { purpose: stored, code_mac } => {
                assert_eq!(stored, purpose);
                assert!(id.code_matches(&phone(n), stored, &code, &code_mac));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(attempt(store, &session, &attempt_limits(), NOW + 300).await, AttemptOutcome::CodeExpired);
    }
    let unknown = sms_session(phone(1), None, NOW);
    assert_eq!(attempt(store, &unknown, &attempt_limits(), NOW).await, AttemptOutcome::NotFound);
}

pub(crate) async fn expired_sms_session_is_not_found_before_it_is_deleted(test: TestStore) {
    let store = test.connection();
    let session = opened(store, phone(1), None, NOW).await;
    let expires_at = session.expires_at;
    assert_eq!(attempt(store, &session, &attempt_limits(), expires_at - 1).await, AttemptOutcome::CodeExpired);
    assert_eq!(attempt(store, &session, &attempt_limits(), expires_at).await, AttemptOutcome::NotFound);
    assert!(!mark_verified(store, &session, expires_at).await);

    let key = verified(store, phone(2), None, NOW).await.key;
    let expires_at = NOW + config().verified_seconds;
    let user = user("minji@example.com", phone(2));
    assert_eq!(sign_up(store, &user, &key, expires_at).await.unwrap(), SignUpOutcome::NotVerified);
    assert_eq!(sign_up(store, &user, &key, expires_at - 1).await.unwrap(), SignUpOutcome::Created);
}

pub(crate) async fn concurrent_guesses_are_limited_to_five(test: TestStore) {
    let key = opened(test.connection(), phone(1), None, NOW).await.key;
    let outcomes = test
        .race(|store, _| {
            let key = key.clone();
            async move { store.record_attempt(&key, &phone(1), &attempt_limits(), NOW + 1).await }
        })
        .await;
    let rate_limited = AttemptOutcome::RateLimited { retry_after: 599 };
    assert_eq!(outcomes.iter().filter(|outcome| is_recorded(outcome)).count(), 5);
    assert_eq!(outcomes.iter().filter(|&outcome| *outcome == rate_limited).count(), CALLS - 5);
}

pub(crate) async fn resending_a_code_does_not_reset_the_limit_of_attempts_per_phone(test: TestStore) {
    let store = test.connection();
    let limits = Config { failed_attempts_per_phone_per_day: 7, ..config() }.attempt_limits();
    let first = opened(store, phone(1), None, NOW).await;
    for n in 0..5 {
        assert!(is_recorded(&attempt(store, &first, &limits, NOW + n).await));
    }
    let second = opened(store, phone(1), None, NOW + 60).await;
    for _ in 0..2 {
        assert!(is_recorded(&attempt(store, &second, &limits, NOW + 60).await));
    }
    let outcome = attempt(store, &second, &limits, NOW + 61).await;
    assert_eq!(outcome, AttemptOutcome::RateLimited { retry_after: DAY - 61 });
    let third = opened(store, phone(1), None, NOW + DAY).await;
    assert!(is_recorded(&attempt(store, &third, &limits, NOW + DAY).await), "the first is out of the window");
    let outcome = attempt(store, &third, &limits, NOW + DAY).await;
    assert_eq!(outcome, AttemptOutcome::RateLimited { retry_after: 1 }, "the second is not");
}

pub(crate) async fn concurrent_guesses_in_many_sessions_are_limited_per_phone(test: TestStore) {
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(opened(test.connection(), phone(1), None, NOW + 60 * n).await.key);
    }
    let outcomes = test
        .race(|store, n| {
            let key = keys[n % keys.len()].clone();
            async move { store.record_attempt(&key, &phone(1), &attempt_limits(), NOW + 250).await }
        })
        .await;
    let is_rate_limited = |outcome: &&AttemptOutcome| matches!(outcome, AttemptOutcome::RateLimited { .. });
    assert_eq!(outcomes.iter().filter(|outcome| is_recorded(outcome)).count(), 20);
    assert_eq!(outcomes.iter().filter(is_rate_limited).count(), CALLS - 20);
}

pub(crate) async fn attempt_for_another_phone_counts_on_the_session_only(test: TestStore) {
    let store = test.connection();
    let limits = Config { failed_attempts_per_phone_per_day: 1, ..config() }.attempt_limits();
    let mine = opened(store, phone(1), None, NOW).await;
    let other = opened(store, phone(2), None, NOW).await;
    for _ in 0..5 {
        let outcome = store.record_attempt(&mine.key, &phone(2), &limits, NOW).await.unwrap();
        assert_eq!(outcome, AttemptOutcome::WrongPhone);
    }
    let outcome = attempt(store, &mine, &limits, NOW).await;
    assert_eq!(outcome, AttemptOutcome::RateLimited { retry_after: 600 });
    assert!(is_recorded(&attempt(store, &other, &limits, NOW).await));
}

pub(crate) async fn successful_attempt_is_refunded(test: TestStore) {
    let store = test.connection();
    let limits = Config { failed_attempts_per_phone_per_day: 1, ..config() }.attempt_limits();
    for n in 0..3 {
        let now = NOW + 60 * n;
        let session = opened(store, phone(1), None, now).await;
        assert!(is_recorded(&attempt(store, &session, &limits, now).await));
        let until = now + config().verified_seconds;
        assert!(store.mark_verified(&session.key, &phone(1), until, &limits.per_phone, now).await.unwrap());
    }
}

pub(crate) async fn sms_session_is_verified_until_it_expires(test: TestStore) {
    let store = test.connection();
    let session = opened(store, phone(1), Some(Purpose::Signup), NOW).await;
    assert_eq!(store.verified_sms_session(&session.key, NOW).await.unwrap(), None);
    assert!(mark_verified(store, &session, NOW + 299).await);
    let verified = store.verified_sms_session(&session.key, NOW + 898).await.unwrap().unwrap();
    assert_eq!((verified.phone, verified.purpose), (phone(1), Some(Purpose::Signup)));
    assert_eq!(store.verified_sms_session(&session.key, NOW + 899).await.unwrap(), None);
}

pub(crate) async fn unknown_sms_session_is_not_verified(test: TestStore) {
    let store = test.connection();
    let unknown = sms_session(phone(1), None, NOW);
    assert!(!mark_verified(store, &unknown, NOW).await);
    assert_eq!(store.verified_sms_session(&unknown.key, NOW).await.unwrap(), None);
}
