//! The fixture of the key rotation: the private keys in moto's Secrets Manager, the public ones in DynamoDB
//! Local.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::ExposeSecret as _;
use serde_json::{Value as Json, json};
use shared::aws::{PublicKeys, Rotation, Rotator, SdkConfig, SecretKeys, sdk_config};
use shared::store::Session;
use shared::tokens::{KeySource as _, Keyring};
use shared::values::{Claims, UserId};

use crate::guarantees::config;
use crate::services::{Tables, call, post, properties, unique, url};
use crate::test_app::ISSUER;

/// The steps of a rotation, in the order in which Secrets Manager requests them.
pub(crate) const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// The secret and the table, as the template creates them.
pub(crate) struct Keys {
    /// The settings for Secrets Manager.
    pub(crate) sdk: SdkConfig,
    /// The secret's ARN.
    pub(crate) private: String,
    pub(crate) tables: Tables,
}

impl Keys {
    pub(crate) fn create() -> Self {
        let (url, unique) = (url("MOTO_KEYS_URL"), unique());
        let create = json!({
            "Name": format!("PrivateKeysSecret-{unique}"), "ClientRequestToken": version_id(0),
            "SecretString": properties("PrivateKeysSecret")["SecretString"],
        });
        let created = call(&url, "secretsmanager.CreateSecret", &create);
        Self {
            sdk: sdk_config().unwrap().into_builder().endpoint_url(url).build(),
            private: created["ARN"].as_str().unwrap().to_owned(),
            tables: Tables::create(),
        }
    }

    /// Starts a rotation: Secrets Manager lists a version that is pending and has no value.
    pub(crate) fn start(&self, version: u32) {
        let described =
            call(&url("MOTO_KEYS_URL"), "secretsmanager.DescribeSecret", &json!({ "SecretId": self.private }));
        for (finished, stages) in described["VersionIdsToStages"].as_object().unwrap() {
            // The finished version may still be pending, or not. Moto rejects a rotation while it is.
            if stages.as_array().unwrap().contains(&"AWSCURRENT".into()) && stages.to_string().contains("AWSPENDING") {
                let not_pending =
                    json!({ "SecretId": self.private, "VersionStage": "AWSPENDING", "RemoveFromVersionId": finished });
                call(&url("MOTO_KEYS_URL"), "secretsmanager.UpdateSecretVersionStage", &not_pending);
            }
        }
        let rotate = json!({
            "SecretId": self.private, "ClientRequestToken": version_id(version),
            "RotationLambdaARN": rotation_function(),
        });
        call(&url("MOTO_KEYS_URL"), "secretsmanager.RotateSecret", &rotate);
    }

    /// Performs one step of the rotation to this version.
    pub(crate) async fn step(&self, version: u32, step: &str, now: i64) -> Result<(), String> {
        self.step_at(&url("DYNAMODB_LOCAL_URL"), version, step, now).await
    }

    /// Performs one step, while DynamoDB is at the endpoint `url`.
    pub(crate) async fn step_at(&self, url: &str, version: u32, step: &str, now: i64) -> Result<(), String> {
        let event = json!({ "Step": step, "SecretId": self.private, "ClientRequestToken": version_id(version) });
        let rotation: Rotation = serde_json::from_value(event).unwrap();
        let rotator = Rotator::new(&self.sdk, self.tables.public_keys_at(url));
        rotator.rotate(&rotation, now).await.map_err(|error| error.to_string())
    }

    pub(crate) async fn steps(&self, version: u32, steps: &[&str], now: i64) {
        for step in steps {
            self.step(version, step, now).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    }

    /// Performs a whole rotation.
    pub(crate) async fn rotate(&self, version: u32, now: i64) {
        self.start(version);
        self.steps(version, &STEPS, now).await;
    }

    fn private_keys(&self) -> SecretKeys {
        SecretKeys::new(&self.sdk, self.private.clone())
    }

    fn public_keys(&self) -> PublicKeys {
        self.tables.public_keys_at(&url("DYNAMODB_LOCAL_URL"))
    }

    /// Returns the private key set.
    pub(crate) async fn private(&self) -> String {
        self.private_keys().load().await.unwrap().expose_secret().to_owned()
    }

    /// Returns the private and the public key set.
    pub(crate) async fn both(&self) -> [String; 2] {
        [self.private().await, self.public_keys().load().await.unwrap().expose_secret().to_owned()]
    }

    /// Loads the keys of a function that signs.
    pub(crate) async fn signer(&self, now: i64) -> Keyring {
        Keyring::load(Box::new(self.private_keys()), now).await.unwrap()
    }

    /// Loads the keys of a function that only verifies.
    pub(crate) async fn verifier(&self, now: i64) -> Keyring {
        Keyring::load(Box::new(self.public_keys()), now).await.unwrap()
    }

    /// Whether the key that signs is published, and functions that only verify accept its tokens.
    pub(crate) async fn are_consistent(&self, now: i64) -> bool {
        let (signer, verifier) = (self.signer(now).await, self.verifier(now).await);
        let (token, published) = (access_token(&signer, now).await, published(&verifier, now).await);
        is_accepted(&verifier, &token, now).await && published.contains(&kid_of(&token))
    }

    /// Replaces `version`, the current one, by an empty set, which also has the stage `stage`. Two calls,
    /// because moto confuses the version of a rotation that has just started with the current one.
    pub(crate) fn empty(&self, version: u32, stage: &str) {
        let new = version_id(999);
        let put = json!({
            "SecretId": self.private, "SecretString": r#"{"keys":[]}"#, "ClientRequestToken": new,
            "VersionStages": [stage],
        });
        call(&url("MOTO_KEYS_URL"), "secretsmanager.PutSecretValue", &put);
        self.promote(&new, version);
    }

    /// Moves the stage of the current version from `version` to the version with the id `new`.
    pub(crate) fn promote(&self, new: &str, version: u32) {
        let promote = json!({
            "SecretId": self.private, "VersionStage": "AWSCURRENT", "MoveToVersionId": new,
            "RemoveFromVersionId": version_id(version),
        });
        call(&url("MOTO_KEYS_URL"), "secretsmanager.UpdateSecretVersionStage", &promote);
    }
}

/// Creates a function for moto to call, which does nothing: the tests perform the steps, in any order.
fn rotation_function() -> &'static str {
    static FUNCTION: OnceLock<String> = OnceLock::new();
    FUNCTION.get_or_init(|| {
        let (moto, unique) = (url("MOTO_KEYS_URL"), std::process::id());
        post(&format!("{moto}/moto-api/config"), "moto", "application/json", "", r#"{"lambda":{"use_docker":false}}"#);
        let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = format!("Action=CreateRole&Version=2010-05-08&RoleName=rotate-{unique}&AssumeRolePolicyDocument={trust}");
        post(&moto, "iam", "application/x-www-form-urlencoded", "", &role);
        let empty_zip = [&b"PK\x05\x06"[..], &[0; 18]].concat();
        let function = json!({
            "FunctionName": format!("rotate-{unique}"), "Runtime": "python3.13", "Handler": "a.b",
            "Role": format!("arn:aws:iam::123456789012:role/rotate-{unique}"),
            "Code": { "ZipFile": STANDARD.encode(empty_zip) },
        });
        let created =
            post(&format!("{moto}/2015-03-31/functions"), "lambda", "application/json", "", &function.to_string());
        serde_json::from_str::<Json>(&created).unwrap()["FunctionArn"].as_str().unwrap().to_owned()
    })
}

/// Returns the id of a version of the secret.
pub(crate) fn version_id(version: u32) -> String {
    format!("00000000-0000-0000-0000-{version:012}")
}

/// Returns the ids of the keys in a key set.
pub(crate) fn kids(json: &str) -> Vec<String> {
    let set: Json = serde_json::from_str(json).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Returns the ids of the keys that a function publishes.
pub(crate) async fn published(verifier: &Keyring, now: i64) -> Vec<String> {
    let set = verifier.current(now).await;
    set.jwks(config().tokens.access_token_seconds, now).kids().map(str::to_owned).collect()
}

/// Issues an access token, or returns `None` if the function cannot sign.
pub(crate) async fn issue(signer: &Keyring, now: i64) -> Option<String> {
    let settings = config().tokens;
    let session = Session::new(UserId::new(now), 0, settings.lifetime, now);
    let tokens = signer.issue(&session, &Claims::NONE, ISSUER, &settings, now).await.ok()?;
    Some(tokens.access_token.expose_secret().to_owned())
}

pub(crate) async fn access_token(signer: &Keyring, now: i64) -> String {
    issue(signer, now).await.unwrap()
}

/// Whether a function accepts an access token.
pub(crate) async fn is_accepted(verifier: &Keyring, token: &str, now: i64) -> bool {
    verifier.verify_access(token, ISSUER, &config().tokens.audience, now).await.is_ok()
}

/// Returns the id of the key that signed a token.
pub(crate) fn kid_of(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Json>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
