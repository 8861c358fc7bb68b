use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};

use super::*;

/// Returns the line of an event in the deployment `stack`.
fn line(stack: Option<&str>, event: &Event, countries: &[Region]) -> Json {
    let lines = Arc::new(Mutex::new(String::new()));
    let writer = lines.clone();
    let log = EventLog::new(stack.map(str::to_owned), move |line| writer.lock().unwrap().push_str(line));
    log.log(event, countries, 1_800_000_000);
    let text = lines.lock().unwrap().clone();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.ends_with('\n'));
    serde_json::from_str(&text).unwrap()
}

fn sent() -> Event {
    Event {
        name: "sms-auth-send",
        phone: Phone::parse("01012345678", Region::KR).ok(),
        country: Some(Region::KR),
        purpose: Some(Purpose::Login),
        ip: Some("203.0.113.7".to_owned()),
        request_id: Some("request".to_owned()),
        is_code_sent: true,
        sms_usd: Some(0.1),
        sms_of_day_percent: Some(3),
        ..Event::default()
    }
}

#[test]
fn a_line_is_an_audit_record_and_contains_its_metrics() {
    assert_eq!(
        line(Some("ably"), &sent(), &[Region::KR]),
        json!({
            "timestamp": "2027-01-15T08:00:00Z", "level": "INFO", "event": "sms-auth-send", "outcome": "succeeded",
            "phone": "+82********78", "country": "KR", "purpose": "login", "ip": "203.0.113.7",
            "request_id": "request", "codes_sent": 1, "codes_verified": 0, "sms_usd": 0.1, "sms_of_day_percent": 3,
            "stack": "ably",
            "_aws": { "Timestamp": 1_800_000_000_000_i64, "CloudWatchMetrics": [
                {
                    "Namespace": "Ably", "Dimensions": [["stack"]],
                    "Metrics": [
                        { "Name": "codes_sent" }, { "Name": "codes_verified" }, { "Name": "sms_usd" },
                        { "Name": "sms_of_day_percent" },
                    ],
                },
                {
                    "Namespace": "Ably", "Dimensions": [["stack", "country"]],
                    "Metrics": [{ "Name": "codes_sent" }, { "Name": "codes_verified" }],
                },
            ] },
        })
    );
}

#[test]
fn only_the_first_countries_have_metrics_of_their_own() {
    let countries = [Region::JP, Region::US, Region::GB, Region::KR];
    let directives = line(Some("ably"), &sent(), &countries)["_aws"]["CloudWatchMetrics"].clone();
    assert_eq!(directives.as_array().map(Vec::len), Some(1), "{directives}");
}

#[test]
fn counted_errors_are_a_metric_each_and_the_others_are_only_logged() {
    let refused = |error_code| Event {
        name: "login",
        outcome: Outcome::Refused,
        error_code: Some(error_code),
        ..Event::default()
    };
    let counted = line(Some("ably"), &refused("USER__NOT_MATCHED"), &[]);
    assert_eq!((&counted["refused"], &counted["error_code"]), (&json!(1), &json!("USER__NOT_MATCHED")));
    assert_eq!(
        counted["_aws"]["CloudWatchMetrics"],
        json!([
            { "Namespace": "Ably", "Dimensions": [["stack"]], "Metrics": [{ "Name": "failed_logins" }] },
            { "Namespace": "Ably", "Dimensions": [["stack", "error_code"]], "Metrics": [{ "Name": "refused" }] },
        ])
    );
    let other = line(Some("ably"), &refused("REQUEST__INVALID"), &[]);
    assert_eq!((&other["refused"], &other["_aws"]), (&Json::Null, &Json::Null));
    assert_eq!(other["error_code"], "REQUEST__INVALID");
}

#[test]
fn passwords_that_are_wrong_or_not_compared_are_failed_logins() {
    let failed = |name, error_code| {
        let event = Event { name, outcome: Outcome::Refused, error_code: Some(error_code), ..Event::default() };
        line(Some("ably"), &event, &[])["failed_logins"] == 1
    };
    for error_code in ["USER__NOT_MATCHED", "USER__TOO_MANY_ATTEMPTS", "USER__VERIFICATION_REQUIRED"] {
        assert!(failed("login", error_code) && failed("password-change", error_code), "{error_code}");
    }
    assert!(failed("login", "REQUEST__TOO_MANY"));
    assert!(!failed("email-duplicate-check", "REQUEST__TOO_MANY") && !failed("login", "USER__DISABLED"));
}

#[test]
fn the_level_follows_from_the_outcome() {
    for (outcome, level, word) in [
        (Outcome::Succeeded, "INFO", "succeeded"),
        (Outcome::Refused, "INFO", "refused"),
        (Outcome::SmsFailed, "WARN", "sms_failed"),
        (Outcome::Failed, "ERROR", "failed"),
    ] {
        let line = line(None, &Event { outcome, ..Event::default() }, &[]);
        assert_eq!((line["level"].as_str(), line["outcome"].as_str()), (Some(level), Some(word)));
    }
}

#[test]
fn a_function_without_a_stack_logs_no_metrics() {
    let line = line(None, &sent(), &[Region::KR]);
    assert_eq!((&line["_aws"], &line["stack"]), (&Json::Null, &Json::Null));
    assert_eq!(line["event"], "sms-auth-send");
}

#[test]
fn cloudwatch_bills_at_most_25_metrics() {
    // And one of the filter in `template.yaml` that counts the errors.
    let billed = Metric::ALL.iter().map(|metric| metric.billed()).sum::<usize>() + 1;
    assert_eq!(billed, 25);
}

#[test]
fn text_of_a_client_stays_in_its_field() {
    let event = Event { ip: Some("\"}\n{\"level\":\"ERROR".to_owned()), ..Event::default() };
    assert_eq!(line(None, &event, &[])["ip"], "\"}\n{\"level\":\"ERROR");
}

#[test]
fn every_metric_has_a_definition_and_a_value() {
    let all = Event {
        name: "login",
        error_code: Some("USER__NOT_MATCHED"),
        is_code_verified: true,
        is_login: true,
        is_sign_up: true,
        is_sms_paused: true,
        ..sent()
    };
    let line = line(Some("ably"), &all, &[Region::KR]);
    let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap().iter();
    let defined = directives.flat_map(|directive| directive["Metrics"].as_array().unwrap());
    let defined: Vec<_> = defined.map(|metric| metric["Name"].as_str().unwrap()).collect();
    for metric in Metric::ALL {
        let name = serde_json::to_value(metric).unwrap();
        assert!(defined.contains(&name.as_str().unwrap()), "{metric:?} is not defined: {defined:?}");
        assert!(line[name.as_str().unwrap()].is_number(), "{metric:?} has no value");
    }
}
