//! Checks that a role which permits only the declared access permits the requests of its function. No real
//! IAM is available to tests.

use std::collections::BTreeSet;

use regex_lite::Regex;
use serde_json::Value as Json;
use shared::access::{Access, Action, Table, TableAccess};

use crate::services::Tables;

/// The words of expressions that are not names of attributes.
const WORDS: [&str; 6] = ["SET", "AND", "OR", "attribute_exists", "attribute_not_exists", "if_not_exists"];

/// A read or a write of one item.
struct Step<'a> {
    action: Action,
    table: &'a str,
    pk: &'a str,
    attributes: BTreeSet<String>,
    /// Whether the response may contain other attributes than `attributes`.
    returns_all: bool,
}

/// Asserts that `access` permits a request.
#[track_caller]
pub(crate) fn assert_permitted(access: Access, tables: &Tables, operation: &str, body: &Json) {
    for step in steps(operation, body) {
        let is_permitted = access.tables.iter().any(|permitted| permits(*permitted, tables, &step));
        assert!(is_permitted, "{:?} of {} ({:?}) is not permitted: {body}", step.action, step.pk, step.attributes);
    }
}

fn permits(permitted: TableAccess, tables: &Tables, step: &Step<'_>) -> bool {
    let table = match permitted.table {
        Table::Users => &tables.users,
        Table::SmsSessions => &tables.sms_sessions,
        Table::Sessions => &tables.sessions,
        Table::Limits => &tables.limits,
    };
    let has_attributes = permitted.attributes.is_empty()
        || !step.returns_all && step.attributes.iter().all(|name| permitted.attributes.contains(&name.as_str()));
    let has_item = permitted.items.is_empty() || permitted.items.iter().any(|item| step.pk.starts_with(item));
    step.table == table && permitted.actions.contains(&step.action) && has_item && has_attributes
}

/// Returns the steps of a request.
fn steps<'a>(operation: &str, body: &'a Json) -> Vec<Step<'a>> {
    let table = body["TableName"].as_str().unwrap_or_default();
    match operation {
        "GetItem" => vec![read(Action::GetItem, table, &body["Key"], body)],
        "BatchGetItem" => {
            let requests = body["RequestItems"].as_object().unwrap().iter();
            let requests = requests.flat_map(|(table, request)| {
                let keys = request["Keys"].as_array().unwrap().iter();
                keys.map(move |key| read(Action::BatchGetItem, table, key, request))
            });
            requests.collect()
        }
        "Query" => {
            let expressions = names(body, &["ProjectionExpression", "KeyConditionExpression", "FilterExpression"]);
            vec![Step {
                action: Action::Query,
                table,
                pk: body["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap(),
                attributes: expressions.into_iter().collect(),
                returns_all: body["ProjectionExpression"].is_null(),
            }]
        }
        "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().unwrap().iter();
            let items = items.flat_map(|item| item.as_object().unwrap());
            items.map(|(write_name, item)| write(write_name, item)).collect()
        }
        "PutItem" => vec![write("Put", body)],
        "UpdateItem" => vec![write("Update", body)],
        "DeleteItem" => vec![write("Delete", body)],
        _ => panic!("{operation}"),
    }
}

fn read<'a>(action: Action, table: &'a str, key: &'a Json, request: &Json) -> Step<'a> {
    let attributes = key.as_object().unwrap().keys().cloned().chain(names(request, &["ProjectionExpression"]));
    let returns_all = request["ProjectionExpression"].is_null();
    Step { action, table, pk: key["pk"]["S"].as_str().unwrap(), attributes: attributes.collect(), returns_all }
}

fn write<'a>(name: &str, request: &'a Json) -> Step<'a> {
    let (action, key) = match name {
        "ConditionCheck" => (Action::ConditionCheckItem, &request["Key"]),
        "Delete" => (Action::DeleteItem, &request["Key"]),
        "Put" => (Action::PutItem, &request["Item"]),
        "Update" => (Action::UpdateItem, &request["Key"]),
        _ => panic!("{name}"),
    };
    let attributes = key.as_object().unwrap().keys().cloned();
    let returns = |member: &str| request[member].as_str().is_some_and(|value| value != "NONE");
    Step {
        action,
        table: request["TableName"].as_str().unwrap(),
        pk: key["pk"]["S"].as_str().unwrap(),
        attributes: attributes.chain(names(request, &["UpdateExpression", "ConditionExpression"])).collect(),
        returns_all: returns("ReturnValues") || returns("ReturnValuesOnConditionCheckFailure"),
    }
}

/// Returns the names of the attributes in expressions.
fn names(request: &Json, expressions: &[&str]) -> Vec<String> {
    let name = Regex::new("[:#]?[A-Za-z0-9_]+").unwrap();
    let texts = expressions.iter().filter_map(|expression| request[expression].as_str());
    let words = texts.flat_map(|text| name.find_iter(text).map(|found| found.as_str().to_owned()).collect::<Vec<_>>());
    let words = words.filter(|word| !word.starts_with(':') && !WORDS.contains(&word.as_str()));
    words.map(|word| request["ExpressionAttributeNames"][&word].as_str().map_or(word.clone(), str::to_owned)).collect()
}

#[test]
fn requests_outside_the_access_are_found() {
    const ACCESS: Access = Access {
        tables: &[Table::Users.with(&[Action::GetItem]).items(&["USER#"]).attributes(&["pk", "name"])],
        ..Access::NONE
    };
    let name = |table: &str| table.to_owned();
    let tables = Tables {
        users: name("U"),
        sms_sessions: name("S"),
        sessions: name("E"),
        limits: name("L"),
        public_keys: name("P"),
    };
    let get = |table: &str, pk: &str, projection: Option<&str>| {
        let names = serde_json::json!({ "#0": "name", "#1": "password_hash" });
        serde_json::json!({
            "TableName": table, "Key": { "pk": { "S": pk } }, "ProjectionExpression": projection,
            "ExpressionAttributeNames": names,
        })
    };
    let is_permitted = |operation: &str, body: &Json| {
        steps(operation, body).iter().all(|step| ACCESS.tables.iter().any(|access| permits(*access, &tables, step)))
    };
    assert!(is_permitted("GetItem", &get("U", "USER#1", Some("#0"))));
    let query = serde_json::json!({
        "TableName": "U", "KeyConditionExpression": "pk = :pk", "ProjectionExpression": "#0",
        "ExpressionAttributeNames": { "#0": "name" }, "ExpressionAttributeValues": { ":pk": { "S": "USER#1" } },
    });
    assert!(!is_permitted("Query", &query), "only GetItem is permitted");
    for (table, pk, projection) in [
        ("S", "USER#1", Some("#0")),
        ("U", "EMAIL#1", Some("#0")),
        ("U", "USER#1", Some("#0, #1")),
        ("U", "USER#1", None),
    ] {
        assert!(!is_permitted("GetItem", &get(table, pk, projection)), "{table} {pk} {projection:?}");
    }
    assert!(!is_permitted("DeleteItem", &get("U", "USER#1", None)));
}
