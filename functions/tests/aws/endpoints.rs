//! The endpoints on DynamoDB Local: their round trips, and the items that they store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use functions::http::Request;
use functions::users;
use serde_json::{Value as Json, json};

use crate::guarantees::NOW;
use crate::proxy::{Fault, proxy};
use crate::services::{Tables, call, url};
use crate::test_app::{PASSWORD, TestApp, json_request, query_request};

const EMAIL: &str = "minji@example.com";
const PHONE: &str = "01012345678";
const NEW_PASSWORD: &str = "a newer horse battery";

/// The operations that DynamoDB was called with.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    /// Returns the URL of a proxy to DynamoDB Local that records its calls.
    fn recorded(&self) -> String {
        let Self(calls) = self.clone();
        proxy(move |operation, _| {
            calls.lock().unwrap().push(operation.to_owned());
            Fault::None
        })
    }

    /// Asserts the numbers of reads, writes and transactions since the last time.
    #[track_caller]
    fn assert(&self, expected: (u32, u32, u32), context: &str) {
        let mut counts = BTreeMap::new();
        for call in self.0.lock().unwrap().drain(..) {
            *counts.entry(call).or_insert(0) += 1;
        }
        let [gets, puts, transactions] =
            ["GetItem", "PutItem", "TransactWriteItems"].map(|operation| counts.remove(operation).unwrap_or(0));
        assert!(counts.is_empty(), "{counts:?}");
        assert_eq!((gets, puts, transactions), expected, "{context}");
    }
}

#[tokio::test]
async fn each_endpoint_makes_the_documented_round_trips() {
    let calls = Calls::default();
    let app = TestApp::on(Tables::create().store_at(&calls.recorded()), NOW);

    app.call_by_name("email-duplicate-check", query_request(&[("email", EMAIL)])).await.ok();
    calls.assert((1, 0, 0), "email-duplicate-check");
    app.call_by_name("phone-duplicate-check", query_request(&[("phone", PHONE)])).await.ok();
    calls.assert((1, 0, 0), "phone-duplicate-check");
    let session_id = app.verified_sms_session(PHONE, None).await;
    calls.assert((1, 0, 3), "one to send; two to verify, with a concurrent read");
    let signed_up = app.call(users::signup::ENDPOINT, TestApp::signup_request(EMAIL, PHONE, &session_id)).await;
    calls.assert((1, 0, 1), "signup, which also starts a session");
    for (email, status, puts) in [(EMAIL, 200, 1), ("nobody@example.com", 401, 0)] {
        app.login(email, PASSWORD).await.assert_status(status);
        calls.assert((2, puts, 0), "login, of a known and of an unknown user");
    }
    app.profile(&signed_up.field("access_token")).await.ok();
    calls.assert((1, 0, 0), "profile");
    let refresh_token = signed_up.field("refresh_token");
    for context in ["token-refresh", "token-refresh, retried within the reuse interval"] {
        app.refresh(&refresh_token).await.ok();
        calls.assert((0, 0, 1), context);
    }
    app.clock.advance(31);
    app.refresh(&refresh_token).await.assert_status(401);
    calls.assert((0, 0, 2), "token-refresh, with a used token");
    for everywhere in [false, true] {
        app.logout(&refresh_token, everywhere).await.assert_status(204);
        calls.assert((0, 0, 1), "logout");
    }
    for name in ["jwks", "openid-configuration"] {
        app.call_by_name(name, Request::default()).await.ok();
        calls.assert((0, 0, 0), name);
    }
    app.clock.advance(60);
    let session_id = app.verified_sms_session(PHONE, None).await;
    calls.assert((1, 0, 3), "one to send; two to verify");
    let reset = json!({ "session_id": session_id, "password": NEW_PASSWORD });
    app.call(users::password::ENDPOINT, json_request(&reset.to_string())).await.ok();
    calls.assert((2, 0, 1), "password");
}

/// Returns the items of a table by their keys.
fn scan(table: &str) -> BTreeMap<String, Json> {
    let scanned = call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.Scan", &json!({ "TableName": table }));
    let items = scanned["Items"].as_array().unwrap().iter();
    items.map(|item| (item["pk"]["S"].as_str().unwrap().to_owned(), item.clone())).collect()
}

fn attributes(item: &Json) -> String {
    item.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn tables_contain_the_documented_attributes_and_no_secret() {
    let tables = Tables::create();
    let app = TestApp::on(tables.store(), NOW);

    let session_id = app.verified_sms_session(PHONE, None).await;
    let code = app.secrets().pop().unwrap();
    let sms_sessions = scan(&tables.sms_sessions);
    let [(phone_pk, phone), (session_pk, session)] = sms_sessions.iter().collect::<Vec<_>>()[..] else {
        panic!("{sms_sessions:?}")
    };
    assert_eq!(phone_pk, "PHONE#+821012345678");
    // The TTL attribute is in Unix time, in seconds.
    assert_eq!(phone["expires_at"]["N"], (NOW + 86_400).to_string());
    assert_eq!(session["expires_at"]["N"], (NOW + 600).to_string());
    assert_eq!(attributes(session), "attempts code_hash expires_at is_verified phone pk sent_at");
    assert!(session_pk.starts_with("SESSION#"));
    let contains_id = format!("{sms_sessions:?}").contains(&session_id);
    assert!(!contains_id && !format!("{session:?}").contains(&format!("\"{code}\"")));

    let signed_up = app.call(users::signup::ENDPOINT, TestApp::signup_request(EMAIL, PHONE, &session_id)).await;
    app.clock.advance(60);
    app.refresh(&signed_up.field("refresh_token")).await.ok();
    let sessions = scan(&tables.sessions);
    let [(session_pk, session)] = sessions.iter().collect::<Vec<_>>()[..] else { panic!("{sessions:?}") };
    assert!(session_pk.starts_with("FAMILY#"));
    assert_eq!(attributes(session), "expires_at generation moved_at pk");
    assert_eq!(session["expires_at"]["N"], (NOW + 60 + 30 * 86_400).to_string());

    app.reset(PHONE, NEW_PASSWORD).await;
    assert_eq!(scan(&tables.sms_sessions).len(), 1, "SMS sessions are consumed");
    let users = scan(&tables.users);
    assert_eq!(users.keys().map(|pk| pk.split('#').next().unwrap()).collect::<Vec<_>>(), ["EMAIL", "PHONE", "USER"]);
    let user = users.values().last().unwrap();
    assert_eq!(
        attributes(user),
        "created_at credentials_changed_at email epoch name nickname password_hash phone pk updated_at"
    );
    let times = ["created_at", "updated_at", "credentials_changed_at"]
        .map(|time| user[time]["N"].as_str().unwrap().parse::<i64>().unwrap());
    assert_eq!(times, [NOW, NOW + 120, NOW + 120]);
}
