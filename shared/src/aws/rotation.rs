//! The rotation of the keys in Secrets Manager.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::error::{CallError, called};
use super::sdk::{sdk_config, warm_up};
use super::secrets::{CURRENT, text};
use super::timeouts::Timeouts;
use super::variable::variable;
use crate::error::BoxError;
use crate::tokens::{KeySet, rotation};

/// The stage of a version whose rotation has not finished.
const PENDING: &str = "AWSPENDING";

/// The event that Secrets Manager sends to a rotation function: four in a row, any of which can be
/// repeated.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Rotation {
    step: String,
    secret_id: String,
    client_request_token: String,
}

/// Rotates the keys, in the steps that Secrets Manager requests.
#[derive(Debug)]
pub struct Rotator {
    client: Client,
    public_secret: String,
}

impl Rotator {
    /// Connects to Secrets Manager, once, in init, with one cheap request. `PUBLIC_KEYS_SECRET` names the
    /// secret of the public keys.
    ///
    /// # Errors
    /// If a variable is missing or invalid.
    pub async fn connect() -> Result<Self, BoxError> {
        let sdk = sdk_config()?;
        let rotator = Self::new(&sdk, variable("PUBLIC_KEYS_SECRET")?);
        let request = rotator.client.get_secret_value().secret_id(&rotator.public_secret);
        let request = async { called("secretsmanager:GetSecretValue", request.send().await).map(|_| ()) };
        warm_up("Secrets Manager", Timeouts::used_by(&sdk).warm_up(), request).await;
        Ok(rotator)
    }

    /// Creates a rotator that writes the public keys to `public_secret`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, public_secret: String) -> Self {
        Self { client: Client::new(sdk), public_secret }
    }

    /// Performs one step of a rotation, which adds a key to the set: see [`crate::tokens::rotation`].
    ///
    /// The public keys are published before any function can sign with the new key. Each step can be
    /// repeated, whether it was completed or not. A rotation that is late, or of a set that was changed
    /// meanwhile, is cancelled, so that the next one starts anew. Wherever it stops, the signing key is
    /// published.
    ///
    /// # Errors
    /// If Secrets Manager fails, a secret contains no key set, or the rotation is cancelled.
    pub async fn rotate(&self, rotation: &Rotation, now: i64) -> Result<(), BoxError> {
        let Self { client, public_secret } = self;
        let (secret, version) = (&rotation.secret_id, &rotation.client_request_token);
        let described = client.describe_secret().secret_id(secret).send().await;
        let described = called("secretsmanager:DescribeSecret", described)?;
        let versions = described.version_ids_to_stages.unwrap_or_default();
        let has = |version: &str, stage: &str| {
            versions.get(version).is_some_and(|stages| stages.iter().any(|found| found == stage))
        };
        if !has(version, CURRENT) && !has(version, PENDING) {
            return Err("this version is not pending".into());
        }

        let current = text(client.get_secret_value().secret_id(secret).version_stage(CURRENT)).await?;
        if has(version, CURRENT) {
            // Finished, except perhaps for the last call.
            return if rotation.step == "finishSecret" { self.promote(&current).await } else { Ok(()) };
        }
        // Secrets Manager lists a version before the version has a value.
        let new = match client.get_secret_value().secret_id(secret).version_id(version).send().await {
            Ok(value) => SecretString::from(value.secret_string.ok_or("the secret is not text")?),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                if rotation.step != "createSecret" {
                    return Err("this version has no keys yet".into());
                }
                let new = rotation::rotate(current.expose_secret(), now)?;
                return self.put(secret, Some(version), PENDING, new.expose_secret()).await;
            }
            Err(error) => return Err(CallError::new("secretsmanager:GetSecretValue", &error).into()),
        };
        if !rotation::may_replace(new.expose_secret(), current.expose_secret(), now)? {
            self.move_stage(secret, PENDING, None, version).await?;
            return Err("the rotation is cancelled: it took too long, or the keys were changed meanwhile".into());
        }
        match rotation.step.as_str() {
            "createSecret" => Ok(()),
            "setSecret" => {
                let pending = rotation::pending_public_keys(new.expose_secret())?;
                self.put(public_secret, Some(version), CURRENT, &pending).await
            }
            "testSecret" => {
                let published = KeySet::from_stored(self.published().await?.expose_secret())?;
                Ok(KeySet::from_stored(new.expose_secret())?.check_published(&published)?)
            }
            "finishSecret" => {
                let former = versions.keys().find(|id| has(id, CURRENT)).ok_or("no version is the current one")?;
                self.move_stage(secret, CURRENT, Some(version), former).await?;
                self.promote(&new).await
            }
            _ => Err("this is not a step of a rotation".into()),
        }
    }

    /// Publishes that the newest of `keys` will sign, if it was published as pending before.
    async fn promote(&self, keys: &SecretString) -> Result<(), BoxError> {
        if self.published().await?.expose_secret() != rotation::pending_public_keys(keys.expose_secret())? {
            return Ok(());
        }
        let public = rotation::public_keys(keys.expose_secret())?;
        self.put(&self.public_secret, None, CURRENT, &public).await
    }

    /// Returns the published key set.
    async fn published(&self) -> Result<SecretString, BoxError> {
        text(self.client.get_secret_value().secret_id(&self.public_secret).version_stage(CURRENT)).await
    }

    /// Writes a version of a secret, with this id or otherwise a new one. Secrets Manager rejects another
    /// value for an id that exists.
    async fn put(&self, secret: &str, version: Option<&str>, stage: &str, value: &str) -> Result<(), BoxError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(secret)
            .set_client_request_token(version.map(str::to_owned))
            .version_stages(stage)
            .secret_string(value);
        called("secretsmanager:PutSecretValue", put.send().await)?;
        Ok(())
    }

    async fn move_stage(&self, secret: &str, stage: &str, to: Option<&str>, from: &str) -> Result<(), BoxError> {
        let update = self
            .client
            .update_secret_version_stage()
            .secret_id(secret)
            .version_stage(stage)
            .set_move_to_version_id(to.map(str::to_owned))
            .remove_from_version_id(from);
        called("secretsmanager:UpdateSecretVersionStage", update.send().await)?;
        Ok(())
    }
}
