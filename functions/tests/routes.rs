//! Whatever must be written in several places is the same in all of them: the endpoints, the router
//! of `cargo lambda watch`, the template, the bins, the events and the README. A test that fails
//! here names what was forgotten.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use functions::ENDPOINTS;
use serde_json::Value as Json;
use shared::config::Config;

/// Bins that no route leads to: the one of local runs, and the one that Secrets Manager calls.
const LOCAL_ONLY: &str = "local-outbox";
const NOT_ROUTED: &str = "rotate-keys";

/// Function name to its routes, `GET /path`.
type Routes = BTreeMap<String, BTreeSet<String>>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn names(folder: &str, extension: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path());
    files
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn template() -> Json {
    serde_saphyr::from_str(&text("template.yaml")).unwrap()
}

/// The variables that an operator can set, and the parameters that set them.
fn variables(template: &Json) -> BTreeMap<String, String> {
    let settings = |resource: &Json| resource["Environment"]["Variables"].as_object().cloned().unwrap_or_default();
    let globals = settings(&template["Globals"]["Function"]);
    let of_functions = functions(template).into_iter().flat_map(|(_, _, function)| settings(&function["Properties"]));
    let parameter = |value: &Json| match value {
        // An alternative: with the parameter in it, or without.
        Json::Array(alternative) => alternative[1].as_str().unwrap().split(['{', '}']).nth(1).unwrap().to_owned(),
        value => value.as_str().unwrap().to_owned(),
    };
    let all = globals.into_iter().chain(of_functions).map(|(variable, value)| (variable, parameter(&value)));
    // The others name what the template makes.
    all.filter(|(_, parameter)| template["Parameters"].get(parameter).is_some()).collect()
}

/// The template's functions: logical id, bin, and the whole resource.
fn functions(template: &Json) -> Vec<(String, String, Json)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    resources
        .filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function")
        .map(|(id, resource)| {
            (
                id.clone(),
                resource["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap().to_owned(),
                resource.clone(),
            )
        })
        .collect()
}

fn endpoints() -> Routes {
    let routes = |endpoint: &functions::Endpoint| {
        endpoint.routes.iter().map(|(method, path)| format!("{method} {path}")).collect()
    };
    ENDPOINTS.iter().map(|endpoint| (endpoint.name.to_owned(), routes(endpoint))).collect()
}

#[test]
fn router_template_and_bins_are_the_endpoints() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let mut router = Routes::new();
    for (path, targets) in manifest["workspace"]["metadata"]["lambda"]["watch"]["router"].as_table().unwrap() {
        for target in targets.as_array().unwrap() {
            let (method, function) = (target["method"].as_str().unwrap(), target["function"].as_str().unwrap());
            router.entry(function.to_owned()).or_default().insert(format!("{method} {path}"));
        }
    }
    assert_eq!(router.remove(LOCAL_ONLY).map(|routes| routes.len()), Some(1));
    assert_eq!(router, endpoints(), "the router in Cargo.toml (left) and ENDPOINTS (right)");

    let mut deployed = Routes::new();
    for (id, bin, function) in functions(&template()) {
        assert_eq!(function["Properties"]["FunctionName"], format!("${{AWS::StackName}}-{bin}"), "{id}");
        let routes = deployed.entry(bin).or_default();
        for event in function["Properties"]["Events"].as_object().into_iter().flat_map(|events| events.values()) {
            let event = &event["Properties"];
            routes.insert(format!("{} {}", event["Method"].as_str().unwrap(), event["Path"].as_str().unwrap()));
        }
    }
    assert_eq!(deployed.remove(NOT_ROUTED), Some(BTreeSet::new()));
    assert_eq!(deployed, endpoints(), "the functions in template.yaml (left) and ENDPOINTS (right)");

    let mut bins = names("functions/src/bin", "rs");
    assert!(bins.remove(LOCAL_ONLY) && bins.remove(NOT_ROUTED));
    assert_eq!(bins, endpoints().into_keys().collect(), "the bins (left) and ENDPOINTS (right)");
    for bin in &bins {
        let (main, module) = (text(&format!("functions/src/bin/{bin}.rs")), bin.replace('-', "_"));
        let serve = if bin == "sms-auth-send" { "serve_with_sms" } else { "serve" };
        let line = format!("functions::{serve}(functions::{module}::ENDPOINT)");
        assert!(main.contains(&line), "{bin} serves another endpoint");
    }
}

#[test]
fn each_function_has_an_event() {
    let bins: BTreeSet<String> = functions(&template()).into_iter().map(|(_, bin, _)| bin).collect();
    assert_eq!(names("local/events", "json"), bins);
}

#[test]
fn each_route_that_costs_an_sms_or_a_hash_has_a_throttle() {
    let template = template();
    let hashes =
        |bin: &str| functions(&template).iter().any(|(_, b, f)| b == bin && f["Properties"]["MemorySize"] == 1769);
    let costly = endpoints().into_iter().filter(|(bin, _)| bin == "sms-auth-send" || hashes(bin));
    let throttled = &template["Resources"]["HttpApi"]["Properties"]["RouteSettings"];
    let throttled: BTreeSet<String> = throttled.as_object().unwrap().keys().cloned().collect();
    assert_eq!(throttled, costly.flat_map(|(_, routes)| routes).collect());
}

#[test]
fn what_reads_phone_numbers_is_told_their_country() {
    let functions = functions(&template());
    let told = functions
        .iter()
        .filter(|(_, _, function)| !function["Properties"]["Environment"]["Variables"]["DEFAULT_REGION"].is_null());
    let told: BTreeSet<&str> = told.map(|(_, bin, _)| bin.as_str()).collect();
    let reads = ENDPOINTS.iter().filter(|endpoint| endpoint.needs.phones);
    assert_eq!(told, reads.map(|endpoint| endpoint.name).collect());
}

#[test]
fn each_function_may_do_what_it_does_and_nothing_else() {
    let template = template();
    let mut granted = BTreeMap::new();
    for (_, bin, function) in functions(&template) {
        let mut actions = BTreeSet::new();
        for statement in function["Properties"]["Policies"][0]["Statement"].as_array().into_iter().flatten() {
            let resource =
                statement["Resource"].as_str().map_or("a phone number", |resource| resource.trim_end_matches(".Arn"));
            let only = &statement["Condition"]["ForAllValues:StringEquals"]["dynamodb:LeadingKeys"][0];
            let only = only.as_str().map(|pk| format!("'s {pk}")).unwrap_or_default();
            for action in statement["Action"].as_array().unwrap() {
                actions.insert(format!("{} on {resource}{only}", action.as_str().unwrap()));
            }
        }
        granted.insert(bin, actions.into_iter().collect::<Vec<_>>().join(", "));
    }
    for endpoint in ENDPOINTS {
        // What init asks for is granted, and what is granted is asked for.
        let (granted, needs) = (&granted[endpoint.name], endpoint.needs);
        let table = needs.table.map(|table| format!("dynamodb:GetItem on {table:?}Table"));
        assert!(granted.contains(&table.clone().unwrap_or_default()), "{}: {table:?}", endpoint.name);
        assert_eq!(granted.contains("dynamodb:"), table.is_some(), "{}", endpoint.name);
        for action in ["sns:GetSMSAttributes", "sns:Publish"] {
            assert_eq!(granted.contains(action), endpoint.name == "sms-auth-send", "{}: {action}", endpoint.name);
        }
        assert_eq!(granted.contains("secretsmanager:GetSecretValue"), needs.keys, "{}", endpoint.name);
    }
    let granted: Vec<_> = granted.iter().map(|(bin, actions)| (bin.as_str(), actions.as_str())).collect();
    let families = |action: &str| format!("dynamodb:{action} on TokenFamiliesTable");
    let (private, public) =
        ("secretsmanager:GetSecretValue on PrivateKeysSecret", "secretsmanager:GetSecretValue on PublicKeysSecret");
    assert_eq!(
        granted,
        [
            ("email-duplicate-check", "dynamodb:GetItem on UsersTable"),
            ("jwks", public),
            ("login", &format!("dynamodb:GetItem on UsersTable, {}, {private}", families("PutItem"))),
            (
                "logout",
                &format!(
                    "{}, {}'s WARM, dynamodb:UpdateItem on UsersTable, {public}",
                    families("DeleteItem"),
                    families("GetItem")
                )
            ),
            ("openid-configuration", ""),
            (
                "password",
                "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable, dynamodb:GetItem on UsersTable, dynamodb:UpdateItem on UsersTable"
            ),
            ("phone-duplicate-check", "dynamodb:GetItem on UsersTable"),
            ("profile", &format!("dynamodb:GetItem on UsersTable, {public}")),
            (
                "rotate-keys",
                &format!(
                    "secretsmanager:DescribeSecret on PrivateKeysSecret, {private}, {public}, secretsmanager:PutSecretValue on PrivateKeysSecret, secretsmanager:PutSecretValue on PublicKeysSecret, secretsmanager:UpdateSecretVersionStage on PrivateKeysSecret"
                )
            ),
            (
                "signup",
                &format!(
                    "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable, {}, dynamodb:PutItem on UsersTable, {private}",
                    families("PutItem")
                )
            ),
            (
                "sms-auth-send",
                "dynamodb:DeleteItem on SmsSessionsTable, dynamodb:GetItem on SmsSessionsTable's WARM, dynamodb:PutItem on SmsSessionsTable, dynamodb:UpdateItem on SmsSessionsTable, sns:GetSMSAttributes on *, sns:Publish on a phone number"
            ),
            ("sms-auth-verify", "dynamodb:GetItem on SmsSessionsTable, dynamodb:UpdateItem on SmsSessionsTable"),
            (
                "token-refresh",
                &format!(
                    "dynamodb:ConditionCheckItem on UsersTable, {}, {}'s WARM, {}, {private}",
                    families("DeleteItem"),
                    families("GetItem"),
                    families("UpdateItem")
                )
            ),
        ]
    );

    // Each reads the keys where it may, and only those that sign read private ones.
    let keys = |resource: &Json| resource["Environment"]["Variables"]["KEYS_SECRET"].as_str().map(str::to_owned);
    let globally = keys(&template["Globals"]["Function"]).unwrap();
    for (_, bin, function) in functions(&template) {
        let reads = keys(&function["Properties"]).unwrap_or_else(|| globally.clone());
        let signs = matches!(bin.as_str(), "signup" | "login" | "token-refresh");
        assert_eq!(reads, if signs { "PrivateKeysSecret" } else { "PublicKeysSecret" }, "{bin}");
    }
}

#[test]
fn the_keys_are_rotated_at_once_and_every_30_days() {
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
fn what_expires_in_a_table_has_a_ttl() {
    for (table, attribute) in [("SmsSessionsTable", "expires_at"), ("TokenFamiliesTable", "expires_at")] {
        let ttl = &template()["Resources"][table]["Properties"]["TimeToLiveSpecification"];
        assert_eq!(ttl, &serde_json::json!({ "AttributeName": attribute, "Enabled": true }), "{table}");
    }
}

#[test]
fn the_readme_s_table_has_each_variable_with_its_parameter_and_default() {
    let template = template();
    let mut expected = BTreeSet::new();
    for (variable, parameter) in variables(&template) {
        let default = match &template["Parameters"][&parameter]["Default"] {
            Json::String(default) => default.clone(),
            default => default.to_string(),
        };
        expected.insert(format!(
            "| `{variable}` | `{parameter}` | {} |",
            if default.is_empty() { "none".to_owned() } else { format!("`{default}`") }
        ));
    }
    let readme = text("README.md");
    let section = readme.split("\n## ").find(|section| section.starts_with("Configuration\n")).unwrap();
    let rows: BTreeSet<String> = section
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.split('|').take(4).collect::<Vec<_>>().join("|") + "|")
        .collect();
    assert_eq!(rows, expected, "the README (left) and the template (right)");
}

#[test]
fn the_parameters_have_the_defaults_and_bounds_of_the_code() {
    let template = template();
    let parameters: BTreeMap<String, Json> = variables(&template)
        .into_iter()
        .map(|(variable, parameter)| (variable, template["Parameters"][&parameter].clone()))
        .collect();
    let default = |variable: &str| match &parameters.get(variable)?["Default"] {
        Json::String(default) => Some(default.clone()),
        default => Some(default.to_string()),
    };
    assert_eq!(format!("{:?}", Config::read(&default).unwrap()), format!("{:?}", Config::default()));

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
    ] {
        let pattern = regex_lite::Regex::new(parameters[variable]["AllowedPattern"].as_str().unwrap()).unwrap();
        assert!(pattern.is_match(&default(variable).unwrap()), "{variable}");
        assert!(!pattern.is_match(bad), "the template takes {bad:?} as {variable}");
        assert!(
            Config::read(&|name| (name == variable).then(|| bad.to_owned())).is_err(),
            "the code takes {bad:?} as {variable}"
        );
    }
    for (variable, parameter) in parameters.iter().filter(|(_, parameter)| parameter["Type"] == "Number") {
        let with = |value: i64| Config::read(&|name: &str| (name == variable).then(|| value.to_string()));
        let (least, most) = (parameter["MinValue"].as_i64().unwrap(), parameter["MaxValue"].as_i64().unwrap());
        assert!(with(least).is_ok() && with(most).is_ok(), "{variable}");
        assert!(with(least - 1).is_err() && with(most + 1).is_err(), "{variable}");
    }
}

#[test]
fn the_readme_names_each_route_and_each_error_code() {
    let readme = text("README.md");
    for route in endpoints().into_values().flatten() {
        let (method, path) = route.split_once(' ').unwrap();
        let path = path.trim_start_matches("/api/v1/users");
        assert!(readme.lines().any(|line| line.contains(method) && line.contains(path)), "{route}");
    }
    for error_code in text("shared/src/error.rs").split('"').filter(|word| word.contains("__")) {
        assert!(readme.contains(&format!("`{error_code}`")), "{error_code}");
    }
}
