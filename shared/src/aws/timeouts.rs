//! How long a function waits for AWS.

use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::value_of;
use crate::config::ConfigError;

const VARIABLE: &str = "TIMEOUT_FACTOR";
/// How long a connection may take to open, with the factor 1.
const CONNECT: Duration = Duration::from_secs(1);

/// The longest waits for AWS, each multiplied by `TIMEOUT_FACTOR`: a whole number from 1 to 100, by
/// default 1.
///
/// A function that runs under an instrument is many times slower. A timeout that elapses there costs a
/// second TLS handshake and a second request, so that what is counted depends on the machine's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts {
    factor: u32,
}

impl Timeouts {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`], if the factor is out of its bounds.
    pub(super) fn from_env() -> Result<Self, ConfigError> {
        Self::parse(value_of(VARIABLE).as_deref())
    }

    fn parse(factor: Option<&str>) -> Result<Self, ConfigError> {
        let factor = factor.map_or(Some(1), |factor| factor.parse().ok()).filter(|factor| (1..=100).contains(factor));
        let must = || ConfigError { variable: VARIABLE, must: "must be a whole number from 1 to 100".into() };
        factor.map(|factor| Self { factor }).ok_or_else(must)
    }

    /// Returns those that a configuration was created with, so that the environment is read once.
    pub(super) fn of(sdk: &SdkConfig) -> Self {
        let connect = sdk.timeout_config().and_then(TimeoutConfig::connect_timeout).unwrap_or(CONNECT);
        Self { factor: u32::try_from(connect.as_millis() / CONNECT.as_millis()).unwrap_or(1) }
    }

    /// Returns the limits of a call with its retries.
    pub(super) fn of_calls(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.factor * CONNECT)
            .operation_attempt_timeout(self.factor * Duration::from_millis(2500))
            .operation_timeout(self.factor * Duration::from_secs(6))
            .build()
    }

    /// Returns the limit of a call of SNS, which is not retried.
    pub(super) fn of_publish(self) -> TimeoutConfig {
        TimeoutConfig::builder().operation_timeout(self.factor * Duration::from_secs(5)).build()
    }

    /// Returns the limit of a transaction with its attempts. A function makes at most two transactions,
    /// besides one SMS or two reads: with the factor 1 it answers within its 29 s.
    pub(super) fn of_transaction(self) -> Duration {
        self.factor * Duration::from_secs(8)
    }

    /// Returns how long init waits for DynamoDB and SNS: many times what both take when all is well.
    pub(super) fn of_init(self) -> Duration {
        self.factor * Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_multiplies_every_timeout() {
        let all = |factor| {
            let sdk = SdkConfig::builder().timeout_config(Timeouts::parse(factor).unwrap().of_calls()).build();
            let (timeouts, calls) = (Timeouts::of(&sdk), sdk.timeout_config().unwrap());
            [
                calls.connect_timeout().unwrap(),
                calls.operation_attempt_timeout().unwrap(),
                calls.operation_timeout().unwrap(),
                timeouts.of_publish().operation_timeout().unwrap(),
                timeouts.of_transaction(),
                timeouts.of_init(),
            ]
        };
        assert_eq!(all(None).map(|timeout| timeout.as_millis()), [1000, 2500, 6000, 5000, 8000, 1000]);
        assert_eq!(all(Some("60")), all(None).map(|timeout| 60 * timeout));
    }

    #[test]
    fn factor_out_of_bounds_is_rejected() {
        for factor in ["0", "101", "-1", "1.5", "two", " 2"] {
            let error = Timeouts::parse(Some(factor)).unwrap_err().to_string();
            assert_eq!(error, "TIMEOUT_FACTOR must be a whole number from 1 to 100", "{factor}");
        }
        assert!(Timeouts::parse(Some("1")).is_ok() && Timeouts::parse(Some("100")).is_ok());
    }
}
