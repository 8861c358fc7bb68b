//! The store if DynamoDB throttles, hangs, cancels, is unavailable or loses a response.

use std::net::TcpListener;
use std::time::Duration;

use shared::aws::{DynamoDbStore, sdk_config};
use shared::limits::Bucket;
use shared::store::sessions::REUSE_INTERVAL_SECONDS;
use shared::store::{
    Accounts as _, AttemptOutcome, CallerError, CountOutcome, Limit, Limits as _, RefreshOutcome, Session,
    Sessions as _, SignUpAttemptOutcome, SignUpOutcome, SmsSessions as _, StoreError, Subject, Users as _,
    VerificationOutcome,
};
use shared::values::Purpose::{Login, Signup};
use shared::values::{Claims, UserAgent};

use crate::guarantees::{
    NOW, REFRESHED, attempt, caller, exists, logged_in, next, parse, phone, refresh, session_lifetime, sign_up,
    sms_session, token_version_of, user, verified,
};
use crate::http::url_of;
use crate::proxy::{Fault, every_call, first_call, proxy};
use crate::services::Tables;

#[track_caller]
fn assert_busy<T: std::fmt::Debug>(result: Result<T, impl Into<CallerError>>) {
    let Some(CallerError::Store(StoreError::Busy(cause))) = result.err().map(Into::into) else { panic!("not busy") };
    let cause = cause.to_string();
    assert!(cause.starts_with("dynamodb:") && !cause.contains("1020000001") && !cause.contains("minji"), "{cause}");
}

/// Counts an SMS to one phone number, of which one is allowed.
async fn count(store: &DynamoDbStore) -> Result<CountOutcome, StoreError> {
    store.count(&Limit::new(Subject::sms_to_phone(&phone(1)), Bucket::new(1, 3600)), NOW).await
}

// ---- A busy store ----

#[tokio::test]
async fn throttled_call_is_retried() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(first_call(Fault::Throttle)));
    assert!(!store.is_email_taken(&parse("minji@example.com")).await.unwrap());
    assert_eq!(count(&store).await.unwrap(), CountOutcome::Counted);
}

#[tokio::test]
async fn throttled_store_is_busy_and_unchanged() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(every_call(Fault::Throttle)));
    assert_busy(store.is_email_taken(&parse("minji@example.com")).await);
    assert_busy(count(&store).await);
    assert_eq!(count(&tables.store()).await.unwrap(), CountOutcome::Counted);
}

#[tokio::test]
async fn hanging_store_is_busy_after_a_timeout() {
    let tables = Tables::create();
    let sdk = sdk_config().unwrap();
    let timeouts = sdk
        .timeout_config()
        .unwrap()
        .to_builder()
        .operation_attempt_timeout(Duration::from_millis(50))
        .operation_timeout(Duration::from_millis(200));
    let url = proxy(every_call(Fault::Hang));
    let store = tables.store_with(&sdk.to_builder().timeout_config(timeouts.build()).endpoint_url(url).build());
    assert_busy(store.profile(&caller(&logged_in(&tables.store()).await), NOW).await);
    assert_busy(count(&store).await);
}

#[tokio::test]
async fn unreachable_store_is_busy() {
    // The port is free once the listener is dropped.
    let url = url_of(&TcpListener::bind("127.0.0.1:0").unwrap());
    let store = Tables::create().store_at(&url);
    assert_busy(store.is_phone_taken(&phone(1)).await);
}

#[tokio::test]
async fn server_error_without_a_code_is_busy() {
    let store = Tables::create().store_at(&proxy(every_call(Fault::Unavailable)));
    assert_busy(store.is_phone_taken(&phone(1)).await);
}

#[tokio::test]
async fn conflicting_transaction_is_retried() {
    let tables = Tables::create();
    let key = verified(&tables.store(), phone(1), Signup, NOW).await.key;
    let store = tables.store_at(&proxy(|_, nth| if nth < 4 { Fault::Conflict } else { Fault::None }));
    let outcome = sign_up(&store, &user("minji@example.com", phone(1)), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
}

#[tokio::test]
async fn sign_up_that_always_conflicts_is_busy_and_changes_nothing() {
    let tables = Tables::create();
    let store = tables.store();
    let key = verified(&store, phone(1), Signup, NOW).await.key;
    let new = user("minji@example.com", phone(1));
    assert_busy(sign_up(&tables.store_at(&proxy(every_call(Fault::Conflict))), &new, &key, NOW).await);
    assert!(!store.is_email_taken(&new.email).await.unwrap() && !store.is_phone_taken(&new.phone).await.unwrap());
    let outcome = sign_up(&store, &new, &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created, "the SMS session is still usable");
}

// ---- Lost responses ----

#[tokio::test]
async fn sign_up_whose_response_is_lost_succeeds_once() {
    let tables = Tables::create();
    let store = tables.store();
    let key = verified(&store, phone(1), Signup, NOW).await.key;
    let new = user("minji@example.com", phone(1));
    let losing = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    assert_eq!(sign_up(&losing, &new, &key, NOW).await.unwrap(), SignUpOutcome::Created);
    assert!(exists(&store, new.id).await);
}

#[tokio::test]
async fn attempt_whose_response_is_lost_counts_at_least_once() {
    let tables = Tables::create();
    let session = sms_session(phone(1), Signup, NOW);
    tables.store().open_sms_session(&session).await.unwrap();
    let store = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    let mut recorded = 0;
    while let AttemptOutcome::Recorded { .. } = attempt(&store, &session, NOW).await {
        recorded += 1;
    }
    assert_eq!(recorded, 4, "the SDK repeated the first call, which counted twice");
    assert!(matches!(attempt(&tables.store(), &session, NOW).await, AttemptOutcome::RateLimited { .. }));
}

#[tokio::test]
async fn verification_whose_response_is_lost_succeeds() {
    let tables = Tables::create();
    let session = sms_session(phone(1), Signup, NOW);
    tables.store().open_sms_session(&session).await.unwrap();
    let losing = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    let outcome = losing.mark_verified(&session.key, NOW + 600, NOW).await.unwrap();
    assert_eq!(outcome, VerificationOutcome::AlreadyVerified);
    assert_eq!(tables.store().verified_phone(&session.key, Signup, NOW).await.unwrap(), Some(phone(1)));
}

#[tokio::test]
async fn sign_up_attempt_whose_response_is_lost_counts_at_least_once() {
    let tables = Tables::create();
    let session = verified(&tables.store(), phone(1), Signup, NOW).await;
    let store = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    let record = async || store.record_sign_up_attempt(&session.key, &phone(1), 5, NOW).await.unwrap();
    let mut recorded = 0;
    while record().await == SignUpAttemptOutcome::Recorded {
        recorded += 1;
    }
    assert_eq!(recorded, 4, "the SDK repeated the first call, which counted twice");
}

#[tokio::test]
async fn conflicting_write_of_one_item_is_retried() {
    let tables = Tables::create();
    let session = logged_in(&tables.store()).await;
    let store = tables.store_at(&proxy(|_, nth| if nth < 4 { Fault::ConflictOfOneItem } else { Fault::None }));
    store.revoke_all_sessions(&session).await.unwrap();
    assert_eq!(token_version_of(&tables.store(), session.user_id).await, 1);
    store.revoke_session(&session).await.unwrap();
    let busy = tables.store_at(&proxy(every_call(Fault::ConflictOfOneItem)));
    assert_busy(busy.revoke_all_sessions(&session).await);
    assert_busy(busy.revoke_session(&session).await);
}

#[tokio::test]
async fn items_that_were_not_processed_are_read_again() {
    let tables = Tables::create();
    let session = logged_in(&tables.store()).await;
    let store = tables.store_at(&proxy(|_, nth| if nth < 4 { Fault::NotProcessed } else { Fault::None }));
    store.profile(&caller(&session), NOW).await.unwrap();
    let busy = tables.store_at(&proxy(every_call(Fault::NotProcessed)));
    assert_busy(busy.profile(&caller(&session), NOW).await);
}

#[tokio::test]
async fn refresh_whose_response_is_lost_advances_once() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let losing = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    assert_eq!(refresh(&losing, first, NOW + 100).await, REFRESHED);
    // Later than the reuse interval, which would accept the first token again.
    assert_eq!(refresh(&store, next(first, NOW + 100), NOW + 200).await, REFRESHED);
}

#[tokio::test]
async fn refresh_of_unknown_outcome_can_be_retried() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let losing = tables.store_at(&proxy(every_call(Fault::LoseResponse)));
    assert_busy(losing.refresh_session(&next(first, NOW + 100), &Claims::NONE, NOW + 100).await);
    assert_eq!(refresh(&store, first, NOW + 110).await, REFRESHED);
}

#[tokio::test]
async fn reuse_is_detected_again_after_a_failed_revocation() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    assert_eq!(refresh(&store, first, NOW).await, REFRESHED);
    let late = NOW + REUSE_INTERVAL_SECONDS + 1;
    let throttle_all_but_the_first = |operation: &str, nth| {
        if operation == "TransactWriteItems" && nth == 1 { Fault::None } else { Fault::Throttle }
    };
    let throttled = tables.store_at(&proxy(throttle_all_but_the_first));
    assert_busy(throttled.refresh_session(&next(first, late), &Claims::NONE, late).await);
    assert_busy(throttled.revoke_session(&first).await);
    assert_busy(throttled.revoke_all_sessions(&first).await);
    assert_busy(throttled.start_session(&first, &UserAgent::default()).await);
    assert_eq!(refresh(&store, first, late).await, RefreshOutcome::ReuseDetected);
    assert_eq!(refresh(&store, next(first, NOW), late).await, RefreshOutcome::Revoked);
}

#[tokio::test]
async fn login_by_code_whose_response_is_lost_starts_one_session() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let session = Session::new(first.user_id, 0, session_lifetime(), NOW);
    let sms_session = sms_session(phone(1), Login, NOW);
    store.open_sms_session(&sms_session).await.unwrap();
    let log_in = async |store: &DynamoDbStore| {
        store.start_session_by_code(&session, &UserAgent::default(), &phone(1), &sms_session.key, NOW).await
    };
    // The SDK repeats the call, which DynamoDB recognizes.
    assert!(log_in(&tables.store_at(&proxy(first_call(Fault::LoseResponse)))).await.unwrap());
    assert!(!log_in(&store).await.unwrap());
    assert_eq!(refresh(&store, session, NOW + 100).await, REFRESHED);
}

#[tokio::test]
async fn login_by_code_that_always_conflicts_is_busy_and_changes_nothing() {
    let tables = Tables::create();
    let store = tables.store();
    let session = Session::new(logged_in(&store).await.user_id, 0, session_lifetime(), NOW);
    let sms_session = sms_session(phone(1), Login, NOW);
    store.open_sms_session(&sms_session).await.unwrap();
    let log_in = async |store: &DynamoDbStore| {
        store.start_session_by_code(&session, &UserAgent::default(), &phone(1), &sms_session.key, NOW).await
    };
    assert_busy(log_in(&tables.store_at(&proxy(every_call(Fault::Conflict)))).await);
    assert_eq!(refresh(&store, session, NOW + 100).await, RefreshOutcome::Revoked);
    assert!(log_in(&store).await.unwrap(), "the SMS session is still usable");
}

#[tokio::test]
async fn revoking_all_sessions_with_a_lost_response_increments_the_token_version_once() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let losing = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    losing.revoke_all_sessions(&first).await.unwrap();
    assert_eq!(token_version_of(&store, first.user_id).await, 1);
}
