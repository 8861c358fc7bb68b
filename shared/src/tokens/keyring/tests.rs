//! Tests of issued and verified tokens, and of reloading the keys.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::store::SessionLifetime;
use crate::tokens::rotation;
use crate::values::{Claims, UserId};

const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://accounts.example.com";
const AUDIENCE: &str = "ably";
const LIFETIME: SessionLifetime = SessionLifetime { refresh_token_seconds: 30 * DAY, session_seconds: 90 * DAY };

fn settings() -> TokenSettings {
    TokenSettings { audience: AUDIENCE.to_owned(), access_token_seconds: 900, lifetime: LIFETIME }
}

fn new_keys(now: i64) -> String {
    rotation::create(now).unwrap().expose_secret().to_owned()
}

fn rotated(json: &str, now: i64) -> String {
    rotation::rotate(json, now).unwrap().expose_secret().to_owned()
}

fn keyring(json: &str) -> Keyring {
    KeySet::from_stored(json).unwrap().into()
}

fn caller(session: &Session) -> Caller {
    let Session { id, user_id, token_version, started_at, .. } = *session;
    Caller { user_id, session_id: id, token_version, started_at }
}

fn refresh_token(tokens: &Tokens) -> RefreshToken {
    RefreshToken(tokens.refresh_token.clone())
}

#[tokio::test]
async fn tokens_contain_the_documented_claims() {
    let keys = keyring(&new_keys(0));
    let session = Session { generation: 7, token_version: 2, ..Session::new(UserId::new(0), 0, LIFETIME, 1000) };
    let tokens = keys.issue(&session, &Claims::NONE, ISSUER, &settings(), 1000).await.unwrap();
    for (token, token_use, aud, exp) in [
        (&tokens.access_token, "access", AUDIENCE, 1900),
        (&tokens.refresh_token, "refresh", "https://accounts.example.com/api/v1/users/token/refresh", 2_593_000),
    ] {
        let part = |n| URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').nth(n).unwrap()).unwrap();
        let header: serde_json::Value = serde_json::from_slice(&part(0)).unwrap();
        assert_eq!((header["alg"].as_str(), header["kid"].as_str().map(str::len)), (Some("RS256"), Some(43)));
        let mut claims: serde_json::Value = serde_json::from_slice(&part(1)).unwrap();
        assert!(claims.as_object_mut().unwrap().remove("jti").is_some());
        let user_id = session.user_id.to_string();
        let mut expected = serde_json::json!({
            "user_id": user_id, "sub": user_id, "iss": ISSUER, "aud": aud, "iat": 1000, "exp": exp,
            "token_use": token_use, "token_version": 2, "sid": session.id.to_string(), "auth_time": 1000,
        });
        if token_use == "refresh" {
            expected["generation"] = 7.into();
        }
        assert_eq!(claims, expected);
    }
    let refresh = refresh_token(&tokens);
    assert_eq!(keys.verify_refresh(&refresh, ISSUER, 1000).await.unwrap().session, session);
    let access = keys.verify_access(tokens.access_token.expose_secret(), ISSUER, AUDIENCE, 1899).await.unwrap();
    assert_eq!(access, caller(&session));
    let shown = format!("{tokens:?} {refresh:?}");
    for token in [&tokens.access_token, &tokens.refresh_token] {
        assert!(!shown.contains(token.expose_secret()), "{shown}");
    }
}

#[tokio::test]
async fn tokens_contain_the_claims_of_the_user() {
    let keys = keyring(&new_keys(0));
    let session = Session::new(UserId::new(0), 0, LIFETIME, 1000);
    let json = serde_json::json!({ "role": "editor", "level": 3, "is_staff": true });
    let claims = Claims::parse(serde_json::from_value(json.clone()).unwrap()).unwrap();
    let tokens = keys.issue(&session, &claims, ISSUER, &settings(), 1000).await.unwrap();
    let payload = |token: &SecretString| {
        let payload = URL_SAFE_NO_PAD.decode(token.expose_secret().split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<serde_json::Value>(&payload).unwrap()
    };
    let access = payload(&tokens.access_token);
    for (name, value) in json.as_object().unwrap() {
        assert_eq!(&access[name], value, "{name}");
    }
    let refresh = payload(&tokens.refresh_token);
    assert_eq!(refresh["claims"], json);
    for name in refresh.as_object().unwrap().keys() {
        assert!(Claims::parse([(name.clone(), 1.into())].into()).is_err(), "{name} is not reserved");
    }
    let access = tokens.access_token.expose_secret();
    assert_eq!(keys.verify_access(access, ISSUER, AUDIENCE, 1000).await.unwrap(), caller(&session));
    let grant = keys.verify_refresh(&refresh_token(&tokens), ISSUER, 1000).await.unwrap();
    assert_eq!(grant, RefreshGrant { session, claims });
}

#[tokio::test]
async fn tokens_with_the_most_claims_can_be_verified() {
    let keys = keyring(&new_keys(0));
    let session = Session::new(UserId::new(0), u32::MAX, LIFETIME, NOW);
    let longest = (0..10).map(|n| (format!("claim_{n}"), "\u{1f600}".repeat(20).into())).collect();
    let claims = Claims::parse(longest).unwrap();
    assert!(claims.to_json().len() > 900);
    let issuer = format!("https://{}.example.com", "a".repeat(200));
    let tokens = keys.issue(&session, &claims, &issuer, &settings(), NOW).await.unwrap();
    keys.verify_access(tokens.access_token.expose_secret(), &issuer, AUDIENCE, NOW).await.unwrap();
    keys.verify_refresh(&refresh_token(&tokens), &issuer, NOW).await.unwrap();
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let keys = keyring(&new_keys(0));
    let lifetime = SessionLifetime { session_seconds: 500, ..LIFETIME };
    let session = Session::new(UserId::new(0), 0, lifetime, 1000);
    let tokens = keys.issue(&session, &Claims::NONE, ISSUER, &settings(), 1000).await.unwrap();
    let verify = |now| keys.verify_access(tokens.access_token.expose_secret(), ISSUER, AUDIENCE, now);
    assert!(verify(1499).await.is_ok());
    assert!(matches!(verify(1500).await.unwrap_err(), TokenError::Expired));
}

#[tokio::test]
async fn a_remembered_token_is_checked_each_time() {
    let keys = keyring(&new_keys(0));
    let session = Session::new(UserId::new(0), 2, LIFETIME, 1000);
    let tokens = keys.issue(&session, &Claims::NONE, ISSUER, &settings(), 1000).await.unwrap();
    let token = tokens.access_token.expose_secret();
    for _ in 0..3 {
        let access = keys.verify_access(token, ISSUER, AUDIENCE, 1899).await.unwrap();
        assert_eq!(access, caller(&session));
        for (issuer, audience, now, is_expired) in [
            (ISSUER, AUDIENCE, 1900, true),
            ("https://elsewhere.example.com", AUDIENCE, 1000, false),
            (ISSUER, "elsewhere", 1000, false),
        ] {
            let error = keys.verify_access(token, issuer, audience, now).await.unwrap_err();
            assert_eq!(matches!(error, TokenError::Expired), is_expired);
            assert_eq!(matches!(error, TokenError::Invalid), !is_expired);
        }
        assert!(keys.verify_refresh(&RefreshToken(tokens.access_token.clone()), ISSUER, 1000).await.is_err());
        let refresh = tokens.refresh_token.expose_secret();
        assert!(keys.verify_access(refresh, ISSUER, AUDIENCE, 1000).await.is_err());
        assert!(keys.verify_refresh(&refresh_token(&tokens), ISSUER, 1000).await.is_ok());
        let mut forged = token.to_owned();
        forged.pop();
        assert!(keys.verify_access(&forged, ISSUER, AUDIENCE, 1000).await.is_err());
    }
}

#[tokio::test]
async fn tokens_of_a_retired_key_are_valid_until_they_expire() {
    let first = new_keys(0);
    let issue = async |json: &str, now| {
        let session = Session::new(UserId::new(0), 0, LIFETIME, now);
        keyring(json).issue(&session, &Claims::NONE, ISSUER, &settings(), now).await.unwrap()
    };
    let second = rotated(&first, 30 * DAY);
    let last = issue(&second, 31 * DAY - 1).await;
    let mut json = second;
    for month in 2..=4 {
        json = rotated(&json, month * 30 * DAY);
    }
    // Functions that only verify accept the same tokens.
    for json in [json.clone(), rotation::public_keys(&json).unwrap()] {
        let keys = keyring(&json);
        let access = last.access_token.expose_secret();
        assert!(keys.verify_access(access, ISSUER, AUDIENCE, 31 * DAY).await.is_ok());
        assert!(keys.verify_refresh(&refresh_token(&last), ISSUER, 121 * DAY - 2).await.is_ok());
    }
    let verifier = keyring(&rotation::public_keys(&json).unwrap());
    let session = Session::new(UserId::new(0), 0, LIFETIME, 0);
    assert!(verifier.issue(&session, &Claims::NONE, ISSUER, &settings(), 0).await.is_err(), "public keys cannot sign");
}

/// A source that counts how often it is loaded, and that can be unavailable.
#[derive(Clone, Default)]
struct FakeSource(Arc<(AtomicUsize, Mutex<Option<String>>)>);

impl FakeSource {
    fn loads(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn set(&self, json: Option<&str>) {
        *self.0.1.lock().unwrap() = json.map(str::to_owned);
    }
}

#[async_trait]
impl KeySource for FakeSource {
    async fn load(&self) -> Result<SecretString, BoxError> {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.lock().unwrap().clone().map(SecretString::from).ok_or_else(|| "unavailable".into())
    }
}

fn newest_kid(json: &str) -> String {
    KeySet::from_stored(json).unwrap().jwks(0, NOW).kids().next().unwrap().to_owned()
}

async fn loaded() -> (FakeSource, Keyring, String) {
    let (source, json) = (FakeSource::default(), new_keys(NOW));
    source.set(Some(&json));
    let keys = Keyring::load(Box::new(source.clone()), NOW).await.unwrap();
    (source, keys, newest_kid(&json))
}

fn number_of_keys(set: &KeySet) -> usize {
    set.jwks(0, NOW).kids().count()
}

#[tokio::test]
async fn keys_are_reloaded_when_they_are_five_minutes_old() {
    let (source, keys, kid) = loaded().await;
    source.set(Some(&rotated(&new_keys(NOW), NOW)));
    for _ in 0..10 {
        assert_eq!(number_of_keys(&*keys.current(NOW + 299).await), 1);
        keys.containing(&kid, NOW + 299).await;
    }
    assert_eq!(source.loads(), 1);
    for _ in 0..10 {
        assert_eq!(number_of_keys(&*keys.current(NOW + 300).await), 2);
    }
    assert_eq!(source.loads(), 2);
}

#[tokio::test]
async fn reloading_forgets_the_tokens_that_the_old_keys_verified() {
    let (source, keys, _) = loaded().await;
    let session = Session::new(UserId::new(NOW * 1000), 0, LIFETIME, NOW);
    let tokens = keys.issue(&session, &Claims::NONE, ISSUER, &settings(), NOW).await.unwrap();
    let token = tokens.access_token.expose_secret();
    source.set(Some(&new_keys(NOW)));
    for (now, is_good) in [(NOW, true), (NOW + 299, true), (NOW + 300, false)] {
        assert_eq!(keys.verify_access(token, ISSUER, AUDIENCE, now).await.is_ok(), is_good, "{now}");
    }
}

#[tokio::test]
async fn the_number_of_remembered_tokens_is_limited() {
    let keys = keyring(&new_keys(NOW));
    let session = Session::new(UserId::new(NOW * 1000), 0, LIFETIME, NOW);
    let tokens = keys.issue(&session, &Claims::NONE, ISSUER, &settings(), NOW).await.unwrap();
    keys.verify_access(tokens.access_token.expose_secret(), ISSUER, AUDIENCE, NOW).await.unwrap();
    let (_, claims) = keys.cached().verified.values().next().unwrap().clone();
    for nth in 0..10 * REMEMBERED_TOKENS {
        keys.remember(&keys.current(NOW).await, &nth.to_string(), claims.clone());
        assert!(keys.remembered(&nth.to_string(), NOW).await.is_some());
        assert!(keys.cached().verified.len() <= REMEMBERED_TOKENS);
    }
}

#[tokio::test]
async fn an_unknown_key_reloads_the_keys_once_a_minute() {
    let (source, keys, _) = loaded().await;
    for second in 0..180 {
        assert!(keys.containing("unknown", NOW + second).await.find("unknown").is_none());
    }
    assert_eq!(source.loads(), 3, "in init, and after one and two minutes");
    let new = new_keys(NOW);
    source.set(Some(&new));
    let kid = newest_kid(&new);
    assert!(keys.containing(&kid, NOW + 179).await.find(&kid).is_none());
    assert!(keys.containing(&kid, NOW + 180).await.find(&kid).is_some());
}

#[tokio::test]
async fn an_unavailable_source_removes_no_keys_and_is_not_loaded_by_every_request() {
    let (source, keys, kid) = loaded().await;
    for broken in [None, Some("not a key set"), Some(r#"{"keys":[]}"#)] {
        source.set(broken);
        let (now, loads) = (NOW + 300 * i64::try_from(source.loads()).unwrap(), source.loads());
        for _ in 0..10 {
            assert!(keys.current(now).await.find(&kid).is_some());
        }
        assert_eq!(source.loads(), loads + 1);
    }
}

#[tokio::test]
async fn a_function_without_keys_does_not_start() {
    let source = FakeSource::default();
    for json in [None, Some(r#"{"keys":[]}"#)] {
        source.set(json);
        assert!(Keyring::load(Box::new(source.clone()), NOW).await.is_err());
    }
}
