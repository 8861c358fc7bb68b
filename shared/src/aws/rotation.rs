//! The rotation of the keys: the private ones in Secrets Manager, the public ones in DynamoDB.

use aws_sdk_secretsmanager::Client;
use aws_types::SdkConfig;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::dynamodb::PublicKeys;
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
    public_keys: PublicKeys,
}

impl Rotator {
    /// Connects to Secrets Manager and DynamoDB, once, in init, each with one cheap request.
    /// `PRIVATE_KEYS_SECRET` names the secret of the private keys, `PUBLIC_KEYS_TABLE` the table of the public
    /// ones.
    ///
    /// # Errors
    /// If a variable is missing or invalid.
    pub async fn connect() -> Result<Self, BoxError> {
        let (sdk, secret) = (sdk_config()?, variable("PRIVATE_KEYS_SECRET")?);
        let rotator = Self::new(&sdk, PublicKeys::new(&sdk, variable("PUBLIC_KEYS_TABLE")?));
        let describe = rotator.client.describe_secret().secret_id(secret);
        let describe = async { called("secretsmanager:DescribeSecret", describe.send().await).map(|_| ()) };
        let timeout = Timeouts::used_by(&sdk).warm_up();
        tokio::join!(
            warm_up("Secrets Manager", timeout, describe),
            warm_up("the table of public keys", timeout, rotator.public_keys.warm_up()),
        );
        Ok(rotator)
    }

    /// Creates a rotator that publishes the keys in `public_keys`.
    #[must_use]
    pub fn new(sdk: &SdkConfig, public_keys: PublicKeys) -> Self {
        Self { client: Client::new(sdk), public_keys }
    }

    /// Performs one step of a rotation, which adds a key to the set: see [`crate::tokens::rotation`].
    ///
    /// The public keys are published before any function can sign with the new key. Each step can be
    /// repeated, whether it was completed or not. A rotation that is late, or of a set that was changed
    /// meanwhile, is cancelled, so that the next one starts anew. Wherever it stops, the signing key is
    /// published.
    ///
    /// # Errors
    /// If Secrets Manager or DynamoDB fails, one of them contains no key set, or the rotation is cancelled.
    pub async fn rotate(&self, rotation: &Rotation, now: i64) -> Result<(), BoxError> {
        let client = &self.client;
        // Read before the state of the rotation. If a later rotation publishes its keys after this, the write of
        // the public keys fails; if that happened before, this one is no longer pending.
        let published = self.public_keys.published().await?;
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
            return if rotation.step == "finishSecret" { self.promote(published, &current).await } else { Ok(()) };
        }
        // Secrets Manager lists a version before the version has a value.
        let new = match client.get_secret_value().secret_id(secret).version_id(version).send().await {
            Ok(value) => SecretString::from(value.secret_string.ok_or("the secret is not text")?),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                if rotation.step != "createSecret" {
                    return Err("this version has no keys yet".into());
                }
                let new = rotation::rotate(current.expose_secret(), now)?;
                return self.put_pending(secret, version, &new).await;
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
                self.public_keys.replace(published.as_deref(), &pending).await
            }
            "testSecret" => {
                let published = KeySet::from_stored(&published.ok_or("no key was published yet")?)?;
                Ok(KeySet::from_stored(new.expose_secret())?.check_published(&published)?)
            }
            "finishSecret" => {
                if published.as_ref() != Some(&rotation::pending_public_keys(new.expose_secret())?) {
                    return Err("the keys of this rotation are not published".into());
                }
                let former = versions.keys().find(|id| has(id, CURRENT)).ok_or("no version is the current one")?;
                self.move_stage(secret, CURRENT, Some(version), former).await?;
                self.promote(published, &new).await
            }
            _ => Err("this is not a step of a rotation".into()),
        }
    }

    /// Publishes that the newest of `keys`, which are current, will sign. Does nothing if a later rotation already
    /// published its own keys beside this one.
    async fn promote(&self, published: Option<String>, keys: &SecretString) -> Result<(), BoxError> {
        let keys = keys.expose_secret();
        let is_pending = published.as_ref() == Some(&rotation::pending_public_keys(keys)?);
        let is_published = published.as_deref().map(|set| rotation::contains_newest_key(set, keys)).transpose()?;
        if is_pending || is_published != Some(true) {
            self.public_keys.replace(published.as_deref(), &rotation::public_keys(keys)?).await?;
        }
        Ok(())
    }

    /// Writes the pending version of the secret. Secrets Manager rejects another value for an id that exists.
    async fn put_pending(&self, secret: &str, version: &str, keys: &SecretString) -> Result<(), BoxError> {
        let put = self
            .client
            .put_secret_value()
            .secret_id(secret)
            .client_request_token(version)
            .version_stages(PENDING)
            .secret_string(keys.expose_secret());
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
