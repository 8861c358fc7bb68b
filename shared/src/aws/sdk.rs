//! The configuration of the SDK, shared by all clients, and the first request of each client.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, IdentityCache, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_types::SdkConfig;
use aws_types::region::Region;
use aws_types::service_config::{LoadServiceConfig, ServiceConfigKey};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::error::CallError;
use super::timeouts::Timeouts;
use super::variable::{optional_variable, variable};
use crate::config::ConfigError;
use crate::error::BoxError;

/// Waits for the first request to a service, and no longer than `timeout`. Ignores a failure: the next
/// request to the service retries and reports it.
pub(super) async fn warm_up(service: &str, timeout: Duration, request: impl Future<Output = Result<(), CallError>>) {
    let cause: BoxError = match tokio::time::timeout(timeout, request).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.into(),
        Err(elapsed) => elapsed.into(),
    };
    tracing::warn!(%cause, "{service} did not respond in init");
}

/// Returns the SDK's configuration for all services: a call takes three attempts and 6 s at most, times
/// `TIMEOUT_FACTOR`. Built directly from the variables that Lambda sets. The SDK's own chain of files and
/// services takes longer than the rest of init.
///
/// # Errors
/// If a variable that Lambda sets is missing, `AWS_CA_BUNDLE` does not name a file of certificates, or
/// `TIMEOUT_FACTOR` is out of its bounds.
pub fn sdk_config() -> Result<SdkConfig, BoxError> {
    // Lambda provides them for the lifetime of the process.
    let credentials = Credentials::new(
        variable("AWS_ACCESS_KEY_ID")?,
        variable("AWS_SECRET_ACCESS_KEY")?,
        optional_variable("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let mut sdk = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(variable("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        // They never change, so there is nothing to cache.
        .identity_cache(IdentityCache::no_cache())
        .http_client(http_client()?)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(SystemTimeSource::new()))
        .retry_config(RetryConfig::standard().with_max_attempts(3).with_max_backoff(Duration::from_millis(500)))
        .timeout_config(Timeouts::from_env()?.call())
        // Meant for large bodies; these are small, and have timeouts.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    sdk.set_endpoint_url(optional_variable("AWS_ENDPOINT_URL")).set_service_config(Some(ServiceEnvironment));
    Ok(sdk.build())
}

/// The settings of one service: its `AWS_ENDPOINT_URL_…` in the environment.
#[derive(Debug)]
struct ServiceEnvironment;

impl LoadServiceConfig for ServiceEnvironment {
    fn load_config(&self, key: ServiceConfigKey<'_>) -> Option<String> {
        optional_variable(&service_variable(&key))
    }
}

fn service_variable(key: &ServiceConfigKey<'_>) -> String {
    format!("{}_{}", key.env(), key.service_id().to_uppercase().replace(' ', "_"))
}

/// Returns one HTTP client for all services. It trusts only the root certificates of Amazon, or those in
/// the file `AWS_CA_BUNDLE`.
///
/// # Errors
/// If `AWS_CA_BUNDLE` does not name a file of certificates.
pub fn http_client() -> Result<SharedHttpClient, BoxError> {
    let roots = match optional_variable("AWS_CA_BUNDLE") {
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

/// Whether `pem` contains only certificates: the HTTP client panics at anything else.
fn are_certificates(pem: &[u8]) -> bool {
    let mut roots = RootCertStore::empty();
    let mut certificates = CertificateDer::pem_slice_iter(pem);
    certificates.all(|certificate| certificate.is_ok_and(|certificate| roots.add(certificate).is_ok()))
        && !roots.is_empty()
}

/// The root certificates of [Amazon Trust Services](https://www.amazontrust.com/repository/) 1 to 4, and
/// that of Starfield, which signs them.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_has_the_documented_variable() {
        for (service, variable) in [
            ("DynamoDB", "AWS_ENDPOINT_URL_DYNAMODB"),
            ("SNS", "AWS_ENDPOINT_URL_SNS"),
            ("Secrets Manager", "AWS_ENDPOINT_URL_SECRETS_MANAGER"),
        ] {
            let key = ServiceConfigKey::builder().service_id(service).env("AWS_ENDPOINT_URL").profile("endpoint_url");
            assert_eq!(service_variable(&key.build().unwrap()), variable);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn init_does_not_wait_for_a_service_that_does_not_respond() {
        let begin = tokio::time::Instant::now();
        warm_up("a service", Duration::from_secs(1), std::future::pending()).await;
        assert_eq!(begin.elapsed().as_secs(), 1);
    }

    #[test]
    fn the_root_certificates_of_amazon_are_valid() {
        assert_eq!(String::from_utf8_lossy(AMAZON_ROOTS).matches("BEGIN CERTIFICATE").count(), 5);
        assert!(are_certificates(AMAZON_ROOTS));
    }

    #[test]
    fn anything_but_certificates_is_rejected() {
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
