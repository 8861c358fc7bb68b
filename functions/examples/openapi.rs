//! Prints the OpenAPI document: `cargo run -p functions --features openapi --example openapi > functions/openapi.json`.

#![expect(clippy::print_stdout, reason = "the document is the output")]

use functions::ENDPOINTS;
use functions::http::openapi::document;
use shared::error::BoxError;

fn main() -> Result<(), BoxError> {
    let event = |name: &str| {
        let file = format!("{}/../local/events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()
    };
    println!("{:#}", document(ENDPOINTS, event)?);
    Ok(())
}
