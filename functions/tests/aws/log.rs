//! The log of the endpoints, which must not contain a secret or personal data.

use std::io;
use std::sync::{Arc, Mutex};

use functions::{ENDPOINTS, lambda, sms_auth};
use serde_json::{Value as Json, json};
use shared::values::TestPhone;
use tracing::subscriber::DefaultGuard;

use crate::guarantees::NOW;
use crate::proxy::{Fault, every_call, proxy, rejecting_sns};
use crate::services::{Tables, event, pause_sms};
use crate::test_app::{TestApp, json_request};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sends its event to each endpoint, while DynamoDB has `fault`. Returns the ids of the new SMS sessions.
async fn send_all_events(app: &mut TestApp, tables: &Tables, fault: Fault) -> Vec<String> {
    app.clock.advance(60);
    app.use_store(tables.store_at(&proxy(every_call(fault))));
    let mut session_ids = Vec::new();
    for &endpoint in ENDPOINTS {
        let response = lambda::respond(endpoint, &app.inner, event(endpoint.name)).await;
        let body: Json = serde_json::from_str(&response.body).unwrap_or_default();
        session_ids.extend(body["session_id"].as_str().map(str::to_owned));
    }
    session_ids
}

impl Log {
    fn lines(&self) -> Vec<Json> {
        let log = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Logs what this thread does, until the guard is dropped.
    fn capture(&self) -> DefaultGuard {
        let writer = self.clone();
        tracing::subscriber::set_default(lambda::logger(move || writer.clone()))
    }
}

#[tokio::test]
async fn each_send_logs_the_part_of_the_sms_of_its_day() {
    let tables = Tables::create();
    let mut app = TestApp::on(tables.store(), NOW);
    app.inner.config.limits.sms_per_day = 4;
    app.inner.config.limits.sms_percent_for_strangers = 100;
    for nth in 0..5 {
        app.call_by_name("sms-auth-send", json_request(&format!(r#"{{"phone":"0101234000{nth}"}}"#))).await;
    }
    let parts: Vec<_> = app.events().iter().filter_map(|event| event["sms_of_day_percent"].as_u64()).collect();
    assert_eq!(parts, [25, 50, 75, 100]);
}

#[tokio::test]
async fn a_pause_is_not_logged_as_an_error() {
    let (log, tables) = (Log::default(), Tables::create());
    let app = TestApp::on(tables.store(), NOW);
    pause_sms(&tables, true);
    let _guard = log.capture();
    let response = lambda::respond(sms_auth::send::ENDPOINT, &app.inner, event("sms-auth-send")).await;
    assert_eq!(response.status_code, 503);
    let event = app.latest_event();
    assert_eq!((&event["error_code"], &event["level"]), (&json!("SMS__PAUSED"), &json!("INFO")));
    assert!(log.lines().iter().all(|line| line["level"] != "ERROR"));
}

#[tokio::test]
async fn a_test_phone_is_logged_when_it_is_used_and_its_code_is_not() {
    let (log, tables) = (Log::default(), Tables::create());
    let mut app = TestApp::on(tables.store(), 1_800_000_000);
    app.inner.sms = Box::new(rejecting_sns());
    app.inner.config.test_phones = TestPhone::parse_list("+12025550123:58203914:2027-02-14").unwrap();
    let _guard = log.capture();
    let body = r#"{"phone":"+12025550123","purpose":"signup"}"#;
    let sent = app.call_by_name("sms-auth-send", json_request(body)).await;
    let session_id = sent.field("session_id");
    app.verify(&session_id, "+12025550123", "58203914").await.ok();
    app.clock.advance(60 * 86_400);
    app.call_by_name("sms-auth-send", json_request(body)).await.assert_error(403, "SMS__COUNTRY_NOT_ALLOWED");
    let lines = log.lines();
    let [requested, accepted, late] = lines.as_slice() else { panic!("{lines:?}") };
    for (line, text) in [(requested, "requested its code"), (accepted, "was accepted"), (late, "outside its 90 days")] {
        assert_eq!((line["level"].as_str(), line["phone"].as_str()), (Some("WARN"), Some("+1********23")), "{line}");
        assert!(line["message"].as_str().unwrap().contains(text), "{line}");
        assert!(!line.to_string().contains("58203914"));
    }
}

/// Calls the entry point of an endpoint that takes an access token. Returns the new access token, if there is one.
async fn change(app: &TestApp, name: &str, access: &str, body: &Json) -> String {
    let endpoint = *ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap();
    let event = json!({
        "headers": { "authorization": format!("Bearer {access}") }, "body": body.to_string(),
        "requestContext": { "http": { "method": endpoint.routes[0].0 } },
    });
    let response = lambda::respond(endpoint, &app.inner, serde_json::from_value(event).unwrap()).await;
    let body: Json = serde_json::from_str(&response.body).unwrap();
    body["access_token"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn no_secret_is_logged() {
    let log = Log::default();
    let writer = log.clone();
    // The logger of the whole process: the other tests log no secret either.
    tracing::subscriber::set_global_default(lambda::logger(move || writer.clone())).unwrap();

    let tables = Tables::create();
    let mut app = TestApp::on(tables.store(), NOW);
    app.sign_up("minji@example.com", "01012345678").await;
    let mut secrets = app.secrets();
    // The events contain a phone number, an email, a password, an SMS session and a token.
    let outbox = std::mem::replace(&mut app.inner.sms, Box::new(rejecting_sns()));
    secrets.extend(send_all_events(&mut app, &tables, Fault::None).await);
    app.inner.sms = outbox;
    for fault in [Fault::None, Fault::Throttle, Fault::Conflict, Fault::LoseResponse, Fault::Unavailable] {
        secrets.extend(send_all_events(&mut app, &tables, fault).await);
    }
    // The changes of an account, while SNS rejects the SMS to the old number.
    app.use_store(tables.store());
    app.clock.advance(60);
    let (access, _) = app.sign_up("minji2@example.com", "01087654321").await;
    let session_id = app.verified_sms_session("01055554444", Some("phone_change")).await;
    let outbox = std::mem::replace(&mut app.inner.sms, Box::new(rejecting_sns()));
    let access = change(&app, "phone-change", &access, &json!({ "session_id": session_id })).await;
    app.inner.sms = outbox;
    let wrong = json!({ "current_password": "zebra horse battery", "password": "zebra battery horse" });
    change(&app, "password-change", &access, &wrong).await;
    for fault in [Fault::Throttle, Fault::Conflict, Fault::None] {
        app.use_store(tables.store_at(&proxy(every_call(fault))));
        change(&app, "email-change", &access, &json!({ "email": "zebra@example.com" })).await;
    }
    secrets.extend(app.secrets());
    secrets.extend(["1087654321", "1055554444", "zebra", "minji2"].map(str::to_owned));
    for text in app.texts("01012345678") {
        let code = text.split(' ').find(|word| word.len() == 6 && word.parse::<u32>().is_ok());
        secrets.extend(code.map(|code| format!(" {code} ")));
    }
    secrets.extend(
        ["correct horse battery 9", "AAAAAAAAAAAAAAAAAAAAAA", "eyJ", "010-1234-5678", "$2b$"].map(str::to_owned),
    );

    app.assert_events_contain_no_secret(0);
    let mut log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    log.extend(app.events().iter().map(|event| format!("{event}\n")));
    // A code has six digits. So has the fraction of a timestamp, and so may have the id of a user.
    let numbers = regex_lite::Regex::new(r#""(timestamp|Timestamp|user_id)":("[^"]*"|[0-9]*)"#).unwrap();
    let log = numbers.replace_all(&log, "").into_owned();
    for expected in [
        r#""error_code":"SERVER__BUSY""#,
        r#""error_code":"SMS__NOT_SENT""#,
        r#""error_code":"USER__NOT_MATCHED""#,
        r#""event":"email-change""#,
        "a change of an account was not sent",
        "dynamodb:UpdateItem",
        "sns:Publish",
    ] {
        assert!(log.contains(expected), "{expected} is not in the log, which therefore proves nothing\n{log}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret:?} is in the log");
    }
}
