//! What an operator can set, each by an environment variable with a default.

use std::str::FromStr as _;

use crate::phone::{self, Region};
use crate::store::Budget;

/// The most that [`Config::refresh_token_seconds`] can be: 90 days.
pub const MAX_REFRESH_TOKEN_SECONDS: i64 = 90 * 24 * 60 * 60;

/// The configuration. Each field names its variable; the README's table has one row for each.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DEFAULT_REGION` (`KR`): where a national phone number is, as ISO 3166-1 alpha-2.
    pub default_region: Region,
    /// `SERVICE_NAME` (`Ably`): who the SMS says it is from; 1 to 20 characters.
    pub service_name: String,
    /// `CODE_SECONDS` (300): how long a code can be used, in seconds.
    pub code_seconds: i64,
    /// `VERIFIED_SECONDS` (600): how long a verified session can be used, in seconds.
    pub verified_seconds: i64,
    /// `TRIES_PER_SESSION` (5): how many codes a session may try.
    pub tries_per_session: u32,
    /// `FAILED_TRIES_PER_PHONE_PER_DAY` (20): how many wrong codes a phone may get in 24 hours.
    pub failed_tries_per_phone_per_day: u32,
    /// `SECONDS_BETWEEN_SENDS` (60): a phone's cool-down between two codes, in seconds.
    pub seconds_between_sends: i64,
    /// `SENDS_PER_PHONE_PER_HOUR` (5): how many codes a phone may get in an hour.
    pub sends_per_phone_per_hour: u32,
    /// `SENDS_PER_PHONE_PER_DAY` (10): how many codes a phone may get in 24 hours.
    pub sends_per_phone_per_day: u32,
    /// `SMS_SENDER_ID` (none): who the phone shows as the sender, where its country allows that; 1 to
    /// 11 letters and digits.
    pub sms_sender_id: Option<String>,
    /// `SMS_MAX_PRICE_USD` (0.50): the most that one SMS may cost, in US dollars; SNS sends no dearer one.
    pub sms_max_price_usd: String,
    /// `BCRYPT_COST` (12): the binary logarithm of bcrypt's rounds.
    pub bcrypt_cost: u32,
    /// `TOKEN_ISSUER` (none): the `iss` of the tokens, which is the URL of the API, without a slash at its
    /// end. Without it, where the request came to.
    pub token_issuer: Option<String>,
    /// `TOKEN_AUDIENCE` (`ably`): the `aud` of the access tokens.
    pub token_audience: String,
    /// `ACCESS_TOKEN_SECONDS` (900): how long an access token is valid, in seconds.
    pub access_token_seconds: i64,
    /// `REFRESH_TOKEN_SECONDS` (2592000, 30 days): how long a refresh token is valid, and so how long a
    /// login lasts that is not used, in seconds.
    pub refresh_token_seconds: i64,
    /// `LOGIN_SECONDS` (7776000, 90 days): how long a login lasts, however much it is used, in seconds.
    pub login_seconds: i64,
}

/// A variable that is missing or bad. Says which one and what it must be, never what it was.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {must}")]
pub struct ConfigError {
    /// The variable's name.
    pub variable: &'static str,
    /// What is wrong with it.
    pub must: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            default_region: Region::KR,
            service_name: "Ably".to_owned(),
            code_seconds: 300,
            verified_seconds: 600,
            tries_per_session: 5,
            failed_tries_per_phone_per_day: 20,
            seconds_between_sends: 60,
            sends_per_phone_per_hour: 5,
            sends_per_phone_per_day: 10,
            sms_sender_id: None,
            sms_max_price_usd: "0.50".to_owned(),
            bcrypt_cost: 12,
            token_issuer: None,
            token_audience: "ably".to_owned(),
            access_token_seconds: 900,
            refresh_token_seconds: 30 * 24 * 60 * 60,
            login_seconds: 90 * 24 * 60 * 60,
        }
    }
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`ConfigError`], with the first variable that is out of its bounds.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&|variable| std::env::var(variable).ok())
    }

    /// Reads variables as `variable` tells them.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let default = Self::default();
        let text = |name, default: String| match variable(name) {
            None => Ok(default),
            Some(value) if value.trim().is_empty() => {
                Err(ConfigError { variable: name, must: "must not be empty".into() })
            }
            Some(value) => Ok(value),
        };
        let number = |name, default: i64, least: i64, most: i64| match variable(name) {
            None => Ok(default),
            Some(value) => value.parse().ok().filter(|value| (least..=most).contains(value)).ok_or_else(|| {
                ConfigError { variable: name, must: format!("must be a whole number from {least} to {most}") }
            }),
        };
        let count = |name, default: u32, least: u32, most: u32| {
            number(name, default.into(), least.into(), most.into()).map(|value| u32::try_from(value).unwrap_or(most))
        };

        let default_region = match variable("DEFAULT_REGION") {
            None => default.default_region,
            Some(region) => {
                Region::from_str(&region).ok().filter(|&region| phone::is_known(region)).ok_or_else(|| {
                    let must = "must be a country, as two capital letters".to_owned();
                    ConfigError { variable: "DEFAULT_REGION", must }
                })?
            }
        };
        let service_name = text("SERVICE_NAME", default.service_name)?;
        // Longer, and the text of an SMS would no longer fit one segment.
        if service_name.chars().count() > 20 || service_name.chars().any(|c| c.is_control() || c.len_utf16() > 1) {
            let must = "must have 1 to 20 characters, and no emoji".to_owned();
            return Err(ConfigError { variable: "SERVICE_NAME", must });
        }
        let sms_sender_id = variable("SMS_SENDER_ID").filter(|id| !id.is_empty());
        if sms_sender_id
            .as_ref()
            .is_some_and(|id| id.len() > 11 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        {
            let must = "must have at most 11 letters and digits".to_owned();
            return Err(ConfigError { variable: "SMS_SENDER_ID", must });
        }
        let sms_max_price_usd = text("SMS_MAX_PRICE_USD", default.sms_max_price_usd)?;
        if !sms_max_price_usd.parse::<f64>().is_ok_and(|price| price > 0.0 && price.is_finite()) {
            return Err(ConfigError {
                variable: "SMS_MAX_PRICE_USD",
                must: "must be a price in US dollars".to_owned(),
            });
        }
        let token_issuer = variable("TOKEN_ISSUER").filter(|url| !url.is_empty());
        if token_issuer.as_ref().is_some_and(|url| !is_issuer(url)) {
            let must =
                "must be a URL that begins with https:// or http://, with no slash at its end and no query".to_owned();
            return Err(ConfigError { variable: "TOKEN_ISSUER", must });
        }
        Ok(Self {
            default_region,
            service_name,
            code_seconds: number("CODE_SECONDS", default.code_seconds, 60, 600)?,
            verified_seconds: number("VERIFIED_SECONDS", default.verified_seconds, 60, 3600)?,
            tries_per_session: count("TRIES_PER_SESSION", default.tries_per_session, 1, 10)?,
            failed_tries_per_phone_per_day: count(
                "FAILED_TRIES_PER_PHONE_PER_DAY",
                default.failed_tries_per_phone_per_day,
                1,
                50,
            )?,
            seconds_between_sends: number("SECONDS_BETWEEN_SENDS", default.seconds_between_sends, 1, 3600)?,
            sends_per_phone_per_hour: count("SENDS_PER_PHONE_PER_HOUR", default.sends_per_phone_per_hour, 1, 50)?,
            sends_per_phone_per_day: count("SENDS_PER_PHONE_PER_DAY", default.sends_per_phone_per_day, 1, 50)?,
            sms_sender_id,
            sms_max_price_usd,
            // OWASP asks for at least 10; at 16 a hash takes seconds.
            bcrypt_cost: count("BCRYPT_COST", default.bcrypt_cost, 10, 16)?,
            token_issuer,
            token_audience: text("TOKEN_AUDIENCE", default.token_audience)?,
            access_token_seconds: number("ACCESS_TOKEN_SECONDS", default.access_token_seconds, 60, 86_400)?,
            refresh_token_seconds: number(
                "REFRESH_TOKEN_SECONDS",
                default.refresh_token_seconds,
                3600,
                MAX_REFRESH_TOKEN_SECONDS,
            )?,
            login_seconds: number("LOGIN_SECONDS", default.login_seconds, 3600, 365 * 24 * 60 * 60)?,
        })
    }

    /// How often a phone may get a code.
    #[must_use]
    pub fn sends(&self) -> Budget {
        Budget::new([
            (1, self.seconds_between_sends),
            (self.sends_per_phone_per_hour, 60 * 60),
            (self.sends_per_phone_per_day, 24 * 60 * 60),
        ])
    }

    /// How often a phone may get a code wrong.
    #[must_use]
    pub fn failed_tries(&self) -> Budget {
        Budget::new([(self.failed_tries_per_phone_per_day, 24 * 60 * 60)])
    }
}

/// Whether others can find `/.well-known/…` below it (OpenID Connect Discovery 1.0, 4).
fn is_issuer(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    !rest.is_empty() && !rest.ends_with('/') && !rest.contains(|c: char| c.is_whitespace() || "?#@\"".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Config, ConfigError> {
        Config::read(&|variable| (variable == name).then(|| value.to_owned()))
    }

    #[test]
    fn reads_what_is_set() {
        let config = with("CODE_SECONDS", "120").unwrap();
        assert_eq!((config.code_seconds, config.verified_seconds), (120, 600));
        assert_eq!(with("DEFAULT_REGION", "JP").unwrap().default_region, Region::JP);
    }

    #[test]
    fn says_which_variable_is_bad_and_not_its_value() {
        assert_eq!(
            with("BCRYPT_COST", "9").unwrap_err().to_string(),
            "BCRYPT_COST must be a whole number from 10 to 16"
        );
        assert_eq!(
            with("TRIES_PER_SESSION", "many").unwrap_err().to_string(),
            "TRIES_PER_SESSION must be a whole number from 1 to 10"
        );
        for region in ["Korea", "XX", "001", ""] {
            assert!(with("DEFAULT_REGION", region).is_err(), "{region}");
        }
        assert!(with("SERVICE_NAME", &"a".repeat(21)).is_err());
        assert!(with("TOKEN_ISSUER", "").unwrap().token_issuer.is_none());
        for url in [
            "ably",
            "https://",
            "https://example.com/",
            "https://example.com?a",
            "https://exa mple.com",
            "https://a@example.com",
        ] {
            assert!(with("TOKEN_ISSUER", url).is_err(), "{url}");
        }
        assert!(with("TOKEN_AUDIENCE", "").is_err());
        for (name, good, bad) in [
            ("SMS_SENDER_ID", "Ably", "A dash-"),
            ("TOKEN_ISSUER", "https://accounts.example.com/a", "accounts.example.com"),
            ("SMS_MAX_PRICE_USD", "0.05", "0.0"),
        ] {
            assert!(with(name, good).is_ok() && with(name, bad).is_err(), "{name}");
        }
        assert!(with("SMS_SENDER_ID", "").unwrap().sms_sender_id.is_none());
    }
}
