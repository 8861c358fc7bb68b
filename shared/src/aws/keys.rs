//! The keys in Secrets Manager, in two secrets that only their rotation writes: one with the private
//! halves, for the functions that sign, and one without, for those that only verify. What is in the
//! second anybody may know; that nobody but the rotation may write it is what makes it safe to trust.

use std::error::Error;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::CallError;
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
        current(&self.client, &self.secret).await
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

/// Does one step of a rotation, which adds a key to the set: see [`crate::keys`]. The public halves
/// go to the secret `public`, before any function can sign with the new key. Each step can be done
/// again, whole or half done, and a rotation that was given up harms no other.
///
/// # Errors
/// If Secrets Manager refuses, or a secret holds no key set.
pub async fn rotate_keys(sdk: &SdkConfig, public: &str, rotation: &Rotation, now: i64) -> Result<(), BoxError> {
    let client = &Client::new(sdk);
    let (secret, version) = (&rotation.secret_id, &rotation.client_request_token);
    let new = || client.get_secret_value().secret_id(secret).version_id(version);
    match rotation.step.as_str() {
        "createSecret" => {
            // A version is listed before it has a value.
            match new().send().await {
                Ok(_) => return Ok(()),
                Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                }
                Err(error) => return Err(CallError::new("secretsmanager:GetSecretValue", &error).into()),
            }
            let keys = KeySet::rotate(&current(client, secret).await?, now)?;
            put(client, secret, version, "AWSPENDING", &keys).await?;
        }
        "setSecret" => {
            let keys = KeySet::public(&text(new()).await?)?;
            put(client, public, version, "AWSCURRENT", &keys).await?;
        }
        "testSecret" => {
            let published = KeySet::read(&current(client, public).await?)?;
            KeySet::read(&text(new()).await?)?.check(&published)?;
        }
        "finishSecret" => {
            let described = client.describe_secret().secret_id(secret).send().await;
            let described = described.map_err(|error| CallError::new("secretsmanager:DescribeSecret", &error))?;
            let versions = described.version_ids_to_stages.unwrap_or_default();
            if !versions.contains_key(version) {
                return Err("the secret has no such version".into());
            }
            let current = versions.into_iter().find(|(_, stages)| stages.iter().any(|stage| stage == "AWSCURRENT"));
            let current = current.map(|(id, _)| id).filter(|id| id != version);
            // It is this one already.
            let Some(current) = current else { return Ok(()) };
            let promote = client
                .update_secret_version_stage()
                .secret_id(secret)
                .version_stage("AWSCURRENT")
                .move_to_version_id(version)
                .remove_from_version_id(current);
            promote.send().await.map_err(|error| CallError::new("secretsmanager:UpdateSecretVersionStage", &error))?;
        }
        _ => return Err("this is no step of a rotation".into()),
    }
    Ok(())
}

/// Puts a version into a secret. If there is one of this id, it is the same.
async fn put(client: &Client, secret: &str, version: &str, stage: &str, value: &str) -> Result<(), BoxError> {
    let put = client
        .put_secret_value()
        .secret_id(secret)
        .client_request_token(version)
        .version_stages(stage)
        .secret_string(value);
    put.send().await.map(|_| ()).map_err(|error| CallError::new("secretsmanager:PutSecretValue", &error).into())
}

async fn current(client: &Client, secret: &str) -> Result<Zeroizing<String>, BoxError> {
    text(client.get_secret_value().secret_id(secret).version_stage("AWSCURRENT")).await
}

async fn text(get: GetSecretValueFluentBuilder) -> Result<Zeroizing<String>, BoxError> {
    let value = get.send().await.map_err(|error| CallError::new("secretsmanager:GetSecretValue", &error))?;
    Ok(Zeroizing::new(value.secret_string.ok_or("the secret is no text")?))
}
