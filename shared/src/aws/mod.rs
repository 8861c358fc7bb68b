//! The backend on AWS: DynamoDB, SNS, and the keys in Secrets Manager.

mod dynamodb;
mod keys;
mod sns;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

use crate::App;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, ConfigError};
use crate::keys::Keys;
use crate::sms_auth::AuthCode;

pub use aws_config::SdkConfig;
pub use dynamodb::DynamoDbStore;
pub use keys::{Rotation, SecretKeys, rotate_keys};
pub use sns::SnsSms;

/// Connects a function on AWS, once, in init; reads the keys if it `needs_keys`: with their private
/// halves in a function that signs, and without in one that only verifies, as `KEYS_SECRET` says.
///
/// # Errors
/// If a variable is missing or bad, or the keys can't be read.
pub async fn connect(needs_keys: bool) -> Result<App, Box<dyn Error + Send + Sync>> {
    let config = Config::from_env()?;
    let sdk = sdk_config().await;
    let keys = if needs_keys {
        Keys::read(Box::new(SecretKeys::new(&sdk, variable("KEYS_SECRET")?)), SystemClock.now()).await?
    } else {
        Keys::default()
    };
    Ok(App {
        store: Box::new(DynamoDbStore::new(
            &sdk,
            variable("USERS_TABLE")?,
            variable("SMS_SESSIONS_TABLE")?,
            variable("TOKEN_FAMILIES_TABLE")?,
        )),
        sms: Box::new(SnsSms::new(&sdk, &config)),
        config,
        keys,
        clock: Arc::new(SystemClock),
        new_code: AuthCode::generate,
    })
}

/// The SDK's configuration: a call is tried three times at most, and takes 6 s at most.
pub async fn sdk_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_millis(2500))
        .operation_timeout(Duration::from_secs(6));
    aws_config::defaults(BehaviorVersion::latest())
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)))
        .timeout_config(timeouts.build())
        .load()
        .await
}

/// Reads a variable that the template sets.
///
/// # Errors
/// [`ConfigError`], if there is none.
pub fn variable(variable: &'static str) -> Result<String, ConfigError> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
        .ok_or(ConfigError { variable, must: "is required".into() })
}

/// What is logged of a failed call. Not the service's message: it may repeat a value of the request.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {kind} {code} (request {request_id})")]
struct CallError {
    call: &'static str,
    kind: &'static str,
    code: String,
    request_id: String,
    is_passing: bool,
}

impl CallError {
    fn new<E: ProvideErrorMetadata>(call: &'static str, error: &SdkError<E>) -> Self {
        let (kind, is_passing) = match error {
            SdkError::TimeoutError(_) => ("timed out", true),
            SdkError::DispatchFailure(_) => ("could not be sent", true),
            SdkError::ResponseError(_) => ("got no answer that can be read", true),
            SdkError::ServiceError(answer) => {
                ("was refused with", is_passing(error.code()) || answer.raw().status().is_server_error())
            }
            _ => ("could not be built", false),
        };
        Self {
            call,
            kind,
            code: error.code().unwrap_or_default().to_owned(),
            request_id: error.request_id().unwrap_or("unknown").to_owned(),
            is_passing,
        }
    }
}

/// Whether an error of this code is worth another try.
fn is_passing(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ProvisionedThroughputExceededException"
                | "ProvisionedThroughputExceeded"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "ThrottlingError"
                | "InternalServerError"
                | "ServiceUnavailable"
                | "TransactionInProgressException"
                | "TransactionConflictException"
        )
    )
}
