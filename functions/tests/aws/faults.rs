//! The store and the API if DynamoDB throttles, hangs, cancels, is unavailable or loses a response.

use std::net::TcpListener;
use std::time::Duration;

use async_trait::async_trait;
use functions::lambda::{self, EventResponse};
use functions::sms_auth;
use shared::aws::{DynamoDbStore, sdk_config};
use shared::sms::{Sms, SmsError};
use shared::store::sessions::REUSE_INTERVAL_SECONDS;
use shared::store::{
    AttemptOutcome, OpenOutcome, ProfileOutcome, RefreshOutcome, Sessions as _, SignUpAttemptOutcome, SignUpOutcome,
    SmsSessions as _, StoreError, Users as _, VerificationOutcome,
};
use shared::values::Purpose::Signup;
use shared::values::{Phone, Region, UserAgent};

use crate::guarantees::{
    NOW, attempt, caller, exists, logged_in, next, parse, phone, refresh, send_limit, sign_up, sms_session,
    token_version_of, user, verified,
};
use crate::http::url_of;
use crate::proxy::{Fault, every_call, first_call, proxy, rejecting_sns};
use crate::services::{Tables, event};
use crate::test_app::TestApp;

#[track_caller]
fn assert_busy<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let StoreError::Busy(cause) = result.unwrap_err() else { panic!("not busy") };
    let cause = cause.to_string();
    assert!(cause.starts_with("dynamodb:") && !cause.contains("1020000001") && !cause.contains("minji"), "{cause}");
}

/// Opens an SMS session of one phone number.
async fn open(store: &DynamoDbStore) -> Result<OpenOutcome, StoreError> {
    store.open_sms_session(&sms_session(phone(1), Signup, NOW), &send_limit(), NOW).await
}

// ---- A busy store ----

#[tokio::test]
async fn throttled_call_is_retried() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(first_call(Fault::Throttle)));
    assert!(!store.is_email_taken(&parse("minji@example.com")).await.unwrap());
    assert_eq!(open(&store).await.unwrap(), OpenOutcome::Opened);
}

#[tokio::test]
async fn throttled_store_is_busy_and_unchanged() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(every_call(Fault::Throttle)));
    assert_busy(store.is_email_taken(&parse("minji@example.com")).await);
    assert_busy(open(&store).await);
    assert_eq!(open(&tables.store()).await.unwrap(), OpenOutcome::Opened);
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
    assert_busy(open(&store).await);
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
    let store = tables.store_at(&proxy(|_, nth| if nth < 4 { Fault::Conflict } else { Fault::None }));
    assert_eq!(open(&store).await.unwrap(), OpenOutcome::Opened);
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
    tables.store().open_sms_session(&session, &send_limit(), NOW).await.unwrap();
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
    tables.store().open_sms_session(&session, &send_limit(), NOW).await.unwrap();
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
    let record = async || store.record_sign_up_attempt(&session.key, &phone(1), NOW).await.unwrap();
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
    assert!(matches!(store.profile(&caller(&session), NOW).await.unwrap(), ProfileOutcome::Found(_)));
    let busy = tables.store_at(&proxy(every_call(Fault::NotProcessed)));
    assert_busy(busy.profile(&caller(&session), NOW).await);
}

#[tokio::test]
async fn refresh_whose_response_is_lost_advances_once() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let losing = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    assert_eq!(refresh(&losing, first, NOW + 100).await, RefreshOutcome::Refreshed);
    // Later than the reuse interval, which would accept the first token again.
    assert_eq!(refresh(&store, next(first, NOW + 100), NOW + 200).await, RefreshOutcome::Refreshed);
}

#[tokio::test]
async fn refresh_of_unknown_outcome_can_be_retried() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    let losing = tables.store_at(&proxy(every_call(Fault::LoseResponse)));
    assert_busy(losing.refresh_session(&next(first, NOW + 100), NOW + 100).await);
    assert_eq!(refresh(&store, first, NOW + 110).await, RefreshOutcome::Refreshed);
}

#[tokio::test]
async fn reuse_is_detected_again_after_a_failed_revocation() {
    let tables = Tables::create();
    let store = tables.store();
    let first = logged_in(&store).await;
    assert_eq!(refresh(&store, first, NOW).await, RefreshOutcome::Refreshed);
    let late = NOW + REUSE_INTERVAL_SECONDS + 1;
    let throttle_all_but_the_first = |operation: &str, nth| {
        if operation == "TransactWriteItems" && nth == 1 { Fault::None } else { Fault::Throttle }
    };
    let throttled = tables.store_at(&proxy(throttle_all_but_the_first));
    assert_busy(throttled.refresh_session(&next(first, late), late).await);
    assert_busy(throttled.revoke_session(&first).await);
    assert_busy(throttled.revoke_all_sessions(&first).await);
    assert_busy(throttled.start_session(&first, &UserAgent::default()).await);
    assert_eq!(refresh(&store, first, late).await, RefreshOutcome::ReuseDetected);
    assert_eq!(refresh(&store, next(first, NOW), late).await, RefreshOutcome::Revoked);
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

// ---- The API ----

/// Requests a code through the entry point of the function `sms-auth-send`.
async fn send(store: DynamoDbStore, sms: impl Sms + 'static) -> EventResponse {
    let mut app = TestApp::on(store, NOW);
    app.inner.sms = Box::new(sms);
    lambda::respond(sms_auth::send::ENDPOINT, &app.inner, event("sms-auth-send")).await
}

/// An SMS provider that accepts every message.
struct AcceptingSms;

#[async_trait]
impl Sms for AcceptingSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Ok(())
    }
}

#[tokio::test]
async fn busy_store_is_a_503_with_retry_after() {
    let tables = Tables::create();
    let response = send(tables.store_at(&proxy(every_call(Fault::Throttle))), AcceptingSms).await;
    assert_eq!(response.status_code, 503);
    assert_eq!(response.headers["retry-after"], "1");
    assert!(response.body.contains(r#""error_code":"SERVER__BUSY""#));
}

#[tokio::test]
async fn send_rejected_by_sns_is_refunded() {
    let tables = Tables::create();
    let phone = Phone::parse("01012345678", Region::KR).unwrap();
    for _ in 0..3 {
        let sns = rejecting_sns();
        let error = sns.send(&phone, "the text").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the SMS was not sent: sns:Publish: was refused with InvalidParameter (request unknown)"
        );
        let response = send(tables.store(), sns).await;
        assert_eq!(response.status_code, 504);
        assert!(response.body.contains(r#""error_code":"SMS__NOT_SENT""#) && !response.body.contains("1012345678"));
    }
    assert_eq!(send(tables.store(), AcceptingSms).await.status_code, 200);
}

#[tokio::test]
async fn send_that_could_not_be_refunded_is_still_a_504() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::None } else { Fault::Throttle }));
    assert_eq!(send(store, rejecting_sns()).await.status_code, 504);
    assert_eq!(send(tables.store(), AcceptingSms).await.status_code, 429, "the rejected send still counts");
}

#[tokio::test]
async fn send_of_unknown_outcome_is_refunded() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth <= 3 { Fault::LoseResponse } else { Fault::None }));
    assert_eq!(send(store, AcceptingSms).await.status_code, 503);
    assert_eq!(send(tables.store(), AcceptingSms).await.status_code, 200, "the failed send does not count");
}
