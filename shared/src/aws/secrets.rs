//! The private keys in Secrets Manager, in a secret that only their rotation writes and only functions that
//! sign read.

use async_trait::async_trait;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::builders::GetSecretValueFluentBuilder;
use aws_types::SdkConfig;
use secrecy::SecretString;

use super::error::called;
use crate::error::BoxError;
use crate::tokens::KeySource;

/// The stage of the version in use.
pub(super) const CURRENT: &str = "AWSCURRENT";

/// A secret that contains a key set.
#[derive(Debug)]
pub struct SecretKeys {
    client: Client,
    secret: String,
}

impl SecretKeys {
    /// Returns the key set in this secret, which is named by its ARN or name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, secret: String) -> Self {
        Self { client: Client::new(sdk), secret }
    }
}

#[async_trait]
impl KeySource for SecretKeys {
    async fn load(&self) -> Result<SecretString, BoxError> {
        text(self.client.get_secret_value().secret_id(&self.secret).version_stage(CURRENT)).await
    }
}

/// Returns the text of a secret.
pub(super) async fn text(get: GetSecretValueFluentBuilder) -> Result<SecretString, BoxError> {
    let value = called("secretsmanager:GetSecretValue", get.send().await)?;
    Ok(value.secret_string.ok_or("the secret is not text")?.into())
}
