//! The events: what an operator reads about each request, and what the metrics count.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

#[expect(dead_code, reason = "other tests use the rest of the fixture")]
mod test_app;

use std::sync::{Arc, Mutex};

use functions::http::Request;
use functions::jobs::pause_sms;
use functions::{sessions, sms_auth, users};
use serde_json::{Value as Json, json};
use shared::clock::Clock as _;
use shared::events::EventLog;
use shared::sms::SmsError;
use shared::values::TestPhone;

use test_app::{FailingSms, PASSWORD, TestApp, bearer_json_request, bearer_request, json_request, query_request};

const EMAIL: &str = "minji@example.com";
const PHONE: &str = "01012345678";

/// Returns the events as text: name, outcome and error code.
fn story(events: &[Json]) -> Vec<String> {
    let text = |event: &Json| {
        let words =
            ["event", "outcome", "error_code"].map(|field| event[field].as_str().unwrap_or_default().to_owned());
        words.join(" ").trim_end().to_owned()
    };
    events.iter().map(text).collect()
}

/// Returns the metrics of an event: each with its dimensions and its value.
fn metrics(event: &Json) -> Vec<String> {
    let directives = event["_aws"]["CloudWatchMetrics"].as_array().cloned().unwrap_or_default();
    let mut metrics = Vec::new();
    for directive in directives {
        let dimensions = directive["Dimensions"][0].as_array().unwrap();
        let dimensions = dimensions.iter().map(|name| event[name.as_str().unwrap()].as_str().unwrap().to_owned());
        let dimensions = dimensions.collect::<Vec<_>>().join("/");
        for metric in directive["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            metrics.push(format!("{dimensions} {name}={}", event[name]));
        }
    }
    metrics
}

#[tokio::test]
async fn each_act_of_a_user_is_one_event_with_the_user() {
    let app = TestApp::new();
    let (_, refresh) = app.sign_up(EMAIL, PHONE).await;
    app.login(EMAIL, "another password").await.assert_status(401);
    let login = app.login(EMAIL, PASSWORD).await;
    let access = login.field("access_token");
    let rotated = app.refresh(&refresh).await.field("refresh_token");
    app.profile(&access).await.ok();
    app.call(sessions::list::ENDPOINT, bearer_request(&access)).await.ok();
    let renamed = json!({ "nickname": "mj" });
    app.call(users::profile_update::ENDPOINT, bearer_json_request(&access, &renamed)).await.ok();
    app.logout(&rotated, false).await.assert_status(204);
    app.clock.advance(31);
    app.refresh(&refresh).await.assert_status(401);
    app.reset(PHONE, "zebra battery horse").await;
    let access = app.login(EMAIL, "zebra battery horse").await.field("access_token");
    app.call(users::account_delete::ENDPOINT, bearer_request(&access)).await.assert_status(204);
    let events = app.events();
    assert_eq!(
        story(&events),
        [
            "sms-auth-send succeeded",
            "sms-auth-verify succeeded",
            "signup succeeded",
            "login refused USER__NOT_MATCHED",
            "login succeeded",
            "token-refresh succeeded",
            "profile-update succeeded",
            "logout succeeded",
            "token-refresh refused TOKEN__REVOKED",
            "sms-auth-send succeeded",
            "sms-auth-verify succeeded",
            "password succeeded",
            "login succeeded",
            "account-delete succeeded",
        ]
    );
    let user_id = events[2]["user_id"].as_str().unwrap();
    for event in &events {
        let expected = !event["event"].as_str().unwrap().starts_with("sms-auth");
        assert_eq!(event["user_id"] == user_id, expected, "{event}");
    }
    assert_eq!(events[1]["phone"], "+82********78");
    assert_eq!(metrics(&events[2]), ["ably sign_ups=1"]);
    assert_eq!(metrics(&events[4]), ["ably logins=1"]);
}

#[tokio::test]
async fn each_change_names_the_user() {
    let app = TestApp::new();
    app.sign_up(EMAIL, PHONE).await;
    let user_id = app.latest_event()["user_id"].clone();
    app.clock.advance(60);
    let (session_id, code) = app.send(PHONE, Some("login")).await;
    let body = json!({ "session_id": session_id, "phone": PHONE, "auth_code": code }).to_string();
    let login = app.call(users::login_code::ENDPOINT, json_request(&body)).await;
    assert_eq!(app.latest_event()["user_id"], user_id, "login-code");

    app.clock.advance(60);
    let device = login.field("device_token");
    let body = json!({ "phone": PHONE, "purpose": "login", "device_token": device }).to_string();
    app.call(sms_auth::send::ENDPOINT, json_request(&body)).await.ok();
    assert_eq!(app.latest_event()["user_id"], user_id, "sms-auth-send with a device token");

    let sms_session = app.verified_sms_session("01087654321", Some("phone_change")).await;
    let mut access = login.field("access_token");
    for (name, body) in [
        ("password-change", json!({ "current_password": PASSWORD, "password": "zebra battery horse" })),
        ("email-change", json!({ "email": "new@example.com" })),
        ("phone-change", json!({ "session_id": sms_session })),
    ] {
        access = app.call_by_name(name, bearer_json_request(&access, &body)).await.field("access_token");
        let event = app.latest_event();
        assert_eq!((&event["event"], &event["user_id"]), (&json!(name), &user_id));
    }
    let sessions = app.call_by_name("sessions", bearer_request(&access)).await.json();
    let id = sessions["sessions"][0]["id"].as_str().unwrap().to_owned();
    let request = Request { path_parameters: [("id".to_owned(), id)].into(), ..bearer_request(&access) };
    app.call_by_name("session-revoke", request).await.assert_status(204);
    assert_eq!(app.latest_event()["user_id"], user_id, "session-revoke");
}

#[tokio::test]
async fn a_reused_refresh_token_is_an_event_and_a_metric() {
    let app = TestApp::new();
    let (_, refresh) = app.sign_up(EMAIL, PHONE).await;
    let second = app.refresh(&refresh).await.field("refresh_token");
    app.refresh(&second).await.ok();
    app.clock.advance(31);
    app.refresh(&refresh).await.assert_error(401, "TOKEN__REUSED");
    let event = app.latest_event();
    assert_eq!(story(std::slice::from_ref(&event)), ["token-refresh refused TOKEN__REUSED"]);
    assert_eq!(metrics(&event), ["ably/TOKEN__REUSED refused=1"]);
    assert!(event["user_id"].is_string());
}

#[tokio::test]
async fn an_event_names_the_client_and_the_request() {
    let app = TestApp::new();
    let request = Request {
        source_ip: Some("203.0.113.7".to_owned()),
        request_id: Some("JKJaXmPLvHcESHA=".to_owned()),
        ..json_request(r#"{"email":"nobody@example.com","password":"some password"}"#)
    };
    app.call(users::login::ENDPOINT, request).await.assert_status(401);
    let event = app.latest_event();
    assert_eq!((&event["ip"], &event["request_id"]), (&json!("203.0.113.7"), &json!("JKJaXmPLvHcESHA=")));
    assert_eq!((&event["level"], &event["timestamp"]), (&json!("INFO"), &json!("2027-01-15T08:00:00Z")));
    assert!(event["user_id"].is_null());
}

#[tokio::test]
async fn a_read_is_an_event_only_if_it_is_refused() {
    let app = TestApp::new();
    app.call(users::email_duplicate_check::ENDPOINT, query_request(&[("email", EMAIL)])).await.ok();
    assert!(app.events().is_empty());
    app.profile("eyJ").await.assert_status(401);
    assert_eq!(story(&app.events()), ["profile refused TOKEN__INVALID"]);
}

#[tokio::test]
async fn sent_and_verified_codes_count_in_total_and_by_country() {
    let mut app = TestApp::new();
    app.inner.config.sms_prices.by_country = vec![("KR".parse().unwrap(), 0.05)];
    let (session_id, code) = app.send(PHONE, Some("signup")).await;
    assert_eq!(
        metrics(&app.latest_event()),
        [
            "ably codes_sent=1",
            "ably codes_verified=0",
            "ably sms_usd=0.05",
            "ably sms_of_day_percent=0",
            "ably/KR codes_sent=1",
            "ably/KR codes_verified=0"
        ]
    );
    app.verify(&session_id, PHONE, &app.other_than(&code)).await.assert_status(401);
    assert_eq!(metrics(&app.latest_event()), ["ably/SMS__AUTH_CODE_NOT_MATCHED refused=1"]);
    app.verify(&session_id, PHONE, &code).await.ok();
    assert_eq!(metrics(&app.latest_event()), ["ably codes_verified=1", "ably/KR codes_verified=1"]);
    // A client that did not receive the response.
    app.verify(&session_id, PHONE, &code).await.ok();
    assert!(metrics(&app.latest_event()).is_empty());
}

#[tokio::test]
async fn a_login_by_code_counts_as_a_verified_code_and_as_a_login() {
    let app = TestApp::new();
    app.sign_up(EMAIL, PHONE).await;
    app.clock.advance(60);
    let (session_id, code) = app.send(PHONE, Some("login")).await;
    let body = json!({ "session_id": session_id, "phone": PHONE, "auth_code": code }).to_string();
    app.call(users::login_code::ENDPOINT, json_request(&body)).await.ok();
    let event = app.latest_event();
    assert_eq!(metrics(&event), ["ably codes_verified=1", "ably logins=1", "ably/KR codes_verified=1"]);
    assert_eq!((&event["purpose"], &event["phone"]), (&json!("login"), &json!("+82********78")));
}

#[tokio::test]
async fn test_phones_do_not_count() {
    let mut app = TestApp::new();
    app.inner.config.test_phones = TestPhone::parse_list("+12025550123:58203914:2027-02-14").unwrap();
    let body = r#"{"phone":"+12025550123","purpose":"signup"}"#;
    let session_id = app.call(sms_auth::send::ENDPOINT, json_request(body)).await.field("session_id");
    app.verify(&session_id, "+12025550123", "58203914").await.ok();
    assert_eq!(story(&app.events()), ["sms-auth-send succeeded", "sms-auth-verify succeeded"]);
    assert!(app.events().iter().all(|event| metrics(event).is_empty()));
}

#[tokio::test]
async fn an_sms_that_the_provider_refuses_is_not_an_error_of_the_program() {
    let mut app = TestApp::new();
    app.inner.sms = Box::new(FailingSms(SmsError::Refused));
    let body = json!({ "phone": PHONE, "purpose": "signup" }).to_string();
    app.call(sms_auth::send::ENDPOINT, json_request(&body)).await.assert_status(504);
    let event = app.latest_event();
    assert_eq!((&event["level"], &event["outcome"]), (&json!("WARN"), &json!("sms_failed")));
    assert_eq!(metrics(&event), ["ably sms_of_day_percent=0", "ably/SMS__NOT_SENT refused=1"]);
    assert!(event["cause"].as_str().unwrap().contains("unavailable"));
    // If the outcome is unknown, the SMS may arrive, and costs its price.
    app.clock.advance(60);
    app.inner.sms = Box::new(FailingSms(SmsError::Unknown));
    app.call(sms_auth::send::ENDPOINT, json_request(&body)).await.ok();
    assert!(metrics(&app.latest_event()).contains(&"ably codes_sent=1".to_owned()));
}

#[tokio::test]
async fn the_sms_after_a_reset_costs_its_price_and_is_not_a_code() {
    let app = TestApp::new();
    app.sign_up(EMAIL, PHONE).await;
    app.reset(PHONE, "zebra battery horse").await;
    assert_eq!(metrics(&app.latest_event()), ["ably sms_usd=0.1", "ably sms_of_day_percent=0"]);
}

#[tokio::test]
async fn the_part_of_the_sms_of_a_day_is_a_metric_of_each_send() {
    let mut app = TestApp::new();
    app.inner.config.limits.sms_per_day = 4;
    app.inner.config.limits.sms_percent_for_strangers = 100;
    for nth in 0..5 {
        let body = json!({ "phone": format!("0101234000{nth}"), "purpose": "signup" }).to_string();
        app.call(sms_auth::send::ENDPOINT, json_request(&body)).await;
    }
    let parts: Vec<_> = app.events().iter().map(|event| event["sms_of_day_percent"].as_u64()).collect();
    assert_eq!(parts, [Some(25), Some(50), Some(75), Some(100), None]);
    assert_eq!(metrics(&app.latest_event()), ["ably/SMS__TOO_MANY_REQUESTS refused=1"]);
}

#[tokio::test]
async fn a_request_of_another_site_is_an_event() {
    let app = TestApp::new();
    let request =
        Request { sec_fetch_site: Some("cross-site".to_owned()), ..json_request(r#"{"phone":"01012345678"}"#) };
    app.call(sms_auth::send::ENDPOINT, request).await.assert_status(403);
    assert_eq!(story(&app.events()), ["sms-auth-send refused REQUEST__CROSS_SITE"]);
}

#[tokio::test]
async fn pause_sms_pauses_all_sms_when_its_alarm_is_raised() {
    let app = TestApp::new();
    let lines = Arc::new(Mutex::new(Vec::<Json>::new()));
    let written = Arc::clone(&lines);
    let events = EventLog::new(Some("ably".to_owned()), move |line| {
        written.lock().unwrap().push(serde_json::from_str(line).unwrap());
    });
    let mut event: Json = serde_json::from_str(include_str!("../../local/events/pause-sms.json")).unwrap();
    let send = async || app.call(sms_auth::send::ENDPOINT, query_request(&[("phone", PHONE)])).await;
    let pause = async |event: &Json| {
        let event = serde_json::from_value(event.clone()).unwrap();
        pause_sms::pause(app.operator.as_ref(), &events, &event, app.clock.now()).await.unwrap();
    };

    let raised = event["alarmData"]["state"]["value"].take();
    event["alarmData"]["state"]["value"] = json!("OK");
    pause(&event).await;
    assert!(lines.lock().unwrap().is_empty());
    send().await.ok();

    event["alarmData"]["state"]["value"] = raised;
    pause(&event).await;
    let lines = lines.lock().unwrap().clone();
    assert_eq!(
        (story(&lines), metrics(&lines[0])),
        (vec!["pause-sms succeeded".to_owned()], vec!["ably sms_paused=1".to_owned()])
    );
    app.clock.advance(60);
    send().await.assert_error(503, "SMS__PAUSED");
}
