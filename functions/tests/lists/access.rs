//! The access that the endpoints declare, and what the template grants.

use std::collections::{BTreeMap, BTreeSet};

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use serde_json::Value as Json;
use shared::access::{Access, KeyAccess};

use crate::files::{endpoints, functions, template};

/// The memory size with one full vCPU.
const FULL_CPU_MB: u64 = 1769;

/// Returns the access of every function, by name.
fn declared() -> BTreeMap<&'static str, Access> {
    let endpoints = ENDPOINTS.iter().map(|endpoint| (endpoint.name, endpoint.access));
    endpoints.chain(JOBS.iter().map(|job| (job.name, job.access))).collect()
}

/// Returns the permissions that follow from an access.
fn required(access: Access) -> BTreeSet<String> {
    let mut permissions = BTreeSet::new();
    for table in access.tables {
        let items: Vec<_> = table.items.iter().map(|item| format!("{item}*")).collect();
        let resource = dynamodb(&format!("{:?}Table", table.table), &items, table.attributes);
        permissions.extend(table.actions.iter().map(|action| format!("dynamodb:{action:?} on {resource}")));
    }
    match access.keys {
        KeyAccess::Verify => permissions.extend(["dynamodb:GetItem on PublicKeysTable [KEYS]".to_owned()]),
        KeyAccess::None | KeyAccess::Sign if !access.tables.is_empty() => {
            permissions.extend(["dynamodb:GetItem on PublicKeysTable [WARM]".to_owned()]);
        }
        KeyAccess::None | KeyAccess::Sign => {}
        KeyAccess::Rotate => {
            permissions.extend(["GetItem", "PutItem"].map(|action| format!("dynamodb:{action} on PublicKeysTable")));
            let private = ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"];
            permissions.extend(private.map(|action| format!("secretsmanager:{action} on PrivateKeysSecret")));
        }
    }
    if access.keys == KeyAccess::Sign {
        permissions.insert("secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only".to_owned());
    }
    if access.sms {
        permissions.extend(["sns:GetSMSAttributes on *", "sns:Publish on a phone number"].map(str::to_owned));
    }
    permissions
}

/// Describes a part of a table.
fn dynamodb(table: &str, items: &[impl AsRef<str>], attributes: &[impl AsRef<str>]) -> String {
    let join = |all: &[&str]| all.join(" ");
    let (items, attributes): (Vec<_>, Vec<_>) =
        (items.iter().map(AsRef::as_ref).collect(), attributes.iter().map(AsRef::as_ref).collect());
    let items = if items.is_empty() { String::new() } else { format!(" [{}]", join(&items)) };
    let attributes = if attributes.is_empty() { String::new() } else { format!(" ({})", join(&attributes)) };
    format!("{table}{items}{attributes}")
}

/// Returns the permissions that the template grants to a function.
fn granted(properties: &Json) -> BTreeSet<String> {
    let mut permissions = BTreeSet::new();
    for statement in properties["Policies"][0]["Statement"].as_array().into_iter().flatten() {
        let resource =
            statement["Resource"].as_str().map_or("a phone number", |resource| resource.trim_end_matches(".Arn"));
        let mut conditions = statement["Condition"].as_object().cloned().unwrap_or_default();
        let mut values = |operator: &str, key: &str| -> Vec<String> {
            let values = conditions.get_mut(operator).and_then(|keys| keys.as_object_mut()?.remove(key));
            let values = values.map(|values| values.as_array().cloned().unwrap_or_else(|| vec![values]));
            values.into_iter().flatten().map(|value| value.as_str().unwrap().to_owned()).collect()
        };
        let mut items = values("ForAllValues:StringLike", "dynamodb:LeadingKeys");
        items.extend(values("ForAllValues:StringEquals", "dynamodb:LeadingKeys"));
        let attributes = values("ForAllValues:StringEquals", "dynamodb:Attributes");
        // Without these, a request that names no attribute could return all of them.
        let returned = [
            values("StringEqualsIfExists", "dynamodb:Select"),
            values("StringEqualsIfExists", "dynamodb:ReturnValues"),
        ];
        let nothing_else = [vec!["SPECIFIC_ATTRIBUTES".to_owned()], vec!["NONE".to_owned()]];
        assert_eq!(returned, if attributes.is_empty() { Default::default() } else { nothing_else }, "{resource}");
        let stages = values("StringEquals", "secretsmanager:VersionStage");
        let stage = stages.first().map(|stage| format!(", {stage} only")).unwrap_or_default();
        assert!(conditions.values().all(|keys| keys.as_object().unwrap().is_empty()), "{resource}: {conditions:?}");
        let resource = dynamodb(resource, &items, &attributes);
        for action in statement["Action"].as_array().unwrap() {
            permissions.insert(format!("{} on {resource}{stage}", action.as_str().unwrap()));
        }
    }
    permissions
}

#[test]
fn each_role_permits_exactly_the_declared_access() {
    let (template, declared) = (template(), declared());
    let functions = functions(&template);
    assert_eq!(functions.len(), declared.len());
    for function in functions {
        let access = declared[function.bin.as_str()];
        assert_eq!(
            granted(&function.properties),
            required(access),
            "{}: the template (left) and the declared access (right)",
            function.bin
        );
    }
}

/// Spelled out, so that no role grows because an endpoint declares more.
#[test]
fn each_role_permits_exactly_these_actions() {
    let template = template();
    let granted = functions(&template).into_iter().map(|function| {
        let permissions: Vec<_> = granted(&function.properties).into_iter().collect();
        (function.bin, permissions.join("\n"))
    });
    let granted: BTreeMap<_, _> = granted.collect();
    let granted: Vec<_> = granted.iter().map(|(bin, actions)| (bin.as_str(), actions.as_str())).collect();
    let expected = EXPECTED.map(|(bin, permissions)| (bin, permissions.join("\n")));
    assert_eq!(granted, expected.iter().map(|(bin, text)| (*bin, text.as_str())).collect::<Vec<_>>());
}

const EXPECTED: [(&str, &[&str]); 14] = [
    (
        "email-duplicate-check",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#*]",
            "dynamodb:UpdateItem on LimitsTable [CHECK#*]",
        ],
    ),
    ("jwks", &["dynamodb:GetItem on PublicKeysTable [KEYS]"]),
    (
        "login",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#* PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk password_hash token_version is_disabled password_reset_at)",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:UpdateItem on LimitsTable [PASSWORD#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "login-code",
        &[
            "dynamodb:DeleteItem on LimitsTable [PASSWORD#*]",
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version email name is_disabled password_reset_at)",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:UpdateItem on LimitsTable [SMS#IP#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "logout",
        &[
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version)",
            "dynamodb:UpdateItem on UsersTable [USER#*] (pk token_version)",
        ],
    ),
    ("openid-configuration", &[]),
    (
        "password",
        &[
            "dynamodb:DeleteItem on LimitsTable [PASSWORD#*]",
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version email name is_disabled password_reset_at)",
            "dynamodb:UpdateItem on LimitsTable [SMS#DAY*]",
            "dynamodb:UpdateItem on UsersTable [USER#*] \
             (pk password_hash updated_at password_reset_at token_version is_disabled)",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
            "sns:GetSMSAttributes on *",
            "sns:Publish on a phone number",
        ],
    ),
    (
        "phone-duplicate-check",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:UpdateItem on LimitsTable [CHECK#*]",
        ],
    ),
    (
        "profile",
        &[
            "dynamodb:BatchGetItem on SessionsTable [USER#*] (pk sk expires_at)",
            "dynamodb:BatchGetItem on UsersTable [USER#*] (pk name email phone nickname token_version is_disabled)",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
        ],
    ),
    (
        "rotate-keys",
        &[
            "dynamodb:GetItem on PublicKeysTable",
            "dynamodb:PutItem on PublicKeysTable",
            "secretsmanager:DescribeSecret on PrivateKeysSecret",
            "secretsmanager:GetSecretValue on PrivateKeysSecret",
            "secretsmanager:PutSecretValue on PrivateKeysSecret",
            "secretsmanager:UpdateSecretVersionStage on PrivateKeysSecret",
        ],
    ),
    (
        "signup",
        &[
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [EMAIL#* PHONE#*]",
            "dynamodb:PutItem on SessionsTable [USER#*]",
            "dynamodb:PutItem on UsersTable [EMAIL#* PHONE#* USER#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
    (
        "sms-auth-send",
        &[
            "dynamodb:DeleteItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:GetItem on PublicKeysTable [KEYS]",
            "dynamodb:GetItem on UsersTable [PHONE#*]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version email name is_disabled password_reset_at)",
            "dynamodb:PutItem on SmsSessionsTable [SESSION#*]",
            "dynamodb:UpdateItem on LimitsTable [SMS#*]",
            "sns:GetSMSAttributes on *",
            "sns:Publish on a phone number",
        ],
    ),
    (
        "sms-auth-verify",
        &[
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:UpdateItem on LimitsTable [SMS#IP#*]",
            "dynamodb:UpdateItem on SmsSessionsTable [SESSION#*]",
        ],
    ),
    (
        "token-refresh",
        &[
            "dynamodb:ConditionCheckItem on UsersTable [USER#*] (pk token_version is_disabled)",
            "dynamodb:DeleteItem on SessionsTable [USER#*]",
            "dynamodb:GetItem on PublicKeysTable [WARM]",
            "dynamodb:GetItem on UsersTable [USER#*] (pk token_version is_disabled)",
            "dynamodb:UpdateItem on SessionsTable [USER#*]",
            "secretsmanager:GetSecretValue on PrivateKeysSecret, AWSCURRENT only",
        ],
    ),
];

#[test]
fn only_functions_that_sign_or_rotate_are_given_the_private_keys() {
    let (template, declared) = (template(), declared());
    let has_secret = |variables: &Json| !variables["PRIVATE_KEYS_SECRET"].is_null();
    assert!(!has_secret(&template["Globals"]["Function"]["Environment"]["Variables"]));
    for function in functions(&template) {
        let uses = matches!(
            function.bin.as_str(),
            "signup" | "login" | "login-code" | "password" | "token-refresh" | "rotate-keys"
        );
        let keys = declared[function.bin.as_str()].keys;
        assert_eq!(uses, matches!(keys, KeyAccess::Sign | KeyAccess::Rotate), "{}", function.bin);
        assert_eq!(uses, has_secret(&function.properties["Environment"]["Variables"]), "{}", function.bin);
    }
}

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
fn alarms_exist_for_50_80_and_100_percent_of_the_sms_of_a_day() {
    let template = template();
    assert_eq!(functions::http::limits::LOGGED_PERCENT, 50, "the first alarm");
    for percent in [50, 80, 100] {
        let alarm = &template["Resources"][format!("SmsOfDay{percent}Alarm")]["Properties"];
        assert_eq!(alarm["Threshold"], percent);
        let filter = &template["Resources"]["SmsOfDayLogged"]["Properties"];
        assert_eq!(filter["FilterPattern"], "{ $.sms_of_day_percent = * }");
        assert_eq!(alarm["MetricName"], filter["MetricTransformations"][0]["MetricName"]);
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
