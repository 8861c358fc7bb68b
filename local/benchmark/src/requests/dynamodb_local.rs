//! The requests to DynamoDB Local.

use serde_json::{Value as Json, json};
use shared::error::BoxError;

use crate::fake_aws::Table;
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

    pub(super) fn create_table(&self, table: &Table) -> Result<(), BoxError> {
        let attributes = table.key.iter().map(|name| json!({ "AttributeName": name, "AttributeType": "S" }));
        let types = ["HASH", "RANGE"];
        let key = table.key.iter().zip(types).map(|(name, r#type)| json!({ "AttributeName": name, "KeyType": r#type }));
        let table = json!({
            "TableName": table.name, "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": attributes.collect::<Json>(), "KeySchema": key.collect::<Json>(),
        });
        self.call("CreateTable", &table)
    }

    pub(super) fn put_item(&self, table: &Table, item: &Json) -> Result<(), BoxError> {
        self.call("PutItem", &json!({ "TableName": table.name, "Item": item }))
    }

    /// Deletes the item with this partition key, of a table without a sort key.
    pub(super) fn delete_item(&self, table: &Table, pk: &str) -> Result<(), BoxError> {
        self.call("DeleteItem", &json!({ "TableName": table.name, "Key": { "pk": { "S": pk } } }))
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
/// DynamoDB Local reports other numbers, and none for a rejected transaction. It also reports none for a rejected
/// [conditional write](https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithItems.html#WorkingWithItems.ConditionalUpdate)
/// and a missing item of a [batch](https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchGetItem.html),
/// each of which consumes a unit. Every read in a batch of Ably is consistent.
fn units(target: &str, request: &Json, response: &Json) -> (f64, f64) {
    if let Some(items) = request["TransactItems"].as_array() {
        return (0.0, 2.0 * items.len() as f64);
    }
    let error = response["__type"].as_str().unwrap_or_default();
    if error.ends_with("#ConditionalCheckFailedException") {
        return (0.0, 1.0);
    }
    let units = |consumed: &Json| consumed["CapacityUnits"].as_f64().unwrap_or_default();
    let consumed = match &response["ConsumedCapacity"] {
        // One per table of a batch.
        Json::Array(consumed) => consumed.iter().map(units).sum::<f64>() + missing_items(request, response) as f64,
        consumed => units(consumed),
    };
    let is_read = target.ends_with("GetItem") || target.ends_with("Query");
    if is_read { (consumed, 0.0) } else { (0.0, consumed) }
}

/// Returns the number of items that a batch requested and that do not exist.
fn missing_items(request: &Json, response: &Json) -> usize {
    let requested = request["RequestItems"].as_object().into_iter().flatten();
    let count = |items: &Json| items.as_array().map_or(0, Vec::len);
    requested.map(|(table, read)| count(&read["Keys"]).saturating_sub(count(&response["Responses"][table]))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_units(operation: &str, request: &Json, response: &Json, expected: (f64, f64)) {
        let (read, write) = units(&format!("DynamoDB_20120810.{operation}"), request, response);
        assert!((read - expected.0).abs() + (write - expected.1).abs() < f64::EPSILON, "{operation}: {read}, {write}");
    }

    #[test]
    fn reads_and_writes_consume_the_reported_units() {
        let consumed = json!({ "ConsumedCapacity": { "CapacityUnits": 1.0 } });
        assert_units("GetItem", &json!({}), &consumed, (1.0, 0.0));
        assert_units("Query", &json!({}), &consumed, (1.0, 0.0));
        assert_units("UpdateItem", &json!({}), &consumed, (0.0, 1.0));
        let batch = json!({ "RequestItems": { "Users": { "Keys": [{}] }, "Sessions": { "Keys": [{}] } } });
        let per_table = json!({
            "Responses": { "Users": [{}], "Sessions": [{}] },
            "ConsumedCapacity": [{ "CapacityUnits": 1.0 }, { "CapacityUnits": 1.0 }],
        });
        assert_units("BatchGetItem", &batch, &per_table, (2.0, 0.0));
    }

    #[test]
    fn a_missing_item_of_a_batch_consumes_a_unit() {
        let batch = json!({ "RequestItems": { "Users": { "Keys": [{}] }, "Sessions": { "Keys": [{}] } } });
        let response = json!({
            "Responses": { "Users": [{}], "Sessions": [] }, "ConsumedCapacity": [{ "CapacityUnits": 1.0 }],
        });
        assert_units("BatchGetItem", &batch, &response, (2.0, 0.0));
    }

    #[test]
    fn a_rejected_write_consumes_as_many_units_as_an_applied_one() {
        let rejected = json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException" });
        assert_units("UpdateItem", &json!({}), &rejected, (0.0, 1.0));
        let cancelled = json!({ "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException" });
        assert_units("TransactWriteItems", &json!({ "TransactItems": [{}, {}] }), &cancelled, (0.0, 4.0));
    }
}
