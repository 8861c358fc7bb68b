//! The API and its limits if DynamoDB throttles or loses a response, or SNS rejects an SMS.

use async_trait::async_trait;
use functions::lambda::{self, EventResponse};
use functions::sms_auth;
use serde_json::Value as Json;
use shared::aws::DynamoDbStore;
use shared::limits::Bucket;
use shared::sms::{Sms, SmsError};
use shared::store::{AttemptOutcome, CountOutcome, DayOutcome, Limit, Limits as _, SmsSessions as _, Subject};
use shared::values::{Phone, Region, SmsSessionId};

use crate::guarantees::{NOW, parse, phone};
use crate::proxy::{Fault, every_call, failing_sns, first_call, proxy, rejecting_sns};
use crate::services::{Tables, event, pause_sms};
use crate::test_app::{PASSWORD, TestApp, json_request, query_request};

/// Requests a code through the entry point of the function `sms-auth-send`.
async fn send(store: DynamoDbStore, sms: impl Sms + 'static) -> EventResponse {
    let mut app = TestApp::on(store, NOW);
    app.inner.sms = Box::new(sms);
    lambda::respond(sms_auth::send::ENDPOINT, &app.inner, event("sms-auth-send")).await
}

/// An SMS provider that must not be called.
struct PanickingSms;

#[async_trait]
impl Sms for PanickingSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        panic!("an SMS was sent")
    }
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
async fn send_of_unknown_outcome_counts_and_keeps_its_session() {
    for status in [None, Some(503)] {
        let tables = Tables::create();
        let response = send(tables.store(), failing_sns(status)).await;
        assert_eq!(response.status_code, 200, "{status:?}");
        let body: Json = serde_json::from_str(&response.body).unwrap();
        let key = parse::<SmsSessionId>(body["session_id"].as_str().unwrap()).key();
        assert!(matches!(
            tables.store().record_attempt(&key, 300, NOW).await.unwrap(),
            AttemptOutcome::Recorded { .. }
        ));
        assert_eq!(send(tables.store(), PanickingSms).await.status_code, 429, "{status:?}");
        let total = tables.store().count_sms_of_day(500, NOW).await.unwrap();
        assert_eq!(total, DayOutcome::Counted { count: 2 }, "{status:?}");
    }
}

/// Returns the error code of a response, or nothing.
fn error_code(response: &EventResponse) -> String {
    let body: Json = serde_json::from_str(&response.body).unwrap();
    body["error_code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn send_that_could_not_be_refunded_is_still_a_504_and_counts() {
    let tables = Tables::create();
    // Three limits are counted, the last one with two writes; nothing is refunded.
    let store = tables.store_at(&proxy(|operation, nth| match operation {
        "UpdateItem" if nth > 4 => Fault::Throttle,
        "DeleteItem" => Fault::Throttle,
        _ => Fault::None,
    }));
    assert_eq!(send(store, rejecting_sns()).await.status_code, 504);
    assert_eq!(send(tables.store(), AcceptingSms).await.status_code, 429, "the rejected send still counts");
}

#[tokio::test]
async fn nothing_is_sent_while_a_limit_cannot_be_counted() {
    for failing in 1..=4 {
        let tables = Tables::create();
        let store = tables.store_at(&proxy(move |operation, nth| {
            // The SDK repeats a throttled call twice.
            let is_failing = operation == "UpdateItem" && (failing..failing + 3).contains(&nth);
            if is_failing { Fault::Throttle } else { Fault::None }
        }));
        let response = send(store, PanickingSms).await;
        assert_eq!((response.status_code, error_code(&response)), (503, "SERVER__BUSY".to_owned()), "{failing}");
    }
    let tables = Tables::create();
    let store =
        tables.store_at(&proxy(|operation, _| if operation == "PutItem" { Fault::Throttle } else { Fault::None }));
    assert_eq!(send(store, PanickingSms).await.status_code, 503);
    assert_eq!(send(tables.store(), AcceptingSms).await.status_code, 200, "the failed send was refunded");
}

#[tokio::test]
async fn nothing_is_compared_while_a_limit_cannot_be_counted() {
    let tables = Tables::create();
    let app = TestApp::on(tables.store(), NOW);
    app.sign_up("minji@example.com", "01012345678").await;
    for failing in 1..=2 {
        let mut app = TestApp::on(
            tables.store_at(&proxy(move |operation, nth| {
                let is_failing = operation == "UpdateItem" && (failing..failing + 3).contains(&nth);
                if is_failing { Fault::Throttle } else { Fault::None }
            })),
            NOW,
        );
        // bcrypt has no such cost.
        app.inner.config.bcrypt_cost = 0;
        app.login("nobody@example.com", PASSWORD).await.assert_error(503, "SERVER__BUSY");
    }
}

#[tokio::test]
async fn nothing_is_read_while_a_duplicate_check_cannot_be_counted() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|operation, _| match operation {
        "UpdateItem" => Fault::Throttle,
        _ => panic!("{operation} was called"),
    }));
    let app = TestApp::on(store, NOW);
    for (check, query) in
        [("email-duplicate-check", ("email", "minji@example.com")), ("phone-duplicate-check", ("phone", "01012345678"))]
    {
        app.call_by_name(check, query_request(&[query])).await.assert_error(503, "SERVER__BUSY");
    }
}

#[tokio::test]
async fn sends_that_fail_or_are_rejected_leave_the_total_as_it_was() {
    let tables = Tables::create();
    let device_token = TestApp::on(tables.store(), NOW).sign_up_on_a_device("minji@example.com", "01012345678").await;
    // The limits of the device and of the account, and the total, which counts the SMS of the sign-up already.
    for failing in 1..=3 {
        let store = tables.store_at(&proxy(move |operation, nth| {
            let is_failing = operation == "UpdateItem" && (failing..failing + 3).contains(&nth);
            if is_failing { Fault::Throttle } else { Fault::None }
        }));
        let mut app = TestApp::on(store, NOW);
        app.inner.sms = Box::new(PanickingSms);
        app.send_from(&device_token, "01012345678", "password_reset").await.assert_error(503, "SERVER__BUSY");
    }
    let app = TestApp::on(tables.store(), NOW);
    app.send_from(&device_token, "01012345678", "password_reset").await.ok();
    for _ in 0..5 {
        let rejected = app.send_from(&device_token, "01012345678", "password_reset").await;
        rejected.assert_error(429, "SMS__TOO_MANY_REQUESTS");
        let rejected = app.call_by_name("sms-auth-send", json_request(r#"{"phone":"01012345678"}"#)).await;
        rejected.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    }
    let total = tables.store().count_sms_of_day(500, NOW).await.unwrap();
    assert_eq!(total, DayOutcome::Counted { count: 3 }, "the failed and the rejected sends do not count");
}

#[tokio::test]
async fn a_code_is_verified_although_its_send_is_not_refunded() {
    let tables = Tables::create();
    let mut app = TestApp::on(tables.store(), NOW);
    let (session_id, code) = app.send("01012345678", Some("signup")).await;
    // The attempt, the mark, and then the refund.
    app.use_store(tables.store_at(&proxy(|operation, nth| {
        if operation == "UpdateItem" && nth > 2 { Fault::Throttle } else { Fault::None }
    })));
    app.verify(&session_id, "01012345678", &code).await.ok();
}

#[tokio::test]
async fn login_succeeds_although_its_attempt_is_not_refunded() {
    let tables = Tables::create();
    TestApp::on(tables.store(), NOW).sign_up("minji@example.com", "01012345678").await;
    let store =
        tables.store_at(&proxy(
            |operation, nth| {
                if operation == "UpdateItem" && nth > 2 { Fault::Throttle } else { Fault::None }
            },
        ));
    TestApp::on(store, NOW).login("minji@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn count_whose_response_is_lost_counts_at_least_once() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    let limit = Limit::new(Subject::sms_to_phone(&phone(1)), Bucket::new(4, 3600));
    let mut counted = 0;
    while store.count(&limit, NOW).await.unwrap() == CountOutcome::Counted {
        counted += 1;
    }
    assert_eq!(counted, 3, "the SDK repeated the first call, which counted twice");
    assert_eq!(store.count_sms_of_day(6, NOW).await.unwrap(), DayOutcome::Counted { count: 1 });
    let store = tables.store_at(&proxy(first_call(Fault::LoseResponse)));
    let mut counted = 0;
    while matches!(store.count_sms_of_day(6, NOW).await.unwrap(), DayOutcome::Counted { .. }) {
        counted += 1;
    }
    assert_eq!(counted, 4);
}

#[tokio::test]
async fn refund_whose_response_is_lost_allows_one_event_more_at_most() {
    let tables = Tables::create();
    let limit = Limit::new(Subject::sms_to_phone(&phone(1)), Bucket::new(4, 3600));
    for _ in 0..4 {
        assert_eq!(tables.store().count(&limit, NOW).await.unwrap(), CountOutcome::Counted);
    }
    tables.store_at(&proxy(first_call(Fault::LoseResponse))).refund(&limit, NOW).await.unwrap();
    let mut counted = 0;
    while tables.store().count(&limit, NOW).await.unwrap() == CountOutcome::Counted {
        counted += 1;
    }
    assert_eq!(counted, 2);
}

#[tokio::test]
async fn paused_sms_are_sent_again_once_they_are_resumed() {
    let tables = Tables::create();
    let pause = |is_paused| pause_sms(&tables, is_paused);
    let app = TestApp::on(tables.store(), NOW);
    let send = async || app.call_by_name("sms-auth-send", json_request(r#"{"phone":"01012345678"}"#)).await;
    // The item of the day does not exist yet.
    pause(true);
    for _ in 0..2 {
        send().await.assert_retry_after(503, "SMS__PAUSED", 600);
        app.clock.advance(86_400);
    }
    pause(false);
    send().await.ok();
    app.clock.advance(60);
    pause(true);
    for _ in 0..20 {
        send().await.assert_error(503, "SMS__PAUSED");
    }
    pause(false);
    send().await.ok();
    assert_eq!(app.texts("01012345678").len(), 2);
}

/// Signs up on `tables`, and returns an app whose reset of the password is verified, with the SMS session's id.
async fn before_reset(tables: &Tables) -> (TestApp, String) {
    let app = TestApp::on(tables.store(), NOW);
    app.sign_up("minji@example.com", "01012345678").await;
    app.clock.advance(60);
    let session_id = app.verified_sms_session("01012345678", Some("password_reset")).await;
    (app, session_id)
}

#[tokio::test]
async fn reset_succeeds_without_its_sms_while_sms_are_paused_or_their_total_cannot_be_counted() {
    for is_paused in [true, false] {
        let tables = Tables::create();
        let (mut app, session_id) = before_reset(&tables).await;
        app.inner.sms = Box::new(PanickingSms);
        if is_paused {
            pause_sms(&tables, true);
        } else {
            let throttle_updates =
                |operation: &str, _| if operation == "UpdateItem" { Fault::Throttle } else { Fault::None };
            app.use_store(tables.store_at(&proxy(throttle_updates)));
        }
        let body = format!(r#"{{"session_id":"{session_id}","password":"a newer horse battery"}}"#);
        app.call_by_name("password", json_request(&body)).await.ok();
        pause_sms(&tables, false);
        app.use_store(tables.store());
        app.login("minji@example.com", "a newer horse battery").await.ok();
    }
}
