//! What the handlers' tests stand on: an app on the in-memory local backend, and a person's steps.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use local::{Outbox, SqliteStore};
use serde_json::Value as Json;
use shared::App;
use shared::clock::ManualClock;
use shared::config::Config;
use shared::keys::{KeySet, Keys};
use shared::phone::Phone;
use shared::sms_auth::AuthCode;
use shared::value::Value as _;
use zeroize::Zeroizing;

use crate::{
    Endpoint, Request, login, logout, password, profile, signup, sms_auth_send, sms_auth_verify, token_refresh,
};

pub(crate) const PASSWORD: &str = "correct horse battery";
pub(crate) const ISSUER: &str = "https://accounts.example.com";

/// The worlds' key set, as it is kept. Making an RSA key takes longer than all the rest.
pub(crate) fn keys() -> &'static str {
    static KEYS: OnceLock<Zeroizing<String>> = OnceLock::new();
    KEYS.get_or_init(|| KeySet::generate(0).unwrap())
}

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) clock: Arc<ManualClock>,
    outbox: Outbox,
}

impl World {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(1_800_000_000));
        let outbox = Outbox::in_memory(clock.clone()).unwrap();
        let app = App {
            config: Config { bcrypt_cost: 4, token_issuer: Some(ISSUER.to_owned()), ..Config::default() },
            store: Box::new(SqliteStore::in_memory().unwrap()),
            sms: Box::new(outbox.clone()),
            keys: Keys::from(KeySet::read(keys()).unwrap()),
            clock: clock.clone(),
            new_code: AuthCode::generate,
        };
        Self { app, clock, outbox }
    }

    pub(crate) async fn call(&self, endpoint: Endpoint, request: Request) -> Response {
        let response =
            (endpoint.handle)(&self.app, request).await.unwrap_or_else(|error| crate::Response::from(&error));
        let response = Response { status: response.status, headers: response.headers, body: response.body.to_string() };
        let is_public =
            response.status == 200 && endpoint.routes.iter().all(|(_, path)| path.contains("/.well-known/"));
        let caching = if is_public { "public, max-age=300" } else { "no-store" };
        assert_eq!(response.header("cache-control"), Some(caching));
        response
    }

    pub(crate) fn texts(&self, phone: &str) -> Vec<String> {
        let phone = Phone::parse(phone, &self.app.config).unwrap();
        self.outbox.messages(&phone).unwrap().into_iter().map(|message| message.text).collect()
    }

    /// Asks for a code; answers the session and the code.
    pub(crate) async fn send(&self, phone: &str, purpose: Option<&str>) -> (String, String) {
        let body = serde_json::json!({ "phone": phone, "purpose": purpose }).to_string();
        let session = self.call(sms_auth_send::ENDPOINT, json(&body)).await.field("session_id");
        let text = self.texts(phone).swap_remove(0);
        let code =
            text.split(' ').find(|word| word.len() == 6 && word.bytes().all(|byte| byte.is_ascii_digit())).unwrap();
        (session, code.to_owned())
    }

    pub(crate) fn other_than(&self, code: &str) -> String {
        format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
    }

    /// A verified session.
    pub(crate) async fn verified(&self, phone: &str, purpose: Option<&str>) -> String {
        let (session, code) = self.send(phone, purpose).await;
        let body = serde_json::json!({ "session_id": session, "phone": phone, "auth_code": code }).to_string();
        self.call(sms_auth_verify::ENDPOINT, json(&body)).await.ok();
        session
    }

    pub(crate) fn signup(email: &str, phone: &str, session: &str) -> Request {
        let body = serde_json::json!({
            "email": email, "nickname": "minji", "phone": phone, "password": PASSWORD, "name": "Kim Minji", "session_id": session,
        });
        json(&body.to_string())
    }

    /// A new user's access and refresh tokens.
    pub(crate) async fn sign_up(&self, email: &str, phone: &str) -> (String, String) {
        let session = self.verified(phone, None).await;
        let answer = self.call(signup::ENDPOINT, Self::signup(email, phone, &session)).await;
        answer.is_status(201);
        (answer.field("access_token"), answer.field("refresh_token"))
    }

    pub(crate) async fn login(&self, email: &str, password: &str) -> Response {
        self.call(login::ENDPOINT, json(&serde_json::json!({ "email": email, "password": password }).to_string())).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Response {
        self.call(token_refresh::ENDPOINT, json(&serde_json::json!({ "refresh_token": token }).to_string())).await
    }

    pub(crate) async fn logout(&self, token: &str, everywhere: bool) -> Response {
        let body = serde_json::json!({ "refresh_token": token, "everywhere": everywhere }).to_string();
        self.call(logout::ENDPOINT, json(&body)).await
    }

    /// Resets the password of this phone's user.
    pub(crate) async fn reset(&self, phone: &str, new: &str) {
        self.clock.advance(self.app.config.seconds_between_sends);
        let session = self.verified(phone, Some("password_reset")).await;
        let body = serde_json::json!({ "session_id": session, "password": new }).to_string();
        self.call(password::ENDPOINT, json(&body)).await.ok();
    }

    pub(crate) async fn profile(&self, token: &str) -> Response {
        let authorization = Some(Zeroizing::new(format!("Bearer {token}")));
        self.call(profile::ENDPOINT, Request { authorization, ..Request::default() }).await
    }
}

pub(crate) fn get(query: &[(&str, &str)]) -> Request {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Request { query: HashMap::from_iter(query), ..Request::default() }
}

pub(crate) fn json(body: &str) -> Request {
    Request { body: Some(body.as_bytes().to_vec()), ..Request::default() }
}

/// What a client sees.
#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn field(&self, name: &str) -> String {
        let body: Json = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    #[track_caller]
    pub(crate) fn is_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
    }

    #[track_caller]
    pub(crate) fn is_empty(&self) {
        self.is_status(204);
        assert_eq!((self.body.as_str(), self.header("content-type")), ("", None));
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        self.is_status(200);
        &self.body
    }

    #[track_caller]
    pub(crate) fn is(&self, status: u16, error_code: &str) -> &Self {
        self.is_status(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem: Json = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["error_code"], error_code);
        assert!(["type", "title", "detail"].iter().all(|member| problem[member].is_string()), "{}", self.body);
        self
    }

    pub(crate) fn error_code(&self) -> String {
        self.field("error_code")
    }

    #[track_caller]
    pub(crate) fn is_retry_after(&self, status: u16, error_code: &str, seconds: i64) {
        assert_eq!(self.is(status, error_code).header("retry-after"), Some(seconds.to_string().as_str()));
    }

    #[track_caller]
    pub(crate) fn challenges(&self, challenge: &str) {
        assert_eq!(self.header("www-authenticate"), Some(challenge));
    }

    #[track_caller]
    pub(crate) fn names(&self, fields: &[&str]) {
        let problem: Json = serde_json::from_str(&self.body).unwrap();
        let errors = problem["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["message"].is_string()));
        assert_eq!(errors.iter().map(|error| error["field"].as_str().unwrap()).collect::<Vec<_>>(), fields);
    }

    #[track_caller]
    pub(crate) fn is_invalid(&self, fields: &[&str]) {
        self.is(422, "REQUEST__INVALID").names(fields);
    }
}
