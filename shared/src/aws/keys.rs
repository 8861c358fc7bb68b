//! The keys in Secrets Manager, in two secrets that only their rotation writes: one with the private
//! halves, for the functions that sign, and one without, for those that only verify. What is in the
//! second anybody may know; that nobody but the rotation may write it is what makes it safe to trust.

use std::error::Error;

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use aws_types::SdkConfig;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::timeouts::Timeouts;
use super::{CallError, sdk_config, variable, warm};
use crate::keys::{KeySet, KeySource};

type BoxError = Box<dyn Error + Send + Sync>;

/// A secret that holds a key set.
pub struct SecretKeys {
    client: Client,
    secret: String,
}

impl SecretKeys {
    /// The key set in this secret, by its ARN or name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, secret: String) -> Self {
        Self { client: Client::new(sdk), secret }
    }
}

#[async_trait]
impl KeySource for SecretKeys {
    async fn read(&self) -> Result<Zeroizing<String>, BoxError> {
        text(self.client.get_secret_value().secret_id(&self.secret).version_stage(CURRENT)).await
    }
}

/// What Secrets Manager asks a rotation function, four times in a row and any of them again.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotation {
    step: String,
    secret_id: String,
    client_request_token: String,
}

/// Rotates the keys: does the steps of the rotation that Secrets Manager asks for.
pub struct Rotator {
    client: Client,
    public: String,
}

impl Rotator {
    /// Connects to Secrets Manager, once, in init, with one cheap request. The public halves go to the
    /// secret that `PUBLIC_KEYS_SECRET` names.
    ///
    /// # Errors
    /// If a variable is missing or bad.
    pub async fn connect() -> Result<Self, BoxError> {
        let sdk = sdk_config()?;
        let rotator = Self::new(&sdk, variable("PUBLIC_KEYS_SECRET")?);
        let asked = async {
            let asked = rotator.client.get_secret_value().secret_id(&rotator.public).send().await;
            asked.map(|_| ()).map_err(|error| CallError::new("secretsmanager:GetSecretValue", &error))
        };
        warm("Secrets Manager", Timeouts::of(&sdk).of_init(), asked).await;
        Ok(rotator)
    }

    /// One that puts the public halves into the secret `public`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, public: String) -> Self {
        Self { client: Client::new(sdk), public }
    }

    /// Does one step of a rotation, which adds a key to the set: see [`crate::keys`]. The public halves
    /// go out before any function can sign with the new key. Each step can be done again, whole or half
    /// done. A rotation that comes too late, or of a set that was changed meanwhile, is given up, so
    /// that the next one begins anew; wherever it ends, what signs is published.
    ///
    /// # Errors
    /// If Secrets Manager refuses, a secret holds no key set, or the rotation is given up.
    pub async fn rotate(&self, rotation: &Rotation, now: i64) -> Result<(), BoxError> {
        let Self { client, public } = self;
        let (secret, version) = (&rotation.secret_id, &rotation.client_request_token);
        let described = client.describe_secret().secret_id(secret).send().await;
        let described = described.map_err(|error| CallError::new("secretsmanager:DescribeSecret", &error))?;
        let versions = described.version_ids_to_stages.unwrap_or_default();
        let has = |version: &str, stage: &str| {
            versions.get(version).is_some_and(|stages| stages.iter().any(|found| found == stage))
        };
        if !has(version, CURRENT) && !has(version, PENDING) {
            return Err("this version is not pending".into());
        }

        let current = text(client.get_secret_value().secret_id(secret).version_stage(CURRENT)).await?;
        if has(version, CURRENT) {
            // It is finished, but perhaps for the last call.
            return if rotation.step == "finishSecret" { confirm(client, public, &current).await } else { Ok(()) };
        }
        // Secrets Manager lists a version before it has a value.
        let new = match client.get_secret_value().secret_id(secret).version_id(version).send().await {
            Ok(value) => Zeroizing::new(value.secret_string.ok_or("the secret is no text")?),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                if rotation.step != "createSecret" {
                    return Err("this version has no keys yet".into());
                }
                return put(client, secret, Some(version), PENDING, &KeySet::rotate(&current, now)?).await;
            }
            Err(error) => return Err(CallError::new("secretsmanager:GetSecretValue", &error).into()),
        };
        if !KeySet::is_next(&new, &current, now)? {
            move_stage(client, secret, PENDING, None, version).await?;
            return Err("the rotation took too long, or the keys were changed meanwhile: it is given up".into());
        }
        match rotation.step.as_str() {
            "createSecret" => Ok(()),
            "setSecret" => put(client, public, Some(version), CURRENT, &KeySet::announced(&new)?).await,
            "testSecret" => {
                let published = text(client.get_secret_value().secret_id(public).version_stage(CURRENT)).await?;
                Ok(KeySet::read(&new)?.check(&KeySet::read(&published)?)?)
            }
            "finishSecret" => {
                let former = versions.keys().find(|id| has(id, CURRENT)).ok_or("no version is the current one")?;
                move_stage(client, secret, CURRENT, Some(version), former).await?;
                confirm(client, public, &new).await
            }
            _ => Err("this is no step of a rotation".into()),
        }
    }
}

const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";

/// Publishes that the newest of `keys` will sign, if it is what was announced last.
async fn confirm(client: &Client, public: &str, keys: &str) -> Result<(), BoxError> {
    let published = text(client.get_secret_value().secret_id(public).version_stage(CURRENT)).await?;
    if *published != KeySet::announced(keys)? {
        return Ok(());
    }
    put(client, public, None, CURRENT, &KeySet::public(keys)?).await
}

/// Puts a version into a secret: of this id, or else of a new one. Where there is one of the id, Secrets
/// Manager takes no other value.
async fn put(client: &Client, secret: &str, version: Option<&str>, stage: &str, value: &str) -> Result<(), BoxError> {
    let put = client
        .put_secret_value()
        .secret_id(secret)
        .set_client_request_token(version.map(str::to_owned))
        .version_stages(stage)
        .secret_string(value);
    put.send().await.map(|_| ()).map_err(|error| CallError::new("secretsmanager:PutSecretValue", &error).into())
}

async fn move_stage(client: &Client, secret: &str, stage: &str, to: Option<&str>, from: &str) -> Result<(), BoxError> {
    let update = client
        .update_secret_version_stage()
        .secret_id(secret)
        .version_stage(stage)
        .set_move_to_version_id(to.map(str::to_owned))
        .remove_from_version_id(from);
    let updated = update.send().await.map(|_| ());
    updated.map_err(|error| CallError::new("secretsmanager:UpdateSecretVersionStage", &error).into())
}

async fn text(get: GetSecretValueFluentBuilder) -> Result<Zeroizing<String>, BoxError> {
    let value = get.send().await.map_err(|error| CallError::new("secretsmanager:GetSecretValue", &error))?;
    Ok(Zeroizing::new(value.secret_string.ok_or("the secret is no text")?))
}
