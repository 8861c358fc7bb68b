//! The guarantees of the store on DynamoDB Local, with several clients, as functions have.

use std::sync::Arc;

use serde_json::json;
use shared::store::{SmsSessions as _, Store, StoreError};
use shared::values::{Purpose, SmsSessionId};

use crate::guarantees::{NOW, TestStore, guarantees};
use crate::services::{Tables, call, url};

guarantees!(crate::store::open);

async fn open() -> TestStore {
    let tables = Tables::create();
    TestStore { connections: (0..8).map(|_| Arc::new(tables.store()) as Arc<dyn Store>).collect(), _folder: None }
}

#[tokio::test]
async fn an_unknown_purpose_is_an_error() {
    let tables = Tables::create();
    let key = SmsSessionId::random().key();
    let put = json!({
        "TableName": tables.sms_sessions,
        "Item": {
            "pk": { "S": format!("SESSION#{}", key.as_str()) }, "phone": { "S": "+821012345678" },
            "purpose": { "S": "anything" }, "is_verified": { "BOOL": true }, "expires_at": { "N": (NOW + 600).to_string() },
        },
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.PutItem", &put);
    let error = tables.store().verified_phone(&key, Purpose::Signup, NOW).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed(_)) && error.to_string().contains("purpose"), "{error}");
}
