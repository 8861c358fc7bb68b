//! The stand-ins for AWS, which `local/test` starts: DynamoDB Local and moto.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value as Json, json};
use shared::aws::{DynamoDbStore, SdkConfig, sdk_config};

/// Where a stand-in is.
pub(crate) fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run these tests with ./local/test"))
}

/// Calls an AWS API that speaks JSON.
pub(crate) fn call(url: &str, target: &str, body: &Json) -> Json {
    let service = target.split(['_', '.']).next().unwrap().to_lowercase();
    let answer = post(url, &service, "application/x-amz-json-1.0", target, &body.to_string());
    serde_json::from_str(&answer).unwrap()
}

/// Posts what a service of AWS understands; a stand-in does not look at the signature.
pub(crate) fn post(url: &str, service: &str, content_type: &str, target: &str, body: &str) -> String {
    let credential = format!(
        "AWS4-HMAC-SHA256 Credential=test/20260101/ap-northeast-2/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    let request = ureq::post(url)
        .header("X-Amz-Target", target)
        .header("Content-Type", content_type)
        .header("Authorization", credential);
    let mut response = request.send(body).unwrap_or_else(|error| panic!("{url} {target}: {error}"));
    response.body_mut().read_to_string().unwrap()
}

/// The tables of a new, empty store in DynamoDB Local.
pub(crate) struct Tables {
    pub(crate) users: String,
    pub(crate) sms_sessions: String,
    pub(crate) token_families: String,
}

impl Tables {
    /// Makes them as `template.yaml` defines them.
    pub(crate) fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        let template: Json = serde_saphyr::from_str(&template).unwrap();
        let url = url("DYNAMODB_LOCAL_URL");
        let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let [users, sms_sessions, token_families] =
            ["UsersTable", "SmsSessionsTable", "TokenFamiliesTable"].map(|table| {
                let name = format!("{table}-{unique}");
                let properties = &template["Resources"][table]["Properties"];
                let mut definition = json!({ "TableName": name });
                for property in ["AttributeDefinitions", "KeySchema", "BillingMode"] {
                    definition[property] = properties[property].clone();
                }
                call(&url, "DynamoDB_20120810.CreateTable", &definition);
                if let Some(ttl) = properties.get("TimeToLiveSpecification") {
                    call(
                        &url,
                        "DynamoDB_20120810.UpdateTimeToLive",
                        &json!({ "TableName": name, "TimeToLiveSpecification": ttl }),
                    );
                }
                name
            });
        Self { users, sms_sessions, token_families }
    }

    /// The store in these tables, reached at `url`.
    pub(crate) async fn store_at(&self, url: &str) -> DynamoDbStore {
        self.store_with(&sdk_config().unwrap().into_builder().endpoint_url(url).build())
    }

    /// The store in these tables, reached as `sdk` says.
    pub(crate) fn store_with(&self, sdk: &SdkConfig) -> DynamoDbStore {
        DynamoDbStore::new(sdk, self.users.clone(), self.sms_sessions.clone(), self.token_families.clone())
    }
}
