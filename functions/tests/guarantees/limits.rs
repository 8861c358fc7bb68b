//! The guarantees of rate limits.

use shared::limits::Bucket;
use shared::store::CountOutcome::{Counted, InARowExhausted, RateLimited};
use shared::store::limits::IN_A_ROW_SECONDS;
use shared::store::{CountOutcome, DayOutcome, Limit, Subject};

use super::*;

/// The largest numbers that the settings allow.
const MOST: Bucket = Bucket::new(10_000, 86_400);
/// A time at which a day begins (UTC).
const MIDNIGHT: i64 = NOW - NOW % DAY + DAY;

fn limit(n: usize, bucket: Bucket) -> Limit {
    Limit::new(Subject::sms_to_phone(&phone(n)), bucket)
}

/// Returns a limit of `max` events in a row, in a bucket that never rejects.
fn in_a_row(max: u32, is_kept: bool) -> Limit {
    let subject = Subject::passwords_of_account(UserId::from_stored("01890000-0000-7000-8000-000000000000").unwrap());
    Limit { in_a_row: Some(max), is_kept, ..Limit::new(subject, Bucket::new(10_000, 1)) }
}

async fn count(store: &dyn FullStore, limit: &Limit, now: i64) -> CountOutcome {
    store.count(limit, now).await.unwrap()
}

async fn refund(store: &dyn FullStore, limit: &Limit, now: i64) {
    store.refund(limit, now).await.unwrap();
}

/// Asserts that a limit of two events in a row counts two more, and rejects the third.
async fn assert_two_in_a_row(store: &dyn FullStore, limit: &Limit) {
    for expected in [Counted, Counted, InARowExhausted] {
        assert_eq!(count(store, limit, NOW).await, expected);
    }
}

/// Counts as many concurrent events as a race has. Returns how many were counted.
async fn race(test: &TestStore, limit: &Limit, now: i64) -> usize {
    let outcomes = test
        .race(|store, _| {
            let limit = limit.clone();
            async move { store.count(&limit, now).await }
        })
        .await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Counted | RateLimited { .. } | InARowExhausted)));
    outcomes.iter().filter(|&&outcome| outcome == Counted).count()
}

pub(crate) async fn bucket_allows_its_burst_and_then_one_event_each_interval(test: TestStore) {
    let (store, limit) = (test.connection(), limit(1, Bucket::new(3, 60)));
    for _ in 0..3 {
        assert_eq!(count(store, &limit, NOW).await, Counted);
    }
    assert_eq!(count(store, &limit, NOW).await, RateLimited { retry_after: 60 });
    assert_eq!(count(store, &limit, NOW + 59).await, RateLimited { retry_after: 1 });
    assert_eq!(count(store, &limit, NOW + 60).await, Counted);
    assert_eq!(count(store, &limit, NOW + 60).await, RateLimited { retry_after: 60 });
    assert_eq!(count(store, &self::limit(2, Bucket::new(3, 60)), NOW).await, Counted, "another subject");
    for _ in 0..3 {
        assert_eq!(count(store, &limit, NOW + 240).await, Counted, "it is idle again");
    }
    assert_eq!(count(store, &limit, NOW + 240).await, RateLimited { retry_after: 60 });
    assert_eq!(count(store, &self::limit(3, MOST), NOW).await, Counted);
    assert_eq!(count(store, &self::limit(3, MOST), NOW).await, Counted);
}

pub(crate) async fn concurrent_events_never_exceed_a_bucket(test: TestStore) {
    let limit = limit(1, Bucket::new(7, 3600));
    assert_eq!(race(&test, &limit, NOW).await, 7);
    assert_eq!(race(&test, &limit, NOW + 3599).await, 0);
    assert_eq!(race(&test, &limit, NOW + 3600).await, 1);
    assert_eq!(race(&test, &limit, NOW + 3 * 3600).await, 2);
    assert_eq!(race(&test, &limit, NOW + 100 * 3600).await, 7);
}

pub(crate) async fn event_counts_in_all_buckets_of_its_subject_or_in_none(test: TestStore) {
    let store = test.connection();
    let limit = limit(1, Bucket::new(3, 3600)).and("idle_at_interval", Bucket::new(1, 60));
    assert_eq!(count(store, &limit, NOW).await, Counted);
    for _ in 0..5 {
        assert_eq!(count(store, &limit, NOW + 1).await, RateLimited { retry_after: 59 });
    }
    assert_eq!(count(store, &limit, NOW + 60).await, Counted);
    assert_eq!(count(store, &limit, NOW + 120).await, Counted);
    assert_eq!(count(store, &limit, NOW + 180).await, RateLimited { retry_after: 3420 }, "the longer wait");
    assert_eq!(count(store, &limit, NOW + 3600).await, Counted);
    let other = self::limit(2, Bucket::new(3, 3600)).and("idle_at_interval", Bucket::new(1, 60));
    assert_eq!(race(&test, &other, NOW).await, 1);
}

pub(crate) async fn bucket_can_be_added_to_a_subject(test: TestStore) {
    let (store, wide) = (test.connection(), limit(1, Bucket::new(5, 3600)));
    assert_eq!(count(store, &wide, NOW).await, Counted);
    let narrow = wide.clone().and("idle_at_unnamed", Bucket::new(2, 3600));
    for _ in 0..2 {
        assert_eq!(count(store, &narrow, NOW).await, Counted);
    }
    assert_eq!(count(store, &narrow, NOW).await, RateLimited { retry_after: 3600 });
    for _ in 0..2 {
        assert_eq!(count(store, &wide, NOW).await, Counted);
    }
    assert_eq!(count(store, &wide, NOW).await, RateLimited { retry_after: 3600 });
}

pub(crate) async fn refund_allows_one_more_event(test: TestStore) {
    let store = test.connection();
    let limit = limit(1, Bucket::new(2, 3600)).and("idle_at_interval", Bucket::new(1, 60));
    refund(store, &limit, NOW).await;
    for _ in 0..20 {
        assert_eq!(count(store, &limit, NOW).await, Counted);
        refund(store, &limit, NOW).await;
    }
    assert_eq!(count(store, &limit, NOW).await, Counted);
    assert_eq!(count(store, &limit, NOW).await, RateLimited { retry_after: 60 });
    // More refunds than events leave a bucket that allows its burst, and not more.
    for _ in 0..5 {
        refund(store, &limit, NOW).await;
    }
    let burst = self::limit(1, Bucket::new(2, 3600));
    assert_eq!(race(&test, &burst, NOW + 60).await, 2);
}

pub(crate) async fn events_in_a_row_are_limited_however_slow_they_are(test: TestStore) {
    let (store, limit) = (test.connection(), in_a_row(3, true));
    for year in 0..3 {
        assert_eq!(count(store, &limit, NOW + year * 365 * DAY).await, Counted);
    }
    for year in 3..6 {
        assert_eq!(count(store, &limit, NOW + year * 365 * DAY).await, InARowExhausted);
    }
    refund(store, &limit, NOW + 6 * 365 * DAY).await;
    assert_eq!(count(store, &limit, NOW + 6 * 365 * DAY).await, Counted);
    assert_eq!(count(store, &limit, NOW + 6 * 365 * DAY).await, InARowExhausted);
}

pub(crate) async fn concurrent_events_in_a_row_never_exceed_the_limit(test: TestStore) {
    assert_eq!(race(&test, &in_a_row(40, true), NOW).await, 40);
    assert_eq!(race(&test, &in_a_row(40, true), NOW).await, 0);
}

pub(crate) async fn events_in_a_row_that_are_not_kept_expire_after_30_days(test: TestStore) {
    let (store, limit) = (test.connection(), in_a_row(2, false));
    assert_eq!(count(store, &limit, NOW).await, Counted);
    assert_eq!(count(store, &limit, NOW + 1).await, Counted);
    assert_eq!(count(store, &limit, NOW + IN_A_ROW_SECONDS).await, InARowExhausted);
    assert_eq!(race(&test, &limit, NOW + 1 + IN_A_ROW_SECONDS).await, 2);
    refund(store, &limit, NOW + 1 + 2 * IN_A_ROW_SECONDS).await;
    assert_eq!(race(&test, &limit, NOW + 1 + 2 * IN_A_ROW_SECONDS).await, 2, "an expired count is not refunded");
}

pub(crate) async fn reset_clears_the_events_in_a_row(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let limit =
        Limit { in_a_row: Some(2), is_kept: true, ..Limit::new(Subject::passwords_of_account(session.user_id), MOST) };
    assert_two_in_a_row(store, &limit).await;
    let hash = PasswordHash::from_stored("the second hash".to_owned());
    let unknown = SmsSessionId::random().key();
    assert!(!store.reset_password(session.user_id, &hash, &phone(1), &unknown, NOW).await.unwrap());
    assert_eq!(count(store, &limit, NOW).await, InARowExhausted, "a rejected reset clears nothing");
    let key = verified(store, phone(1), PasswordReset, NOW).await.key;
    assert!(store.reset_password(session.user_id, &hash, &phone(1), &key, NOW).await.unwrap());
    assert_two_in_a_row(store, &limit).await;
}

pub(crate) async fn login_by_code_clears_the_events_in_a_row(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let limit =
        Limit { in_a_row: Some(2), is_kept: true, ..Limit::new(Subject::passwords_of_account(session.user_id), MOST) };
    assert_two_in_a_row(store, &limit).await;
    let another = new_session(session.user_id, NOW);
    let log_in = async |key: SmsSessionKey| {
        store.start_session_by_code(&another, &user_agent(), &phone(1), &key, NOW).await.unwrap()
    };
    assert!(!log_in(SmsSessionId::random().key()).await);
    assert_eq!(count(store, &limit, NOW).await, InARowExhausted, "a rejected login clears nothing");
    let sms_session = opened(store, phone(1), Login, NOW).await;
    assert!(log_in(sms_session.key).await);
    assert_two_in_a_row(store, &limit).await;
}

// ---- The SMS of the day ----

async fn count_sms(store: &dyn FullStore, max: u32, now: i64) -> DayOutcome {
    store.count_sms_of_day(max, now).await.unwrap()
}

/// Counts as many concurrent SMS as a race has. Returns the counts, sorted.
async fn race_of_sms(test: &TestStore, max: u32, now: i64) -> Vec<u32> {
    let outcomes = test.race(|store, _| async move { store.count_sms_of_day(max, now).await }).await;
    let counts = outcomes.iter().filter_map(|outcome| match outcome {
        DayOutcome::Counted { count } => Some(*count),
        DayOutcome::Exhausted | DayOutcome::Paused => None,
    });
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable();
    counts
}

pub(crate) async fn concurrent_sms_never_exceed_the_total_of_a_day(test: TestStore) {
    assert_eq!(race_of_sms(&test, 30, MIDNIGHT - 1).await, (1..=30).collect::<Vec<_>>());
    let store = test.connection();
    assert_eq!(count_sms(store, 30, MIDNIGHT - 1).await, DayOutcome::Exhausted);
    assert_eq!(count_sms(store, 31, MIDNIGHT - 1).await, DayOutcome::Counted { count: 31 }, "a larger maximum");
    assert_eq!(race_of_sms(&test, 30, MIDNIGHT).await, (1..=30).collect::<Vec<_>>(), "a new day");
    // The clock of another function is late.
    assert_eq!(count_sms(store, 30, MIDNIGHT - 1).await, DayOutcome::Exhausted);
    assert_eq!(race_of_sms(&test, 30, MIDNIGHT + 10 * DAY).await.len(), 30);
}

pub(crate) async fn refunded_sms_of_a_day_is_allowed_again(test: TestStore) {
    let store = test.connection();
    store.refund_sms_of_day(NOW).await.unwrap();
    for count in 1..=2 {
        assert_eq!(count_sms(store, 2, NOW).await, DayOutcome::Counted { count });
    }
    assert_eq!(count_sms(store, 2, NOW).await, DayOutcome::Exhausted);
    store.refund_sms_of_day(NOW).await.unwrap();
    assert_eq!(count_sms(store, 2, NOW).await, DayOutcome::Counted { count: 2 });
    for _ in 0..5 {
        store.refund_sms_of_day(NOW).await.unwrap();
    }
    assert_eq!(count_sms(store, 2, NOW).await, DayOutcome::Counted { count: 1 }, "no count is negative");
    assert_eq!(count_sms(store, 2, NOW + DAY).await, DayOutcome::Counted { count: 1 });
    store.refund_sms_of_day(NOW).await.unwrap();
    assert_eq!(count_sms(store, 2, NOW + DAY).await, DayOutcome::Counted { count: 2 }, "of another day");
}

pub(crate) async fn paused_sms_are_not_counted_until_they_are_resumed(test: TestStore) {
    let store = test.connection();
    // Before the first SMS, on the same day, and on a new one.
    for (now, expected) in [(NOW, 1), (NOW, 2), (NOW + DAY, 1)] {
        (test.pause)(true);
        for _ in 0..3 {
            assert_eq!(count_sms(store, 30, now).await, DayOutcome::Paused);
        }
        assert_eq!(race_of_sms(&test, 30, now).await, [0; 0]);
        (test.pause)(false);
        assert_eq!(count_sms(store, 30, now).await, DayOutcome::Counted { count: expected });
    }
    (test.pause)(true);
    store.refund_sms_of_day(NOW + DAY).await.unwrap();
    assert_eq!(count_sms(store, 30, NOW + 2 * DAY).await, DayOutcome::Paused, "a refund resumes nothing");
}

pub(crate) async fn a_total_of_no_sms_allows_none(test: TestStore) {
    let store = test.connection();
    assert_eq!(count_sms(store, 0, NOW).await, DayOutcome::Exhausted);
    assert_eq!(count_sms(store, 1, NOW).await, DayOutcome::Counted { count: 1 });
    assert_eq!(count_sms(store, 0, NOW + DAY).await, DayOutcome::Exhausted);
}

pub(crate) async fn counts_last_as_long_as_the_longest_bucket_of_their_subject(test: TestStore) {
    let (store, wide, narrow) = (test.connection(), Bucket::new(5, 60), Bucket::new(2, 3600));
    let both = limit(1, wide).and("idle_at_unnamed", narrow);
    for _ in 0..2 {
        assert_eq!(count(store, &both, NOW).await, Counted);
    }
    let wide = limit(1, wide).beside(narrow);
    assert_eq!(wide.expires_at(NOW), Some(NOW + 7200));
    let not_kept = Limit { in_a_row: Some(2), ..limit(1, MOST) };
    assert_eq!(not_kept.expires_at(NOW), Some(NOW + MOST.longest_seconds()));
    assert_eq!(count(store, &wide, NOW + 300).await, Counted);
    assert_eq!(count(store, &both, NOW + 3599).await, RateLimited { retry_after: 1 });
    assert_eq!(count(store, &both, NOW + 3600).await, Counted);
}
