//! The tables of the documentation that follow from the code. A failing test prints the table as it must be.

use std::collections::BTreeSet;

use functions::ENDPOINTS;
use functions::http::openapi::document;
use functions::http::{Authentication, Endpoint, ErrorCode, Request};
use serde_json::{Value as Json, json};

use crate::files::{template, text};

const BASE_PATH: &str = "/api/v1/users";

/// Returns the text below the heading `title` of a file, up to the next heading of its level or a higher one.
pub(crate) fn section(file: &str, title: &str) -> String {
    let text = text(file);
    let level = title.split(' ').next().unwrap().len();
    let mut lines = text.lines().skip_while(|line| *line != title);
    assert!(lines.next().is_some(), "{file} has no heading {title:?}");
    let is_next = |line: &&str| {
        let hashes = line.chars().take_while(|c| *c == '#').count();
        (1..=level).contains(&hashes) && line[hashes..].starts_with(' ')
    };
    lines.take_while(|line| !is_next(line)).map(|line| format!("{line}\n")).collect()
}

/// Returns the tables of a section, each as its lines.
pub(crate) fn tables(file: &str, title: &str) -> Vec<Vec<String>> {
    let mut tables = vec![Vec::new()];
    for line in section(file, title).lines() {
        if line.starts_with('|') {
            tables.last_mut().unwrap().push(line.to_owned());
        } else if !tables.last().unwrap().is_empty() {
            tables.push(Vec::new());
        }
    }
    tables.retain(|table| !table.is_empty());
    tables
}

/// Returns the cells of a row.
fn cells(row: &str) -> Vec<&str> {
    let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
    assert!(cells.iter().all(|cell| !cell.is_empty()) || row.starts_with("| |"), "a cell is empty: {row}");
    cells
}

/// Checks the first table of a section.
pub(crate) fn assert_table(file: &str, title: &str, expected: &[String]) {
    let found = tables(file, title).into_iter().next().unwrap_or_default();
    assert!(found == expected, "the first table below {title:?} in {file} must be:\n\n{}\n", expected.join("\n"));
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Returns the routes of an endpoint, the preferred one first.
fn routes(endpoint: &Endpoint) -> String {
    let route = |(method, path): &(&str, &str)| code(&format!("{method} {}", path.trim_start_matches(BASE_PATH)));
    endpoint.routes.iter().rev().map(route).collect::<Vec<_>>().join(", ")
}

/// Returns the names in an array of JSON.
fn names(array: &Json) -> Vec<String> {
    array.as_array().into_iter().flatten().map(|name| code(name.as_str().unwrap())).collect()
}

/// Returns the fields of an endpoint's request: those that are required, and then the others.
fn request_fields(endpoint: &Endpoint, document: &Json) -> String {
    let (method, path) = endpoint.routes.last().unwrap();
    let operation = &document["paths"][path][method.to_lowercase()];
    let (required, all) = if !Request::has_body(method) {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let named = |parameter: &Json| code(parameter["name"].as_str().unwrap());
        let required = parameters.iter().filter(|parameter| parameter["required"] == true).map(named);
        (required.collect(), parameters.iter().map(named).collect::<Vec<_>>())
    } else {
        let schema = schema(document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        // Alternatives require the same fields, and one more each.
        let alternatives = schema["anyOf"].as_array().cloned().unwrap_or_else(|| vec![schema.clone()]);
        let all: Vec<_> = alternatives.iter().map(|one| names(&one["required"])).collect();
        let is_common = |field: &String| all.iter().all(|one| one.contains(field));
        let mut required: Vec<_> = all[0].iter().filter(|field| is_common(field)).cloned().collect();
        let others: Vec<_> = all.iter().flatten().filter(|field| !is_common(field)).cloned().collect();
        if !others.is_empty() {
            // Alternatives that exclude each other have the others as null.
            let is_exclusive = alternatives.iter().any(|one| {
                one["properties"].as_object().unwrap().values().any(|schema| schema == &json!({ "type": "null" }))
            });
            let others =
                if is_exclusive { others.join(" or ") } else { format!("at least one of {}", others.join(", ")) };
            required.insert(0, others);
        }
        (required, alternatives[0]["properties"].as_object().unwrap().keys().map(|name| code(name)).collect())
    };
    let is_optional = |name: &String| !required.iter().any(|field| field.contains(name));
    let optional: Vec<_> = all.into_iter().filter(is_optional).collect();
    let token = match endpoint.authentication {
        Authentication::None => None,
        Authentication::AccessToken => Some("an access token".to_owned()),
        Authentication::RecentLogin => Some("an access token of a recent login".to_owned()),
    };
    let optional = (!optional.is_empty()).then(|| format!("optional {}", optional.join(", ")));
    let required = (!required.is_empty()).then(|| required.join(", "));
    [token, required, optional].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Returns the schema that a reference names.
fn schema<'a>(document: &'a Json, reference: &Json) -> &'a Json {
    document.pointer(reference["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap()
}

/// Returns the status of a success, unless it is 200, and the fields of the response.
fn response_fields(endpoint: &Endpoint, document: &Json) -> String {
    let (method, path) = endpoint.routes.last().unwrap();
    let responses = document["paths"][path][method.to_lowercase()]["responses"].as_object().unwrap();
    let (status, response) = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap();
    let content = &response["content"]["application/json"]["schema"];
    let status = (status != "200").then(|| status.clone());
    let fields = (!content.is_null()).then(|| names(&schema(document, content)["required"]).join(", "));
    [status, fields].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

#[test]
fn the_table_of_endpoints_is_that_of_the_types() {
    let document = document(ENDPOINTS, |_| None).unwrap();
    let mut expected = vec!["| route | request | response |".to_owned(), "|---|---|---|".to_owned()];
    expected.extend(ENDPOINTS.iter().map(|endpoint| {
        let (request, response) = (request_fields(endpoint, &document), response_fields(endpoint, &document));
        format!("| {} | {request} | {response} |", routes(endpoint)).replace("|  |", "| |")
    }));
    assert_table("README.md", "## Endpoints", &expected);
}

#[test]
fn the_documentation_of_the_api_has_each_function_with_its_routes() {
    let found = tables("functions/README.md", "## Endpoints").remove(0);
    let found: Vec<_> = found[2..].iter().map(|row| row.split(" | ").take(2).collect::<Vec<_>>().join(" | ")).collect();
    let expected = ENDPOINTS.iter().map(|endpoint| format!("| {} | {}", code(endpoint.name), routes(endpoint)));
    assert_eq!(found, expected.collect::<Vec<_>>(), "functions/README.md (left) and ENDPOINTS (right)");
}

/// A name of some endpoints, and whether an endpoint is one of them.
type Group = (&'static str, fn(&Endpoint) -> bool);

/// Returns the endpoints that return an error, in few words.
fn endpoints_with(error: ErrorCode) -> String {
    let groups: [Group; 4] = [
        ("all that do not only read", |endpoint| !endpoint.is_read_only),
        ("all with a body", |endpoint| endpoint.routes.iter().any(|(method, _)| Request::has_body(method))),
        ("all with an access token", |endpoint| endpoint.authentication != Authentication::None),
        ("all that require a recent login", |endpoint| endpoint.authentication == Authentication::RecentLogin),
    ];
    let (with, without): (Vec<_>, Vec<_>) =
        ENDPOINTS.iter().partition(|endpoint| endpoint.errors().any(|found| found == error));
    let names =
        |endpoints: &[&Endpoint]| endpoints.iter().map(|endpoint| code(endpoint.name)).collect::<Vec<_>>().join(", ");
    if without.is_empty() {
        "all".to_owned()
    } else if without.len() <= 3 {
        format!("all but {}", names(&without))
    } else if let Some((group, is_in)) =
        groups.iter().find(|(_, is_in)| !without.iter().any(|endpoint| is_in(endpoint)))
    {
        let others: Vec<_> = with.into_iter().filter(|endpoint| !is_in(endpoint)).collect();
        let others = (!others.is_empty()).then(|| names(&others));
        [Some((*group).to_owned()), others].into_iter().flatten().collect::<Vec<_>>().join(", ")
    } else {
        names(&with)
    }
}

#[test]
fn the_table_of_errors_has_each_error_code_with_its_status_and_endpoints() {
    let codes: BTreeSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), ErrorCode::ALL.len());
    let declared: BTreeSet<&str> =
        ENDPOINTS.iter().flat_map(|endpoint| endpoint.errors()).map(ErrorCode::as_str).collect();
    assert_eq!(declared, codes, "the errors of all endpoints (left) and all error codes (right)");

    let found = tables("functions/README.md", "## Errors").remove(0);
    let reason = |code: &str| {
        let row = found.iter().map(|row| cells(row)).find(|cells| cells[1] == code);
        row.and_then(|cells| cells.last().map(|&reason| reason.to_owned())).unwrap_or_default()
    };
    let mut expected =
        vec!["| status | `error_code` | endpoints | reason |".to_owned(), "|---|---|---|---|".to_owned()];
    expected.extend(ErrorCode::ALL.map(|error| {
        let code = code(error.as_str());
        format!("| {} | {code} | {} | {} |", error.status(), endpoints_with(error), reason(&code))
    }));
    assert_table("functions/README.md", "## Errors", &expected);
}

#[test]
fn the_table_of_alarms_has_each_alarm_of_the_template() {
    let template = template();
    let resources = template["Resources"].as_object().unwrap().iter();
    let alarms = resources.filter(|(_, resource)| resource["Type"] == "AWS::CloudWatch::Alarm").map(|(id, _)| code(id));
    let found = tables("functions/OPERATIONS.md", "## Alarms").remove(0);
    let found = found[2..].iter().map(|row| cells(row)[0].to_owned());
    assert_eq!(found.collect::<BTreeSet<_>>(), alarms.collect(), "OPERATIONS.md (left) and template.yaml (right)");
}

/// A row of `local/benchmark/recorded.json`.
struct Recorded {
    first: u64,
    warm: u64,
    rss: u64,
    zip: u64,
}

#[test]
fn the_figures_are_those_that_the_benchmark_recorded() {
    let recorded: Json = serde_json::from_str(&text("local/benchmark/recorded.json")).unwrap();
    let row = |name: &str| {
        let values: Vec<_> = recorded[name].as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect();
        let [first, warm, _, rss, zip] = values[..] else { panic!("{name}: {values:?}") };
        Recorded { first, warm, rss, zip }
    };
    let max =
        |value: fn(Recorded) -> u64| recorded.as_object().unwrap().keys().map(|name| value(row(name))).max().unwrap();
    let million = |value: u64| value as f64 / 1e6;
    let (unknown, wrong) = (row("login: unknown user").warm, row("login: wrong password").warm);
    let expected = [
        "| figure | value |".to_owned(),
        "|---|---|".to_owned(),
        format!("| largest zip of a function | {:.1} MB |", million(max(|row| row.zip))),
        format!("| peak memory, maximum of all functions | {:.1} MB |", million(max(|row| row.rss))),
        format!(
            "| instructions to the first response of `profile`, with init and a TLS handshake | {:.1} million |",
            million(row("profile").first)
        ),
        format!("| instructions of a warm `profile` | {:.2} million |", million(row("profile").warm)),
        format!("| instructions of a login, unknown user ÷ wrong password | {:.3} |", unknown as f64 / wrong as f64),
    ];
    assert_table("README.md", "## Figures", &expected);
}

#[test]
fn the_number_of_targets_that_are_not_met_is_that_of_the_benchmark() {
    let benchmark = text("local/benchmark/README.md");
    let not_met = benchmark.lines().filter(|line| line.ends_with("| **no** |")).count();
    let word = ["No", "One", "Two", "Three", "Four", "Five"][not_met];
    assert!(benchmark.contains(&format!("\n{word} targets are not met:\n")), "{word}");
    assert!(
        text("README.md").contains(&format!("[{word} of its\ntargets](local/benchmark/README.md#targets)")),
        "{word}"
    );
}

#[test]
fn the_costs_in_the_comparison_are_those_of_the_benchmark() {
    let costs = tables("local/benchmark/README.md", "### A million users").remove(0);
    let cost = |name: &str| {
        let row = costs.iter().map(|row| cells(row)).find(|cells| cells[0].trim_matches('*') == name);
        row.unwrap_or_else(|| panic!("no cost of {name:?}"))[1].trim_matches('*').to_owned()
    };
    let expected = format!(
        "| a million users, US dollars a month, without SMS | {} | {} (Lite), {} (Essentials) | {} | {} (Pro) |",
        cost("Ably"),
        cost("Amazon Cognito Lite"),
        cost("Amazon Cognito Essentials"),
        cost("Firebase with Identity Platform"),
        cost("Supabase Pro"),
    );
    let comparison = section("README.md", "## Comparison");
    assert!(comparison.lines().any(|line| line.starts_with(&expected)), "the row must begin with: {expected}");
}

#[test]
fn the_documentation_names_the_required_version_of_rust() {
    let manifest: toml::Table = text("Cargo.toml").parse().unwrap();
    let version = manifest["workspace"]["package"]["rust-version"].as_str().unwrap();
    assert!(text("README.md").contains(&format!("https://img.shields.io/badge/rust-{version}%2B-")), "the badge");
    for file in ["README.md", "CONTRIBUTING.md", "local/README.md"] {
        assert!(text(file).contains(&format!("Rust {version}")), "{file}");
    }
}
