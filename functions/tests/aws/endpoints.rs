//! The endpoints on DynamoDB Local: their round trips, and the items that they store.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use functions::http::Request;
use functions::{ENDPOINTS, users};
use serde_json::{Value as Json, json};
use shared::limits::Bucket;
use shared::store::{ImportOutcome, UserKey};
use shared::values::Phone;

use crate::guarantees::NOW;
use crate::permissions::assert_permitted;
use crate::proxy::{Fault, observing_proxy, rejecting_sns};
use crate::services::{Tables, call, url};
use crate::test_app::{PASSWORD, Response, TestApp, bearer_request, json_request, query_request};

const EMAIL: &str = "minji@example.com";
const PHONE: &str = "01012345678";
const NEW_PASSWORD: &str = "a newer horse battery";

/// The calls of DynamoDB, each an operation and its body.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<(String, Json)>>>);

impl Calls {
    /// Returns the URL of a proxy to DynamoDB Local that records its calls.
    fn recorded(&self) -> String {
        let Self(calls) = self.clone();
        observing_proxy(move |operation, _, body| {
            calls.lock().unwrap().push((operation.to_owned(), serde_json::from_slice(body).unwrap()));
            Fault::None
        })
    }

    fn take(&self) -> Vec<(String, Json)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// An app whose calls of DynamoDB are recorded.
pub(crate) struct RecordedApp {
    pub(crate) app: TestApp,
    tables: Tables,
    calls: Calls,
}

impl RecordedApp {
    pub(crate) fn new() -> Self {
        let (calls, tables) = (Calls::default(), Tables::create());
        let app = TestApp::on(tables.store_at(&calls.recorded()), NOW);
        Self { app, tables, calls }
    }

    /// Calls an endpoint. Asserts the status, the calls of DynamoDB, and that the endpoint's declared access
    /// permits them.
    pub(crate) async fn call(&self, name: &str, request: Request, status: u16, expected: &str) -> Response {
        self.calls.take();
        let response = self.app.call_by_name(name, request).await;
        response.assert_status(status);
        let (calls, mut counts) = (self.calls.take(), BTreeMap::new());
        let access = ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap().access;
        for (operation, body) in calls {
            assert_permitted(access, &self.tables, &operation, &body);
            *counts.entry(operation).or_insert(0) += 1;
        }
        let counts: Vec<_> = counts.into_iter().map(|(operation, times)| format!("{times} {operation}")).collect();
        assert_eq!(counts.join(", "), expected, "{name}, {status}");
        response
    }

    /// Requests a code. Returns the id of the SMS session and the code.
    async fn send(&self, purpose: Option<&str>, expected: &str) -> (String, String) {
        let body = json!({ "phone": PHONE, "purpose": purpose });
        let session_id =
            self.call("sms-auth-send", json_request(&body.to_string()), 200, expected).await.field("session_id");
        let code = self.app.code_in_latest_sms(PHONE);
        (session_id, code)
    }

    async fn verify(&self, session_id: &str, phone: &str, code: &str, status: u16, expected: &str) {
        let body = json!({ "session_id": session_id, "phone": phone, "auth_code": code });
        self.call("sms-auth-verify", json_request(&body.to_string()), status, expected).await;
    }
}

#[tokio::test]
async fn each_endpoint_sends_the_documented_requests_within_its_access() {
    let recorded = RecordedApp::new();
    let call =
        async |name: &str, request: Request, status, expected| recorded.call(name, request, status, expected).await;

    call("email-duplicate-check", query_request(&[("email", EMAIL)]), 200, "1 GetItem, 1 UpdateItem").await;
    // A limit that already counts takes a second write.
    call("phone-duplicate-check", query_request(&[("phone", PHONE)]), 200, "1 GetItem, 2 UpdateItem").await;
    let sent = json_request(&json!({ "phone": PHONE }).to_string());
    recorded.send(Some("signup"), "1 PutItem, 4 UpdateItem").await;
    call("sms-auth-send", sent, 429, "1 GetItem, 3 UpdateItem").await;
    recorded.app.clock.advance(60);
    let (session_id, code) = recorded.send(None, "1 GetItem, 1 PutItem, 5 UpdateItem").await;
    recorded.verify(&session_id, PHONE, &recorded.app.other_than(&code), 401, "1 UpdateItem").await;
    recorded.verify(&session_id, "01087654321", &code, 401, "1 UpdateItem").await;
    recorded.verify("unknown", PHONE, &code, 404, "1 UpdateItem").await;
    let sign_up = |session_id: &str| TestApp::signup_request(EMAIL, PHONE, session_id);
    call("signup", sign_up(&session_id), 401, "1 UpdateItem").await;
    recorded.verify(&session_id, PHONE, &code, 200, "3 UpdateItem").await;
    recorded.verify(&session_id, PHONE, &code, 200, "2 UpdateItem").await;
    let signed_up = call("signup", sign_up(&session_id), 201, "1 TransactWriteItems, 1 UpdateItem").await;
    call("signup", sign_up(&session_id), 401, "1 UpdateItem").await;

    let login =
        |email: &str, password: &str| json_request(&json!({ "email": email, "password": password }).to_string());
    let logged_in = call("login", login(EMAIL, PASSWORD), 200, "2 GetItem, 1 PutItem, 4 UpdateItem").await;
    call("login", login(EMAIL, "wrong horse battery"), 401, "2 GetItem, 2 UpdateItem").await;
    call("login", login("nobody@example.com", PASSWORD), 401, "2 GetItem, 3 UpdateItem").await;
    let access_token = signed_up.field("access_token");
    call("profile", bearer_request(&access_token), 200, "1 BatchGetItem").await;

    let token = |token: &str, everywhere: bool| {
        json_request(&json!({ "refresh_token": token, "everywhere": everywhere }).to_string())
    };
    let first = signed_up.field("refresh_token");
    for _ in 0..2 {
        // The second one is a retry within the reuse interval.
        call("token-refresh", token(&first, false), 200, "1 TransactWriteItems").await;
    }
    recorded.app.clock.advance(31);
    call("token-refresh", token(&first, false), 401, "1 DeleteItem, 1 TransactWriteItems").await;
    call("token-refresh", token(&first, false), 401, "1 TransactWriteItems").await;
    call("profile", bearer_request(&access_token), 401, "1 BatchGetItem").await;
    call("logout", token(&first, false), 204, "1 DeleteItem").await;
    let other = logged_in.field("refresh_token");
    // The first refresh after a change of the claims reads them.
    recorded.app.set_claims(PHONE, &json!({ "role": "editor" })).await;
    let changed = "1 GetItem, 2 TransactWriteItems";
    let other = call("token-refresh", token(&other, false), 200, changed).await.field("refresh_token");
    let refreshed = call("token-refresh", token(&other, false), 200, "1 TransactWriteItems").await;
    let other = refreshed.field("refresh_token");
    recorded.app.set_disabled(PHONE, true).await;
    call("token-refresh", token(&other, false), 403, "1 GetItem, 1 TransactWriteItems").await;
    call("profile", bearer_request(&refreshed.field("access_token")), 403, "1 BatchGetItem").await;
    recorded.app.set_disabled(PHONE, false).await;
    call("logout", token(&other, true), 204, "1 UpdateItem").await;
    call("logout", token(&other, true), 204, "1 GetItem, 1 UpdateItem").await;
    call("token-refresh", token(&other, false), 401, "1 GetItem, 1 TransactWriteItems").await;

    for name in ["jwks", "openid-configuration"] {
        call(name, Request::default(), 200, "").await;
    }

    recorded.app.clock.advance(60);
    let (session_id, code) = recorded.send(Some("password_reset"), "1 PutItem, 5 UpdateItem").await;
    recorded.verify(&session_id, PHONE, &code, 200, "3 UpdateItem").await;
    call("signup", sign_up(&session_id), 409, "2 GetItem, 1 UpdateItem").await;
    let reset = || json_request(&json!({ "session_id": session_id, "password": NEW_PASSWORD }).to_string());
    recorded.app.set_disabled(PHONE, true).await;
    call("password", reset(), 403, "3 GetItem").await;
    recorded.app.set_disabled(PHONE, false).await;
    call("password", reset(), 200, "3 GetItem, 1 TransactWriteItems, 1 UpdateItem").await;
    call("password", reset(), 401, "1 GetItem").await;

    recorded.app.clock.advance(60);
    let (session_id, code) = recorded.send(Some("login"), "1 PutItem, 5 UpdateItem").await;
    recorded.verify(&session_id, PHONE, &code, 404, "1 UpdateItem").await;
    let log_in =
        |code: &str| json_request(&json!({ "session_id": session_id, "phone": PHONE, "auth_code": code }).to_string());
    call("login-code", log_in(&recorded.app.other_than(&code)), 401, "1 UpdateItem").await;
    recorded.app.set_disabled(PHONE, true).await;
    call("login-code", log_in(&code), 403, "2 GetItem, 1 UpdateItem").await;
    recorded.app.set_disabled(PHONE, false).await;
    call("login-code", log_in(&code), 200, "2 GetItem, 1 TransactWriteItems, 2 UpdateItem").await;
    call("login-code", log_in(&code), 404, "1 UpdateItem").await;

    let mut recorded = recorded;
    recorded.app.inner.sms = Box::new(rejecting_sns());
    recorded.app.clock.advance(60);
    let sent = json_request(&json!({ "phone": PHONE }).to_string());
    recorded.call("sms-auth-send", sent, 504, "1 DeleteItem, 1 GetItem, 1 PutItem, 7 UpdateItem").await;
}

/// Returns the items of a table by their keys.
fn scan(table: &str) -> BTreeMap<String, Json> {
    let scanned = call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.Scan", &json!({ "TableName": table }));
    let items = scanned["Items"].as_array().unwrap().iter();
    let key = |item: &Json| [&item["pk"], &item["sk"]].map(|part| part["S"].as_str().unwrap_or_default()).join(" ");
    items.map(|item| (key(item).trim().to_owned(), item.clone())).collect()
}

fn attributes(item: &Json) -> String {
    item.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn login_of_an_unknown_user_sends_the_requests_of_a_wrong_password() {
    let mut recorded = RecordedApp::new();
    let device_token = recorded.app.sign_up_on_a_device(EMAIL, "01012345678").await;
    recorded.app.sign_up("jiho@example.com", "01087654321").await;
    let foreign = recorded.app.login("jiho@example.com", PASSWORD).await.field("device_token");
    recorded.app.inner.config.limits.passwords_per_account = Bucket::new(3, 300);
    recorded.app.inner.config.limits.passwords_in_a_row = 10;
    let mut address = 0..;
    let mut request = |email: &str, device_token: Option<&str>| {
        let body = json!({ "email": email, "password": "wrong horse battery", "device_token": device_token });
        let source_ip = Some(format!("203.0.113.{}", address.next().unwrap()));
        Request { source_ip, ..json_request(&body.to_string()) }
    };
    for device_token in [None, Some("nonsense"), Some(foreign.as_str())] {
        for email in [EMAIL, "nobody@example.com"] {
            recorded.app.clock.advance(3600);
            for (status, expected) in [
                (401, "2 GetItem, 2 UpdateItem"),
                (401, "2 GetItem, 3 UpdateItem"),
                (401, "2 GetItem, 3 UpdateItem"),
                (429, "2 GetItem, 2 UpdateItem"),
            ] {
                recorded.call("login", request(email, device_token), status, expected).await;
            }
        }
    }
    recorded.app.clock.advance(3600);
    for email in [EMAIL, "nobody@example.com"] {
        for status in [401, 403] {
            recorded.call("login", request(email, None), status, "2 GetItem, 2 UpdateItem").await;
        }
    }
    let body = json!({ "email": EMAIL, "password": PASSWORD, "device_token": device_token });
    recorded.call("login", json_request(&body.to_string()), 200, "2 GetItem, 1 PutItem, 2 UpdateItem").await;
}

#[tokio::test]
async fn sessions_contain_the_address_and_the_label_of_the_client() {
    let tables = Tables::create();
    let app = TestApp::on(tables.store(), NOW);
    let send = Request {
        source_ip: Some("203.0.113.7".to_owned()),
        ..json_request(&json!({ "phone": PHONE, "purpose": "signup" }).to_string())
    };
    let session_id = app.call_by_name("sms-auth-send", send).await.field("session_id");
    let sms_sessions = scan(&tables.sms_sessions);
    let session = sms_sessions.values().find(|item| item["code_mac"].is_object()).unwrap();
    assert_eq!(session["ip"]["S"], "203.0.113.7");

    app.verify(&session_id, PHONE, &app.code_in_latest_sms(PHONE)).await.ok();
    let with_user_agent =
        |request: Request, user_agent: &str| Request { user_agent: Some(user_agent.to_owned()), ..request };
    let sign_up = TestApp::signup_request(EMAIL, PHONE, &session_id);
    app.call(users::signup::ENDPOINT, with_user_agent(sign_up, "the first phone")).await.assert_status(201);
    let login = json_request(&json!({ "email": EMAIL, "password": PASSWORD }).to_string());
    app.call(users::login::ENDPOINT, with_user_agent(login, &"x".repeat(300))).await.ok();
    let mut labels: Vec<_> =
        scan(&tables.sessions).values().map(|item| item["user_agent"]["S"].as_str().unwrap().to_owned()).collect();
    labels.sort();
    assert_eq!(labels, ["the first phone".to_owned(), "x".repeat(200)]);
}

#[tokio::test]
async fn tables_contain_the_documented_attributes_and_no_secret() {
    let tables = Tables::create();
    let app = TestApp::on(tables.store(), NOW);

    let session_id = app.verified_sms_session(PHONE, None).await;
    let code = app.secrets().pop().unwrap();
    let sms_sessions = scan(&tables.sms_sessions);
    let [(session_pk, session)] = sms_sessions.iter().collect::<Vec<_>>()[..] else { panic!("{sms_sessions:?}") };
    let limits = scan(&tables.limits);
    let keys: Vec<_> = limits.keys().map(String::as_str).collect();
    assert_eq!(keys, ["SMS#DAY", "SMS#IP#unknown", "SMS#PHONE#+821012345678"]);
    assert_eq!(attributes(&limits["SMS#DAY"]), "count day pk");
    assert_eq!(attributes(&limits["SMS#IP#unknown"]), "expires_at idle_at pk");
    let phone = &limits["SMS#PHONE#+821012345678"];
    assert_eq!(attributes(phone), "expires_at idle_at idle_at_interval pk");
    // The TTL attribute is in Unix time, in seconds.
    assert_eq!(phone["expires_at"]["N"], (NOW + 2 * 10_800).to_string(), "a reset without a purpose counts longest");
    assert_eq!(session["expires_at"]["N"], (NOW + 600).to_string());
    assert_eq!(
        attributes(session),
        "attempts code_mac expires_at ip is_verified max_attempts phone pk purpose sent_at sign_ups"
    );
    assert!(session_pk.starts_with("SESSION#"));
    let contains_id = format!("{sms_sessions:?}").contains(&session_id);
    assert!(!contains_id && !format!("{session:?}").contains(&format!("\"{code}\"")));

    let signed_up = app.call(users::signup::ENDPOINT, TestApp::signup_request(EMAIL, PHONE, &session_id)).await;
    app.clock.advance(60);
    app.refresh(&signed_up.field("refresh_token")).await.ok();
    let sessions = scan(&tables.sessions);
    let [(session_pk, session)] = sessions.iter().collect::<Vec<_>>()[..] else { panic!("{sessions:?}") };
    assert!(session_pk.starts_with("USER#") && session_pk.contains(" SESSION#"));
    assert_eq!(attributes(session), "created_at expires_at generation pk rotated_at sk token_version user_agent");
    assert_eq!(session["expires_at"]["N"], (NOW + 60 + 30 * 86_400).to_string());
    let times = ["created_at", "rotated_at"].map(|time| session[time]["N"].as_str().unwrap().to_owned());
    assert_eq!(times, [NOW.to_string(), (NOW + 60).to_string()]);

    app.reset(PHONE, NEW_PASSWORD).await;
    assert_eq!(scan(&tables.sms_sessions).len(), 0, "SMS sessions are consumed");
    let users = scan(&tables.users);
    assert_eq!(users.keys().map(|pk| pk.split('#').next().unwrap()).collect::<Vec<_>>(), ["EMAIL", "PHONE", "USER"]);
    for link in users.values().take(2) {
        assert_eq!(attributes(link), "pk user_id");
    }
    let user = users.values().last().unwrap();
    assert_eq!(
        attributes(user),
        "claims created_at email is_disabled name nickname password_hash password_reset_at phone pk token_version updated_at"
    );

    // An import stores the same items.
    let phone = Phone::from_stored("+821012345678").unwrap();
    let found = app.operator.user(&UserKey::Phone(phone)).await.unwrap().unwrap();
    assert!(app.operator.delete_user(found.id).await.unwrap());
    assert!(scan(&tables.users).is_empty() && scan(&tables.sessions).is_empty());
    assert_eq!(app.operator.import_user(&found).await.unwrap(), ImportOutcome::Created);
    assert_eq!(scan(&tables.users), users);
    assert_eq!((&user["claims"], &user["token_version"]), (&json!({ "M": {} }), &json!({ "N": "1" })));
    let times = ["created_at", "updated_at", "password_reset_at"]
        .map(|time| user[time]["N"].as_str().unwrap().parse::<i64>().unwrap());
    assert_eq!(times, [NOW, NOW + 120, NOW + 120]);
}
