//! The access that the endpoints declare, and what the template grants.

use std::collections::{BTreeMap, BTreeSet};

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use serde_json::Value as Json;
use shared::access::{Access, Action, KeyAccess};

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
    for (nth, (table, actions)) in access.tables.iter().enumerate() {
        permissions.extend(actions.iter().map(|action| format!("dynamodb:{action:?} on {table:?}Table")));
        // Init reads an item that does not exist from the first table.
        if nth == 0 && !actions.contains(&Action::GetItem) {
            permissions.insert(format!("dynamodb:GetItem on {table:?}Table's WARM"));
        }
    }
    let (secrets, actions): (&[&str], &[&str]) = match access.keys {
        KeyAccess::None => (&[], &[]),
        KeyAccess::Verify => (&["PublicKeysSecret"], &["GetSecretValue"]),
        KeyAccess::Sign => (&["PrivateKeysSecret"], &["GetSecretValue"]),
        KeyAccess::Rotate => {
            let private = ["DescribeSecret", "UpdateSecretVersionStage"];
            permissions.extend(private.map(|action| format!("secretsmanager:{action} on PrivateKeysSecret")));
            (&["PrivateKeysSecret", "PublicKeysSecret"], &["GetSecretValue", "PutSecretValue"])
        }
    };
    for secret in secrets {
        permissions.extend(actions.iter().map(|action| format!("secretsmanager:{action} on {secret}")));
    }
    if access.sms {
        permissions.extend(["sns:GetSMSAttributes on *", "sns:Publish on a phone number"].map(str::to_owned));
    }
    permissions
}

/// Returns the permissions that the template grants to a function.
fn granted(properties: &Json) -> BTreeSet<String> {
    let mut permissions = BTreeSet::new();
    for statement in properties["Policies"][0]["Statement"].as_array().into_iter().flatten() {
        let resource =
            statement["Resource"].as_str().map_or("a phone number", |resource| resource.trim_end_matches(".Arn"));
        let only = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"][0];
        let only = only.as_str().map(|pk| format!("'s {pk}")).unwrap_or_default();
        for action in statement["Action"].as_array().unwrap() {
            permissions.insert(format!("{} on {resource}{only}", action.as_str().unwrap()));
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
        let actions: Vec<_> = granted(&function.properties).into_iter().collect();
        (function.bin, actions.join(", "))
    });
    let granted: BTreeMap<_, _> = granted.collect();
    let granted: Vec<_> = granted.iter().map(|(bin, actions)| (bin.as_str(), actions.as_str())).collect();
    assert_eq!(
        granted,
        [
            ("email-duplicate-check", "dynamodb:GetItem on UsersTable"),
            ("jwks", "secretsmanager:GetSecretValue on PublicKeysSecret"),
            (
                "login",
                "dynamodb:GetItem on UsersTable, dynamodb:PutItem on TokenFamiliesTable, \
                 secretsmanager:GetSecretValue on PrivateKeysSecret"
            ),
            (
                "logout",
                "dynamodb:DeleteItem on TokenFamiliesTable, dynamodb:GetItem on TokenFamiliesTable's WARM, \
                 dynamodb:UpdateItem on UsersTable, secretsmanager:GetSecretValue on PublicKeysSecret"
            ),
            ("openid-configuration", ""),
            (
                "password",
                "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable, \
                 dynamodb:GetItem on UsersTable, dynamodb:UpdateItem on UsersTable"
            ),
            ("phone-duplicate-check", "dynamodb:GetItem on UsersTable"),
            ("profile", "dynamodb:GetItem on UsersTable, secretsmanager:GetSecretValue on PublicKeysSecret"),
            (
                "rotate-keys",
                "secretsmanager:DescribeSecret on PrivateKeysSecret, \
                 secretsmanager:GetSecretValue on PrivateKeysSecret, \
                 secretsmanager:GetSecretValue on PublicKeysSecret, \
                 secretsmanager:PutSecretValue on PrivateKeysSecret, \
                 secretsmanager:PutSecretValue on PublicKeysSecret, \
                 secretsmanager:UpdateSecretVersionStage on PrivateKeysSecret"
            ),
            (
                "signup",
                "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable, \
                 dynamodb:PutItem on TokenFamiliesTable, dynamodb:PutItem on UsersTable, \
                 secretsmanager:GetSecretValue on PrivateKeysSecret"
            ),
            (
                "sms-auth-send",
                "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable's WARM, \
                 dynamodb:PutItem on SmsSessionsTable, dynamodb:UpdateItem on SmsSessionsTable, \
                 sns:GetSMSAttributes on *, sns:Publish on a phone number"
            ),
            ("sms-auth-verify", "dynamodb:GetItem on SmsSessionsTable, dynamodb:UpdateItem on SmsSessionsTable"),
            (
                "token-refresh",
                "dynamodb:ConditionCheckItem on UsersTable, dynamodb:DeleteItem on TokenFamiliesTable, \
                 dynamodb:GetItem on TokenFamiliesTable's WARM, dynamodb:UpdateItem on TokenFamiliesTable, \
                 secretsmanager:GetSecretValue on PrivateKeysSecret"
            ),
        ]
    );
}

#[test]
fn only_functions_that_sign_load_private_keys() {
    let (template, declared) = (template(), declared());
    let secret = |variables: &Json| variables["KEYS_SECRET"].as_str().map(str::to_owned);
    let default = secret(&template["Globals"]["Function"]["Environment"]["Variables"]).unwrap();
    for function in functions(&template) {
        let loads = secret(&function.properties["Environment"]["Variables"]).unwrap_or_else(|| default.clone());
        let signs = matches!(function.bin.as_str(), "signup" | "login" | "token-refresh");
        assert_eq!(signs, declared[function.bin.as_str()].keys == KeyAccess::Sign, "{}", function.bin);
        assert_eq!(loads, if signs { "PrivateKeysSecret" } else { "PublicKeysSecret" }, "{}", function.bin);
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
    for (table, attribute) in [("SmsSessionsTable", "expires_at"), ("TokenFamiliesTable", "expires_at")] {
        let ttl = &template()["Resources"][table]["Properties"]["TimeToLiveSpecification"];
        assert_eq!(ttl, &serde_json::json!({ "AttributeName": attribute, "Enabled": true }), "{table}");
    }
}
