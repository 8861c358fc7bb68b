//! The rest of the template: memory, throttles, alarms, the rotation of keys and the expiry of items.

use std::collections::BTreeSet;

use functions::ENDPOINTS;
use serde_json::Value as Json;

use crate::access::declared;
use crate::files::{endpoints, functions, template};

/// The memory size with one full vCPU.
const FULL_CPU_MB: u64 = 1769;

#[test]
fn only_functions_that_hash_have_a_full_cpu() {
    let declared = declared();
    for function in functions(&template()) {
        let has_full_cpu = function.properties["MemorySize"] == FULL_CPU_MB;
        assert_eq!(has_full_cpu, declared[function.bin.as_str()].hashing, "{}", function.bin);
    }
}

#[test]
fn each_route_that_costs_an_sms_or_a_hash_has_a_throttle() {
    let declared = declared();
    let costly = endpoints().into_iter().filter(|(bin, _)| {
        let access = declared[bin.as_str()];
        access.sms || access.hashing
    });
    let template = template();
    let throttled = &template["Resources"]["HttpApi"]["Properties"]["RouteSettings"];
    let throttled: BTreeSet<String> = throttled.as_object().unwrap().keys().cloned().collect();
    assert_eq!(throttled, costly.flat_map(|(_, routes)| routes).collect());
}

/// The seconds of a request that hashes, with a full CPU and the default cost: see `./local/bench`.
const SECONDS_PER_HASH: f64 = 0.25;
/// The seconds for which it waits for SNS if it sends an SMS: the assumption of `./local/bench --cost`.
const SECONDS_PER_SMS: f64 = 0.05;

#[test]
fn routes_that_hash_use_less_than_half_of_the_concurrency() {
    let (template, declared) = (template(), declared());
    let hashing = endpoints().into_iter().filter(|(bin, _)| declared[bin.as_str()].hashing);
    let hashing: Vec<_> =
        hashing.flat_map(|(bin, routes)| routes.into_iter().map(move |route| (bin.clone(), route))).collect();
    let settings = &template["Resources"]["HttpApi"]["Properties"]["RouteSettings"];
    let allowed = template["Parameters"]["AccountConcurrency"]["AllowedValues"].as_array().unwrap();
    let throttles = template["Mappings"]["Throttles"].as_object().unwrap();
    assert_eq!(
        throttles.keys().collect::<Vec<_>>(),
        allowed.iter().map(|value| value.as_str().unwrap()).collect::<Vec<_>>()
    );
    for (concurrency, rates) in throttles {
        let rate = |route: &String| {
            let [rate, burst] = ["ThrottlingRateLimit", "ThrottlingBurstLimit"].map(|limit| &settings[route][limit]);
            assert_eq!((rate, &rate[0], &rate[1]), (burst, &"Throttles".into(), &"AccountConcurrency".into()));
            rates[rate[2].as_str().unwrap()].as_f64().unwrap()
        };
        let seconds = |bin: &str| SECONDS_PER_HASH + if declared[bin].sms { SECONDS_PER_SMS } else { 0.0 };
        let used = hashing.iter().map(|(bin, route)| seconds(bin) * rate(route)).sum::<f64>();
        let half = concurrency.parse::<f64>().unwrap() / 2.0;
        assert!(used < half && used > 0.9 * half, "{concurrency}: {used} of at most {half}");
    }
}

#[test]
fn functions_that_parse_phone_numbers_have_a_default_region() {
    let functions = functions(&template());
    let has_region = |properties: &Json| !properties["Environment"]["Variables"]["DEFAULT_REGION"].is_null();
    let with_region = functions.iter().filter(|function| has_region(&function.properties));
    let with_region: BTreeSet<&str> = with_region.map(|function| function.bin.as_str()).collect();
    let parse = ENDPOINTS.iter().filter(|endpoint| endpoint.access.phone_metadata);
    assert_eq!(with_region, parse.map(|endpoint| endpoint.name).collect());
}

#[test]
fn the_keys_are_rotated_on_deployment_and_every_30_days() {
    let schedule = template()["Resources"]["KeysRotation"]["Properties"].clone();
    assert_eq!(
        schedule,
        serde_json::json!({
            "SecretId": "PrivateKeysSecret", "RotationLambdaARN": "RotateKeysFunction.Arn",
            "RotateImmediatelyOnUpdate": true, "RotationRules": { "AutomaticallyAfterDays": 30 },
        })
    );
}

#[test]
fn tables_whose_items_expire_have_a_ttl() {
    for (table, attribute) in
        [("SmsSessionsTable", "expires_at"), ("SessionsTable", "expires_at"), ("LimitsTable", "expires_at")]
    {
        let ttl = &template()["Resources"][table]["Properties"]["TimeToLiveSpecification"];
        assert_eq!(ttl, &serde_json::json!({ "AttributeName": attribute, "Enabled": true }), "{table}");
    }
}
