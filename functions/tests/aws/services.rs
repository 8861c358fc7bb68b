//! The services that `local/test` starts: DynamoDB Local and moto.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use functions::lambda::Event;
use serde_json::{Value as Json, json};
use shared::aws::{DynamoDbStore, PublicKeys, SdkConfig, TableNames, sdk_config};

/// Returns the URL of a service.
pub(crate) fn url(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run these tests with ./local/test"))
}

/// Calls an AWS API that uses JSON.
pub(crate) fn call(url: &str, target: &str, body: &Json) -> Json {
    let service = target.split(['_', '.']).next().unwrap().to_lowercase();
    let response = post(url, &service, "application/x-amz-json-1.0", target, &body.to_string());
    serde_json::from_str(&response).unwrap()
}

/// Posts a request to an AWS API. DynamoDB Local and moto do not verify the signature.
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

/// Reads a file of the project.
pub(crate) fn read(file: &str) -> String {
    let path = format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the properties of a resource in `template.yaml`.
pub(crate) fn properties(resource: &str) -> Json {
    let template: Json = serde_saphyr::from_str(&read("template.yaml")).unwrap();
    template["Resources"][resource]["Properties"].clone()
}

/// Returns the event of a function in `local/events`.
pub(crate) fn event(name: &str) -> Event {
    serde_json::from_str(&read(&format!("local/events/{name}.json"))).unwrap()
}

/// Pauses or resumes all SMS, with the command of the documentation.
pub(crate) fn pause_sms(tables: &Tables, is_paused: bool) {
    let documentation = read("functions/OPERATIONS.md");
    let is_command = |line: &&str| {
        line.starts_with(r#"aws dynamodb update-item --table-name "$LIMITS""#) && line.contains(&is_paused.to_string())
    };
    let command = documentation.lines().find(is_command).unwrap();
    let [key, expression, values] = [1, 3, 5].map(|nth| command.split('\'').nth(nth).unwrap());
    let [key, values] = [key, values].map(|json| serde_json::from_str::<Json>(json).unwrap());
    let update = json!({
        "TableName": tables.limits, "Key": key,
        "UpdateExpression": expression, "ExpressionAttributeValues": values,
    });
    call(&url("DYNAMODB_LOCAL_URL"), "DynamoDB_20120810.UpdateItem", &update);
}

/// Returns a suffix for names, so that each test has its own tables and secrets.
pub(crate) fn unique() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst))
}

/// The tables of a new, empty store in DynamoDB Local.
pub(crate) struct Tables {
    pub(crate) users: String,
    pub(crate) sms_sessions: String,
    pub(crate) sessions: String,
    pub(crate) limits: String,
    pub(crate) public_keys: String,
}

impl Tables {
    /// Creates the tables as `template.yaml` defines them.
    pub(crate) fn create() -> Self {
        let (url, unique) = (url("DYNAMODB_LOCAL_URL"), unique());
        let tables = ["UsersTable", "SmsSessionsTable", "SessionsTable", "LimitsTable", "PublicKeysTable"];
        let [users, sms_sessions, sessions, limits, public_keys] = tables.map(|table| {
            let (name, properties) = (format!("{table}-{unique}"), properties(table));
            let mut definition = json!({ "TableName": name });
            for property in ["AttributeDefinitions", "KeySchema", "BillingMode"] {
                definition[property] = properties[property].clone();
            }
            call(&url, "DynamoDB_20120810.CreateTable", &definition);
            if let Some(ttl) = properties.get("TimeToLiveSpecification") {
                let update = json!({ "TableName": name, "TimeToLiveSpecification": ttl });
                call(&url, "DynamoDB_20120810.UpdateTimeToLive", &update);
            }
            name
        });
        Self { users, sms_sessions, sessions, limits, public_keys }
    }

    /// Returns a store in these tables.
    pub(crate) fn store(&self) -> DynamoDbStore {
        self.store_at(&url("DYNAMODB_LOCAL_URL"))
    }

    /// Returns a store in these tables, whose endpoint is `url`.
    pub(crate) fn store_at(&self, url: &str) -> DynamoDbStore {
        self.store_with(&sdk_config().unwrap().into_builder().endpoint_url(url).build())
    }

    /// Returns a store in these tables, with the settings of `sdk`.
    pub(crate) fn store_with(&self, sdk: &SdkConfig) -> DynamoDbStore {
        let Self { users, sms_sessions, sessions, limits, public_keys } = self;
        let tables = TableNames {
            users: users.clone(),
            sms_sessions: sms_sessions.clone(),
            sessions: sessions.clone(),
            limits: limits.clone(),
            public_keys: public_keys.clone(),
        };
        DynamoDbStore::new(sdk, tables)
    }

    /// Returns the published keys, at the endpoint `url`.
    pub(crate) fn public_keys_at(&self, url: &str) -> PublicKeys {
        PublicKeys::new(&sdk_config().unwrap().into_builder().endpoint_url(url).build(), self.public_keys.clone())
    }
}
