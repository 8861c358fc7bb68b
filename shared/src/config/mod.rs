//! The configuration of a function, read from its environment.

pub mod setting;
pub mod settings;

use std::str::FromStr as _;

use crate::limits::Bucket;
use crate::sms::{SmsPrices, SmsSettings};
use crate::store::SessionLifetime;
use crate::tokens::TokenSettings;
use crate::values::{AppHash, Field as _, Region, TestPhone};

pub use setting::{Accepts, Setting};
pub use settings::SETTINGS;

/// The configuration. The table [`SETTINGS`] explains each setting.
#[derive(Clone, Debug)]
pub struct Config {
    /// `DEFAULT_REGION`.
    pub default_region: Region,
    /// `SERVICE_NAME`.
    pub service_name: String,
    /// `CODE_SECONDS`.
    pub code_seconds: i64,
    /// `VERIFIED_SECONDS`.
    pub verified_seconds: i64,
    /// `REQUIRE_PURPOSE`.
    pub require_purpose: bool,
    /// The settings that limit requests.
    pub limits: LimitSettings,
    /// `SMS_COUNTRIES`, or `DEFAULT_REGION` if that is empty.
    pub sms_countries: Vec<Region>,
    /// `ALLOWED_ORIGINS`.
    pub allowed_origins: Vec<String>,
    /// `SMS_SENDER_ID`, `None` if it is empty, and `SMS_MAX_PRICE_USD`.
    pub sms: SmsSettings,
    /// `SMS_PRICES_USD`.
    pub sms_prices: SmsPrices,
    /// `SMS_DOMAIN`; `None` if it is empty.
    pub sms_domain: Option<String>,
    /// `SMS_APP_HASHES`.
    pub sms_app_hashes: Vec<AppHash>,
    /// `SMS_AFTER_RESET`.
    pub sms_after_reset: bool,
    /// `TEST_PHONES`.
    pub test_phones: Vec<TestPhone>,
    /// `BCRYPT_COST`.
    pub bcrypt_cost: u32,
    /// `TOKEN_ISSUER`; `None` if it is empty.
    pub token_issuer: Option<String>,
    /// `TOKEN_AUDIENCE`, `ACCESS_TOKEN_SECONDS`, `REFRESH_TOKEN_SECONDS` and `SESSION_SECONDS`.
    pub tokens: TokenSettings,
    /// `RECENT_LOGIN_SECONDS`.
    pub recent_login_seconds: i64,
}

/// The settings that limit requests, each named after its variable.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the table `SETTINGS` explains each of them")]
pub struct LimitSettings {
    pub attempts_per_sms_session: u32,
    pub attempts_per_unnamed_reset: u32,
    pub sign_ups_per_sms_session: u32,
    pub seconds_between_sends: i64,
    pub sms_per_phone: Bucket,
    pub sms_per_phone_for_unnamed_reset: Bucket,
    pub sms_per_ip: Bucket,
    pub sms_per_device: Bucket,
    pub sms_per_account: Bucket,
    pub sms_per_day: u32,
    pub sms_percent_for_strangers: u32,
    pub passwords_per_account: Bucket,
    pub passwords_in_a_row: u32,
    pub passwords_per_device: Bucket,
    pub passwords_per_ip: Bucket,
    pub passwords_per_session: Bucket,
    pub checks_per_ip: Bucket,
}

impl LimitSettings {
    /// Returns the SMS of a day after which only known devices get a code.
    #[must_use]
    pub fn sms_per_day_for_strangers(&self) -> u32 {
        (self.sms_per_day * self.sms_percent_for_strangers).div_ceil(100)
    }
}

/// A variable is missing or invalid. Contains its name and what it must be, never its value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {must}")]
pub struct ConfigError {
    /// The name of the variable.
    pub variable: &'static str,
    /// The reason why it is rejected.
    pub must: String,
}

impl Config {
    /// Reads the environment of the process.
    ///
    /// # Errors
    /// [`ConfigError`] with the first variable that is out of its bounds.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_variables(&|variable| std::env::var(variable).ok())
    }

    /// Reads the parameters of a stack that `parameter` returns; a missing one has its default.
    ///
    /// Without the test phones, which CloudFormation does not return, and without the issuer, whose parameter is only
    /// its domain.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_parameters(parameter: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let unreadable = [settings::TEST_PHONES.variable, settings::TOKEN_ISSUER.variable];
        Self::from_variables(&|variable| {
            let setting = SETTINGS.iter().find(|setting| setting.variable == variable);
            setting.filter(|_| !unreadable.contains(&variable)).and_then(|setting| parameter(setting.parameter))
        })
    }

    /// Reads the variables that `variable` returns; a missing one has its default.
    ///
    /// # Errors
    /// As [`Config::from_env`].
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text = |setting: Setting| text(setting, variable(setting.variable));
        let number = |setting: Setting| number(setting, variable(setting.variable));
        let count = |setting: Setting| number(setting).map(|value| u32::try_from(value).unwrap_or(u32::MAX));
        let optional = |setting: Setting| text(setting).map(|value| Some(value).filter(|value| !value.is_empty()));
        let bucket = |setting: Setting| bucket(setting, variable(setting.variable));
        let region = |setting: Setting, text: &str| Region::from_str(text).map_err(|_| rejected(setting));
        let default_region = region(settings::DEFAULT_REGION, &text(settings::DEFAULT_REGION)?)?;
        let list = |setting: Setting| {
            let items = |text: String| text.split(',').map(str::to_owned).collect::<Vec<_>>();
            optional(setting).map(|value| value.map(items).unwrap_or_default())
        };
        let countries = list(settings::SMS_COUNTRIES)?;
        let countries = countries.iter().map(|country| region(settings::SMS_COUNTRIES, country));
        let mut sms_countries = countries.collect::<Result<Vec<_>, _>>()?;
        if sms_countries.is_empty() {
            sms_countries.push(default_region);
        }
        let limits = LimitSettings {
            attempts_per_sms_session: count(settings::ATTEMPTS_PER_SMS_SESSION)?,
            attempts_per_unnamed_reset: count(settings::ATTEMPTS_PER_UNNAMED_RESET)?,
            sign_ups_per_sms_session: count(settings::SIGN_UPS_PER_SMS_SESSION)?,
            seconds_between_sends: number(settings::SECONDS_BETWEEN_SENDS)?,
            sms_per_phone: bucket(settings::SMS_PER_PHONE)?,
            sms_per_phone_for_unnamed_reset: bucket(settings::SMS_PER_PHONE_FOR_UNNAMED_RESET)?,
            sms_per_ip: bucket(settings::SMS_PER_IP)?,
            sms_per_device: bucket(settings::SMS_PER_DEVICE)?,
            sms_per_account: bucket(settings::SMS_PER_ACCOUNT)?,
            sms_per_day: count(settings::SMS_PER_DAY)?,
            sms_percent_for_strangers: count(settings::SMS_PERCENT_FOR_STRANGERS)?,
            passwords_per_account: bucket(settings::PASSWORDS_PER_ACCOUNT)?,
            passwords_in_a_row: count(settings::PASSWORDS_IN_A_ROW)?,
            passwords_per_device: bucket(settings::PASSWORDS_PER_DEVICE)?,
            passwords_per_ip: bucket(settings::PASSWORDS_PER_IP)?,
            passwords_per_session: bucket(settings::PASSWORDS_PER_SESSION)?,
            checks_per_ip: bucket(settings::CHECKS_PER_IP)?,
        };
        Ok(Self {
            default_region,
            sms_countries,
            allowed_origins: list(settings::ALLOWED_ORIGINS)?,
            limits,
            service_name: text(settings::SERVICE_NAME)?,
            code_seconds: number(settings::CODE_SECONDS)?,
            verified_seconds: number(settings::VERIFIED_SECONDS)?,
            require_purpose: text(settings::REQUIRE_PURPOSE)? == "true",
            sms: SmsSettings {
                sender_id: optional(settings::SMS_SENDER_ID)?,
                max_price_usd: text(settings::SMS_MAX_PRICE_USD)?,
            },
            sms_prices: optional(settings::SMS_PRICES_USD)?
                .map_or_else(|| Some(SmsPrices::default()), |text| setting::parse_prices(&text))
                .ok_or_else(|| rejected(settings::SMS_PRICES_USD))?,
            sms_domain: optional(settings::SMS_DOMAIN)?,
            sms_app_hashes: list(settings::SMS_APP_HASHES)?
                .iter()
                .map(|hash| AppHash::parse(hash).map_err(|_| rejected(settings::SMS_APP_HASHES)))
                .collect::<Result<_, _>>()?,
            sms_after_reset: text(settings::SMS_AFTER_RESET)? == "true",
            test_phones: TestPhone::parse_list(&text(settings::TEST_PHONES)?)
                .ok_or_else(|| rejected(settings::TEST_PHONES))?,
            bcrypt_cost: count(settings::BCRYPT_COST)?,
            token_issuer: optional(settings::TOKEN_ISSUER)?,
            tokens: TokenSettings {
                audience: text(settings::TOKEN_AUDIENCE)?,
                access_token_seconds: number(settings::ACCESS_TOKEN_SECONDS)?,
                lifetime: SessionLifetime {
                    refresh_token_seconds: number(settings::REFRESH_TOKEN_SECONDS)?,
                    session_seconds: number(settings::SESSION_SECONDS)?,
                },
            },
            recent_login_seconds: number(settings::RECENT_LOGIN_SECONDS)?,
        })
    }

    /// Returns the estimated price of an SMS of so many segments, in US dollars: the highest one, if the country is
    /// unknown. At most `SMS_MAX_PRICE_USD`, because SNS sends no SMS that costs more.
    #[must_use]
    pub fn sms_usd(&self, country: Option<Region>, segments: usize) -> f64 {
        let max: f64 = self.sms.max_price_usd.parse().unwrap_or_default();
        let price = |country: &Region| {
            let listed = self.sms_prices.by_country.iter().find(|(listed, _)| listed == country);
            listed.map_or(max, |(_, price)| *price)
        };
        let price = match country {
            Some(country) => price(&country),
            None => self.sms_countries.iter().map(price).fold(0.0, f64::max),
        };
        f64::min(price * segments as f64, max)
    }
}

fn text(setting: Setting, value: Option<String>) -> Result<String, ConfigError> {
    match (value, setting.accepts) {
        (None, _) => Ok(setting.default.to_owned()),
        (Some(value), Accepts::Text { is_valid, .. }) if is_valid(&value) => Ok(value),
        (Some(_), _) => Err(rejected(setting)),
    }
}

fn number(setting: Setting, value: Option<String>) -> Result<i64, ConfigError> {
    let value = value.unwrap_or_else(|| setting.default.to_owned()).parse().map_err(|_| rejected(setting))?;
    match setting.accepts {
        Accepts::Number(min, max) if (min..=max).contains(&value) => Ok(value),
        _ => Err(rejected(setting)),
    }
}

fn bucket(setting: Setting, value: Option<String>) -> Result<Bucket, ConfigError> {
    let value = value.unwrap_or_else(|| setting.default.to_owned());
    setting::parse_bucket(&value).ok_or_else(|| rejected(setting))
}

fn rejected(setting: Setting) -> ConfigError {
    let must = match setting.accepts {
        Accepts::Bucket => {
            let (burst, every) = (setting::BURST.end(), setting::EVERY.end());
            format!(
                "must be two numbers, as 5/3600: events that are allowed immediately, from 1 to {burst}, and seconds \
                 for one more, from 1 to {every}"
            )
        }
        Accepts::Number(min, max) => format!("must be a whole number from {min} to {max}"),
        Accepts::Text { must, .. } => format!("must {must}"),
    };
    ConfigError { variable: setting.variable, must }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Config, ConfigError> {
        Config::from_variables(&|variable| (variable == name).then(|| value.to_owned()))
    }

    #[test]
    fn variables_are_read() {
        let config = with("CODE_SECONDS", "120").unwrap();
        assert_eq!((config.code_seconds, config.verified_seconds), (120, 600));
        assert_eq!(with("DEFAULT_REGION", "JP").unwrap().default_region, Region::JP);
    }

    #[test]
    fn the_parameters_of_a_stack_are_read() {
        let config = Config::from_parameters(&|parameter| {
            let value = match parameter {
                "SmsPerDay" => "700",
                "SmsPerPhone" => "3/60",
                "TestPhones" => "****",
                "DomainName" => "accounts.example.com",
                _ => return None,
            };
            Some(value.to_owned())
        });
        let config = config.unwrap();
        assert_eq!((config.limits.sms_per_day, config.limits.sms_per_phone), (700, Bucket::new(3, 60)));
        assert_eq!(config.limits.sms_per_ip, Bucket::new(40, 600), "a parameter that an older stack does not have");
        assert!(config.test_phones.is_empty() && config.token_issuer.is_none());
        assert!(Config::from_parameters(&|_| Some("many".to_owned())).is_err());
    }

    #[test]
    fn each_default_is_accepted_as_a_value() {
        let defaults = Config::from_variables(&|_| None).unwrap();
        for setting in SETTINGS {
            let config = with(setting.variable, setting.default).unwrap();
            assert_eq!(format!("{config:?}"), format!("{defaults:?}"), "{}", setting.variable);
        }
    }

    #[test]
    fn an_error_names_the_variable_and_not_its_value() {
        assert_eq!(
            with("BCRYPT_COST", "9").unwrap_err().to_string(),
            "BCRYPT_COST must be a whole number from 10 to 16"
        );
        assert_eq!(
            with("ATTEMPTS_PER_SMS_SESSION", "many").unwrap_err().to_string(),
            "ATTEMPTS_PER_SMS_SESSION must be a whole number from 1 to 10"
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
            ("REQUIRE_PURPOSE", "true", "yes"),
            ("SMS_COUNTRIES", "KR,JP", "KR,JPN"),
            ("SMS_PER_PHONE", "1/1", "0/1"),
            ("SMS_PER_PHONE", "10000/86400", "5/86401"),
            ("SMS_PER_PHONE", "5/3600", "5"),
            ("SMS_PER_PHONE", "05/3600", "+5/3600"),
            ("SMS_PRICES_USD", "2026-11-29,KR:0.05,JP:0.08", "2026-11-29,KR:0.05,XX:0.08"),
            ("SMS_PRICES_USD", "2026-11-29,KR:1", "2026-11-29,KR:1e3"),
            ("SMS_PRICES_USD", "2026-12-31,KR:1", "2026-11-31,KR:1"),
            ("SMS_PRICES_USD", "", "KR:0.05"),
            ("SMS_DOMAIN", "app.example.com", "https://app.example.com"),
            ("SMS_DOMAIN", "a.b", "app.example.com."),
            ("SMS_APP_HASHES", "FA+9qCX9VSu,abcdefghij1", "FA+9qCX9VSu,"),
            ("SMS_AFTER_RESET", "false", "no"),
            ("TEST_PHONES", "+12025550123:58203914:2027-01-31", "+12025550123:58203914"),
            ("ALLOWED_ORIGINS", "https://a.example.com,http://localhost:3000", "https://a.example.com/b"),
        ] {
            assert!(with(name, good).is_ok() && with(name, bad).is_err(), "{name}");
        }
        assert!(with("SMS_SENDER_ID", "").unwrap().sms.sender_id.is_none());
    }
}
