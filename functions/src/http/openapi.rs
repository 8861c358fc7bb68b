//! The OpenAPI document, made of the endpoints. Compiled with the feature `openapi` only, which no function has.

#![expect(clippy::indexing_slicing, reason = "no function contains this code, and its JSON has these members")]

mod errors;

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};

use self::errors::{example, problem_schema};
use super::endpoint::{Authentication, Endpoint};
use super::operation::{Alternatives, Operation};
use super::request::Request;

/// The links from a response to the next operation: the operation and status that they start from, their name, the
/// operation that follows, and the body of its request, null if it requires the access token only, or a string if that
/// is the `id` in its path.
fn links() -> Vec<(&'static str, u16, &'static str, &'static str, Json)> {
    let session_of_response = json!({
        "session_id": "$response.body#/session_id", "phone": "$request.body#/phone", "auth_code": "00000000",
    });
    let session_of_request = |fields: &[&str]| {
        let field = |name: &&str| ((*name).to_owned(), json!(format!("$request.body#/{name}")));
        Json::Object(fields.iter().map(field).collect())
    };
    let refresh_token = json!({ "refresh_token": "$response.body#/refresh_token" });
    vec![
        ("sms-auth-send", 200, "verify", "sms-auth-verify", session_of_response.clone()),
        ("sms-auth-send", 200, "login", "login-code", session_of_response),
        ("sms-auth-verify", 200, "signup", "signup", session_of_request(&["session_id", "phone"])),
        ("sms-auth-verify", 200, "reset", "password", session_of_request(&["session_id"])),
        ("sms-auth-verify", 200, "change", "phone-change", session_of_request(&["session_id"])),
        ("signup", 201, "login", "login", session_of_request(&["email", "password"])),
        ("signup", 201, "profile", "profile", Json::Null),
        ("signup", 201, "refresh", "token-refresh", refresh_token.clone()),
        ("login", 200, "profile", "profile", Json::Null),
        ("login", 200, "refresh", "token-refresh", refresh_token.clone()),
        ("login", 200, "logout", "logout", refresh_token.clone()),
        ("login-code", 200, "sessions", "sessions", Json::Null),
        ("login-code", 200, "delete", "account-delete", Json::Null),
        ("sessions", 200, "revoke", "session-revoke", "$response.body#/sessions/1/id".into()),
        ("login-code", 200, "profile", "profile", Json::Null),
        ("login-code", 200, "refresh", "token-refresh", refresh_token.clone()),
        ("token-refresh", 200, "profile", "profile", Json::Null),
        ("token-refresh", 200, "refresh", "token-refresh", refresh_token.clone()),
        ("token-refresh", 200, "logout", "logout", refresh_token),
    ]
}

/// Returns the document. `event` returns an event of a function, whose body is the example of its request.
///
/// # Errors
/// If a schema cannot be written as JSON.
pub fn document(endpoints: &[Endpoint], event: impl Fn(&str) -> Option<Json>) -> serde_json::Result<Json> {
    let (mut paths, mut schemas) = (Map::new(), BTreeMap::new());
    for endpoint in endpoints {
        let operation = (endpoint.operation)();
        for (nth, (method, path)) in endpoint.routes.iter().enumerate() {
            let described = describe(endpoint, &operation, nth, method, event(endpoint.name).and_then(body))?;
            let item = paths.entry(*path).or_insert_with(|| json!({}));
            item[method.to_lowercase()] = described;
        }
        // The fields of a query are parameters.
        let has_body = endpoint.routes.iter().any(|(method, _)| Request::has_body(method));
        for (name, schema) in operation.schemas {
            if !has_body && operation.request.as_ref() == Some(&name) {
                continue;
            }
            schemas.insert(name, serde_json::to_value(schema)?);
        }
        if let Some(request) = operation.request {
            schemas.entry(request.clone()).and_modify(|schema| {
                if operation.is_closed {
                    schema["additionalProperties"] = false.into();
                }
                *schema = with_alternatives(&operation.alternatives, &request, schema);
            });
        }
    }
    schemas.insert("Problem".to_owned(), problem_schema());
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ably",
            "summary": "Accounts with a verified phone number",
            "description": "Bodies are JSON objects in UTF-8 of at most 16 KiB. Unknown fields are ignored, except by `profile-update`. Every response \
                has `Strict-Transport-Security` and `X-Content-Type-Options`.",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "servers": [{ "url": "/", "description": "The server of this document" }],
        "tags": TAGS.map(|(name, description, _)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "RetryAfter": {
                    "description": "The seconds until the request can succeed",
                    "required": true,
                    "schema": { "type": "integer", "minimum": 1 },
                },
                "WwwAuthenticate": {
                    "description": "The challenge (RFC 6750, RFC 9470)",
                    "schema": { "type": "string" },
                },
                "CacheControl": { "description": "Whether the response may be cached", "schema": { "type": "string" } },
            },
            "securitySchemes": {
                "AccessToken": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "The access token of a sign-up, a login, a refresh or a change of the credentials",
                },
            },
        },
    }))
}

/// The tags, each with its description and the beginnings of its paths.
const TAGS: [(&str, &str, &[&str]); 4] = [
    ("SMS verification", "Codes sent by SMS", &["/api/v1/users/sms-auth/"]),
    (
        "Sessions",
        "Logins, and the tokens that they start with",
        &["/api/v1/users/login", "/api/v1/users/logout", "/api/v1/users/token/", "/api/v1/users/sessions"],
    ),
    ("Public keys", "The keys that verify access tokens", &["/.well-known/"]),
    ("Account", "Accounts and profiles", &["/"]),
];

/// Returns the JSON in the body of an event.
fn body(event: Json) -> Option<Json> {
    let body = event["body"].as_str()?;
    if event["isBase64Encoded"] == true {
        return serde_json::from_slice(&STANDARD.decode(body).ok()?).ok();
    }
    serde_json::from_str(body).ok()
}

/// Describes one route of an endpoint.
fn describe(
    endpoint: &Endpoint,
    operation: &Operation,
    nth: usize,
    method: &str,
    example: Option<Json>,
) -> serde_json::Result<Json> {
    let (_, path) = endpoint.routes[nth];
    let tag = TAGS.iter().find(|(_, _, paths)| paths.iter().any(|start| path.starts_with(start)));
    // The preferred route is the last one.
    let is_preferred = nth + 1 == endpoint.routes.len();
    let mut described = json!({
        "operationId": if is_preferred { endpoint.name.to_owned() } else { format!("{}-{}", endpoint.name, nth + 1) },
        "summary": operation.summary,
        "tags": [tag.map_or("Account", |(name, ..)| name)],
        "responses": responses(endpoint, operation, method)?,
    });
    if !is_preferred {
        described["deprecated"] = true.into();
    }
    described["security"] = match endpoint.authentication {
        Authentication::None => json!([]),
        Authentication::AccessToken | Authentication::RecentLogin => json!([{ "AccessToken": [] }]),
    };
    if endpoint.authentication == Authentication::RecentLogin {
        described["description"] = "Requires a recent login, of the last 300 seconds by default (RFC 9470)".into();
    }
    let mut parameters = Vec::new();
    for name in path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" },
        }));
    }
    if let Some(request) = &operation.request {
        if method == "GET" {
            parameters.extend(query_parameters(operation, request)?);
        } else {
            let mut content = json!({ "schema": reference(request) });
            if let Some(example) = example {
                content["example"] = example;
            }
            described["requestBody"] = json!({ "required": true, "content": { "application/json": content } });
        }
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    Ok(described)
}

/// Returns the fields of a request as parameters of a query.
fn query_parameters(operation: &Operation, request: &str) -> serde_json::Result<Vec<Json>> {
    let schema = operation.schemas.iter().find(|(name, _)| name == request).map(|(_, schema)| schema);
    let schema = serde_json::to_value(schema)?;
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().cloned().unwrap_or_default();
    let parameters = fields.into_iter().filter(|(name, _)| name != "device_token").map(|(name, schema)| {
        let is_required = required.contains(&json!(name));
        // A query has no null.
        json!({ "name": name, "in": "query", "required": is_required, "schema": not_null(&schema) })
    });
    Ok(parameters.collect())
}

/// Returns one schema for each of the alternative fields, which requires this field. Each schema is complete: generators
/// of clients ignore properties beside `anyOf`.
fn with_alternatives(alternatives: &Alternatives, request: &str, schema: &Json) -> Json {
    let (fields, is_exclusive) = match alternatives {
        Alternatives::None => return schema.clone(),
        Alternatives::ExactlyOne(fields) => (fields, true),
        Alternatives::AtLeastOne(fields) => (fields, false),
    };
    let alternatives = fields.iter().map(|field| {
        let mut alternative = schema.clone();
        // The name of the type in a generated client.
        alternative["title"] = json!(format!("{request} by {field}"));
        if let Some(alternative) = alternative.as_object_mut() {
            alternative.remove("description");
        }
        for other in fields.iter().filter(|_| is_exclusive) {
            alternative["properties"][other] = json!({ "type": "null" });
        }
        alternative["properties"][field] = not_null(&schema["properties"][field]);
        let mut required = alternative["required"].as_array().cloned().unwrap_or_default();
        required.push(json!(field));
        alternative["required"] = required.into();
        alternative
    });
    json!({ "description": schema["description"], "anyOf": alternatives.collect::<Vec<_>>() })
}

/// Returns the schema of an optional field without null.
fn not_null(schema: &Json) -> Json {
    let not_null = schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null"));
    not_null.unwrap_or(schema).clone()
}

/// Returns the responses of an endpoint by status.
fn responses(endpoint: &Endpoint, operation: &Operation, method: &str) -> serde_json::Result<Json> {
    let mut responses = Map::new();
    let (status, schema) = &operation.response;
    let mut success = json!({ "description": success(*status) });
    success["headers"] = json!({ "Cache-Control": { "$ref": "#/components/headers/CacheControl" } });
    if let Some(schema) = schema {
        success["content"] = json!({ "application/json": { "schema": reference(schema) } });
    }
    for (from, from_status, name, to, body) in links() {
        // The requests of the deprecated GET have no body.
        if from == endpoint.name && from_status == *status && (method != "GET" || body.is_string()) {
            success["links"][name] = match body {
                Json::Null => json!({ "operationId": to, "description": "With the access token of this response" }),
                Json::String(id) => json!({ "operationId": to, "parameters": { "id": id } }),
                body => json!({ "operationId": to, "requestBody": body }),
            };
        }
    }
    responses.insert(status.to_string(), success);
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    let errors: Vec<_> = endpoint.errors().collect();
    for error in &errors {
        by_status.entry(error.status()).or_default().insert(error.as_str());
    }
    for (status, codes) in by_status {
        let examples: Map<_, _> = errors
            .iter()
            .filter(|error| error.status() == status)
            .map(|error| {
                Ok((error.as_str().to_owned(), json!({ "value": serde_json::to_value(example(*error).problem())? })))
            })
            .collect::<serde_json::Result<_>>()?;
        let mut headers = json!({ "Cache-Control": { "$ref": "#/components/headers/CacheControl" } });
        if matches!(status, 429 | 503) {
            headers["Retry-After"] = json!({ "$ref": "#/components/headers/RetryAfter" });
        }
        if codes.iter().any(|code| code.starts_with("TOKEN__")) {
            headers["WWW-Authenticate"] = json!({ "$ref": "#/components/headers/WwwAuthenticate" });
        }
        let schema = json!({
            "allOf": [
                { "$ref": "#/components/schemas/Problem" },
                // `enum` instead of `const`, which generators of clients cannot combine with the type of `Problem`.
                {
                    "type": "object",
                    "properties": {
                        "status": { "type": "integer", "enum": [status] },
                        "error_code": { "type": "string", "enum": codes },
                    },
                },
            ],
        });
        responses.insert(
            status.to_string(),
            json!({
                "description": codes.into_iter().collect::<Vec<_>>().join(", "),
                "headers": headers,
                "content": { "application/problem+json": { "schema": schema, "examples": examples } },
            }),
        );
    }
    Ok(Json::Object(responses))
}

fn success(status: u16) -> &'static str {
    match status {
        201 => "Created",
        204 => "Done; the response has no body",
        _ => "OK",
    }
}

fn reference(schema: &str) -> Json {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
