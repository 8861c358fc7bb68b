//! Tests of the texts of the SMS, and of test phones.

use serde_json::json;
use shared::limits::Bucket;
use shared::values::{AppHash, Field as _, Region, TestPhone};

use super::*;
use crate::test_app::{NOW, PASSWORD, Response, TestApp, json_request};

const PHONE: &str = "01012345678";
/// A number that is reserved for fiction, in a country that gets no SMS.
const TEST_PHONE: &str = "+12025550123";
const TEST_CODE: &str = "58203914";
const DAY: i64 = 24 * 60 * 60;

/// Requests a code for a login. Returns the text of the SMS.
async fn text(app: &TestApp, phone: &str, accept_language: Option<&str>, app_hash: Option<&str>) -> String {
    let body = json!({ "phone": phone, "purpose": "login", "app_hash": app_hash }).to_string();
    let accept_language = accept_language.map(str::to_owned);
    app.call(ENDPOINT, Request { accept_language, ..json_request(&body) }).await.ok();
    app.texts(phone).swap_remove(0)
}

#[tokio::test]
async fn the_text_is_in_the_language_of_the_client_or_of_the_country() {
    let mut app = TestApp::new();
    app.inner.config.sms_countries = vec![Region::KR, Region::JP, Region::US];
    let (korean, japanese, english) = ("로그인 인증번호", "ログインの認証コード", "is your login code");
    for (phone, accept_language, expected) in [
        ("+821012345678", None, korean),
        ("+819012345678", None, japanese),
        ("+12025550123", None, english),
        ("+821023456789", Some("de"), korean),
        ("+821034567890", Some("en-US,ko;q=0.9"), english),
        ("+821045678901", Some("ja"), japanese),
        ("+12025550124", Some("ko-KR,ko;q=0.9,en;q=0.8"), korean),
        ("+12025550125", Some("broken;;q=,\u{0}"), english),
    ] {
        let text = text(&app, phone, accept_language, None).await;
        assert!(text.contains(expected), "{phone} {accept_language:?}: {text}");
    }
}

#[tokio::test]
async fn the_last_line_is_the_allowed_hash_of_the_app_or_the_domain() {
    let mut app = TestApp::new();
    let mut last_line = async |hash: Option<&str>, domain: Option<&str>| {
        app.inner.config.sms_domain = domain.map(str::to_owned);
        app.inner.config.sms_app_hashes = vec![AppHash::parse("FA+9qCX9VSu").unwrap()];
        let text = text(&app, PHONE, None, hash).await;
        let code = app.code_in_latest_sms(PHONE);
        app.clock.advance(3600);
        text.split_once('\n').map(|(_, line)| line.replace(&code, "CODE"))
    };
    assert_eq!(last_line(None, None).await, None);
    assert_eq!(last_line(None, Some("ably.example")).await.as_deref(), Some("@ably.example #CODE"));
    assert_eq!(last_line(Some("FA+9qCX9VSu"), None).await.as_deref(), Some("FA+9qCX9VSu"));
    assert_eq!(last_line(Some("FA+9qCX9VSu"), Some("ably.example")).await.as_deref(), Some("FA+9qCX9VSu"));
    // A hash that is not allowed is ignored, so that a new build of an app still gets its codes.
    assert_eq!(last_line(Some("abcdefghijk"), None).await, None);
    assert_eq!(last_line(Some("abcdefghijk"), Some("ably.example")).await.as_deref(), Some("@ably.example #CODE"));
}

/// Returns an app with a test phone, whose last day is in 30 days.
fn app_with_test_phone() -> TestApp {
    let mut app = TestApp::new();
    // 15 January 2027 + 30 days.
    app.inner.config.test_phones = TestPhone::parse_list(&format!("{TEST_PHONE}:{TEST_CODE}:2027-02-14")).unwrap();
    app
}

async fn send(app: &TestApp, purpose: &str) -> Response {
    let body = json!({ "phone": TEST_PHONE, "purpose": purpose }).to_string();
    app.call(ENDPOINT, json_request(&body)).await
}

#[tokio::test]
async fn a_test_phone_signs_up_logs_in_and_resets_without_an_sms() {
    let app = app_with_test_phone();
    let sent = send(&app, "signup").await;
    let session = sent.field("session_id");
    let expected = format!(r#"{{"session_id":"{session}","expires_in":300,"resend_after":60,"code_length":8}}"#);
    assert_eq!(sent.ok(), expected);
    app.verify(&session, TEST_PHONE, &app.other_than(TEST_CODE)).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
    app.verify(&session, TEST_PHONE, TEST_CODE).await.ok();
    let sign_up = TestApp::signup_request("reviewer@example.com", TEST_PHONE, &session);
    app.call_by_name("signup", sign_up).await.assert_status(201);

    app.clock.advance(60);
    let session = send(&app, "login").await.field("session_id");
    log_in(&app, &session).await.ok();

    app.clock.advance(60);
    let session = send(&app, "password_reset").await.field("session_id");
    app.verify(&session, TEST_PHONE, TEST_CODE).await.ok();
    let body = json!({ "session_id": session, "password": "a newer horse battery" }).to_string();
    app.call_by_name("password", json_request(&body)).await.ok();
    app.login("reviewer@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
    assert!(app.texts(TEST_PHONE).is_empty());
}

#[tokio::test]
async fn a_test_phone_counts_on_all_limits_but_the_total_of_the_day() {
    let mut app = app_with_test_phone();
    app.inner.config.limits.sms_per_day = 1;
    app.inner.config.limits.sms_percent_for_strangers = 100;
    app.send(PHONE, Some("signup")).await;
    send(&app, "signup").await.ok();
    send(&app, "signup").await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
    for _ in 0..4 {
        app.clock.advance(60);
        send(&app, "signup").await.ok();
    }
    app.clock.advance(60);
    send(&app, "signup").await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3300);
    app.clock.advance(DAY);
    app.inner.config.limits.sms_per_ip = Bucket::new(1, 600);
    send(&app, "signup").await.ok();
    let other = json_request(r#"{"phone":"01087654321","purpose":"signup"}"#);
    app.call(ENDPOINT, other).await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 600);
}

#[tokio::test]
async fn attempts_for_a_test_phone_are_limited() {
    let app = app_with_test_phone();
    let session = send(&app, "login").await.field("session_id");
    for _ in 0..5 {
        let body = json!({ "session_id": session, "phone": TEST_PHONE, "auth_code": "58203915" }).to_string();
        app.call_by_name("login-code", json_request(&body)).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
    }
    log_in(&app, &session).await.assert_error(429, "SMS__TOO_MANY_ATTEMPTS");
}

#[tokio::test]
async fn a_test_phone_is_an_ordinary_one_after_its_last_day() {
    let mut app = app_with_test_phone();
    let end = (NOW / DAY + 31) * DAY;
    app.clock.advance(end - 1 - NOW);
    send(&app, "signup").await.ok();
    assert!(app.texts(TEST_PHONE).is_empty());
    app.clock.advance(1);
    // Its country gets no SMS.
    send(&app, "signup").await.assert_error(403, "SMS__COUNTRY_NOT_ALLOWED");
    app.inner.config.sms_countries = vec![Region::US];
    app.clock.advance(3600);
    let session = send(&app, "login").await.field("session_id");
    assert_ne!(app.code_in_latest_sms(TEST_PHONE), TEST_CODE);
    log_in(&app, &session).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
}

#[tokio::test]
async fn the_code_of_a_test_phone_is_rejected_after_its_last_day() {
    let app = app_with_test_phone();
    app.clock.advance((NOW / DAY + 31) * DAY - 2 - NOW);
    let session = send(&app, "signup").await.field("session_id");
    app.clock.advance(2);
    app.verify(&session, TEST_PHONE, TEST_CODE).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
    app.clock.advance(-1);
    app.verify(&session, TEST_PHONE, TEST_CODE).await.ok();
}

/// Logs in with the code of the test phone.
async fn log_in(app: &TestApp, session_id: &str) -> Response {
    let body = json!({ "session_id": session_id, "phone": TEST_PHONE, "auth_code": TEST_CODE }).to_string();
    app.call_by_name("login-code", json_request(&body)).await
}
