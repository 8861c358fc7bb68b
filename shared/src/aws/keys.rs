//! The signing keys: one secret in Secrets Manager, which only its rotation writes.

use std::error::Error;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::CallError;
use crate::config::Config;
use crate::token::KeySet;
use crate::user::UserId;

type BoxError = Box<dyn Error + Send + Sync>;

/// What Secrets Manager asks a rotation function, four times in a row and any of them again.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotation {
    step: String,
    secret_id: String,
    client_request_token: String,
}

/// Reads the keys.
pub(super) async fn read(sdk: &SdkConfig, secret: &str) -> Result<KeySet, BoxError> {
    Ok(KeySet::read(&current(&Client::new(sdk), secret).await?)?)
}

/// Does one step of a rotation: the new version of the secret has a new key, which signs from the
/// start of each function on; the former key still verifies.
///
/// # Errors
/// If Secrets Manager refuses, or the secret holds no key set. Every step can be done again.
pub async fn rotate_keys(sdk: &SdkConfig, rotation: &Rotation) -> Result<(), BoxError> {
    let client = Client::new(sdk);
    let (secret, version) = (&rotation.secret_id, &rotation.client_request_token);
    let stages = client
        .describe_secret()
        .secret_id(secret)
        .send()
        .await
        .map_err(|error| CallError::new("secretsmanager:DescribeSecret", &error))?;
    let has = |version: &str, stage: &str| {
        stages
            .version_ids_to_stages()
            .and_then(|versions| versions.get(version))
            .is_some_and(|stages| stages.iter().any(|s| s == stage))
    };
    match rotation.step.as_str() {
        "createSecret" => {
            // A version is listed before it has a value.
            match client.get_secret_value().secret_id(secret).version_id(version).send().await {
                Ok(_) => return Ok(()),
                Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                }
                Err(error) => return Err(CallError::new("secretsmanager:GetSecretValue", &error).into()),
            }
            let keys = KeySet::rotate(&current(&client, secret).await?)?;
            let put = client
                .put_secret_value()
                .secret_id(secret)
                .client_request_token(version)
                .version_stages("AWSPENDING")
                .secret_string(keys.as_str());
            put.send().await.map_err(|error| CallError::new("secretsmanager:PutSecretValue", &error))?;
        }
        // There is nothing besides the secret to tell the keys to.
        "setSecret" => {}
        "testSecret" => {
            let pending = client.get_secret_value().secret_id(secret).version_id(version).version_stage("AWSPENDING");
            let keys = KeySet::read(&text(pending).await?)?;
            let (config, user) = (Config::default(), UserId::generate(0));
            let tokens = keys.issue(user, &config, 0)?;
            keys.verify_access(tokens.access_token(), &config, 0)?;
        }
        "finishSecret" => {
            let current =
                stages.version_ids_to_stages().and_then(|versions| versions.keys().find(|id| has(id, "AWSCURRENT")));
            if current == Some(version) {
                return Ok(());
            }
            let promote = client
                .update_secret_version_stage()
                .secret_id(secret)
                .version_stage("AWSCURRENT")
                .move_to_version_id(version)
                .set_remove_from_version_id(current.cloned());
            promote.send().await.map_err(|error| CallError::new("secretsmanager:UpdateSecretVersionStage", &error))?;
        }
        _ => return Err("this is no step of a rotation".into()),
    }
    Ok(())
}

async fn current(client: &Client, secret: &str) -> Result<Zeroizing<String>, BoxError> {
    text(client.get_secret_value().secret_id(secret).version_stage("AWSCURRENT")).await
}

async fn text(get: GetSecretValueFluentBuilder) -> Result<Zeroizing<String>, BoxError> {
    let value = get.send().await.map_err(|error| CallError::new("secretsmanager:GetSecretValue", &error))?;
    Ok(Zeroizing::new(value.secret_string.ok_or("the secret is no text")?))
}
