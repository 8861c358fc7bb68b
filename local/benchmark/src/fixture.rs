//! The fixture of the timed rows: services with one user, one session and an SMS session for each purpose, whose
//! responses are fixed; and the events of each function.

use std::time::{SystemTime, UNIX_EPOCH};

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value as Json, json};
use shared::access::{SMS_SESSION, USER};
use shared::config::Config;
use shared::error::BoxError;
use shared::store::Session;
use shared::tokens::{KeySet, Keyring, TokenSettings, rotation};
use shared::values::{AuthCode, Claims, Field as _, InvalidField, Password, Phone, Purpose, SmsSessionId, UserId};

use crate::events::{
    PASSWORD, get, login, login_on_device, post, profile, replace_password, revoke_session, with_token,
};
use crate::fake_aws::{FakeAws, ISSUER, PRIVATE_KEYS_SECRET, SESSIONS, Table, USERS};
use crate::http::Request;
use crate::services::{Behavior, Response};

const PHONE: &str = "+821012345678";
/// The phone number that replaces the user's.
const NEW_PHONE: &str = "+821087654321";
/// The id of a session of the user that sends no request.
const OTHER_SESSION_ID: &str = "01890000-0000-4000-8000-000000000000";
const CODE: &str = "123456";

/// Seconds.
const DAY: i64 = 24 * 60 * 60;
/// The number of tokens of a client that never sends the same token twice.
const TOKENS: usize = 32;

/// A row of the tables: a function, and the events that it receives in turn.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) function: &'static str,
    pub(crate) events: Vec<Vec<u8>>,
    /// The status of the response, or `None` for a function that is not called over HTTP.
    pub(crate) status: Option<u64>,
}

/// The services, and the secrets of the user that they store.
pub(crate) struct Fixture {
    pub(crate) aws: FakeAws,
    session_id: String,
    /// The id of the SMS session for a login.
    login_session_id: String,
    /// The id of the SMS session for a change of the phone number.
    phone_session_id: String,
    tokens: Vec<Json>,
    device_token: SecretString,
}

impl Fixture {
    /// Starts the services. The user's password is hashed with `bcrypt_cost`.
    pub(crate) fn new(behavior: Behavior, bcrypt_cost: u32) -> Result<Self, BoxError> {
        let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
        let config = Config::from_variables(&|_| None)?;
        // Issues tokens that expire after the benchmark.
        let settings = TokenSettings { access_token_seconds: DAY, ..config.tokens };
        let keys = rotation::create(now)?;
        let user = UserId::new(now * 1000);
        let sms_session = SmsSessionId::random();
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        // Each login of the next day is recent.
        let session = Session { started_at: now + DAY, ..Session::new(user, 0, settings.lifetime, now) };
        let keyring = Keyring::from(KeySet::from_stored(keys.expose_secret())?);
        let device_token = runtime.block_on(keyring.issue_device(user, ISSUER, now))?;
        let mut tokens = Vec::new();
        for _ in 0..TOKENS {
            let pair = runtime.block_on(keyring.issue(&session, &Claims::NONE, ISSUER, &settings, now))?;
            tokens.push(json!({
                "access_token": pair.access_token.expose_secret(),
                "refresh_token": pair.refresh_token.expose_secret(),
            }));
        }

        let message = |invalid: InvalidField| invalid.0;
        let phone = |phone| Phone::parse(phone, config.default_region).map_err(message);
        let (phone, new_phone) = (phone(PHONE)?, phone(NEW_PHONE)?);
        let code = AuthCode::parse(CODE).map_err(message)?;
        let hash = Password::parse(PASSWORD).map_err(message)?.hash(bcrypt_cost)?;
        let s = |text: &str| json!({ "S": text });
        let n = |number: i64| json!({ "N": number.to_string() });
        let flag = |flag: bool| json!({ "BOOL": flag });
        let user_item = json!({
            "name": s("Kim Minji"), "nickname": s("minji"), "email": s("minji@example.com"), "phone": s(PHONE),
            "password_hash": s(hash.as_str()), "created_at": n(now), "updated_at": n(now), "password_reset_at": n(now),
            "token_version": n(session.token_version.into()), "is_disabled": flag(false), "claims": json!({ "M": {} }),
        });
        let link = json!({ "user_id": s(&user.to_string()) });
        let sms_session_item = |id: &SmsSessionId, phone: &Phone, purpose: Purpose| {
            json!({
                "phone": s(phone.e164()), "purpose": s(purpose.as_str()),
                "code_mac": s(id.code_mac(phone, purpose, &code).as_str()), "sent_at": n(now), "attempts": n(1),
                "max_attempts": n(5), "is_verified": flag(purpose.is_verified_first()), "sign_ups": n(0),
                "ip": s("203.0.113.7"), "expires_at": n(now + 100_000),
            })
        };
        let login_session = SmsSessionId::random();
        let sms_session_pk = |id: &SmsSessionId| format!("{SMS_SESSION}{}", id.key().as_str());
        let login_session_pk = sms_session_pk(&login_session);
        let login_session_item = sms_session_item(&login_session, &phone, Purpose::Login);
        let phone_session = SmsSessionId::random();
        let phone_session_pk = sms_session_pk(&phone_session);
        let phone_session_item = sms_session_item(&phone_session, &new_phone, Purpose::PhoneChange);
        // Its purpose is that of the only function that reads it: sign-up leaves the check to DynamoDB.
        let sms_session_item = sms_session_item(&sms_session, &phone, Purpose::PasswordReset);
        let session_item = json!({
            "pk": s(&format!("{USER}{user}")), "sk": s(&format!("SESSION#{}", session.id)),
            "generation": n(0), "rotated_at": n(now), "created_at": n(now), "user_agent": s("benchmark"),
            "token_version": n(session.token_version.into()), "expires_at": n(session.expires_at),
        });
        let private = keys.expose_secret().to_owned();
        let keys_item = json!({ "key_set": s(&rotation::public_keys(&private)?) });
        // A day ahead, because Ably cancels a rotation that is late.
        let rotated = rotation::rotate(&private, now + DAY)?.expose_secret().to_owned();
        let dynamodb = move |request: &Request| {
            let operation = request.header("x-amz-target").unwrap_or_default();
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let pk = body["Key"]["pk"]["S"].as_str().unwrap_or_default();
            let response = match operation.rsplit('.').next() {
                Some("GetItem") if pk == "WARM" || pk.contains("nobody") => json!({}),
                Some("GetItem") => {
                    let item = match pk {
                        "KEYS" => &keys_item,
                        _ if pk.starts_with(USER) => &user_item,
                        _ if pk == phone_session_pk => &phone_session_item,
                        _ if pk.starts_with(SMS_SESSION) => &sms_session_item,
                        _ => &link,
                    };
                    json!({ "Item": projected(item, &body) })
                }
                Some("BatchGetItem") => {
                    let item = |table: &Table, item| json!([projected(item, &body["RequestItems"][table.name])]);
                    let items = json!({
                        USERS.name: item(&USERS, &user_item), SESSIONS.name: item(&SESSIONS, &session_item),
                    });
                    json!({ "Responses": items, "UnprocessedKeys": {} })
                }
                Some("Query") => json!({ "Items": [projected(&session_item, &body)], "Count": 1, "ScannedCount": 1 }),
                // A count on the total of a day returns the total.
                Some("UpdateItem") if body["ReturnValues"] == "UPDATED_NEW" => {
                    json!({ "Attributes": { "count": n(1) } })
                }
                Some("UpdateItem") if body["ReturnValues"] == "ALL_NEW" => {
                    json!({ "Attributes": if pk == login_session_pk { &login_session_item } else { &sms_session_item } })
                }
                _ => json!({}),
            };
            Response::dynamodb(200, &response)
        };
        let secrets_manager = move |request: &Request| {
            let body: Json = serde_json::from_slice(&request.body).unwrap_or_default();
            let secret = if body["VersionId"] == "2" { &rotated } else { &private };
            Response::secrets_manager(&json!({
                "ARN": "arn", "Name": body["SecretId"], "VersionId": "1", "SecretString": *secret,
                "VersionIdsToStages": { "1": ["AWSCURRENT"], "2": ["AWSPENDING"] },
            }))
        };
        Ok(Self {
            aws: FakeAws::start(
                behavior,
                Box::new(dynamodb),
                Box::new(Response::sns_success),
                Box::new(secrets_manager),
            )?,
            session_id: sms_session.expose_secret().to_owned(),
            login_session_id: login_session.expose_secret().to_owned(),
            phone_session_id: phone_session.expose_secret().to_owned(),
            tokens,
            device_token,
        })
    }

    /// Returns the cases: the floor, and each function with events that succeed.
    pub(crate) fn cases(&self) -> Vec<Case> {
        let tokens = |name: &'static str| self.tokens.iter().map(move |pair| pair[name].as_str().unwrap_or_default());
        let profiles: Vec<_> = tokens("access_token").map(profile).collect();
        let (access, refresh) = (tokens("access_token").next().unwrap_or_default(), tokens("refresh_token").next());
        let user = json!({
            "email": "minji@example.com", "nickname": "minji", "phone": PHONE, "password": PASSWORD, "name": "Kim Minji",
            "session_id": self.session_id,
        });
        let verify = json!({ "session_id": self.session_id, "phone": PHONE, "auth_code": CODE });
        let login_code = json!({ "session_id": self.login_session_id, "phone": PHONE, "auth_code": CODE });
        let replace = replace_password(&json!(self.session_id), "a newer horse battery");
        // Leaves out the step that creates a key, whose duration is random.
        let rotation = json!({ "Step": "setSecret", "SecretId": PRIVATE_KEYS_SECRET, "ClientRequestToken": "2" });
        let alarm = json!({ "alarmData": { "state": { "value": "ALARM" } } });
        let case = |name, function, status, events: Vec<Json>| Case {
            name,
            function,
            status,
            events: events.iter().map(|event| event.to_string().into_bytes()).collect(),
        };
        let change = |method, path, body: Json| with_token(method, path, access, Some(&body));
        let change_password = json!({ "current_password": PASSWORD, "password": "a newer horse battery" });
        let on_device = |email| login_on_device(email, "a wrong battery", self.device_token.expose_secret());
        let ok = |name, event| case(name, name, Some(200), vec![event]);
        vec![
            ok("hello", get("/", "")),
            ok("email-duplicate-check", get("/api/v1/users/email/duplicate-check", "email=minji@example.com")),
            ok("phone-duplicate-check", get("/api/v1/users/phone/duplicate-check", "phone=01012345678")),
            ok("sms-auth-send", post("sms-auth/send", &json!({ "phone": PHONE }))),
            ok("sms-auth-verify", post("sms-auth/verify", &verify)),
            case("signup", "signup", Some(201), vec![post("signup", &user)]),
            ok("login", login("minji@example.com", PASSWORD)),
            case("login: wrong password", "login", Some(401), vec![login("minji@example.com", "a wrong battery")]),
            case("login: unknown user", "login", Some(401), vec![login("nobody@example.com", "a wrong battery")]),
            case("login: wrong password, device token", "login", Some(401), vec![on_device("minji@example.com")]),
            case("login: unknown user, device token", "login", Some(401), vec![on_device("nobody@example.com")]),
            ok("login-code", post("login/code", &login_code)),
            case("profile", "profile", Some(200), profiles.iter().take(1).cloned().collect()),
            case("profile: a new token each time", "profile", Some(200), profiles),
            ok("password", replace),
            ok("profile-update", change("PATCH", "profile", json!({ "nickname": "minji", "name": "Kim Minji" }))),
            ok("password-change", change("POST", "password/change", change_password)),
            ok("phone-change", change("PUT", "phone", json!({ "session_id": self.phone_session_id }))),
            ok("email-change", change("PUT", "email", json!({ "email": "kim@example.com" }))),
            case("account-delete", "account-delete", Some(204), vec![with_token("DELETE", "profile", access, None)]),
            ok("token-refresh", post("token/refresh", &json!({ "refresh_token": refresh }))),
            case("logout", "logout", Some(204), vec![post("logout", &json!({ "refresh_token": refresh }))]),
            ok("sessions", with_token("GET", "sessions", access, None)),
            case("session-revoke", "session-revoke", Some(204), vec![revoke_session(access, OTHER_SESSION_ID)]),
            ok("jwks", get("/.well-known/jwks.json", "")),
            ok("openid-configuration", get("/.well-known/openid-configuration", "")),
            case("pause-sms", "pause-sms", None, vec![alarm]),
            case("rotate-keys", "rotate-keys", None, vec![rotation]),
        ]
    }
}

/// Returns the attributes of an item that a read requests, or all of them if it does not name any.
fn projected(item: &Json, read: &Json) -> Json {
    let (Some(item), Some(names)) = (item.as_object(), read["ExpressionAttributeNames"].as_object()) else {
        return item.clone();
    };
    names.values().filter_map(|name| Some((name.as_str()?.to_owned(), item.get(name.as_str()?)?.clone()))).collect()
}
