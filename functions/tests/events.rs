//! Each event of `local/events`, through the real entry point of the functions, on the local backend.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

#[expect(dead_code, reason = "these tests use a part of it")]
mod test_app;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use functions::http::{Endpoint, Request};
use functions::lambda::EventResponse;
use functions::{ENDPOINTS, lambda};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use test_app::TestApp;

fn event(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn endpoint(name: &str) -> Endpoint {
    *ENDPOINTS.iter().find(|endpoint| endpoint.name == name).unwrap()
}

/// Responds to an event. The OpenAPI document must describe the response.
async fn respond(app: &TestApp, endpoint: Endpoint, event: &str) -> EventResponse {
    let response = lambda::respond(endpoint, &app.inner, serde_json::from_str(event).unwrap()).await;
    test_app::assert_described(endpoint, &serde_json::from_str(event).unwrap(), &response);
    response
}

#[tokio::test]
async fn each_event_is_understood() {
    let app = TestApp::new();
    let mut responses = Vec::new();
    for &endpoint in ENDPOINTS {
        let response = respond(&app, endpoint, &event(endpoint.name)).await;
        let body: Json = serde_json::from_str(&response.body).unwrap();
        let is_public = endpoint.routes.iter().any(|(_, path)| path.starts_with("/.well-known/"));
        let caching = if is_public { "public, max-age=300" } else { "no-store" };
        assert_eq!(response.headers["cache-control"], caching);
        let error_code = body["error_code"].as_str().unwrap_or_default().to_owned();
        responses.push((endpoint.name, response.status_code, error_code));
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
            ("login-code", 404, "SMS__SESSION_NOT_FOUND"),
            ("profile", 401, "TOKEN__INVALID"),
            ("profile-update", 401, "TOKEN__INVALID"),
            ("password", 401, "USER__PHONE_NOT_VERIFIED"),
            ("password-change", 401, "TOKEN__INVALID"),
            ("phone-change", 401, "TOKEN__INVALID"),
            ("email-change", 401, "TOKEN__INVALID"),
            ("account-delete", 401, "TOKEN__INVALID"),
            ("token-refresh", 401, "TOKEN__INVALID"),
            ("logout", 401, "TOKEN__INVALID"),
            ("sessions", 401, "TOKEN__INVALID"),
            ("session-revoke", 401, "TOKEN__INVALID"),
            ("jwks", 200, ""),
            ("openid-configuration", 200, ""),
        ]
    );
}

#[tokio::test]
async fn web_pages_of_other_origins_can_only_read() {
    let mut app = TestApp::new();
    app.inner.config.allowed_origins = vec!["https://app.example.com".to_owned()];
    // Spelled out, so that no endpoint is forgotten.
    let read_only =
        ["email-duplicate-check", "phone-duplicate-check", "profile", "sessions", "jwks", "openid-configuration"];
    for &endpoint in ENDPOINTS {
        let send = async |origin: &str, site: &str| {
            let mut event: Json = serde_json::from_str(&event(endpoint.name)).unwrap();
            event["headers"]["origin"] = origin.into();
            event["headers"]["sec-fetch-site"] = site.into();
            let response = respond(&app, endpoint, &event.to_string()).await;
            let body: Json = serde_json::from_str(&response.body).unwrap_or_default();
            (response.status_code, body["error_code"].as_str().unwrap_or_default().to_owned())
        };
        let rejected = (403, "REQUEST__CROSS_SITE".to_owned());
        let is_rejected = send("https://example.org", "cross-site").await == rejected;
        assert_eq!(is_rejected, !read_only.contains(&endpoint.name), "{}", endpoint.name);
        for (origin, site) in [("https://app.example.com", "cross-site"), ("https://example.org", "same-origin")] {
            assert_ne!(send(origin, site).await, rejected, "{}", endpoint.name);
        }
    }
    assert_eq!(app.texts("01012345678").len(), 1, "only the allowed origin requested an SMS");
}

#[tokio::test]
async fn a_forged_header_is_not_the_address_of_the_client() {
    let app = TestApp::new();
    let check = async |n: u32| {
        let mut event: Json = serde_json::from_str(&event("email-duplicate-check")).unwrap();
        for header in ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"] {
            event["headers"][header] = format!("198.51.100.{n}").into();
        }
        respond(&app, endpoint("email-duplicate-check"), &event.to_string()).await.status_code
    };
    for n in 0..60 {
        assert_eq!(check(n).await, 200);
    }
    assert_eq!(check(60).await, 429);
}

#[tokio::test]
async fn headers_and_problems_reach_the_client() {
    let app = TestApp::new();
    let send = async || respond(&app, endpoint("sms-auth-send"), &event("sms-auth-send")).await;
    assert_eq!(send().await.headers["content-type"], "application/json");
    let rejected = send().await;
    assert_eq!(rejected.status_code, 429);
    assert_eq!(rejected.headers["content-type"], "application/problem+json");
    let seconds: u32 = rejected.headers["retry-after"].parse().unwrap();
    assert!((1..=60).contains(&seconds));
}

#[tokio::test]
async fn a_response_has_the_shape_that_cargo_lambda_requires() {
    let app = TestApp::new();
    let response = respond(&app, endpoint("login"), &event("login")).await;
    let read: ApiGatewayV2httpResponse = serde_json::from_str(&serde_json::to_string(&response).unwrap()).unwrap();
    assert_eq!(read.status_code, 401);
    assert_eq!(read.headers["content-type"], "application/problem+json");
    assert_eq!(read.body, Some(response.body.into()));
    assert!(!read.is_base64_encoded && read.cookies.is_empty());
}

/// Returns what a handler receives.
fn show(request: &Request) -> Json {
    json!({
        "method": request.method, "path_parameters": request.path_parameters, "source_ip": request.source_ip,
        "user_agent": request.user_agent, "accept_language": request.accept_language, "origin": request.origin,
        "sec_fetch_site": request.sec_fetch_site,
    })
}

#[tokio::test]
async fn a_request_carries_the_parts_of_its_event() {
    let app = TestApp::new();
    let shown = Endpoint {
        handle: |_, request| Box::pin(async move { functions::http::Response::ok(&show(&request)) }),
        ..endpoint("profile")
    };
    let event = json!({
        "headers": {
            "user-agent": "curl/8.14.1", "Accept-Language": "ko", "origin": "https://example.com",
            "sec-fetch-site": "cross-site", "x-forwarded-for": "198.51.100.1", "forwarded": "for=198.51.100.1",
        },
        "pathParameters": { "id": "1" },
        "requestContext": { "http": { "method": "DELETE", "sourceIp": "203.0.113.7" } },
    });
    let response = respond(&app, shown, &event.to_string()).await;
    assert_eq!(
        serde_json::from_str::<Json>(&response.body).unwrap(),
        json!({
            "method": "DELETE", "path_parameters": { "id": "1" }, "source_ip": "203.0.113.7",
            "user_agent": "curl/8.14.1", "accept_language": "ko", "origin": "https://example.com",
            "sec_fetch_site": "cross-site",
        })
    );
    let response = respond(&app, shown, "{}").await;
    assert_eq!(
        serde_json::from_str::<Json>(&response.body).unwrap(),
        json!({
            "method": "", "path_parameters": {}, "source_ip": null, "user_agent": null, "accept_language": null,
            "origin": null, "sec_fetch_site": null,
        })
    );
}

#[tokio::test]
async fn the_body_of_a_delete_is_ignored() {
    let app = TestApp::new();
    let reading = Endpoint {
        handle: |_, request| Box::pin(async move { functions::http::Response::ok(&request.body.is_none()) }),
        ..endpoint("profile")
    };
    for body in [Json::Null, json!(""), json!("{}"), json!("not base64!")] {
        let event = json!({
            "requestContext": { "http": { "method": "DELETE" } }, "body": body, "isBase64Encoded": true,
        });
        let response = respond(&app, reading, &event.to_string()).await;
        assert_eq!((response.status_code, response.body.as_str()), (200, "true"));
    }
    let event =
        json!({ "requestContext": { "http": { "method": "DELETE" } }, "rawQueryString": "email=a@example.com" });
    let response = respond(&app, endpoint("email-duplicate-check"), &event.to_string()).await;
    assert_eq!(response.status_code, 200, "the fields are read from the query");
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
    let response: Json = serde_json::from_str(&response.body).unwrap();
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
        assert_eq!(response.status_code, 200, "{query}");
    }
}

#[tokio::test]
async fn the_case_of_a_header_is_ignored() {
    let app = TestApp::new();
    for name in ["authorization", "Authorization"] {
        let event = json!({
            "headers": { name: "Bearer a" },
            "requestContext": { "domainName": "accounts.example.com", "http": { "method": "GET" } },
        });
        let response = respond(&app, endpoint("profile"), &event.to_string()).await;
        let body: Json = serde_json::from_str(&response.body).unwrap();
        assert_eq!(body["error_code"], "TOKEN__INVALID", "{name}");
    }
}

/// Events that API Gateway may send, or that nobody should: each gets a response, and none ends the process.
#[tokio::test]
async fn odd_events_get_a_response() {
    let app = TestApp::new();
    let original: Json = serde_json::from_str(&event("email-duplicate-check")).unwrap();
    let with = |pointer: &str, value: Json| {
        let mut event = original.clone();
        *event.pointer_mut(pointer).unwrap_or_else(|| panic!("no {pointer}")) = value;
        event
    };
    let mut post: Json = serde_json::from_str(&event("login")).unwrap();
    post["isBase64Encoded"] = json!(true);
    post["body"] = json!("not base64!");
    let mut latin: Json = serde_json::from_str(&event("login")).unwrap();
    latin["isBase64Encoded"] = json!(true);
    latin["body"] = json!("eyJlbWFpbCI6Iv8ifQ==");
    for (name, endpoint_name, event, status) in [
        ("empty", "email-duplicate-check", json!({}), 400),
        (
            "a forwarded protocol that is not one",
            "email-duplicate-check",
            {
                let mut event = original.clone();
                event["headers"]["x-forwarded-proto"] = json!("x y");
                event
            },
            200,
        ),
        ("a host that is not one", "email-duplicate-check", with("/headers/host", json!("a b:/?#")), 200),
        ("a query that is not a URI", "email-duplicate-check", with("/rawQueryString", json!("email=<")), 422),
        ("a query with half an escape", "email-duplicate-check", with("/rawQueryString", json!("email=%4&%")), 422),
        (
            "a query with bytes that are not UTF-8",
            "email-duplicate-check",
            with("/rawQueryString", json!("email=%ff")),
            422,
        ),
        (
            "a repeated parameter",
            "email-duplicate-check",
            with("/rawQueryString", json!("email=a@b.kr&email=c@d.kr")),
            422,
        ),
        ("a path that is not one", "email-duplicate-check", with("/rawPath", json!(" \u{0}")), 200),
        ("no headers", "email-duplicate-check", with("/headers", Json::Null), 200),
        ("no context", "email-duplicate-check", with("/requestContext", Json::Null), 400),
        ("a body that is not base64", "login", post, 400),
        ("a body that is not UTF-8", "login", latin, 400),
        ("no body", "login", with("/requestContext/http/method", json!("POST")), 400),
    ] {
        let response = respond(&app, endpoint(endpoint_name), &event.to_string()).await;
        assert_eq!(response.status_code, status, "{name}: {}", response.body);
    }
}

/// Returns JSON objects with known and unknown fields of any text.
fn json_object() -> impl Strategy<Value = String> {
    let name = "email|phone|password|name|nickname|session_id|auth_code|refresh_token|purpose|.{0,8}";
    proptest::collection::btree_map(name, any::<String>(), 0..8).prop_map(|fields| json!(fields).to_string())
}

proptest! {
    /// Any text in a field of an event, and any fields in its body.
    #[test]
    fn generated_events_get_a_response(
        query in any::<Option<String>>(),
        names in proptest::collection::vec(
            "authorization|Authorization|user-agent|accept-language|origin|sec-fetch-site|.{0,8}",
            0..4,
        ),
        value in prop_oneof![any::<String>(), "Bearer .{1,20}"],
        body in proptest::option::of(prop_oneof![any::<String>(), json_object()]),
        is_base64 in any::<Option<bool>>(),
        method in "GET|POST|PUT|DELETE|.{0,5}",
        domain in any::<Option<String>>(),
    ) {
        let app = TestApp::new();
        let headers: serde_json::Map<_, _> = names.iter().map(|name| (name.clone(), json!(value))).collect();
        let event = json!({
            "version": "2.0", "rawPath": value, "rawQueryString": query, "headers": headers,
            "pathParameters": headers, "body": body, "isBase64Encoded": is_base64,
            "requestContext": { "domainName": domain, "http": { "method": method, "sourceIp": value } },
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for &endpoint in ENDPOINTS {
            // The document describes the routes, and most of these events are of none.
            let event = serde_json::from_value(event.clone()).unwrap();
            let response = runtime.block_on(lambda::respond(endpoint, &app.inner, event));
            prop_assert!((200..=504).contains(&response.status_code));
            prop_assert_eq!(&response.headers["x-content-type-options"], "nosniff");
        }
    }
}
