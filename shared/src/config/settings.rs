//! The settings, in one table: configuration is read by it, and tests compare the template and the
//! documentation with it.

use std::str::FromStr as _;

use super::setting::{Accepts, Setting, bucket, flag, is_issuer, is_origin, number, parse_prices};
use crate::tokens::rotation::MAX_TOKEN_SECONDS;
use crate::values::{AppHash, Field as _, Region, TestPhone, password_hash, phone};

/// The longest lifetime of a refresh token, in seconds: 90 days. Public keys are kept for longer.
const MAX_REFRESH_TOKEN_SECONDS: i64 = 90 * 24 * 60 * 60;
const _: () = assert!(MAX_REFRESH_TOKEN_SECONDS <= MAX_TOKEN_SECONDS);

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    DEFAULT_REGION,
    SERVICE_NAME,
    CODE_SECONDS,
    VERIFIED_SECONDS,
    REQUIRE_PURPOSE,
    ATTEMPTS_PER_SMS_SESSION,
    ATTEMPTS_PER_UNNAMED_RESET,
    SIGN_UPS_PER_SMS_SESSION,
    SECONDS_BETWEEN_SENDS,
    SMS_PER_PHONE,
    SMS_PER_PHONE_FOR_UNNAMED_RESET,
    SMS_PER_IP,
    SMS_PER_DEVICE,
    SMS_PER_ACCOUNT,
    SMS_PER_DAY,
    SMS_PERCENT_FOR_STRANGERS,
    SMS_COUNTRIES,
    PASSWORDS_PER_ACCOUNT,
    PASSWORDS_IN_A_ROW,
    PASSWORDS_PER_DEVICE,
    PASSWORDS_PER_IP,
    PASSWORDS_PER_SESSION,
    CHECKS_PER_IP,
    ALLOWED_ORIGINS,
    SMS_SENDER_ID,
    SMS_MAX_PRICE_USD,
    SMS_PRICES_USD,
    SMS_DOMAIN,
    SMS_APP_HASHES,
    SMS_AFTER_RESET,
    TEST_PHONES,
    BCRYPT_COST,
    TOKEN_ISSUER,
    TOKEN_AUDIENCE,
    ACCESS_TOKEN_SECONDS,
    REFRESH_TOKEN_SECONDS,
    SESSION_SECONDS,
    RECENT_LOGIN_SECONDS,
];

pub(super) const DEFAULT_REGION: Setting = Setting {
    variable: "DEFAULT_REGION",
    parameter: "DefaultRegion",
    default: "KR",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a country, as two capital letters",
        is_valid: |text| Region::from_str(text).is_ok_and(phone::is_country),
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
pub(super) const REQUIRE_PURPOSE: Setting = flag(
    "REQUIRE_PURPOSE",
    "RequirePurpose",
    "false",
    "Whether to reject requests for a code without a purpose, true or false",
);
pub(super) const ATTEMPTS_PER_SMS_SESSION: Setting =
    number("ATTEMPTS_PER_SMS_SESSION", "AttemptsPerSmsSession", "5", 1..=10, "Codes that one SMS session accepts");
pub(super) const ATTEMPTS_PER_UNNAMED_RESET: Setting = number(
    "ATTEMPTS_PER_UNNAMED_RESET",
    "AttemptsPerUnnamedReset",
    "3",
    1..=10,
    "Codes that one SMS session accepts if it is for a password reset that the client did not name",
);
pub(super) const SIGN_UPS_PER_SMS_SESSION: Setting =
    number("SIGN_UPS_PER_SMS_SESSION", "SignUpsPerSmsSession", "5", 1..=20, "Sign-ups that one SMS session accepts");
pub(super) const SECONDS_BETWEEN_SENDS: Setting = number(
    "SECONDS_BETWEEN_SENDS",
    "SecondsBetweenSends",
    "60",
    1..=3600,
    "Seconds between two SMS that strangers request for one phone number, or that one known device requests",
);
pub(super) const SMS_PER_PHONE: Setting =
    bucket("SMS_PER_PHONE", "SmsPerPhone", "5/3600", "SMS to one phone number that strangers request");
pub(super) const SMS_PER_PHONE_FOR_UNNAMED_RESET: Setting = bucket(
    "SMS_PER_PHONE_FOR_UNNAMED_RESET",
    "SmsPerPhoneForUnnamedReset",
    "2/10800",
    "SMS that strangers request for one phone number, of these, for password resets without a purpose",
);
pub(super) const SMS_PER_IP: Setting =
    bucket("SMS_PER_IP", "SmsPerIp", "40/600", "SMS that strangers at one address request and do not verify");
pub(super) const SMS_PER_DEVICE: Setting =
    bucket("SMS_PER_DEVICE", "SmsPerDevice", "3/14400", "SMS that one known device requests");
pub(super) const SMS_PER_ACCOUNT: Setting =
    bucket("SMS_PER_ACCOUNT", "SmsPerAccount", "6/7200", "SMS that all known devices of one account request");
pub(super) const SMS_PER_DAY: Setting =
    number("SMS_PER_DAY", "SmsPerDay", "500", 1..=1_000_000, "SMS of the deployment in one day (UTC)");
pub(super) const SMS_PERCENT_FOR_STRANGERS: Setting = number(
    "SMS_PERCENT_FOR_STRANGERS",
    "SmsPercentForStrangers",
    "80",
    // Below 50, no alarm would show that the part is exhausted.
    50..=100,
    "Part of the SMS of a day, in percent, after which only known devices get an SMS",
);
pub(super) const SMS_COUNTRIES: Setting = Setting {
    variable: "SMS_COUNTRIES",
    parameter: "SmsCountries",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be countries, as two capital letters each, separated by commas",
        is_valid: |text| {
            text.is_empty()
                || text.split(',').all(|country| {
                    country.len() == 2
                        && country.bytes().all(|byte| byte.is_ascii_uppercase())
                        && Region::from_str(country).is_ok_and(phone::is_country)
                })
        },
    },
    text: "Countries (ISO 3166-1) that get SMS, separated by commas; without them, that of DEFAULT_REGION alone",
};
pub(super) const PASSWORDS_PER_ACCOUNT: Setting =
    bucket("PASSWORDS_PER_ACCOUNT", "PasswordsPerAccount", "10/300", "Wrong passwords of strangers for one account");
pub(super) const PASSWORDS_IN_A_ROW: Setting = number(
    "PASSWORDS_IN_A_ROW",
    "PasswordsInARow",
    "100",
    1..=100,
    "Wrong passwords of strangers for one account, until a login by code or a reset",
);
pub(super) const PASSWORDS_PER_DEVICE: Setting =
    bucket("PASSWORDS_PER_DEVICE", "PasswordsPerDevice", "10/300", "Wrong passwords of one known device");
pub(super) const PASSWORDS_PER_IP: Setting =
    bucket("PASSWORDS_PER_IP", "PasswordsPerIp", "60/30", "Wrong passwords of strangers at one address");
pub(super) const PASSWORDS_PER_SESSION: Setting = bucket(
    "PASSWORDS_PER_SESSION",
    "PasswordsPerSession",
    "10/300",
    "Wrong current passwords of one session that changes the password",
);
pub(super) const CHECKS_PER_IP: Setting = bucket(
    "CHECKS_PER_IP",
    "ChecksPerIp",
    "60/30",
    "Duplicate checks, and changes of the email, of clients at one address",
);
pub(super) const ALLOWED_ORIGINS: Setting = Setting {
    variable: "ALLOWED_ORIGINS",
    parameter: "AllowedOrigins",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be origins, as https://app.example.com, separated by commas",
        is_valid: |text| text.is_empty() || text.split(',').all(is_origin),
    },
    text: "Origins of web pages that may call the API from a browser, separated by commas, as https://app.example.com",
};
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
    default: "0.10",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a price in US dollars",
        is_valid: |text| text.parse::<f64>().is_ok_and(|price| price > 0.0 && price.is_finite()),
    },
    text: "Highest price of one SMS, in US dollars; SNS sends no SMS that costs more",
};
pub(super) const SMS_PRICES_USD: Setting = Setting {
    variable: "SMS_PRICES_USD",
    parameter: "SmsPricesUsd",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be a date, and countries with the price of an SMS in US dollars, as 2026-11-29,KR:0.05,JP:0.08",
        is_valid: |text| text.is_empty() || parse_prices(text).is_some(),
    },
    text: "Prices of one SMS by country, in US dollars, with their date, as 2026-11-29,KR:0.05,JP:0.08, for the estimated \
           spend; SMS_MAX_PRICE_USD for other countries",
};
pub(super) const SMS_DOMAIN: Setting = Setting {
    variable: "SMS_DOMAIN",
    parameter: "SmsDomain",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        // The texts have room for 54 characters in two segments; three would cost even more.
        must: "be a domain in lower case, of at most 40 characters",
        is_valid: |text| {
            let is_label = |label: &str| {
                let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                !label.is_empty() && label.bytes().all(is_valid) && !label.starts_with('-') && !label.ends_with('-')
            };
            text.is_empty() || text.len() <= 40 && text.contains('.') && text.split('.').all(is_label)
        },
    },
    text: "Domain of the web page that requests codes, for the last line of each SMS, from which browsers fill in the code",
};
pub(super) const SMS_APP_HASHES: Setting = Setting {
    variable: "SMS_APP_HASHES",
    parameter: "SmsAppHashes",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be at most 10 hashes of Android apps, of 11 characters each, separated by commas",
        is_valid: |text| {
            text.is_empty() || text.split(',').count() <= 10 && text.split(',').all(|hash| AppHash::parse(hash).is_ok())
        },
    },
    text: "Hashes of the Android apps that may read their codes, separated by commas",
};
pub(super) const SMS_AFTER_RESET: Setting = flag(
    "SMS_AFTER_RESET",
    "SmsAfterReset",
    "true",
    "Whether to send an SMS to the phone number of an account whose password was reset, true or false",
);
pub(super) const TEST_PHONES: Setting = Setting {
    variable: "TEST_PHONES",
    parameter: "TestPhones",
    default: "",
    is_required_on_aws: false,
    accepts: Accepts::Text {
        must: "be at most 5 phone numbers with their codes and last days, as +12025550123:58203914:2027-01-31, \
               separated by commas; a code has at least 5 different digits, not in a row",
        is_valid: |text| TestPhone::parse_list(text).is_some(),
    },
    text: "Phone numbers that get no SMS, each with its code and its last day, separated by commas",
};
pub(super) const BCRYPT_COST: Setting = number(
    "BCRYPT_COST",
    "BcryptCost",
    "12",
    password_hash::COSTS,
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
pub(super) const RECENT_LOGIN_SECONDS: Setting = number(
    "RECENT_LOGIN_SECONDS",
    "RecentLoginSeconds",
    "300",
    // Sessions last for an hour at least.
    60..=3600,
    "Seconds after a login in which it may change the phone number or the email, delete the account, or revoke a session",
);
