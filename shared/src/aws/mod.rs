//! The backend on AWS: DynamoDB, SNS and Secrets Manager.

mod dynamodb;
mod error;
mod rotation;
mod sdk;
mod secrets;
mod sns;
mod timeouts;
mod variable;

use std::sync::Arc;

use crate::access::{Access, KeyAccess};
use crate::app::{AccountsIn, App};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, SETTINGS};
use crate::error::BoxError;
use crate::sms::NoSms;
use crate::tokens::Keyring;
use crate::values::Region;

pub use aws_types::SdkConfig;
pub use dynamodb::{DynamoDbStore, PublicKeys, TableNames};
pub use rotation::{Rotation, Rotator};
pub use sdk::{http_client, sdk_config};
pub use secrets::SecretKeys;
pub use sns::SnsSms;

use sdk::warm_up;
use timeouts::Timeouts;
use variable::variable;

/// The store of this backend.
pub type BackendStore = DynamoDbStore;

/// Connects a function to the services of its `access`, once, in init, where Lambda provides a full CPU.
/// Opens each connection with one cheap request, so that the first invocation does not have to: functions
/// that verify tokens load the public keys, others read an item that does not exist. Calls `prepare` with the
/// default region meanwhile, and `accounts` with the store.
///
/// # Errors
/// If a variable is missing or invalid, or the keys cannot be loaded. Ignores a DynamoDB or SNS that does
/// not respond: the first request retries.
pub async fn connect(access: Access, prepare: fn(Region), accounts: AccountsIn<BackendStore>) -> Result<App, BoxError> {
    connect_with(Config::from_env()?, &sdk_config()?, access, prepare, accounts).await
}

/// Connects a job to the store, with one cheap request.
///
/// # Errors
/// If a variable is missing or invalid.
pub async fn connect_store() -> Result<DynamoDbStore, BoxError> {
    let sdk = sdk_config()?;
    let store = DynamoDbStore::new(&sdk, TableNames::from_env()?);
    warm_up("the store", Timeouts::used_by(&sdk).warm_up(), store.public_keys().warm_up()).await;
    Ok(store)
}

/// Does the same as [`connect`] for a function that sends SMS.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_sms(
    access: Access,
    prepare: fn(Region),
    accounts: AccountsIn<BackendStore>,
) -> Result<App, BoxError> {
    for setting in SETTINGS.iter().filter(|setting| setting.is_required_on_aws) {
        variable(setting.variable)?;
    }
    let (config, sdk) = (Config::from_env()?, sdk_config()?);
    let timeout = Timeouts::used_by(&sdk).warm_up();
    let sms = SnsSms::new(&sdk, config.sms.clone());
    let ((), app) = tokio::join!(
        warm_up("the SMS provider", timeout, sms.warm_up()),
        connect_with(config, &sdk, access, prepare, accounts)
    );
    Ok(App { sms: Box::new(sms), ..app? })
}

async fn connect_with(
    config: Config,
    sdk: &SdkConfig,
    access: Access,
    prepare: fn(Region),
    accounts: AccountsIn<BackendStore>,
) -> Result<App, BoxError> {
    let store = Arc::new(DynamoDbStore::new(sdk, TableNames::from_env()?));
    let timeout = Timeouts::used_by(sdk).warm_up();
    let keyring = async {
        Ok::<_, BoxError>(match access.keys {
            KeyAccess::None | KeyAccess::Rotate => Keyring::default(),
            KeyAccess::Verify => Keyring::load(Box::new(store.public_keys()), SystemClock.now()).await?,
            KeyAccess::Sign => {
                let private_keys = SecretKeys::new(sdk, variable("PRIVATE_KEYS_SECRET")?);
                Keyring::load(Box::new(private_keys), SystemClock.now()).await?
            }
        })
    };
    let connection = async {
        if !access.tables.is_empty() && access.keys != KeyAccess::Verify {
            warm_up("the store", timeout, store.public_keys().warm_up()).await;
        }
    };
    // Polled last, while other threads look up the names of the services.
    let prepared = async { prepare(config.default_region) };
    let (keyring, (), ()) = tokio::join!(keyring, connection, prepared);
    let keyring = keyring?;
    let accounts = accounts(&store);
    Ok(App::new(config, store, NoSms, Arc::new(SystemClock)).with_accounts(accounts).with_keyring(keyring))
}
