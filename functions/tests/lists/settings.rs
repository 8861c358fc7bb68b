//! The table of settings, the parameters of the template and the table in the documentation.

use std::collections::{BTreeMap, BTreeSet};

use functions::ENDPOINTS;
use functions::sms_auth::send::strength;
use serde_json::Value as Json;
use shared::config::{Accepts, Config, SETTINGS, Setting};
use shared::values::Purpose;

use crate::documents::assert_table;
use crate::files::{functions, template};

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Returns the variables that parameters of the template set, and their parameters.
fn variables(template: &Json) -> BTreeMap<String, String> {
    let variables = |properties: &Json| properties["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
    let globals = variables(&template["Globals"]["Function"]);
    let own = functions(template).into_iter().flat_map(|function| variables(&function.properties));
    let parameter = |value: &Json| match value {
        // !If: with the parameter in the second value, and without it in the third.
        Json::Array(alternative) => alternative[1].as_str().unwrap().split(['{', '}']).nth(1).unwrap().to_owned(),
        value => value.as_str().unwrap().to_owned(),
    };
    let all = globals.into_iter().chain(own).map(|(variable, value)| (variable, parameter(&value)));
    // The others name resources of the template.
    all.filter(|(_, parameter)| template["Parameters"].get(parameter).is_some()).collect()
}

/// Returns a parameter's default as text.
fn default(parameter: &Json) -> String {
    parameter["Default"].as_str().map_or_else(|| parameter["Default"].to_string(), str::to_owned)
}

/// Whether the parameter sets the variable to its own value, so that both mean the same.
fn is_same(setting: &Setting) -> bool {
    setting.variable.replace('_', "").eq_ignore_ascii_case(setting.parameter)
}

#[test]
fn the_template_has_each_setting_with_its_default_bounds_and_text() {
    let template = template();
    let settings = SETTINGS.iter().map(|setting| (setting.variable.to_owned(), setting.parameter.to_owned()));
    assert_eq!(variables(&template), settings.collect(), "the template (left) and SETTINGS (right)");

    for setting in SETTINGS {
        let parameter = &template["Parameters"][setting.parameter];
        if setting.is_required_on_aws {
            assert!(parameter.get("Default").is_none(), "{}", setting.variable);
        } else {
            assert_eq!(default(parameter), setting.default, "{}", setting.variable);
        }
        if is_same(setting) {
            assert_eq!(parameter["Description"], setting.text, "{}", setting.variable);
        }
        if let Accepts::Number(min, max) = setting.accepts {
            let bounds = (parameter["Type"].as_str(), parameter["MinValue"].as_i64(), parameter["MaxValue"].as_i64());
            assert_eq!(bounds, (Some("Number"), Some(min), Some(max)), "{}", setting.variable);
        } else {
            assert_eq!(parameter["Type"], "String", "{}", setting.variable);
        }
    }
    let different: Vec<_> = SETTINGS.iter().filter(|setting| !is_same(setting)).map(|found| found.variable).collect();
    assert_eq!(different, ["TOKEN_ISSUER"], "whose parameter is the domain");
}

#[test]
fn the_bounds_are_those_of_the_code() {
    let parse = |variable: &str, value: &str| {
        Config::from_variables(&|name| (name == variable).then(|| value.to_owned())).is_ok()
    };
    let mut numbers = 0;
    for setting in SETTINGS {
        if let Accepts::Number(min, max) = setting.accepts {
            let is_accepted = |value: i64| parse(setting.variable, &value.to_string());
            assert!(is_accepted(min) && is_accepted(max), "{}", setting.variable);
            assert!(!is_accepted(min - 1) && !is_accepted(max + 1), "{}", setting.variable);
            numbers += 1;
        }
    }
    assert_eq!(numbers, 14);
}

#[test]
fn the_bounds_of_buckets_are_those_of_the_template() {
    let (template, mut buckets) = (template(), 0);
    for setting in SETTINGS {
        if let Accepts::Bucket = setting.accepts {
            let pattern = template["Parameters"][setting.parameter]["AllowedPattern"].as_str().unwrap();
            let pattern = regex_lite::Regex::new(pattern).unwrap();
            for burst in [0, 1, 9999, 10_000, 10_001, 20_000] {
                for every in [0, 1, 9999, 10_000, 79_999, 85_999, 86_399, 86_400, 86_401, 86_500, 87_000, 90_000] {
                    let value = format!("{burst}/{every}");
                    let config = Config::from_variables(&|name| (name == setting.variable).then(|| value.clone()));
                    assert_eq!(pattern.is_match(&value), config.is_ok(), "{} {value}", setting.variable);
                    assert_eq!(config.is_ok(), matches!((burst, every), (1..=10_000, 1..=86_400)), "{value}");
                }
            }
            buckets += 1;
        }
    }
    assert_eq!(buckets, 10);
}

#[test]
fn the_patterns_reject_what_the_code_rejects() {
    let template = template();
    for (variable, bad) in [
        ("SERVICE_NAME", ""),
        ("SERVICE_NAME", " "),
        ("DEFAULT_REGION", "Korea"),
        ("TOKEN_ISSUER", "https://accounts.example.com/"),
        ("TOKEN_ISSUER", "localhost"),
        ("TOKEN_AUDIENCE", ""),
        ("SMS_SENDER_ID", "A dash-"),
        ("SMS_MAX_PRICE_USD", "0"),
        ("SMS_MAX_PRICE_USD", "0.00"),
        ("SMS_PER_PHONE", "0/60"),
        ("SMS_PER_PHONE", "5"),
        ("SMS_PER_PHONE", "5/3600s"),
        ("SMS_PER_PHONE", "10001/1"),
        ("SMS_PER_PHONE", "1/86401"),
        ("SMS_PER_PHONE", "1/90000"),
        ("SMS_COUNTRIES", "KR,"),
        ("SMS_COUNTRIES", "kr"),
        ("SMS_PRICES_USD", "0.05"),
        ("SMS_PRICES_USD", "KR:0.05"),
        ("SMS_PRICES_USD", "2026-11-29"),
        ("SMS_PRICES_USD", "2026-11-29,KR:"),
        ("SMS_PRICES_USD", "2026-11-29,KR:0.05,"),
        ("SMS_PRICES_USD", "2026-11-29,KR:-1"),
        ("SMS_DOMAIN", "localhost"),
        ("SMS_DOMAIN", "App.example.com"),
        ("SMS_DOMAIN", "https://app.example.com"),
        ("SMS_APP_HASHES", "FA+9qCX9VS"),
        ("SMS_APP_HASHES", "FA+9qCX9VSu,"),
        ("TEST_PHONES", "12025550123:58203914:2027-01-31"),
        ("TEST_PHONES", "+12025550123:582039:2027-01-31"),
        ("TEST_PHONES", "+12025550123:58203914"),
        ("TEST_PHONES", "+12025550123:58203914:2027-01-31,"),
        ("ALLOWED_ORIGINS", "https://app.example.com/"),
        ("ALLOWED_ORIGINS", "app.example.com"),
        ("ALLOWED_ORIGINS", "https://*"),
        ("ALLOWED_ORIGINS", "https://*.example.com"),
        ("ALLOWED_ORIGINS", "https://App.example.com"),
        ("ALLOWED_ORIGINS", "https://app@example.com"),
    ] {
        let setting = SETTINGS.iter().find(|setting| setting.variable == variable).unwrap();
        let parameter = &template["Parameters"][setting.parameter];
        let pattern = regex_lite::Regex::new(parameter["AllowedPattern"].as_str().unwrap()).unwrap();
        assert!(pattern.is_match(setting.default), "{variable}");
        assert!(!pattern.is_match(bad), "the template accepts {bad:?} as {variable}");
        assert!(
            Config::from_variables(&|name| (name == variable).then(|| bad.to_owned())).is_err(),
            "the code accepts {bad:?} as {variable}"
        );
    }
}

#[test]
fn the_patterns_accept_what_the_code_accepts() {
    let template = template();
    let test_phone = "+12025550123:58203914:2027-01-31";
    let test_phones: Vec<_> = (0..5).map(|nth| test_phone.replace("0123", &format!("012{nth}"))).collect();
    for (variable, good) in [
        ("SMS_DOMAIN", "app.example.com"),
        ("SMS_APP_HASHES", "FA+9qCX9VSu,abc/efghij1"),
        ("TEST_PHONES", test_phone),
        ("TEST_PHONES", &test_phones.join(",")),
        ("SMS_COUNTRIES", "KR,JP"),
        ("SMS_PRICES_USD", "2026-11-29,KR:0.05,JP:1"),
        ("ALLOWED_ORIGINS", "https://app.example.com,http://localhost:3000"),
    ] {
        let setting = SETTINGS.iter().find(|setting| setting.variable == variable).unwrap();
        let pattern = template["Parameters"][setting.parameter]["AllowedPattern"].as_str().unwrap();
        assert!(regex_lite::Regex::new(pattern).unwrap().is_match(good), "{variable}");
        assert!(Config::from_variables(&|name| (name == variable).then(|| good.to_owned())).is_ok(), "{variable}");
    }
}

/// The functions that read each setting. All functions read those that are missing here.
const READERS: [(&str, &[&str]); 34] = [
    ("DEFAULT_REGION", &["login", "login-code", "phone-duplicate-check", "signup", "sms-auth-send", "sms-auth-verify"]),
    ("SERVICE_NAME", &["password", "password-change", "phone-change", "signup", "sms-auth-send"]),
    ("CODE_SECONDS", &["login-code", "sms-auth-send", "sms-auth-verify"]),
    ("VERIFIED_SECONDS", &["sms-auth-verify"]),
    ("REQUIRE_PURPOSE", &["sms-auth-send"]),
    ("ATTEMPTS_PER_SMS_SESSION", &["sms-auth-send"]),
    ("ATTEMPTS_PER_UNNAMED_RESET", &["sms-auth-send"]),
    ("SIGN_UPS_PER_SMS_SESSION", &["signup"]),
    ("SECONDS_BETWEEN_SENDS", &["sms-auth-send"]),
    ("SMS_PER_PHONE", &["sms-auth-send"]),
    ("SMS_PER_PHONE_FOR_UNNAMED_RESET", &["sms-auth-send"]),
    ("SMS_PER_IP", &["login-code", "sms-auth-send", "sms-auth-verify"]),
    ("SMS_PER_DEVICE", &["sms-auth-send"]),
    ("SMS_PER_ACCOUNT", &["sms-auth-send"]),
    ("SMS_PER_DAY", &["password", "phone-change", "sms-auth-send"]),
    ("SMS_PERCENT_FOR_STRANGERS", &["password", "sms-auth-send"]),
    ("SMS_COUNTRIES", &["login-code", "password", "phone-change", "sms-auth-send", "sms-auth-verify"]),
    ("SMS_PRICES_USD", &["password", "phone-change", "sms-auth-send"]),
    ("PASSWORDS_PER_ACCOUNT", &["login"]),
    ("PASSWORDS_IN_A_ROW", &["login", "password-change"]),
    ("PASSWORDS_PER_DEVICE", &["login"]),
    ("PASSWORDS_PER_IP", &["login"]),
    ("PASSWORDS_PER_SESSION", &["password-change"]),
    ("CHECKS_PER_IP", &["email-change", "email-duplicate-check", "phone-duplicate-check"]),
    ("SMS_DOMAIN", &["sms-auth-send"]),
    ("SMS_APP_HASHES", &["sms-auth-send"]),
    ("SMS_AFTER_RESET", &["password"]),
    ("TEST_PHONES", &["login-code", "password", "phone-change", "sms-auth-send", "sms-auth-verify"]),
    ("BCRYPT_COST", &["login", "password", "password-change", "signup"]),
    (
        "TOKEN_AUDIENCE",
        &[
            "account-delete",
            "email-change",
            "login",
            "login-code",
            "password-change",
            "phone-change",
            "profile",
            "profile-update",
            "session-revoke",
            "sessions",
            "signup",
            "token-refresh",
        ],
    ),
    (
        "ACCESS_TOKEN_SECONDS",
        &["email-change", "jwks", "login", "login-code", "password-change", "phone-change", "signup", "token-refresh"],
    ),
    (
        "REFRESH_TOKEN_SECONDS",
        &["email-change", "login", "login-code", "password-change", "phone-change", "signup", "token-refresh"],
    ),
    (
        "SESSION_SECONDS",
        &["email-change", "login", "login-code", "password-change", "phone-change", "signup", "token-refresh"],
    ),
    ("RECENT_LOGIN_SECONDS", &["account-delete", "email-change", "phone-change", "session-revoke"]),
];

#[test]
fn the_template_gives_each_function_the_settings_that_it_reads() {
    let functions = functions(&template());
    for (variable, readers) in READERS {
        let has = |properties: &Json| !properties["Environment"]["Variables"][variable].is_null();
        let with = functions.iter().filter(|function| has(&function.properties));
        let with: BTreeSet<&str> = with.map(|function| function.bin.as_str()).collect();
        assert_eq!(with, readers.iter().copied().collect(), "{variable}");
    }
    let global = &template()["Globals"]["Function"]["Environment"]["Variables"];
    for setting in SETTINGS {
        let is_listed = READERS.iter().any(|(variable, _)| *variable == setting.variable);
        let is_of_sns = matches!(setting.variable, "SMS_SENDER_ID" | "SMS_MAX_PRICE_USD");
        assert_eq!(is_listed || is_of_sns, global[setting.variable].is_null(), "{}", setting.variable);
    }
    // A function that sends SMS has the settings of SNS.
    for variable in ["SMS_SENDER_ID", "SMS_MAX_PRICE_USD"] {
        for function in &functions {
            let sends = ENDPOINTS.iter().any(|endpoint| endpoint.name == function.bin && endpoint.access.sms);
            assert_eq!(!function.properties["Environment"]["Variables"][variable].is_null(), sends, "{variable}");
        }
    }
    assert_eq!(template()["Parameters"]["TestPhones"]["NoEcho"], true, "the codes are secrets");
}

#[test]
fn the_documentation_has_a_row_for_each_setting() {
    let row = |setting: &Setting| {
        let default = match setting.default {
            "" => "none".to_owned(),
            default if setting.is_required_on_aws => format!("`{default}`; required on AWS"),
            default => format!("`{default}`"),
        };
        let bounds = match setting.accepts {
            Accepts::Number(min, max) => format!("; {min} to {max}"),
            Accepts::Bucket => "; see [Limits](../shared/README.md#limits)".to_owned(),
            Accepts::Text { .. } => String::new(),
        };
        format!("| `{}` | `{}` | {default} | {}{bounds} |", setting.variable, setting.parameter, setting.text)
    };
    let mut expected =
        vec!["| variable | parameter | default | description |".to_owned(), "|---|---|---|---|".to_owned()];
    expected.extend(SETTINGS.iter().map(row));
    assert_table("functions/OPERATIONS.md", "## Configuration", &expected);
}

#[test]
fn the_documentation_has_the_chances_to_guess_a_code() {
    let limits = Config::from_variables(&|_| None).unwrap().limits;
    let row = |name: &str, purpose, is_named| {
        let (length, attempts) = strength(purpose, is_named, &limits);
        let is_unnamed_reset = purpose == Purpose::PasswordReset && !is_named;
        let bucket = if is_unnamed_reset { limits.sms_per_phone_for_unnamed_reset } else { limits.sms_per_phone };
        // A day that begins with a whole burst.
        let sends = bucket.burst + u32::try_from((DAY_SECONDS - 1) / bucket.every).unwrap();
        let chance = length.codes() / (sends * attempts);
        format!("| {name} | {} | {attempts} | {sends} | 1 in {chance} |", length.digits())
    };
    assert_eq!(strength(Purpose::Login, true, &limits), strength(Purpose::PasswordReset, true, &limits));
    let expected = [
        "| | digits | attempts per SMS session | SMS per day | chance, at most |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
        row("login, or password reset, purpose named", Purpose::PasswordReset, true),
        row("password reset, purpose not named", Purpose::PasswordReset, false),
        row("sign-up", Purpose::Signup, false),
    ];
    assert_table("shared/README.md", "### Guessing a code", &expected);
}
