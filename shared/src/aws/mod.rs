//! The backend on AWS: DynamoDB, SNS, and the keys in Secrets Manager.

mod dynamodb;
mod keys;
mod sns;
mod timeouts;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, IdentityCache, SharedHttpClient, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::clock::{Clock as _, SystemClock};
use crate::config::{Config, ConfigError};
use crate::keys::Keys;
use crate::phone;
use crate::sms_auth::AuthCode;
use crate::{App, Needs, Table};

pub use aws_types::SdkConfig;
pub use dynamodb::DynamoDbStore;
pub use keys::{Rotation, Rotator, SecretKeys};
use sns::NoSms;
pub use sns::SnsSms;
use timeouts::Timeouts;

/// Connects a function on AWS, once, in init, where Lambda gives it a full CPU: a connection to each
/// service that it `needs`, with one cheap request, so that the first invocation finds it open. The
/// keys are read with their private halves in a function that signs, and without in one that only
/// verifies, as `KEYS_SECRET` says.
///
/// # Errors
/// If a variable is missing or bad, or the keys can't be read. That DynamoDB or SNS does not answer is
/// none: they are asked again when they are needed.
pub async fn connect(needs: Needs) -> Result<App, Box<dyn Error + Send + Sync>> {
    connect_as(Config::from_env()?, &sdk_config()?, needs).await
}

/// The same, for a function that sends SMS.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_sms(needs: Needs) -> Result<App, Box<dyn Error + Send + Sync>> {
    let (config, sdk) = (Config::from_env()?, sdk_config()?);
    let sms = SnsSms::new(&sdk, &config);
    let limit = Timeouts::of(&sdk).of_init();
    let ((), app) = tokio::join!(warm("the SMS provider", limit, sms.warm()), connect_as(config, &sdk, needs));
    Ok(App { sms: Box::new(sms), ..app? })
}

async fn connect_as(config: Config, sdk: &SdkConfig, needs: Needs) -> Result<App, Box<dyn Error + Send + Sync>> {
    let store = DynamoDbStore::new(
        sdk,
        variable("USERS_TABLE")?,
        variable("SMS_SESSIONS_TABLE")?,
        variable("TOKEN_FAMILIES_TABLE")?,
    );
    let keys = async {
        if !needs.keys {
            return Ok(Keys::default());
        }
        Keys::read(Box::new(SecretKeys::new(sdk, variable("KEYS_SECRET")?)), SystemClock.now()).await
    };
    let limit = Timeouts::of(sdk).of_init();
    let ask = async |table: Option<Table>| {
        if let Some(table) = table {
            warm("the store", limit, store.warm(table)).await;
        }
    };
    // Last, while the services' names are looked up on other threads.
    let phones = async {
        if needs.phones {
            phone::warm_up(&config);
        }
    };
    let (keys, (), (), ()) = tokio::join!(keys, ask(needs.table), ask(needs.table.filter(|_| needs.at_once)), phones);
    Ok(App {
        store: Box::new(store),
        sms: Box::new(NoSms),
        config,
        keys: keys?,
        clock: Arc::new(SystemClock),
        new_code: AuthCode::generate,
    })
}

/// Waits until `asked` was answered, and no longer than `limit`.
async fn warm(what: &str, limit: Duration, asked: impl Future<Output = Result<(), CallError>>) {
    let cause: Box<dyn Error> = match tokio::time::timeout(limit, asked).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.into(),
        Err(elapsed) => elapsed.into(),
    };
    tracing::warn!(%cause, "{what} could not be asked in init");
}

/// The SDK's configuration, for all services: a call is tried three times at most, and takes 6 s at
/// most, multiplied by `TIMEOUT_FACTOR`. Made by hand from what Lambda sets, instead of by the SDK's chain of files and services that
/// might be asked: that takes longer than everything else in init.
///
/// # Errors
/// If a variable that Lambda sets is missing, `AWS_CA_BUNDLE` names no file of certificates, or
/// `TIMEOUT_FACTOR` is out of its bounds.
pub fn sdk_config() -> Result<SdkConfig, Box<dyn Error + Send + Sync>> {
    // Lambda gives them to the process for its life.
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        value_of("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        // They stay the same: there is nothing to keep or to renew.
        .identity_cache(IdentityCache::no_cache())
        .http_client(http_client()?)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)))
        .timeout_config(Timeouts::from_env()?.of_calls())
        // For large bodies; ours are small, and have their timeouts.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    sdk.set_endpoint_url(value_of("AWS_ENDPOINT_URL")).set_service_config(Some(OfService));
    Ok(sdk.build())
}

/// What each client asks for its own service: of the environment, its `AWS_ENDPOINT_URL_…`.
#[derive(Debug)]
struct OfService;

impl LoadServiceConfig for OfService {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        value_of(&variable_of_service(&key))
    }
}

fn variable_of_service(key: &ServiceConfigKey<'_>) -> String {
    format!("{}_{}", key.env(), key.service_id().to_uppercase().replace(' ', "_"))
}

/// One client for all services. It trusts the roots that Amazon's certificates come from, and none of
/// the hundred others; or those in the file `AWS_CA_BUNDLE`.
fn http_client() -> Result<SharedHttpClient, Box<dyn Error + Send + Sync>> {
    let roots = match value_of("AWS_CA_BUNDLE") {
        Some(file) => std::fs::read(file).ok().filter(|pem| are_certificates(pem)).ok_or_else(|| {
            let must = "must name a file of certificates in PEM".into();
            ConfigError { variable: "AWS_CA_BUNDLE", must }
        })?,
        None => AMAZON_ROOTS.to_vec(),
    };
    let context = TlsContext::builder().with_trust_store(TrustStore::empty().with_pem_certificate(roots)).build()?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
        .tls_context(context)
        .build_https())
}

/// Whether they can be trusted: the HTTP client panics at one that it can't read.
fn are_certificates(pem: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    let mut certificates = CertificateDer::pem_slice_iter(pem);
    certificates.all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()))
        && !roots.is_empty()
}

/// [Amazon Trust Services](https://www.amazontrust.com/repository/): its root CAs 1 to 4, and the one of
/// Starfield that signs them.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Reads a variable that the template sets.
///
/// # Errors
/// [`ConfigError`], if there is none.
fn variable(variable: &'static str) -> Result<String, ConfigError> {
    value_of(variable).ok_or(ConfigError { variable, must: "is required".into() })
}

/// The value of a variable, if it has one: an empty one is none.
fn value_of(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_the_variable_that_the_readme_names() {
        for (service, variable) in [
            ("DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB"),
            ("SNS", "AWS_ENDPOINT_URL_SNS"),
            ("Secrets Manager", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        ] {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            assert_eq!(variable_of_service(&key.build().unwrap()), variable);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn init_does_not_wait_for_a_service_that_does_not_answer() {
        let begin = tokio::time::Instant::now();
        warm("a service", Duration::from_secs(1), std::future::pending()).await;
        assert_eq!(begin.elapsed().as_secs(), 1);
    }

    #[test]
    fn amazon_s_roots_are_read() {
        assert_eq!(String::from_utf8_lossy(AMAZON_ROOTS).matches("BEGIN CERTIFICATE").count(), 5);
        assert!(are_certificates(AMAZON_ROOTS));
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let wrap = |base64: &str| format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        for pem in [
            "",
            "none",
            &wrap("AAAA"),
            &wrap("?"),
            &format!("{}{}", String::from_utf8_lossy(AMAZON_ROOTS), wrap("AAAA")),
        ] {
            assert!(!are_certificates(pem.as_bytes()), "{pem}");
        }
    }
}
