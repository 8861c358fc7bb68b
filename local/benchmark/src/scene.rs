//! What the functions find: services with one user, one verified session and one login in them, and
//! an event for each function that it answers with success.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use shared::config::Config;
use shared::keys::{KeySet, Keys};
use shared::password::Password;
use shared::phone::Phone;
use shared::sms_auth::{AuthCode, SessionId};
use shared::token::Family;
use shared::user::UserId;
use shared::value::Value as _;

use crate::http::Request;
use crate::services::{Service, Tls};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const ISSUER: &str = "https://accounts.example.com";
const PASSWORD: &str = "correct horse battery";
const PHONE: &str = "+821012345678";
const CODE: &str = "123456";

pub(crate) struct Scene {
    dynamodb: Service,
    sns: Service,
    secrets: Service,
    authority: String,
    /// For files; gone with the scene.
    pub(crate) folder: tempfile::TempDir,
    session: String,
    tokens: Json,
}

impl Scene {
    pub(crate) fn set() -> Result<Self, BoxError> {
        let tls = Tls::generate()?;
        let folder = tempfile::tempdir()?;
        let authority = folder.path().join("authority.pem");
        tls.write_authority(&authority)?;

        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let config = Config::default();
        let keys = KeySet::generate(now)?;
        let user = UserId::generate(now * 1000);
        let session = SessionId::generate();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let family = Family::start(user, 0, &config, now);
        let tokens = runtime.block_on(Keys::from(KeySet::read(&keys)?).issue(&family, ISSUER, &config, now))?;

        let parsed = |invalid: shared::value::Invalid| invalid.0;
        let phone = Phone::parse(PHONE, &config).map_err(parsed)?;
        let code = AuthCode::parse(CODE, &config).map_err(parsed)?;
        let hash = Password::parse(PASSWORD, &config).map_err(parsed)?.hash(config.bcrypt_cost)?;
        let s = |text: &str| json!({ "S": text });
        let n = |number: i64| json!({ "N": number.to_string() });
        let user_item = json!({
            "name": s("Kim Minji"), "nickname": s("minji"), "email": s("minji@example.com"), "phone": s(PHONE),
            "password_hash": s(hash.as_str()), "created_at": n(now), "updated_at": n(now), "credentials_changed_at": n(now),
        });
        let link = json!({ "user_id": s(&user.to_string()), "email": s("minji@example.com"), "name": s("Kim Minji") });
        let session_item = json!({
            "phone": s(PHONE), "code_hash": s(session.code_hash(&phone, None, &code).as_str()), "sent_at": n(now),
            "attempts": n(0), "is_verified": json!({ "BOOL": true }), "expires_at": n(now + 100_000),
        });
        let dynamodb = move |request: &Request| {
            let operation = request.header("x-amz-target").unwrap_or_default();
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let pk = body["Key"]["pk"]["S"].as_str().unwrap_or_default();
            let answer = match operation.rsplit('.').next() {
                Some("GetItem") if pk.starts_with("USER#") => json!({ "Item": user_item }),
                Some("GetItem") if pk.starts_with("SESSION#") => json!({ "Item": session_item }),
                Some("GetItem") => json!({ "Item": link }),
                _ => json!({}),
            };
            ("application/x-amz-json-1.0", answer.to_string())
        };
        let published = "<PublishResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\"><PublishResult><MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></PublishResponse>";
        let public = KeySet::public(&keys)?;
        let secrets = move |request: &Request| {
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let set = if body["SecretId"] == "private" { keys.as_str() } else { &public };
            let answer = json!({ "ARN": "arn", "Name": body["SecretId"], "VersionId": "1", "SecretString": set });
            ("application/x-amz-json-1.1", answer.to_string())
        };
        Ok(Self {
            dynamodb: Service::start(&tls, Box::new(dynamodb))?,
            sns: Service::start(&tls, Box::new(move |_| ("text/xml", published.to_owned())))?,
            secrets: Service::start(&tls, Box::new(secrets))?,
            authority: authority.display().to_string(),
            folder,
            session: session.reveal().to_owned(),
            tokens: serde_json::to_value(&tokens)?,
        })
    }

    /// The environment of a function, as the template and Lambda give it.
    pub(crate) fn environment(&self, function: &str) -> HashMap<&'static str, String> {
        let signs = matches!(function, "signup" | "login" | "token-refresh");
        HashMap::from([
            ("AWS_REGION", "ap-northeast-2".to_owned()),
            ("AWS_DEFAULT_REGION", "ap-northeast-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_SESSION_TOKEN", "test".to_owned()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb.url.clone()),
            ("AWS_ENDPOINT_URL_SNS", self.sns.url.clone()),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.secrets.url.clone()),
            ("AWS_CA_BUNDLE", self.authority.clone()),
            ("USERS_TABLE", "Users".to_owned()),
            ("SMS_SESSIONS_TABLE", "SmsSessions".to_owned()),
            ("TOKEN_FAMILIES_TABLE", "TokenFamilies".to_owned()),
            ("KEYS_SECRET", if signs { "private" } else { "public" }.to_owned()),
            ("TOKEN_ISSUER", ISSUER.to_owned()),
        ])
    }

    /// What the services were asked since this was last called.
    pub(crate) fn asked(&self) -> String {
        let of = |name: &str, service: &Service| {
            let asked = service.asked();
            let requests: Vec<_> =
                asked.requests.iter().map(|(operation, times)| format!("{times} {operation}")).collect();
            let connections = asked.connections;
            (connections > 0 || !requests.is_empty())
                .then(|| format!("{name}: {connections} connections, {}", requests.join(", ")))
        };
        let asked = [of("DynamoDB", &self.dynamodb), of("SNS", &self.sns), of("Secrets", &self.secrets)];
        asked.into_iter().flatten().collect::<Vec<_>>().join("; ")
    }

    /// The functions, each with an event that succeeds; and the floor.
    pub(crate) fn events(&self) -> Vec<(String, Vec<u8>)> {
        let (access, refresh) = (&self.tokens["access_token"], &self.tokens["refresh_token"]);
        let bearer = format!("Bearer {}", access.as_str().unwrap_or_default());
        let user = json!({
            "email": "minji@example.com", "nickname": "minji", "phone": PHONE, "password": PASSWORD, "name": "Kim Minji",
            "session_id": self.session,
        });
        let verify = json!({ "session_id": self.session, "phone": PHONE, "auth_code": CODE });
        let login = json!({ "email": "minji@example.com", "password": PASSWORD });
        let reset = json!({ "session_id": self.session, "password": "a newer horse battery" });
        let get = |path: &str, query: &str| event("GET", path, query, None, None);
        let post = |path: &str, body: &Json| event("POST", path, "", None, Some(body));
        let named = [
            ("hello", get("/", "")),
            ("email-duplicate-check", get("/api/v1/users/email/duplicate-check", "email=minji@example.com")),
            ("phone-duplicate-check", get("/api/v1/users/phone/duplicate-check", "phone=01012345678")),
            ("sms-auth-send", post("/api/v1/users/sms-auth/send", &json!({ "phone": PHONE }))),
            ("sms-auth-verify", post("/api/v1/users/sms-auth/verify", &verify)),
            ("signup", post("/api/v1/users/signup", &user)),
            ("login", post("/api/v1/users/login", &login)),
            ("profile", event("GET", "/api/v1/users/profile", "", Some(&bearer), None)),
            ("password", event("PUT", "/api/v1/users/password", "", None, Some(&reset))),
            ("token-refresh", post("/api/v1/users/token/refresh", &json!({ "refresh_token": refresh }))),
            ("logout", post("/api/v1/users/logout", &json!({ "refresh_token": refresh }))),
            ("jwks", get("/.well-known/jwks.json", "")),
            ("openid-configuration", get("/.well-known/openid-configuration", "")),
        ];
        named.into_iter().map(|(name, event)| (name.to_owned(), event.to_string().into_bytes())).collect()
    }
}

/// An event of API Gateway, payload 2.0.
fn event(method: &str, path: &str, query: &str, authorization: Option<&str>, body: Option<&Json>) -> Json {
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
        event["body"] = body.to_string().into();
    }
    event
}
