//! Events of API Gateway, payload format 2.0.

use serde_json::{Value as Json, json};

/// The address of the client in every event.
pub(crate) const SOURCE_IP: &str = "203.0.113.7";
/// The password of the user in every event that should succeed.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Returns the event of a `GET` without a body.
pub(crate) fn get(path: &str, query: &str) -> Json {
    event("GET", path, query, None, None)
}

/// Returns the event of a `POST` below `/api/v1/users/`.
pub(crate) fn post(path: &str, body: &Json) -> Json {
    event("POST", &format!("/api/v1/users/{path}"), "", None, Some(body))
}

pub(crate) fn login(email: &str, password: &str) -> Json {
    post("login", &json!({ "email": email, "password": password }))
}

pub(crate) fn login_on_device(email: &str, password: &str, device_token: &str) -> Json {
    post("login", &json!({ "email": email, "password": password, "device_token": device_token }))
}

/// Returns the event that replaces a password. The value of `session_id` is the ID of a verified SMS session.
pub(crate) fn replace_password(session_id: &Json, password: &str) -> Json {
    let body = json!({ "session_id": session_id, "password": password });
    event("PUT", "/api/v1/users/password", "", None, Some(&body))
}

pub(crate) fn profile(token: &str) -> Json {
    with_token("GET", "profile", token, None)
}

/// Returns the event of a caller, with a path below `/api/v1/users/`.
pub(crate) fn with_token(method: &str, path: &str, token: &str, body: Option<&Json>) -> Json {
    event(method, &format!("/api/v1/users/{path}"), "", Some(&format!("Bearer {token}")), body)
}

/// Returns the event that revokes the session with this ID.
pub(crate) fn revoke_session(token: &str, id: &str) -> Json {
    let mut event = with_token("DELETE", &format!("sessions/{id}"), token, None);
    event["pathParameters"] = json!({ "id": id });
    event
}

fn event(method: &str, path: &str, query: &str, authorization: Option<&str>, body: Option<&Json>) -> Json {
    let mut event = json!({
        "version": "2.0", "routeKey": format!("{method} {path}"), "rawPath": path, "rawQueryString": query,
        "headers": { "accept": "*/*", "host": "accounts.example.com", "user-agent": "benchmark" },
        "requestContext": {
            "accountId": "123456789012", "apiId": "a1b2c3d4e5", "domainName": "accounts.example.com",
            "domainPrefix": "accounts", "requestId": "JKJaXmPLvHcESHA5=", "routeKey": format!("{method} {path}"),
            "stage": "$default", "time": "02/Nov/2026:09:00:05 +0000", "timeEpoch": 1_793_610_005_000_i64,
            "http": { "method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": SOURCE_IP, "userAgent": "benchmark" },
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
