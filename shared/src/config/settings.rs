//! The settings, in one table: configuration is read by it, and tests compare the template and the
//! documentation with it.

use std::ops::RangeInclusive;
use std::str::FromStr as _;

use crate::tokens::rotation::MAX_TOKEN_SECONDS;
use crate::values::{Region, phone};

/// The longest lifetime of a refresh token, in seconds: 90 days. Public keys are kept for longer.
const MAX_REFRESH_TOKEN_SECONDS: i64 = 90 * 24 * 60 * 60;
const _: () = assert!(MAX_REFRESH_TOKEN_SECONDS <= MAX_TOKEN_SECONDS);

/// A setting: an environment variable of the functions, which a parameter of the template sets.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The parameter of the template.
    pub parameter: &'static str,
    /// The default, as text; empty if there is none.
    pub default: &'static str,
    /// Whether the default is for local runs only: on AWS, the operator must choose a value.
    pub is_required_on_aws: bool,
    /// The values that are accepted.
    pub accepts: Accepts,
    /// The meaning of the setting, for the template and the documentation.
    pub text: &'static str,
}

/// The values that a setting accepts.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// Whole numbers from the first to the second one.
    Number(i64, i64),
    /// Text for which the function returns true.
    Text {
        /// The values that the function accepts, in words that follow "must".
        must: &'static str,
        /// Whether a value is accepted.
        is_valid: fn(&str) -> bool,
    },
}

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    DEFAULT_REGION,
    SERVICE_NAME,
    CODE_SECONDS,
    VERIFIED_SECONDS,
    ATTEMPTS_PER_SMS_SESSION,
    REQUIRE_PURPOSE,
    SECONDS_BETWEEN_SENDS,
    SENDS_PER_PHONE_PER_HOUR,
    SENDS_PER_PHONE_PER_DAY,
    SMS_SENDER_ID,
    SMS_MAX_PRICE_USD,
    BCRYPT_COST,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    ACCESS_TOKEN_SECONDS,
    REFRESH_TOKEN_SECONDS,
    SESSION_SECONDS,
];

pub(super) const DEFAULT_REGION: Setting = Setting {
    variable: "DEFAULT_REGION",
    parameter: "DefaultRegion",
    default: "KR",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a country, as two capital letters",
        is_valid: |text| Region::from_str(text).is_ok_and(phone::is_known),
    },
    text: "Country (ISO 3166-1) of phone numbers without a country code",
};
pub(super) const SERVICE_NAME: Setting = Setting {
    variable: "SERVICE_NAME",
    parameter: "ServiceName",
    default: "Ably",
    // Codes must not be sent in the name of another service.
    is_required_on_aws: true,
    accepts: Accepts::Text {
        // With a longer name, the text of an SMS would not fit one segment.
        must: "have 1 to 20 characters, and no emoji",
        is_valid: |text| {
            !text.trim().is_empty()
                && text.chars().count() <= 20
                && !text.chars().any(|c| c.is_control() || c.len_utf16() > 1)
        },
    },
    text: "Name of the service in each SMS, 1 to 20 characters",
};
pub(super) const CODE_SECONDS: Setting =
    number("CODE_SECONDS", "CodeSeconds", "300", 60..=600, "Seconds for which a code is valid");
pub(super) const VERIFIED_SECONDS: Setting = number(
    "VERIFIED_SECONDS",
    "VerifiedSeconds",
    "600",
    60..=3600,
    "Seconds for which a verified SMS session can be used",
);
pub(super) const ATTEMPTS_PER_SMS_SESSION: Setting = number(
    "ATTEMPTS_PER_SMS_SESSION",
    "AttemptsPerSmsSession",
    "5",
    1..=10,
    "Codes that one SMS session accepts; at most 3 for a password reset whose purpose was not named",
);
pub(super) const REQUIRE_PURPOSE: Setting = Setting {
    variable: "REQUIRE_PURPOSE",
    parameter: "RequirePurpose",
    default: "false",
    is_required_on_aws: false,
    accepts: Accepts::Text { must: "be true or false", is_valid: |text| matches!(text, "true" | "false") },
    text: "Whether to reject requests for a code without a purpose, true or false",
};
pub(super) const SECONDS_BETWEEN_SENDS: Setting = number(
    "SECONDS_BETWEEN_SENDS",
    "SecondsBetweenSends",
    "60",
    1..=3600,
    "Seconds between two SMS to one phone number",
);
pub(super) const SENDS_PER_PHONE_PER_HOUR: Setting =
    number("SENDS_PER_PHONE_PER_HOUR", "SendsPerPhonePerHour", "5", 1..=50, "SMS to one phone number in an hour");
pub(super) const SENDS_PER_PHONE_PER_DAY: Setting =
    number("SENDS_PER_PHONE_PER_DAY", "SendsPerPhonePerDay", "10", 1..=50, "SMS to one phone number in 24 hours");
pub(super) const SMS_SENDER_ID: Setting = Setting {
    variable: "SMS_SENDER_ID",
    parameter: "SmsSenderId",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "have at most 11 letters and digits",
        is_valid: |text| text.len() <= 11 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()),
    },
    text: "Sender that the phone displays, where its country allows one; at most 11 letters and digits",
};
pub(super) const SMS_MAX_PRICE_USD: Setting = Setting {
    variable: "SMS_MAX_PRICE_USD",
    parameter: "SmsMaxPriceUsd",
    default: "0.50",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a price in US dollars",
        is_valid: |text| text.parse::<f64>().is_ok_and(|price| price > 0.0 && price.is_finite()),
    },
    text: "Highest price of one SMS, in US dollars; SNS sends no SMS that costs more",
};
pub(super) const BCRYPT_COST: Setting = number(
    "BCRYPT_COST",
    "BcryptCost",
    "12",
    // OWASP requires at least 10; at 16, a hash takes seconds.
    10..=16,
    "Cost of a password hash; each step doubles the work",
);
pub(super) const TOKEN_ISSUER: Setting = Setting {
    variable: "TOKEN_ISSUER",
    parameter: "DomainName",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a URL that begins with https:// or http://, with no slash at its end and no query",
        is_valid: |text| text.is_empty() || is_issuer(text),
    },
    text: "URL of the API, which is the `iss` of the tokens, as `https://accounts.example.com`, with no slash \
           at the end; without it, API Gateway's own address. The parameter is the domain alone, without \
           `https://`",
};
pub(super) const TOKEN_AUDIENCE: Setting = Setting {
    variable: "TOKEN_AUDIENCE",
    parameter: "TokenAudience",
    default: "ably",
    is_required_on_aws: false,
    accepts: Accepts::Text { must: "not be empty", is_valid: |text| !text.trim().is_empty() },
    text: "The `aud` of the access tokens",
};
pub(super) const ACCESS_TOKEN_SECONDS: Setting = number(
    "ACCESS_TOKEN_SECONDS",
    "AccessTokenSeconds",
    "900",
    60..=86_400,
    "Seconds for which an access token is valid",
);
pub(super) const REFRESH_TOKEN_SECONDS: Setting = number(
    "REFRESH_TOKEN_SECONDS",
    "RefreshTokenSeconds",
    "2592000",
    3600..=MAX_REFRESH_TOKEN_SECONDS,
    "Seconds for which a refresh token is valid, and after which an unused session expires",
);
pub(super) const SESSION_SECONDS: Setting = number(
    "SESSION_SECONDS",
    "SessionSeconds",
    "7776000",
    3600..=365 * 24 * 60 * 60,
    "Seconds after which every session expires",
);

const fn number(
    variable: &'static str,
    parameter: &'static str,
    default: &'static str,
    range: RangeInclusive<i64>,
    text: &'static str,
) -> Setting {
    let accepts = Accepts::Number(*range.start(), *range.end());
    Setting { variable, parameter, default, is_required_on_aws: false, accepts, text }
}

/// Whether verifiers find `/.well-known/…` below this URL (OpenID Connect Discovery 1.0, 4).
fn is_issuer(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    !rest.is_empty() && !rest.ends_with('/') && !rest.contains(|c: char| c.is_whitespace() || "?#@\"".contains(c))
}
