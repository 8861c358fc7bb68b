//! Tests of sends and of their limits.

use shared::clock::Clock as _;
use shared::sms::SmsError;
use shared::values::Region;

use super::*;
use crate::test_app::{FailingSms, PASSWORD, TestApp, json_request, query_request};

#[tokio::test]
async fn a_code_is_sent_by_post_and_by_get() {
    let app = TestApp::new();
    let sent = app.call(ENDPOINT, json_request(r#"{"phone":"010-1234-5678"}"#)).await;
    let session_id = sent.field("session_id");
    assert_eq!(
        sent.ok(),
        format!(r#"{{"session_id":"{session_id}","expires_in":300,"resend_after":60,"code_length":6}}"#)
    );
    assert_eq!(app.texts("01012345678").len(), 1);

    app.call(ENDPOINT, query_request(&[("phone", "01087654321"), ("purpose", "signup")])).await.ok();
    assert!(app.texts("01087654321")[0].contains("회원가입"));
}

/// Requests a code. Returns the digits that the response states, those in the SMS, and the SMS.
async fn send(app: &TestApp, phone: &str, purpose: Option<&str>) -> (u64, usize, String) {
    let body = serde_json::json!({ "phone": phone, "purpose": purpose }).to_string();
    let response = app.call(ENDPOINT, json_request(&body)).await;
    let response: serde_json::Value = serde_json::from_str(response.ok()).unwrap();
    let text = app.texts(phone).swap_remove(0);
    let digits = text.split(' ').find(|word| word.parse::<u32>().is_ok()).unwrap().len();
    (response["code_length"].as_u64().unwrap(), digits, text)
}

#[tokio::test]
async fn a_code_has_eight_digits_where_the_client_named_a_login_or_a_reset() {
    let app = TestApp::new();
    for (phone, purpose, length, word) in [
        ("01012345678", Some("password_reset"), 8, "비밀번호 재설정"),
        ("01033332222", Some("login"), 8, "로그인"),
        ("01087654321", Some("signup"), 6, "회원가입"),
        ("01055554444", None, 6, "회원가입"),
    ] {
        let (stated, sent, text) = send(&app, phone, purpose).await;
        assert_eq!((stated, sent), (length, length as usize), "{purpose:?}");
        assert!(text.contains(word), "{text}");
    }
}

#[tokio::test]
async fn without_a_purpose_a_phone_with_an_account_gets_a_reset_with_three_attempts() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    app.clock.advance(60);
    let (stated, sent, text) = send(&app, "01012345678", None).await;
    assert_eq!((stated, sent), (6, 6));
    assert!(text.contains("비밀번호 재설정"), "{text}");

    app.clock.advance(60);
    for (purpose, attempts) in [(None, 3), (Some("password_reset"), 5), (Some("signup"), 5)] {
        let (session, code) = app.send("01012345678", purpose).await;
        for _ in 0..attempts {
            app.verify(&session, "01012345678", &app.other_than(&code))
                .await
                .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        }
        app.verify(&session, "01012345678", &code).await.assert_error(429, "SMS__TOO_MANY_ATTEMPTS");
        app.clock.advance(60);
    }
}

#[tokio::test]
async fn a_purpose_can_be_required() {
    let mut app = TestApp::new();
    app.inner.config.require_purpose = true;
    app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await.assert_invalid(&["purpose"]);
    app.call(ENDPOINT, query_request(&[("phone", "01012345678")])).await.assert_invalid(&["purpose"]);
    app.call(ENDPOINT, json_request(r#"{"phone":"02-312-3456"}"#)).await.assert_invalid(&["phone", "purpose"]);
    app.call(ENDPOINT, json_request(r#"{"purpose":"other"}"#)).await.assert_invalid(&["purpose", "phone"]);
    assert!(app.texts("01012345678").is_empty());
    app.call(ENDPOINT, json_request(r#"{"phone":"01012345678","purpose":"signup"}"#)).await.ok();
}

/// Returns a request for a code from an address.
fn request(phone: &str, ip: &str) -> Request {
    Request { source_ip: Some(ip.to_owned()), ..json_request(&format!(r#"{{"phone":"{phone}","purpose":"signup"}}"#)) }
}

#[tokio::test]
async fn strangers_sends_are_limited_per_phone() {
    let app = TestApp::new();
    let send = async || app.call(ENDPOINT, json_request(r#"{"phone":"01012345678","purpose":"signup"}"#)).await;
    send().await.ok();
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
    app.clock.advance(59);
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 1);
    app.clock.advance(1);
    for _ in 0..4 {
        send().await.ok();
        app.clock.advance(60);
    }
    // The burst of five began 300 seconds ago; then one an hour.
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3300);
    app.clock.advance(3300);
    send().await.ok();
    app.clock.advance(60);
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3540);
    assert_eq!(app.texts("01012345678").len(), 6, "rejected requests send nothing");
    app.call(ENDPOINT, json_request(r#"{"phone":"01087654321"}"#)).await.ok();
}

#[tokio::test]
async fn resets_without_a_purpose_are_limited_more_tightly() {
    let app = TestApp::new();
    app.sign_up("minji@example.com", "01012345678").await;
    app.clock.advance(60);
    let send = async |body| {
        let response = app.call(ENDPOINT, json_request(body)).await;
        app.clock.advance(60);
        response
    };
    let unnamed = r#"{"phone":"01012345678"}"#;
    for _ in 0..2 {
        send(unnamed).await.ok();
    }
    send(unnamed).await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3 * 3600 - 120);
    send(r#"{"phone":"01012345678","purpose":"password_reset"}"#).await.ok();
}

#[tokio::test]
async fn strangers_sends_are_limited_per_address_until_a_code_is_verified() {
    let mut app = TestApp::new();
    app.inner.config.limits.sms_per_ip = Bucket::new(3, 600);
    let phones = ["01020000001", "01020000002", "01020000003", "01020000004"];
    for phone in &phones[..3] {
        app.call(ENDPOINT, request(phone, "203.0.113.7")).await.ok();
    }
    let rejected = app.call(ENDPOINT, request(phones[3], "203.0.113.7")).await;
    rejected.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 600);
    app.call(ENDPOINT, request(phones[3], "203.0.113.8")).await.ok();

    app.clock.advance(60);
    let session_id = app.call(ENDPOINT, request(phones[3], "203.0.113.9")).await.field("session_id");
    for phone in &phones[..2] {
        app.call(ENDPOINT, request(phone, "203.0.113.9")).await.ok();
    }
    app.call(ENDPOINT, request(phones[2], "203.0.113.9")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    for _ in 0..3 {
        // Verified once, refunded once.
        app.verify(&session_id, phones[3], &app.code_in_latest_sms(phones[3])).await.ok();
    }
    app.call(ENDPOINT, request(phones[2], "203.0.113.9")).await.ok();
    app.call(ENDPOINT, request("01020000005", "203.0.113.9")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
}

#[tokio::test]
async fn a_rejected_client_touches_no_other_limit() {
    let mut app = TestApp::new();
    app.inner.config.limits.sms_per_ip = Bucket::new(1, 600);
    app.inner.config.limits.sms_per_day = 4;
    app.inner.config.limits.sms_percent_for_strangers = 100;
    app.call(ENDPOINT, request("01020000001", "203.0.113.7")).await.ok();
    for _ in 0..10 {
        app.call(ENDPOINT, request("01020000002", "203.0.113.7")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
        app.call(ENDPOINT, request("01020000001", "203.0.113.8")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    }
    // Neither the phone number nor the total was counted.
    app.call(ENDPOINT, request("01020000002", "203.0.113.9")).await.ok();
    app.call(ENDPOINT, request("01020000003", "203.0.113.10")).await.ok();
    app.call(ENDPOINT, request("01020000004", "203.0.113.11")).await.ok();
    app.call(ENDPOINT, request("01020000005", "203.0.113.12")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
}

#[tokio::test]
async fn the_total_of_a_day_keeps_a_part_for_known_devices() {
    let mut app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    app.inner.config.limits.sms_per_day = 5;
    for n in 1..=3 {
        app.call(ENDPOINT, request(&format!("0102000000{n}"), "203.0.113.7")).await.ok();
    }
    // One SMS was that of the sign-up: strangers get four of five.
    let rejected = app.call(ENDPOINT, request("01020000004", "203.0.113.7")).await;
    let midnight = shared::limits::seconds_until_tomorrow(app.clock.now());
    rejected.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", midnight);
    app.send_from(&device_token, "01012345678", "password_reset").await.ok();
    app.clock.advance(60);
    app.send_from(&device_token, "01012345678", "password_reset").await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    app.clock.advance(midnight);
    app.call(ENDPOINT, request("01020000004", "203.0.113.7")).await.ok();
}

#[tokio::test]
async fn strangers_cannot_exhaust_the_limits_of_a_known_device() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    app.clock.advance(60);
    for _ in 0..6 {
        app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await;
        app.clock.advance(60);
    }
    app.call(ENDPOINT, request("01012345678", "203.0.113.8")).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    let send = async || app.send_from(&device_token, "01012345678", "password_reset").await;
    send().await.ok();
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
    for _ in 0..2 {
        app.clock.advance(60);
        send().await.ok();
    }
    app.clock.advance(60);
    send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 4 * 3600 - 180);
}

#[tokio::test]
async fn all_devices_of_an_account_share_a_limit() {
    let app = TestApp::new();
    let first = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    let mut devices = vec![first];
    for _ in 0..2 {
        devices.push(app.login("minji@example.com", PASSWORD).await.field("device_token"));
    }
    let mut sent = 0;
    for device in devices.iter().cycle().take(9) {
        app.clock.advance(60);
        sent += u32::from(app.send_from(device, "01012345678", "password_reset").await.status == 200);
    }
    assert_eq!(sent, 6, "each device has three, and the account six");
    // A device that the account's limit rejects keeps its own.
    app.clock.advance(2 * 3600 - 60);
    app.send_from(&devices[2], "01012345678", "password_reset").await.ok();
}

#[tokio::test]
async fn any_other_device_token_is_a_stranger_and_no_error() {
    let app = TestApp::new();
    let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
    let (access, refresh) = app.sign_up("jiho@example.com", "01087654321").await;
    let foreign = app.login("jiho@example.com", PASSWORD).await.field("device_token");
    app.clock.advance(60);
    app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await.ok();
    for stranger in [foreign.as_str(), &access, &refresh, "nonsense", ""] {
        app.send_from(stranger, "01012345678", "password_reset").await.assert_retry_after(
            429,
            "SMS__TOO_MANY_REQUESTS",
            60,
        );
    }
    // A query would put the token into URLs.
    let query = [("phone", "01012345678"), ("purpose", "signup"), ("device_token", &device_token)];
    app.call(ENDPOINT, query_request(&query)).await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
    app.send_from(&device_token, "01012345678", "password_reset").await.ok();
    // The phone number is that of another account.
    app.clock.advance(60);
    app.call(ENDPOINT, request("01055554444", "203.0.113.7")).await.ok();
    app.send_from(&device_token, "01055554444", "signup").await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
    // A token from before a reset.
    app.reset("01012345678", "a newer horse battery").await;
    app.send_from(&device_token, "01012345678", "password_reset").await.assert_retry_after(
        429,
        "SMS__TOO_MANY_REQUESTS",
        60,
    );
}

#[tokio::test]
async fn only_allowed_countries_get_sms() {
    let mut app = TestApp::new();
    for phone in ["+819012345678", "+12025550123", "+18765550123"] {
        let body = format!(r#"{{"phone":"{phone}"}}"#);
        app.call(ENDPOINT, json_request(&body)).await.assert_error(403, "SMS__COUNTRY_NOT_ALLOWED");
        assert!(app.texts(phone).is_empty());
    }
    // Satellites, international networks, and other countries with the code of the US, Russia and the UK.
    app.inner.config.sms_countries = vec![Region::KR, Region::US, Region::RU, Region::GB];
    for phone in [
        "+870773111632",
        "+881612345678",
        "+882161234567",
        "+96012345678",
        "+18765550123",
        "+77012345678",
        "+447797712345",
    ] {
        let body = format!(r#"{{"phone":"{phone}"}}"#);
        let status = app.call(ENDPOINT, json_request(&body)).await.status;
        assert!(matches!(status, 403 | 422), "{phone}: {status}");
    }
    app.inner.config.sms_countries = vec![Region::JP, Region::US];
    app.call(ENDPOINT, json_request(r#"{"phone":"+819012345678"}"#)).await.ok();
    app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await.assert_error(403, "SMS__COUNTRY_NOT_ALLOWED");
}

#[tokio::test]
async fn all_invalid_fields_are_reported() {
    let app = TestApp::new();
    app.call(ENDPOINT, json_request(r#"{"phone":"02-312-3456","purpose":"other","app_hash":"short"}"#))
        .await
        .assert_invalid(&["phone", "purpose", "app_hash"]);
    app.call(ENDPOINT, json_request(r#"{"phone":1012345678}"#)).await.assert_invalid(&["phone"]);
    app.call(ENDPOINT, json_request("[]")).await.assert_error(400, "REQUEST__MALFORMED");
}

#[tokio::test]
async fn a_send_of_unknown_outcome_counts_and_returns_the_sms_session() {
    let mut app = TestApp::new();
    app.inner.sms = Box::new(FailingSms(SmsError::Unknown));
    let response = app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await;
    let session = response.field("session_id");
    app.verify(&session, "01012345678", "000000").await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
    app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await.assert_retry_after(
        429,
        "SMS__TOO_MANY_REQUESTS",
        60,
    );
}

#[tokio::test]
async fn a_send_is_refunded_if_the_sms_provider_refuses_it() {
    let mut app = TestApp::new();
    app.inner.config.limits.sms_per_day = 1;
    app.inner.config.limits.sms_percent_for_strangers = 100;
    let outbox = std::mem::replace(&mut app.inner.sms, Box::new(FailingSms(SmsError::Refused)));
    for _ in 0..20 {
        app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await.assert_error(504, "SMS__NOT_SENT");
    }
    app.inner.sms = outbox;
    app.call(ENDPOINT, request("01012345678", "203.0.113.7")).await.ok();
}
