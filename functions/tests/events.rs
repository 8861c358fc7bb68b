//! Each event of `local/events`, through the functions' real entry point, on the local backend.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use functions::{ENDPOINTS, serve};
use local::{Outbox, SqliteStore};
use shared::App;
use shared::clock::{Clock, SystemClock};
use shared::config::Config;
use shared::keys::{KeySet, Keys};
use shared::sms_auth::AuthCode;

fn app() -> App {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    App {
        config: Config { bcrypt_cost: 4, ..Config::default() },
        store: Box::new(SqliteStore::in_memory().unwrap()),
        sms: Box::new(Outbox::in_memory(clock.clone()).unwrap()),
        keys: Keys::from(KeySet::read(&KeySet::generate(0).unwrap()).unwrap()),
        clock,
        new_code: AuthCode::generate,
    }
}

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[tokio::test]
async fn each_event_is_understood() {
    let app = app();
    let mut answers = Vec::new();
    for &endpoint in ENDPOINTS {
        let request = lambda_http::request::from_str(&event(endpoint.name)).unwrap();
        let answer = serve::answer(endpoint, &app, request).await.unwrap();
        let body: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
        let is_public = endpoint.routes.iter().any(|(_, path)| path.starts_with("/.well-known/"));
        let caching = if is_public { "public, max-age=300" } else { "no-store" };
        assert_eq!(answer.headers()["cache-control"], caching);
        answers.push((
            endpoint.name,
            answer.status().as_u16(),
            body["error_code"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    let answers: Vec<_> =
        answers.iter().map(|(name, status, error_code)| (*name, *status, error_code.as_str())).collect();
    // Where a request is well-formed and only its session, user or token is nobody's.
    assert_eq!(
        answers,
        [
            ("email-duplicate-check", 200, ""),
            ("phone-duplicate-check", 200, ""),
            ("sms-auth-send", 200, ""),
            ("sms-auth-verify", 404, "SMS__SESSION_NOT_FOUND"),
            ("signup", 401, "USER__PHONE_NOT_VERIFIED"),
            ("login", 401, "USER__NOT_MATCHED"),
            ("profile", 401, "TOKEN__INVALID"),
            ("password", 401, "USER__PHONE_NOT_VERIFIED"),
            ("token-refresh", 401, "TOKEN__INVALID"),
            ("logout", 401, "TOKEN__INVALID"),
            ("jwks", 200, ""),
            ("openid-configuration", 200, ""),
        ]
    );
}

#[tokio::test]
async fn headers_and_problems_reach_the_client() {
    let app = app();
    let endpoint = *ENDPOINTS.iter().find(|endpoint| endpoint.name == "sms-auth-send").unwrap();
    let send = async || {
        serve::answer(endpoint, &app, lambda_http::request::from_str(&event("sms-auth-send")).unwrap()).await.unwrap()
    };
    assert_eq!(send().await.headers()["content-type"], "application/json");
    let refused = send().await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    let seconds: u32 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

#[tokio::test]
async fn the_issuer_is_the_domain_that_api_gateway_tells() {
    let app = app();
    let endpoint = *ENDPOINTS.iter().find(|endpoint| endpoint.name == "openid-configuration").unwrap();
    let event = event("openid-configuration").replace(
        r#""domainName": "a1b2c3d4e5.execute-api.ap-northeast-2.amazonaws.com""#,
        r#""domainName": "accounts.example.com""#,
    );
    let answer = serve::answer(endpoint, &app, lambda_http::request::from_str(&event).unwrap()).await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(answer.body()).unwrap();
    // Not the header `Host`, which the client chooses.
    assert!(event.contains(r#""host": "a1b2c3d4e5.execute-api"#));
    assert_eq!(answer["issuer"], "https://accounts.example.com");
}

#[tokio::test]
async fn a_query_is_read_as_it_was_sent() {
    let app = app();
    let endpoint = *ENDPOINTS.iter().find(|endpoint| endpoint.name == "phone-duplicate-check").unwrap();
    let original = event("phone-duplicate-check");
    assert!(original.contains("phone=010-1234-5678"));
    for query in [
        "phone=%2B82%2010%201234%205678",
        "phone=+821012345678",
        "phone=%2B82+10+1234+5678",
        "other=1&phone=01012345678",
    ] {
        let event = original.replace("phone=010-1234-5678", query);
        let answer = serve::answer(endpoint, &app, lambda_http::request::from_str(&event).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 200, "{query}");
    }
}
