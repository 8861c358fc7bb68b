//! The fixture of all tests of handlers: an app on a store and the local outbox, and the steps of a client.
//!
//! Each response is also checked for what holds for every one: its caching, and that its error is declared
//! by the endpoint. A test that includes this file also declares the lints that the file breaks.

mod document;
mod response;

use std::sync::{Arc, Mutex, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use functions::ENDPOINTS;
use functions::http::{Endpoint, Request};
use functions::lambda::EventResponse;
use functions::{sessions, sms_auth, users};
use local::{Outbox, SqliteStore};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value as Json, json};
use shared::app::App;
use shared::clock::ManualClock;
use shared::config::Config;
use shared::error::BoxError;
use shared::events::EventLog;
use shared::sms::{Sms, SmsError};
use shared::store::{Accounts, Administration, LoginIdentifier, Store, UserKey};
use shared::tokens::{KeySet, rotation};
use shared::values::{Claims, Phone, Region};

pub(crate) use response::Response;

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ISSUER: &str = "https://accounts.example.com";
/// The time at which a test starts.
pub(crate) const NOW: i64 = 1_800_000_000;

/// Returns the key set of all tests, as it is stored. Creating an RSA key takes longer than any test.
pub(crate) fn keys() -> &'static str {
    static KEYS: OnceLock<SecretString> = OnceLock::new();
    KEYS.get_or_init(|| rotation::create(0).unwrap()).expose_secret()
}

/// Asserts that the OpenAPI document describes the response to an event.
#[track_caller]
pub(crate) fn assert_described(endpoint: Endpoint, event: &Json, response: &EventResponse) {
    let body = event["body"].as_str().unwrap_or_default();
    let body = if event["isBase64Encoded"] == true { STANDARD.decode(body).unwrap_or_default() } else { body.into() };
    let method = event["requestContext"]["http"]["method"].as_str().unwrap_or_default().to_owned();
    let headers = response.headers.iter().map(|(name, value)| (*name, value.clone())).collect();
    let response = Response { status: response.status_code, headers, body: response.body.clone() };
    let request = Request { body: Request::has_body(&method).then_some(body), method, ..Request::default() };
    document::assert_described(endpoint.routes, &request, &response);
}

/// An app, its clock and its outbox.
pub(crate) struct TestApp {
    pub(crate) inner: App,
    pub(crate) clock: Arc<ManualClock>,
    /// The steps of an operator, on the same store.
    pub(crate) operator: Arc<dyn Administration>,
    outbox: Outbox,
    /// Every secret and personal value that was sent or received.
    secrets: Mutex<Vec<String>>,
    /// The lines of the events.
    events: Arc<Mutex<Vec<String>>>,
}

impl TestApp {
    /// Creates an app on an SQLite database in memory.
    pub(crate) fn new() -> Self {
        Self::on(SqliteStore::in_memory().unwrap(), NOW)
    }

    /// Creates an app on `store`, at `now`.
    pub(crate) fn on(store: impl Store + Accounts + Administration + 'static, now: i64) -> Self {
        let store = Arc::new(store);
        let clock = Arc::new(ManualClock::new(now));
        let outbox = Outbox::in_memory(clock.clone()).unwrap();
        let defaults = Config::from_variables(&|_| None).unwrap();
        let config = Config { bcrypt_cost: 4, token_issuer: Some(ISSUER.to_owned()), ..defaults };
        let mut inner = App::new(config, store.clone(), outbox.clone(), clock.clone())
            .with_accounts(Some(store.clone()))
            .with_keyring(KeySet::from_stored(keys()).unwrap().into());
        let events = Arc::new(Mutex::new(Vec::new()));
        let lines = events.clone();
        inner.events = EventLog::new(Some("ably".to_owned()), move |line| lines.lock().unwrap().push(line.to_owned()));
        let secrets = [PASSWORD, "1012345678", "minji@example.com", "Kim Minji"].map(str::to_owned).to_vec();
        Self { inner, clock, operator: store, outbox, secrets: Mutex::new(secrets), events }
    }

    /// Replaces the store.
    pub(crate) fn use_store(&mut self, store: impl Store + Accounts + Administration + 'static) {
        let store = Arc::new(store);
        self.inner.accounts = Some(store.clone());
        self.operator = store.clone();
        self.inner.store = store;
    }

    /// Calls an endpoint's handler.
    pub(crate) async fn call(&self, endpoint: Endpoint, request: Request) -> Response {
        let sent = Request { method: request.method.clone(), body: request.body.clone(), ..Request::default() };
        let events_before = self.events.lock().unwrap().len();
        let result = endpoint.respond(&self.inner, request).await;
        if let Err(error) = &result {
            assert!(endpoint.errors().any(|code| code == error.code()), "{} declares no {error:?}", endpoint.name);
        }
        let response = result.unwrap_or_else(|error| functions::http::Response::from(&error));
        let response = Response { status: response.status, headers: response.headers, body: response.body.to_string() };
        let is_public =
            response.status == 200 && endpoint.routes.iter().all(|(_, path)| path.contains("/.well-known/"));
        let caching = if is_public { "public, max-age=300" } else { "no-store" };
        assert_eq!(response.header("cache-control"), Some(caching));
        assert_eq!(response.header("strict-transport-security"), Some("max-age=63072000"));
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        document::assert_described(endpoint.routes, &sent, &response);
        let body: Json = serde_json::from_str(&response.body).unwrap_or_default();
        for secret in ["session_id", "access_token", "refresh_token", "device_token"] {
            self.secrets.lock().unwrap().extend(body[secret].as_str().map(str::to_owned));
        }
        let is_event = !endpoint.is_read_only || response.status >= 400;
        assert_eq!(self.events.lock().unwrap().len(), events_before + usize::from(is_event), "{}", endpoint.name);
        self.assert_events_contain_no_secret(events_before);
        response
    }

    /// Returns the events so far.
    pub(crate) fn events(&self) -> Vec<Json> {
        self.events.lock().unwrap().iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the latest event.
    pub(crate) fn latest_event(&self) -> Json {
        self.events().pop().unwrap()
    }

    /// Asserts that no event after the first `skipped` ones contains a secret or a personal value.
    #[track_caller]
    pub(crate) fn assert_events_contain_no_secret(&self, skipped: usize) {
        for mut event in self.events().split_off(skipped) {
            // Numbers and ids, which may contain the digits of a code.
            for field in ["timestamp", "_aws", "user_id"] {
                event[field] = Json::Null;
            }
            let line = event.to_string();
            for secret in self.secrets.lock().unwrap().iter() {
                assert!(!line.contains(secret.as_str()), "{secret:?} is in an event");
            }
        }
    }

    /// Calls the endpoint of this name.
    pub(crate) async fn call_by_name(&self, name: &str, request: Request) -> Response {
        self.call(*ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap(), request).await
    }

    /// Returns every secret and personal value that was sent or received so far.
    pub(crate) fn secrets(&self) -> Vec<String> {
        self.secrets.lock().unwrap().clone()
    }

    /// Returns the texts of the SMS to a phone number, newest first.
    pub(crate) fn texts(&self, phone: &str) -> Vec<String> {
        let phone = Phone::parse(phone, Region::KR).unwrap();
        self.outbox.messages(&phone).unwrap().into_iter().map(|message| message.text.0).collect()
    }

    /// Requests a code. Returns the id of the SMS session and the code.
    pub(crate) async fn send(&self, phone: &str, purpose: Option<&str>) -> (String, String) {
        let body = json!({ "phone": phone, "purpose": purpose }).to_string();
        let session_id = self.call(sms_auth::send::ENDPOINT, json_request(&body)).await.field("session_id");
        (session_id, self.code_in_latest_sms(phone))
    }

    /// Returns the code in the latest SMS to a phone number.
    pub(crate) fn code_in_latest_sms(&self, phone: &str) -> String {
        let text = self.texts(phone).swap_remove(0);
        let is_code = |word: &&str| matches!(word.len(), 6 | 8) && word.bytes().all(|byte| byte.is_ascii_digit());
        let code = text.split(' ').find(is_code).unwrap().to_owned();
        self.secrets.lock().unwrap().push(code.clone());
        code
    }

    /// Returns a code of the same length that is wrong.
    pub(crate) fn other_than(&self, code: &str) -> String {
        let (rest, last) = code.split_at(code.len() - 1);
        format!("{rest}{}", (last.parse::<u32>().unwrap() + 1) % 10)
    }

    pub(crate) async fn verify(&self, session_id: &str, phone: &str, code: &str) -> Response {
        let body = json!({ "session_id": session_id, "phone": phone, "auth_code": code }).to_string();
        self.call(sms_auth::verify::ENDPOINT, json_request(&body)).await
    }

    /// Returns the id of a verified SMS session.
    pub(crate) async fn verified_sms_session(&self, phone: &str, purpose: Option<&str>) -> String {
        let (session_id, code) = self.send(phone, purpose).await;
        self.verify(&session_id, phone, &code).await.ok();
        session_id
    }

    /// Returns a request to sign up.
    pub(crate) fn signup_request(email: &str, phone: &str, session_id: &str) -> Request {
        let body = json!({
            "email": email, "nickname": "minji", "phone": phone, "password": PASSWORD, "name": "Kim Minji",
            "session_id": session_id,
        });
        json_request(&body.to_string())
    }

    /// Signs up. Returns the new user's access and refresh tokens.
    pub(crate) async fn sign_up(&self, email: &str, phone: &str) -> (String, String) {
        let session_id = self.verified_sms_session(phone, None).await;
        let response = self.call(users::signup::ENDPOINT, Self::signup_request(email, phone, &session_id)).await;
        response.assert_status(201);
        (response.field("access_token"), response.field("refresh_token"))
    }

    /// Signs up. Returns the device token.
    pub(crate) async fn sign_up_on_a_device(&self, email: &str, phone: &str) -> String {
        let session_id = self.verified_sms_session(phone, Some("signup")).await;
        let response = self.call(users::signup::ENDPOINT, Self::signup_request(email, phone, &session_id)).await;
        response.field("device_token")
    }

    /// Requests a code from a device.
    pub(crate) async fn send_from(&self, device_token: &str, phone: &str, purpose: &str) -> Response {
        let body = json!({ "phone": phone, "purpose": purpose, "device_token": device_token }).to_string();
        self.call(sms_auth::send::ENDPOINT, json_request(&body)).await
    }

    /// Logs in from a device.
    pub(crate) async fn login_from(&self, device_token: &str, email: &str, password: &str) -> Response {
        let body = json!({ "email": email, "password": password, "device_token": device_token }).to_string();
        self.call(users::login::ENDPOINT, json_request(&body)).await
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Response {
        let body = json!({ "email": email, "password": password }).to_string();
        self.call(users::login::ENDPOINT, json_request(&body)).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Response {
        let body = json!({ "refresh_token": token }).to_string();
        self.call(sessions::refresh::ENDPOINT, json_request(&body)).await
    }

    pub(crate) async fn logout(&self, token: &str, everywhere: bool) -> Response {
        let body = json!({ "refresh_token": token, "everywhere": everywhere }).to_string();
        self.call(sessions::logout::ENDPOINT, json_request(&body)).await
    }

    /// Resets the password of the user with this phone number.
    pub(crate) async fn reset(&self, phone: &str, new: &str) -> Response {
        self.clock.advance(self.inner.config.limits.seconds_between_sends);
        let session_id = self.verified_sms_session(phone, Some("password_reset")).await;
        let body = json!({ "session_id": session_id, "password": new }).to_string();
        let response = self.call(users::password::ENDPOINT, json_request(&body)).await;
        response.ok();
        response
    }

    /// Disables or enables the user with this phone number.
    pub(crate) async fn set_disabled(&self, phone: &str, is_disabled: bool) {
        let login = LoginIdentifier::Phone(Phone::parse(phone, Region::KR).unwrap());
        let user_id = self.inner.store.credentials(&login).await.unwrap().unwrap().user_id;
        assert!(self.inner.store.set_disabled(user_id, is_disabled, self.inner.clock.now()).await.unwrap());
    }

    /// Replaces the claims of the user with this phone number.
    pub(crate) async fn set_claims(&self, phone: &str, claims: &Json) {
        let login = LoginIdentifier::Phone(Phone::parse(phone, Region::KR).unwrap());
        let user_id = self.inner.store.credentials(&login).await.unwrap().unwrap().user_id;
        let claims = Claims::parse(serde_json::from_value(claims.clone()).unwrap()).unwrap();
        let before = self.operator.user(&UserKey::Id(user_id)).await.unwrap().unwrap().claims;
        assert!(self.operator.set_claims(user_id, &before, &claims, self.inner.clock.now()).await.unwrap());
    }

    pub(crate) async fn profile(&self, token: &str) -> Response {
        self.call(users::profile::ENDPOINT, bearer_request(token)).await
    }
}

/// An SMS provider that fails.
pub(crate) struct FailingSms(pub(crate) fn(BoxError) -> SmsError);

#[async_trait::async_trait]
impl Sms for FailingSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Err(self.0("unavailable".into()))
    }
}

/// Returns a request with a query.
pub(crate) fn query_request(query: &[(&str, &str)]) -> Request {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Request { query: query.collect(), ..Request::default() }
}

/// Returns a request with a body.
pub(crate) fn json_request(body: &str) -> Request {
    Request { body: Some(body.as_bytes().to_vec()), ..Request::default() }
}

/// Returns a request with an access token.
pub(crate) fn bearer_request(token: &str) -> Request {
    Request { authorization: Some(format!("Bearer {token}").into()), ..Request::default() }
}

/// Returns a request with an access token and a body.
pub(crate) fn bearer_json_request(token: &str, body: &Json) -> Request {
    Request { body: Some(body.to_string().into_bytes()), ..bearer_request(token) }
}
