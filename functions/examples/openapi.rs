//! Prints the OpenAPI document: `cargo run -p functions --features openapi --example openapi > functions/openapi.json`.

#![expect(clippy::print_stdout, reason = "the document is the output")]

use std::error::Error;

use functions::ENDPOINTS;
use functions::http::openapi::document;

fn main() -> Result<(), Box<dyn Error>> {
    println!("{:#}", document(ENDPOINTS, |name| std::fs::read_to_string(event(name)).ok().and_then(|event| body(&event)))?);
    Ok(())
}

/// Returns the file of a function's event, which is also the example of its request.
fn event(name: &str) -> String {
    format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

/// Returns the body of an event.
fn body(event: &str) -> Option<serde_json::Value> {
    let event: serde_json::Value = serde_json::from_str(event).ok()?;
    serde_json::from_str(event["body"].as_str()?).ok()
}
