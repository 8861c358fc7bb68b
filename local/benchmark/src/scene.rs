//! What the functions find when they are timed: services with one user, one verified session and one
//! login in them, and fixed answers; and events for each function.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use shared::access::KeyAccess;
use shared::config::Config;
use shared::error::BoxError;
use shared::store::Session;
use shared::tokens::{KeySet, Keyring, TokenSettings, rotation};
use shared::values::{AuthCode, Field as _, InvalidField, Password, Phone, SmsSessionId, UserId};

use crate::http::Request;
use crate::init;
use crate::services::{Manner, Service, Tls};

const ISSUER: &str = "https://accounts.example.com";
pub(crate) const PASSWORD: &str = "correct horse battery";
const PHONE: &str = "+821012345678";
const CODE: &str = "123456";

/// How many tokens a client who never sends one twice goes through.
const TOKENS: usize = 32;

/// A row of the table: a function, and the events that it is given in turn.
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) function: &'static str,
    pub(crate) events: Vec<Vec<u8>>,
    /// The status that it answers, if it is called over HTTP.
    pub(crate) status: Option<u64>,
}

pub(crate) struct Scene {
    dynamodb: Service,
    sns: Service,
    secrets: Service,
    authority: String,
    /// For files; gone with the scene.
    pub(crate) folder: tempfile::TempDir,
    session: String,
    tokens: Vec<Json>,
}

impl Scene {
    /// Starts the services. The user's password was hashed with this cost of bcrypt.
    pub(crate) fn set(manner: Manner, bcrypt_cost: u32) -> Result<Self, BoxError> {
        let tls = Tls::generate()?;
        let folder = tempfile::tempdir()?;
        let authority = folder.path().join("authority.pem");
        tls.write_authority(&authority)?;

        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        // Tokens that outlast the benchmark.
        let config = Config::from_variables(&|_| None)?;
        let settings = TokenSettings { access_token_seconds: 24 * 60 * 60, ..config.tokens };
        let keys = rotation::create(now)?;
        let user = UserId::new(now * 1000);
        let sms_session = SmsSessionId::random();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let session = Session::new(user, 0, settings.lifetime, now);
        let keyring = Keyring::from(KeySet::from_stored(keys.expose_secret())?);
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            tokens.push(serde_json::to_value(runtime.block_on(keyring.issue(&session, ISSUER, &settings, now))?)?);
        }

        let parsed = |invalid: InvalidField| invalid.0;
        let phone = Phone::parse(PHONE, config.default_region).map_err(parsed)?;
        let code = AuthCode::parse(CODE).map_err(parsed)?;
        let hash = Password::parse(PASSWORD).map_err(parsed)?.hash(bcrypt_cost)?;
        let s = |text: &str| json!({ "S": text });
        let n = |number: i64| json!({ "N": number.to_string() });
        let user_item = json!({
            "name": s("Kim Minji"), "nickname": s("minji"), "email": s("minji@example.com"), "phone": s(PHONE),
            "password_hash": s(hash.as_str()), "created_at": n(now), "updated_at": n(now), "credentials_changed_at": n(now),
        });
        let link = json!({ "user_id": s(&user.to_string()), "email": s("minji@example.com"), "name": s("Kim Minji") });
        let session_item = json!({
            "phone": s(PHONE), "code_hash": s(sms_session.code_mac(&phone, None, &code).as_str()), "sent_at": n(now),
            "attempts": n(0), "is_verified": json!({ "BOOL": true }), "expires_at": n(now + 100_000),
        });
        let dynamodb = move |request: &Request| {
            let operation = request.header("x-amz-target").unwrap_or_default();
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let pk = body["Key"]["pk"]["S"].as_str().unwrap_or_default();
            let answer = match operation.rsplit('.').next() {
                Some("GetItem") if pk.starts_with("USER#") => json!({ "Item": user_item }),
                Some("GetItem") if pk.starts_with("SESSION#") => json!({ "Item": session_item }),
                Some("GetItem") if pk == "WARM" || pk.contains("nobody") => json!({}),
                Some("GetItem") => json!({ "Item": link }),
                _ => json!({}),
            };
            (200, "application/x-amz-json-1.0", answer.to_string())
        };
        let private = keys.expose_secret().to_owned();
        let (public, next) = (rotation::public_keys(&private)?, rotation::rotate(&private, now)?);
        let next = next.expose_secret().to_owned();
        let secrets = move |request: &Request| {
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let set = match (body["SecretId"].as_str(), body["VersionId"].as_str()) {
                (Some("private"), Some("2")) => &next,
                (Some("private"), _) => &private,
                _ => &public,
            };
            let mut answer = json!({ "ARN": "arn", "Name": body["SecretId"], "VersionId": "1", "SecretString": *set });
            answer["VersionIdsToStages"] = json!({ "1": ["AWSCURRENT"], "2": ["AWSPENDING"] });
            (200, "application/x-amz-json-1.1", answer.to_string())
        };
        Ok(Self {
            dynamodb: Service::start(&tls, manner, Box::new(dynamodb))?,
            sns: Service::start(&tls, manner, Box::new(|request| (200, "text/xml", sns_answer(request))))?,
            secrets: Service::start(&tls, manner, Box::new(secrets))?,
            authority: authority.display().to_string(),
            folder,
            session: sms_session.expose_secret().to_owned(),
            tokens,
        })
    }

    /// Returns how many connections were opened since this was last called.
    pub(crate) fn connections(&self) -> usize {
        [&self.dynamodb, &self.sns, &self.secrets].map(|service| service.asked().connections).iter().sum()
    }

    /// The environment of a function, as the template and Lambda give it.
    pub(crate) fn environment(&self, function: &str) -> Environment {
        environment(function, &self.authority, [&self.dynamodb, &self.sns, &self.secrets])
    }

    /// The floor; the functions, each with an event that succeeds; and what is compared with them.
    pub(crate) fn calls(&self) -> Vec<Call> {
        let tokens = |name: &'static str| self.tokens.iter().map(move |pair| pair[name].as_str().unwrap_or_default());
        let profiles: Vec<_> = tokens("access_token").map(profile).collect();
        let refresh = tokens("refresh_token").next();
        let user = json!({
            "email": "minji@example.com", "nickname": "minji", "phone": PHONE, "password": PASSWORD, "name": "Kim Minji",
            "session_id": self.session,
        });
        let verify = json!({ "session_id": self.session, "phone": PHONE, "auth_code": CODE });
        let reset = json!({ "session_id": self.session, "password": "a newer horse battery" });
        // Not the step that makes the key: how long that takes is chance.
        let rotation = json!({ "Step": "setSecret", "SecretId": "private", "ClientRequestToken": "2" });
        let get = |path: &str, query: &str| event("GET", path, query, None, None);
        let call = |name, function, status, events: Vec<Json>| Call {
            name,
            function,
            status,
            events: events.iter().map(|event| event.to_string().into_bytes()).collect(),
        };
        let ok = |name, event| call(name, name, Some(200), vec![event]);
        vec![
            ok("hello", get("/", "")),
            ok("email-duplicate-check", get("/api/v1/users/email/duplicate-check", "email=minji@example.com")),
            ok("phone-duplicate-check", get("/api/v1/users/phone/duplicate-check", "phone=01012345678")),
            ok("sms-auth-send", post("sms-auth/send", &json!({ "phone": PHONE }))),
            ok("sms-auth-verify", post("sms-auth/verify", &verify)),
            call("signup", "signup", Some(201), vec![post("signup", &user)]),
            ok("login", login("minji@example.com", PASSWORD)),
            call("login: wrong password", "login", Some(401), vec![login("minji@example.com", "a wrong battery")]),
            call("login: unknown user", "login", Some(401), vec![login("nobody@example.com", "a wrong battery")]),
            call("profile", "profile", Some(200), profiles.iter().take(1).cloned().collect()),
            call("profile: a new token each time", "profile", Some(200), profiles),
            ok("password", event("PUT", "/api/v1/users/password", "", None, Some(&reset))),
            ok("token-refresh", post("token/refresh", &json!({ "refresh_token": refresh }))),
            call("logout", "logout", Some(204), vec![post("logout", &json!({ "refresh_token": refresh }))]),
            ok("jwks", get("/.well-known/jwks.json", "")),
            ok("openid-configuration", get("/.well-known/openid-configuration", "")),
            call("rotate-keys", "rotate-keys", None, vec![rotation]),
        ]
    }
}

pub(crate) fn login(email: &str, password: &str) -> Json {
    post("login", &json!({ "email": email, "password": password }))
}

pub(crate) fn profile(token: &str) -> Json {
    event("GET", "/api/v1/users/profile", "", Some(&format!("Bearer {token}")), None)
}

/// A `POST` below `/api/v1/users/`.
pub(crate) fn post(path: &str, body: &Json) -> Json {
    event("POST", &format!("/api/v1/users/{path}"), "", None, Some(body))
}

pub(crate) type Environment = HashMap<&'static str, String>;

/// A function's environment on these services: DynamoDB, SNS and Secrets Manager.
pub(crate) fn environment(function: &str, authority: &str, services: [&Service; 3]) -> Environment {
    let [dynamodb, sns, secrets] = services;
    let access = init::access(function);
    let keys = if access.keys == KeyAccess::Sign { "private" } else { "public" };
    let mut environment = HashMap::from([
        ("AWS_REGION", "ap-northeast-2".to_owned()),
        ("AWS_DEFAULT_REGION", "ap-northeast-2".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_SESSION_TOKEN", "test".to_owned()),
        ("AWS_ENDPOINT_URL_DYNAMODB", dynamodb.url.clone()),
        ("AWS_ENDPOINT_URL_SNS", sns.url.clone()),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets.url.clone()),
        ("AWS_CA_BUNDLE", authority.to_owned()),
        // No timeout elapses, however slow the machine is.
        ("TIMEOUT_FACTOR", "100".to_owned()),
        ("USERS_TABLE", "Users".to_owned()),
        ("SMS_SESSIONS_TABLE", "SmsSessions".to_owned()),
        ("TOKEN_FAMILIES_TABLE", "TokenFamilies".to_owned()),
        ("KEYS_SECRET", keys.to_owned()),
        ("PUBLIC_KEYS_SECRET", "public".to_owned()),
        ("TOKEN_ISSUER", ISSUER.to_owned()),
    ]);
    if access.phone_metadata {
        environment.insert("DEFAULT_REGION", "KR".to_owned());
    }
    environment
}

/// What SNS answers when all is well.
pub(crate) fn sns_answer(request: &Request) -> String {
    let body = String::from_utf8_lossy(&request.body);
    let (action, result) = if body.contains("Action=Publish") {
        ("Publish", "<MessageId>1</MessageId>")
    } else {
        ("GetSMSAttributes", "<attributes></attributes>")
    };
    format!(
        "<{action}Response xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><{action}Result>{result}</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
}

/// An event of API Gateway, payload 2.0.
pub(crate) fn event(method: &str, path: &str, query: &str, authorization: Option<&str>, body: Option<&Json>) -> Json {
    let mut event = json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": query,
        "headers": { "accept": "*/*", "host": "accounts.example.com", "user-agent": "benchmark" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "accounts.example.com",
            "domainPrefix": "accounts", "requestId": "JKJaXmPLvHcESHA5=", "routeKey": format!("{method} {path}"),
            "stage": "$default", "time": "02/Nov/2026:09:00:05 +0000", "timeEpoch": 1_793_610_005_000_i64,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7", "userAgent": "benchmark" },
        },
        "isBase64Encoded": false,
    });
    if let Some(authorization) = authorization {
        event["headers"]["authorization"] = authorization.into();
    }
    if let Some(body) = body {
        event["headers"]["content-type"] = "application/json".into();
        event["body"] = body.to_string().into();
    }
    event
}
