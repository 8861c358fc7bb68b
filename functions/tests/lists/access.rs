//! The access that the endpoints declare, and what the template grants.

use std::collections::{BTreeMap, BTreeSet};

use functions::ENDPOINTS;
use functions::jobs::JOBS;
use serde_json::Value as Json;
use shared::access::{Access, KeyAccess};

use crate::files::{functions, template};
use crate::roles::ROLES;

/// Returns the access of every function, by name.
pub(crate) fn declared() -> BTreeMap<&'static str, Access> {
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
    let expected = ROLES.map(|(bin, permissions)| (bin, permissions.join("\n")));
    assert_eq!(granted, expected.iter().map(|(bin, text)| (*bin, text.as_str())).collect::<Vec<_>>());
}

#[test]
fn only_functions_that_sign_or_rotate_are_given_the_private_keys() {
    let (template, declared) = (template(), declared());
    let has_secret = |variables: &Json| !variables["PRIVATE_KEYS_SECRET"].is_null();
    assert!(!has_secret(&template["Globals"]["Function"]["Environment"]["Variables"]));
    for function in functions(&template) {
        let uses = matches!(
            function.bin.as_str(),
            "signup"
                | "login"
                | "login-code"
                | "password"
                | "password-change"
                | "phone-change"
                | "email-change"
                | "token-refresh"
                | "rotate-keys"
        );
        let keys = declared[function.bin.as_str()].keys;
        assert_eq!(uses, matches!(keys, KeyAccess::Sign | KeyAccess::Rotate), "{}", function.bin);
        assert_eq!(uses, has_secret(&function.properties["Environment"]["Variables"]), "{}", function.bin);
    }
}
