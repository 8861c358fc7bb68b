//! The log of the endpoints, which must not contain a secret or personal data.

use std::io;
use std::sync::{Arc, Mutex};

use functions::{ENDPOINTS, lambda};
use serde_json::Value as Json;

use crate::guarantees::NOW;
use crate::proxy::{Fault, every_call, proxy, rejecting_sns};
use crate::services::{Tables, event};
use crate::test_app::TestApp;

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
    app.inner.store = Box::new(tables.store_at(&proxy(every_call(fault))));
    let mut session_ids = Vec::new();
    for &endpoint in ENDPOINTS {
        let response = lambda::respond(endpoint, &app.inner, event(endpoint.name)).await;
        let body: Json = serde_json::from_str(&response.body).unwrap_or_default();
        session_ids.extend(body["session_id"].as_str().map(str::to_owned));
    }
    session_ids
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
    for text in app.texts("01012345678") {
        let code = text.split(' ').find(|word| word.len() == 6 && word.parse::<u32>().is_ok());
        secrets.extend(code.map(|code| format!(" {code} ")));
    }
    secrets.extend(
        ["correct horse battery 9", "AAAAAAAAAAAAAAAAAAAAAA", "eyJ", "010-1234-5678", "$2b$"].map(str::to_owned),
    );

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    // A code has six digits, and so has the fraction of a timestamp.
    let log = regex_lite::Regex::new(r#""timestamp":"[^"]*""#).unwrap().replace_all(&log, "").into_owned();
    for expected in [
        r#""error_code":"SERVER__BUSY""#,
        r#""error_code":"SMS__NOT_SENT""#,
        r#""error_code":"USER__NOT_MATCHED""#,
        "dynamodb:TransactWriteItems",
        "sns:Publish",
    ] {
        assert!(log.contains(expected), "{expected} is not in the log, which therefore proves nothing\n{log}");
    }
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "{secret:?} is in the log");
    }
}
