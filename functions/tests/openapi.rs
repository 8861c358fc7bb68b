//! The committed OpenAPI document is that of the types, and its examples match its schemas.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

use std::collections::BTreeSet;

use functions::ENDPOINTS;
use functions::http::openapi::document;
use serde_json::{Value as Json, json};

fn text(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn committed() -> Json {
    serde_json::from_str(&text("openapi.json")).unwrap()
}

#[test]
fn the_committed_document_is_that_of_the_types() {
    let event = |function: &str| serde_json::from_str(&text(&format!("../local/events/{function}.json"))).ok();
    let made = document(ENDPOINTS, event).unwrap();
    assert!(
        format!("{made:#}\n") == text("openapi.json"),
        "run: cargo run -p functions --features openapi --example openapi > functions/openapi.json"
    );
}

#[test]
fn the_document_has_the_routes_of_the_endpoints() {
    let document = committed();
    let paths = document["paths"].as_object().unwrap().iter();
    let described = paths.flat_map(|(path, item)| {
        item.as_object().unwrap().keys().map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let routes = ENDPOINTS.iter().flat_map(|endpoint| endpoint.routes);
    assert_eq!(
        described.collect::<BTreeSet<_>>(),
        routes.map(|(method, path)| format!("{method} {path}")).collect::<BTreeSet<_>>()
    );
}

/// Returns every schema with an example of it: of values, and of the contents of requests and responses.
fn examples(node: &Json, found: &mut Vec<(Json, Json)>) {
    if let Some(object) = node.as_object() {
        let schema = if object.contains_key("schema") { &node["schema"] } else { node };
        found.extend(object.get("example").map(|example| (schema.clone(), example.clone())));
        match object.get("examples") {
            Some(Json::Array(all)) => found.extend(all.iter().map(|example| (schema.clone(), example.clone()))),
            Some(Json::Object(all)) => {
                found.extend(all.values().map(|example| (schema.clone(), example["value"].clone())));
            }
            _ => {}
        }
        object.iter().filter(|(name, _)| !name.starts_with("example")).for_each(|(_, child)| examples(child, found));
    } else if let Some(array) = node.as_array() {
        array.iter().for_each(|child| examples(child, found));
    }
}

#[test]
fn each_example_matches_its_schema() {
    let document = committed();
    let mut found = Vec::new();
    examples(&document["paths"], &mut found);
    examples(&document["components"]["schemas"], &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for (mut schema, example) in found {
        schema["components"] = json!({ "schemas": document["components"]["schemas"] });
        let validator = jsonschema::draft202012::new(&schema).unwrap();
        let errors: Vec<_> = validator.iter_errors(&example).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{example}: {errors:?}");
    }
}

#[test]
fn each_request_and_response_with_a_body_has_an_example() {
    let document = committed();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let request = &operation["requestBody"]["content"]["application/json"];
            assert!(request.is_null() || request["example"].is_object(), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let schema = &response["content"]["application/json"]["schema"]["$ref"];
                let schema =
                    schema.as_str().map(|name| &document["components"]["schemas"][name.rsplit('/').next().unwrap()]);
                assert!(schema.is_none_or(|schema| schema["example"].is_object()), "{method} {path} {status}");
                let is_error = status.as_str() >= "400";
                let content = &response["content"]["application/problem+json"];
                assert_eq!(is_error, content["examples"].is_object(), "{method} {path} {status}");
            }
        }
    }
}
