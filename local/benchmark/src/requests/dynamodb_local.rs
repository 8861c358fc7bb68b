//! The requests to DynamoDB Local.

use serde_json::{Value as Json, json};
use shared::error::BoxError;

use crate::http::Request;

/// A DynamoDB Local.
#[derive(Clone)]
pub(super) struct DynamoDbLocal {
    url: String,
}

/// The response to a forwarded request, and the units that the request consumed.
pub(super) struct Forwarded {
    pub(super) status: u16,
    pub(super) body: Json,
    pub(super) read_units: f64,
    pub(super) write_units: f64,
}

impl DynamoDbLocal {
    pub(super) fn new(url: &str) -> Self {
        Self { url: url.to_owned() }
    }

    /// Creates a table with the key `pk`.
    pub(super) fn create_table(&self, table: &str) -> Result<(), BoxError> {
        let attribute = json!({ "AttributeName": "pk", "AttributeType": "S" });
        let key = json!({ "AttributeName": "pk", "KeyType": "HASH" });
        let table = json!({
            "TableName": table, "BillingMode": "PAY_PER_REQUEST", "AttributeDefinitions": [attribute], "KeySchema": [key],
        });
        self.call("CreateTable", &table)
    }

    pub(super) fn delete_item(&self, table: &str, pk: &str) -> Result<(), BoxError> {
        self.call("DeleteItem", &json!({ "TableName": table, "Key": { "pk": { "S": pk } } }))
    }

    /// Forwards the request of a function, with the option that reports the consumed units.
    pub(super) fn forward(&self, request: &Request) -> Result<Forwarded, BoxError> {
        let target = request.header("x-amz-target").ok_or("no operation")?;
        let mut body: Json = serde_json::from_slice(&request.body)?;
        body["ReturnConsumedCapacity"] = "TOTAL".into();
        let (status, response) = self.send(target, &body)?;
        let (read_units, write_units) = units(target, &body, &response);
        Ok(Forwarded { status, body: response, read_units, write_units })
    }

    /// Sends a request that must succeed.
    fn call(&self, operation: &str, body: &Json) -> Result<(), BoxError> {
        match self.send(&format!("DynamoDB_20120810.{operation}"), body)? {
            (200, _) => Ok(()),
            (status, response) => Err(format!("DynamoDB Local returned {status} {response}").into()),
        }
    }

    fn send(&self, target: &str, body: &Json) -> Result<(u16, Json), BoxError> {
        // Contains no valid signature: DynamoDB Local does not check it.
        let credential = "AWS4-HMAC-SHA256 Credential=test/20260101/ap-northeast-2/dynamodb/aws4_request, SignedHeaders=host, Signature=0";
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(&self.url).header("X-Amz-Target", target).header("Authorization", credential);
        let mut response = request.header("Content-Type", "application/x-amz-json-1.0").send(body.to_string())?;
        let status = response.status().as_u16();
        Ok((status, serde_json::from_str(&response.body_mut().read_to_string()?)?))
    }
}

/// Returns the read and the write units of a request.
///
/// A transaction consumes two for each of its items, which are smaller than a kilobyte, as AWS documents.
/// DynamoDB Local reports other numbers, and none for a rejected transaction.
fn units(target: &str, request: &Json, response: &Json) -> (f64, f64) {
    if let Some(items) = request["TransactItems"].as_array() {
        return (0.0, 2.0 * items.len() as f64);
    }
    let consumed = response["ConsumedCapacity"]["CapacityUnits"].as_f64().unwrap_or_default();
    if target.ends_with(".GetItem") { (consumed, 0.0) } else { (0.0, consumed) }
}
