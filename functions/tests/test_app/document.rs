//! Validates requests and responses against the committed OpenAPI document.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use functions::ENDPOINTS;
use functions::http::Request;
use jsonschema::Validator;
use serde_json::{Value as Json, json};

use super::Response;

static DOCUMENT: LazyLock<Json> = LazyLock::new(|| {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
});

/// The validators of schemas, by the schema.
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

/// Asserts that the document describes the response to a request of an endpoint, and the request if it succeeded.
#[track_caller]
pub(crate) fn assert_described(routes: &[(&str, &str)], request: &Request, response: &Response) {
    let is_method = |method: &str| match request.method.as_str() {
        "" => Request::has_body(method) == request.body.is_some(),
        of_request => method == of_request,
    };
    let Some((method, path)) = routes.iter().rev().find(|(method, _)| is_method(method)) else { return };
    let operation = &DOCUMENT["paths"][path][method.to_lowercase()];
    let is_deployed = ENDPOINTS.iter().any(|endpoint| endpoint.routes == routes);
    assert_eq!(operation.is_object(), is_deployed, "{method} {path}: in the document (left), and deployed (right)");
    let described = &operation["responses"][response.status.to_string()];
    assert!(described.is_object() || !operation.is_object(), "{method} {path}: the document lacks {}", response.status);
    if described.is_null() {
        return;
    }
    for (name, header) in described["headers"].as_object().into_iter().flatten() {
        let is_required = header["$ref"] == "#/components/headers/RetryAfter" || name == "Cache-Control";
        assert!(!is_required || response.header(&name.to_lowercase()).is_some(), "{method} {path}: {name} is missing");
    }
    for header in ["retry-after", "www-authenticate"] {
        let names: Vec<_> =
            described["headers"].as_object().into_iter().flatten().map(|(name, _)| name.to_lowercase()).collect();
        let is_documented = names.iter().any(|name| name == header);
        assert!(is_documented || response.header(header).is_none(), "{method} {path}: {header} is not in the document");
    }
    match response.header("content-type") {
        Some(content_type) => {
            let schema = &described["content"][content_type]["schema"];
            let body: Json = serde_json::from_str(&response.body).unwrap();
            assert_valid(schema, &body, &format!("the response {} of {method} {path}", response.status));
        }
        None => assert!(described["content"].is_null(), "{method} {path}: the response lacks a body"),
    }
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
    if let Some(body) = request.body.as_ref().filter(|_| response.status < 400 && !schema.is_null()) {
        let body: Json = serde_json::from_slice(body).unwrap();
        assert_valid(schema, &body, &format!("the request of {method} {path}"));
    }
}

#[track_caller]
fn assert_valid(schema: &Json, instance: &Json, what: &str) {
    assert!(schema.is_object(), "the document has no schema of {what}");
    let validator = *VALIDATORS.lock().unwrap().entry(schema.to_string()).or_insert_with(|| {
        let mut schema = schema.clone();
        schema["components"] = json!({ "schemas": DOCUMENT["components"]["schemas"] });
        Box::leak(Box::new(jsonschema::draft202012::new(&schema).unwrap()))
    });
    let errors: Vec<_> =
        validator.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what} does not match the document: {errors:?}\n{instance}");
}
