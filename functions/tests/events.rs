//! Each event of `local/events`, through the real entry point of the functions, on the local backend.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

#[expect(dead_code, reason = "these tests use a part of it")]
mod test_app;

use functions::http::{Authentication, Endpoint, Request};
use functions::{ENDPOINTS, lambda};
use test_app::TestApp;

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn endpoint(name: &str) -> Endpoint {
    *ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap()
}

async fn respond(app: &TestApp, endpoint: Endpoint, event: &str) -> lambda_http::Response<String> {
    let event = lambda_http::request::from_str(event).unwrap();
    lambda::respond(endpoint, &app.inner, event).await.unwrap()
}

#[tokio::test]
async fn each_event_is_understood() {
    let app = TestApp::new();
    let mut responses = Vec::new();
    for &endpoint in ENDPOINTS {
        let response = respond(&app, endpoint, &event(endpoint.name)).await;
        let body: serde_json::Value = serde_json::from_str(response.body()).unwrap();
        let is_public = endpoint.routes.iter().any(|(_, path)| path.starts_with("/.well-known/"));
        let caching = if is_public { "public, max-age=300" } else { "no-store" };
        assert_eq!(response.headers()["cache-control"], caching);
        let error_code = body["error_code"].as_str().unwrap_or_default().to_owned();
        responses.push((endpoint.name, response.status().as_u16(), error_code));
    }
    let responses: Vec<_> =
        responses.iter().map(|(name, status, error_code)| (*name, *status, error_code.as_str())).collect();
    // The requests are well-formed, and their SMS session, user or token does not exist.
    assert_eq!(
        responses,
        [
            ("sms-auth-send", 200, ""),
            ("sms-auth-verify", 404, "SMS__SESSION_NOT_FOUND"),
            ("email-duplicate-check", 200, ""),
            ("phone-duplicate-check", 200, ""),
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
async fn each_endpoint_requires_the_declared_authentication() {
    let app = TestApp::new();
    for &endpoint in ENDPOINTS {
        let has_body = endpoint.routes.iter().all(|(method, _)| *method != "GET");
        let request = Request { body: has_body.then(|| b"{}".to_vec()), ..Request::default() };
        let response = app.call(endpoint, request).await;
        let requires_token = response.status == 401 && response.error_code() == "TOKEN__MISSING";
        assert_eq!(requires_token, endpoint.authentication == Authentication::AccessToken, "{}", endpoint.name);
    }
}

#[tokio::test]
async fn headers_and_problems_reach_the_client() {
    let app = TestApp::new();
    let send = async || respond(&app, endpoint("sms-auth-send"), &event("sms-auth-send")).await;
    assert_eq!(send().await.headers()["content-type"], "application/json");
    let rejected = send().await;
    assert_eq!(rejected.status(), 429);
    assert_eq!(rejected.headers()["content-type"], "application/problem+json");
    let seconds: u32 = rejected.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

#[tokio::test]
async fn the_issuer_is_the_domain_in_the_request_context() {
    let mut app = TestApp::new();
    app.inner.config.token_issuer = None;
    let event = event("openid-configuration").replace(
        r#""domainName": "a1b2c3d4e5.execute-api.ap-northeast-2.amazonaws.com""#,
        r#""domainName": "accounts.example.com""#,
    );
    let response = respond(&app, endpoint("openid-configuration"), &event).await;
    let response: serde_json::Value = serde_json::from_str(response.body()).unwrap();
    // Not the header `Host`, which the client chooses.
    assert!(event.contains(r#""host": "a1b2c3d4e5.execute-api"#));
    assert_eq!(response["issuer"], "https://accounts.example.com");
}

#[tokio::test]
async fn a_query_is_read_as_it_was_sent() {
    let app = TestApp::new();
    let original = event("phone-duplicate-check");
    assert!(original.contains("phone=010-1234-5678"));
    for query in [
        "phone=%2B82%2010%201234%205678",
        "phone=+821012345678",
        "phone=%2B82+10+1234+5678",
        "other=1&phone=01012345678",
    ] {
        let event = original.replace("phone=010-1234-5678", query);
        let response = respond(&app, endpoint("phone-duplicate-check"), &event).await;
        assert_eq!(response.status(), 200, "{query}");
    }
}
