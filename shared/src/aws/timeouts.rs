//! The timeouts of calls to AWS.

use std::time::Duration;

use aws_sdk_dynamodb::config::timeout::TimeoutConfig;
use aws_types::SdkConfig;

use super::variable::optional_variable;
use crate::config::ConfigError;

const VARIABLE: &str = "TIMEOUT_FACTOR";
/// The timeout of connecting, with the factor 1.
const CONNECT: Duration = Duration::from_secs(1);

/// The timeouts, each multiplied by `TIMEOUT_FACTOR`: a whole number from 1 to 100, by default 1.
///
/// A function that runs under an instrument such as valgrind is many times slower. A timeout that elapses
/// there costs a second TLS handshake, so that the counted instructions depend on the machine's speed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeouts {
    factor: u32,
}

impl Timeouts {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// [`ConfigError`] if the factor is out of its bounds.
    pub(super) fn from_env() -> Result<Self, ConfigError> {
        Self::parse(optional_variable(VARIABLE).as_deref())
    }

    fn parse(factor: Option<&str>) -> Result<Self, ConfigError> {
        let factor = factor.map_or(Some(1), |factor| factor.parse().ok()).filter(|factor| (1..=100).contains(factor));
        let must = || ConfigError { variable: VARIABLE, must: "must be a whole number from 1 to 100".into() };
        factor.map(|factor| Self { factor }).ok_or_else(must)
    }

    /// Returns the timeouts with which a configuration was created, so that the environment is read once.
    pub(super) fn used_by(sdk: &SdkConfig) -> Self {
        let connect = sdk.timeout_config().and_then(TimeoutConfig::connect_timeout).unwrap_or(CONNECT);
        Self { factor: u32::try_from(connect.as_millis() / CONNECT.as_millis()).unwrap_or(1) }
    }

    /// Returns the timeouts of a call with its retries.
    pub(super) fn call(self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.factor * CONNECT)
            .operation_attempt_timeout(self.factor * Duration::from_millis(2500))
            .operation_timeout(self.factor * Duration::from_secs(6))
            .build()
    }

    /// Returns the timeout of publishing an SMS, which is not retried.
    pub(super) fn publish(self) -> TimeoutConfig {
        TimeoutConfig::builder().operation_timeout(self.factor * Duration::from_secs(5)).build()
    }

    /// Returns the timeout of a call with all attempts that a conflict requires. A function that makes several
    /// calls exceeds its 29 s only if most of them are slow: Lambda then stops it.
    pub(super) fn all_attempts(self) -> Duration {
        self.factor * Duration::from_secs(8)
    }

    /// Returns the timeout of init's first request to DynamoDB or SNS: many times what it usually takes.
    pub(super) fn warm_up(self) -> Duration {
        self.factor * Duration::from_secs(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_multiplies_every_timeout() {
        let all = |factor| {
            let sdk = SdkConfig::builder().timeout_config(Timeouts::parse(factor).unwrap().call()).build();
            let (timeouts, call) = (Timeouts::used_by(&sdk), sdk.timeout_config().unwrap());
            [
                call.connect_timeout().unwrap(),
                call.operation_attempt_timeout().unwrap(),
                call.operation_timeout().unwrap(),
                timeouts.publish().operation_timeout().unwrap(),
                timeouts.all_attempts(),
                timeouts.warm_up(),
            ]
        };
        assert_eq!(all(None).map(|timeout| timeout.as_millis()), [1000, 2500, 6000, 5000, 8000, 1000]);
        assert_eq!(all(Some("60")), all(None).map(|timeout| 60 * timeout));
    }

    #[test]
    fn a_factor_out_of_bounds_is_rejected() {
        for factor in ["0", "101", "-1", "1.5", "two", " 2"] {
            let error = Timeouts::parse(Some(factor)).unwrap_err().to_string();
            assert_eq!(error, "TIMEOUT_FACTOR must be a whole number from 1 to 100", "{factor}");
        }
        assert!(Timeouts::parse(Some("1")).is_ok() && Timeouts::parse(Some("100")).is_ok());
    }
}
