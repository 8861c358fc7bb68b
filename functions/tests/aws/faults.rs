//! What a store that throttles, hangs, cancels, loses its answer or is away comes to. Between the
//! store and DynamoDB Local stands a proxy that makes the faults.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::contract::{NOW, draft, logged_in, next, phone, refresh, sign_up, user, value, verified};
use crate::http::{header, read_request};
use crate::stand_ins::{Tables, url};
use ::functions::{ENDPOINTS, serve};
use shared::App;
use shared::aws::{DynamoDbStore, SnsSms, sdk_config};
use shared::clock::ManualClock;
use shared::config::Config;
use shared::keys::Keys;
use shared::phone::Phone;
use shared::sms::{Sms, SmsError};
use shared::sms_auth::AuthCode;
use shared::store::{GRACE_SECONDS, Opened, Refreshed, SignUp, Store, StoreError, Try};
use shared::user::UserId;

#[derive(Clone, Copy)]
/// What the proxy does with a call.
pub(crate) enum Fault {
    None,
    /// Refuses the call for its rate.
    Throttle,
    /// Cancels the transaction: another one is at the item.
    Conflict,
    /// Does the call, and loses the answer.
    LoseAnswer,
    /// Never answers.
    Hang,
    /// Answers as what stands between may: 503, and nothing else.
    Unavailable,
}

/// A proxy to DynamoDB Local; `fault` is asked at each call, which is the n-th of its operation.
pub(crate) fn proxy(fault: impl Fn(&str, usize) -> Fault + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (upstream, fault) = (url("DYNAMODB_LOCAL_URL"), Arc::new(fault));
    thread::spawn(move || {
        let mut calls = std::collections::HashMap::<String, usize>::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let (headers, body) = read_request(&mut client);
            let operation = header(&headers, "x-amz-target").rsplit('.').next().unwrap().to_owned();
            let nth = calls.entry(operation.clone()).or_default();
            *nth += 1;
            match fault(&operation, *nth) {
                Fault::None => forward(&upstream, &headers, &body, Some(client)),
                Fault::LoseAnswer => forward(&upstream, &headers, &body, None),
                Fault::Throttle => answer(client, 400, br#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#),
                Fault::Conflict => answer(
                    client,
                    400,
                    br#"{"__type":"com.amazonaws.dynamodb.v20120810#TransactionCanceledException","message":"cancelled","CancellationReasons":[{"Code":"None"},{"Code":"TransactionConflict"}]}"#,
                ),
                Fault::Unavailable => answer(client, 503, b""),
                // Kept open until the test ends.
                Fault::Hang => std::mem::forget(client),
            }
        }
    });
    address
}

fn forward(upstream: &str, headers: &str, body: &[u8], client: Option<TcpStream>) {
    let mut request = ureq::post(upstream);
    for name in ["x-amz-target", "content-type", "authorization"] {
        request = request.header(name, header(headers, name));
    }
    let mut response = request.config().http_status_as_error(false).build().send(body).unwrap();
    let (status, body) = (response.status().as_u16(), response.body_mut().read_to_vec().unwrap());
    if let Some(client) = client {
        answer(client, status, &body);
    }
}

fn answer(mut client: TcpStream, status: u16, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(body));
}

async fn good(tables: &Tables) -> DynamoDbStore {
    tables.store_at(&url("DYNAMODB_LOCAL_URL")).await
}

#[track_caller]
fn is_busy<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    let StoreError::Busy(cause) = result.unwrap_err() else { panic!("not busy") };
    let cause = cause.to_string();
    assert!(cause.starts_with("dynamodb:") && !cause.contains("1020000001") && !cause.contains("minji"), "{cause}");
}

#[tokio::test]
async fn one_throttled_call_is_made_again() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::Throttle } else { Fault::None })).await;
    assert!(!store.email_taken(&value("minji@example.com")).await.unwrap());
    assert_eq!(
        store.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await.unwrap(),
        Opened::Yes
    );
}

#[tokio::test]
async fn a_store_that_throttles_is_busy_and_unchanged() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, _| Fault::Throttle)).await;
    is_busy(store.email_taken(&value("minji@example.com")).await);
    is_busy(store.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await);
    assert_eq!(
        good(&tables).await.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await.unwrap(),
        Opened::Yes
    );
}

#[tokio::test]
async fn a_store_that_hangs_is_busy_after_a_while() {
    let tables = Tables::create();
    let sdk = sdk_config().unwrap();
    let soon = sdk
        .timeout_config()
        .unwrap()
        .to_builder()
        .operation_attempt_timeout(Duration::from_millis(50))
        .operation_timeout(Duration::from_millis(200));
    let sdk = sdk.to_builder().timeout_config(soon.build()).endpoint_url(proxy(|_, _| Fault::Hang)).build();
    let store = tables.store_with(&sdk);
    is_busy(store.profile(UserId::generate(NOW)).await);
    is_busy(store.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await);
}

#[tokio::test]
async fn a_store_that_is_away_is_busy() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = Tables::create().store_at(&format!("http://{closed}")).await;
    is_busy(store.phone_taken(&phone(1)).await);
}

#[tokio::test]
async fn a_transaction_that_met_another_is_tried_again() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth < 4 { Fault::Conflict } else { Fault::None })).await;
    assert_eq!(
        store.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await.unwrap(),
        Opened::Yes
    );
}

#[tokio::test]
async fn a_sign_up_that_is_always_cancelled_is_busy_and_changes_nothing() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let session = verified(&good, phone(1), None, NOW).await.session;
    let new = user("minji@example.com", phone(1));
    let store = tables.store_at(&proxy(|_, _| Fault::Conflict)).await;
    is_busy(sign_up(&store, &new, &session.key, NOW).await);
    assert!(!good.email_taken(&new.email).await.unwrap() && !good.phone_taken(&new.phone).await.unwrap());
    assert_eq!(sign_up(&good, &new, &session.key, NOW).await.unwrap(), SignUp::Done, "the session is still usable");
}

#[tokio::test]
async fn a_sign_up_whose_answer_is_lost_succeeds_once() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let (session, user) = (verified(&good, phone(1), None, NOW).await.session, user("minji@example.com", phone(1)));
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::LoseAnswer } else { Fault::None })).await;
    assert_eq!(sign_up(&store, &user, &session.key, NOW).await.unwrap(), SignUp::Done);
    assert!(good.profile(user.id).await.unwrap().is_some());
}

#[tokio::test]
async fn a_try_whose_answer_is_lost_counts_once() {
    let tables = Tables::create();
    let (good, config) = (good(&tables).await, Config::default());
    let session = draft(phone(1), None, NOW).session;
    good.open_session(&session, &config, NOW).await.unwrap();
    let store =
        tables
            .store_at(&proxy(|operation, nth| {
                if operation == "TransactWriteItems" && nth == 1 { Fault::LoseAnswer } else { Fault::None }
            }))
            .await;
    for _ in 0..5 {
        assert!(matches!(
            store.count_try(&session.key, &session.phone, &config, NOW).await.unwrap(),
            Try::Counted { .. }
        ));
    }
    assert!(matches!(store.count_try(&session.key, &session.phone, &config, NOW).await.unwrap(), Try::Spent { .. }));
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_moves_on_once() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let first = logged_in(&good).await;
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::LoseAnswer } else { Fault::None })).await;
    // Long after, so that the grace is not what lets it through.
    assert_eq!(refresh(&store, first, NOW + 100).await, Refreshed::Yes);
    assert_eq!(refresh(&good, next(first, NOW + 100), NOW + 200).await, Refreshed::Yes);
}

#[tokio::test]
async fn a_refresh_of_unknown_outcome_can_be_made_again() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let first = logged_in(&good).await;
    let store = tables.store_at(&proxy(|_, _| Fault::LoseAnswer)).await;
    is_busy(store.refresh(&next(first, NOW + 100), NOW + 100).await);
    assert_eq!(refresh(&good, first, NOW + 110).await, Refreshed::Yes);
}

#[tokio::test]
async fn a_family_that_could_not_be_ended_is_still_to_be_ended() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let first = logged_in(&good).await;
    assert_eq!(refresh(&good, first, NOW).await, Refreshed::Yes);
    let late = NOW + GRACE_SECONDS + 1;
    let throttle_all_but_the_first = |operation: &str, nth| {
        if operation == "TransactWriteItems" && nth == 1 { Fault::None } else { Fault::Throttle }
    };
    let store = tables.store_at(&proxy(throttle_all_but_the_first)).await;
    is_busy(store.refresh(&next(first, late), late).await);
    is_busy(store.end_family(&first).await);
    is_busy(store.end_all_families(&first).await);
    is_busy(store.start_family(&first).await);
    assert_eq!(refresh(&good, first, late).await, Refreshed::Reused);
    assert_eq!(refresh(&good, next(first, NOW), late).await, Refreshed::Ended);
}

#[tokio::test]
async fn an_end_of_all_families_whose_answer_is_lost_counts_once() {
    let tables = Tables::create();
    let good = good(&tables).await;
    let first = logged_in(&good).await;
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::LoseAnswer } else { Fault::None })).await;
    store.end_all_families(&first).await.unwrap();
    assert_eq!(good.profile(first.user).await.unwrap().unwrap().epoch, 1);
}

/// A function on these, as it answers `sms-auth-send`.
async fn send(store: DynamoDbStore, sms: impl Sms + 'static) -> lambda_http::Response<String> {
    let app = App {
        config: Config::default(),
        store: Box::new(store),
        sms: Box::new(sms),
        keys: Keys::default(),
        clock: Arc::new(ManualClock::at(NOW)),
        new_code: AuthCode::generate,
    };
    let endpoint = *ENDPOINTS.iter().find(|endpoint| endpoint.name == "sms-auth-send").unwrap();
    let event =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../local/events/sms-auth-send.json")).unwrap();
    serve::answer(endpoint, &app, lambda_http::request::from_str(&event).unwrap()).await.unwrap()
}

struct Taken;

#[async_trait::async_trait]
impl Sms for Taken {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_client_of_a_busy_store_is_told_to_come_again() {
    let tables = Tables::create();
    let answer = send(tables.store_at(&proxy(|_, _| Fault::Throttle)).await, Taken).await;
    assert_eq!(answer.status(), 503);
    assert_eq!(answer.headers()["retry-after"], "1");
    assert!(answer.body().contains(r#""error_code":"SERVER__BUSY""#));
}

/// SNS as it refuses a phone, which it repeats in its message.
pub(crate) async fn refusing_sns() -> SnsSms {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            read_request(&mut client);
            answer(client, 400, b"<ErrorResponse><Error><Type>Sender</Type><Code>InvalidParameter</Code><Message>+821012345678 is not valid</Message></Error><RequestId>1</RequestId></ErrorResponse>");
        }
    });
    SnsSms::new(&sdk_config().unwrap().into_builder().endpoint_url(url).build(), &Config::default())
}

#[tokio::test]
async fn when_sns_fails_the_client_may_try_again_at_once() {
    let tables = Tables::create();
    for _ in 0..3 {
        let sns = refusing_sns().await;
        let error = sns.send(&value("01012345678"), "the text").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the SMS was not sent: sns:Publish: was refused with InvalidParameter (request unknown)"
        );
        let answer = send(good(&tables).await, sns).await;
        assert_eq!(answer.status(), 504);
        assert!(answer.body().contains(r#""error_code":"SMS__NOT_SENT""#) && !answer.body().contains("1012345678"));
    }
    assert_eq!(send(good(&tables).await, Taken).await.status(), 200);
}

#[tokio::test]
async fn when_sns_fails_and_the_store_too_it_is_still_the_sms_that_was_not_sent() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth == 1 { Fault::None } else { Fault::Throttle })).await;
    assert_eq!(send(store, refusing_sns().await).await.status(), 504);
    assert_eq!(send(good(&tables).await, Taken).await.status(), 429, "the phone waits its cool-down");
}

#[tokio::test]
async fn a_send_of_unknown_outcome_is_undone() {
    let tables = Tables::create();
    let store = tables.store_at(&proxy(|_, nth| if nth <= 3 { Fault::LoseAnswer } else { Fault::None })).await;
    assert_eq!(send(store, Taken).await.status(), 503);
    assert_eq!(send(good(&tables).await, Taken).await.status(), 200, "it did not count");
}

#[tokio::test]
async fn a_server_error_without_a_name_is_busy_too() {
    let store = Tables::create().store_at(&proxy(|_, _| Fault::Unavailable)).await;
    is_busy(store.phone_taken(&phone(1)).await);
}
