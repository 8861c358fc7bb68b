//! The cost of a million monthly users, at public prices.

use serde_json::Value as Json;

use functions::ENDPOINTS;
use shared::error::BoxError;
use shared::events::Metric;

use crate::init::{Init, access};
use crate::requests::Outcome;
use crate::share::MB_PER_CPU;
use crate::timing::{Row, digits};

/// Prices in US dollars for us-east-1, without free tiers. They were read on 2026-11-22 from the linked
/// pages; they change, so read them again before each publication.
mod prices {
    /// The prices of a GB-second on arm64 and of a million requests: <https://aws.amazon.com/lambda/pricing/>
    pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
    pub(super) const LAMBDA_MILLION: f64 = 0.20;
    /// The price of a million requests to an HTTP API: <https://aws.amazon.com/api-gateway/pricing/>
    pub(super) const API_MILLION: f64 = 1.00;
    /// The on-demand prices of a million read and write units, and of a GB-month with point-in-time recovery:
    /// <https://aws.amazon.com/dynamodb/pricing/on-demand/>
    pub(super) const READ_MILLION: f64 = 0.125;
    pub(super) const WRITE_MILLION: f64 = 0.625;
    pub(super) const STORED_GB: f64 = 0.25 + 0.20;
    /// The prices of a secret per month and of ten thousand calls: <https://aws.amazon.com/secrets-manager/pricing/>
    pub(super) const SECRET: f64 = 0.40;
    pub(super) const SECRET_TEN_THOUSAND: f64 = 0.05;
    /// The prices of a GB of logs, of an alarm on one metric, of a metric and of a dashboard: <https://aws.amazon.com/cloudwatch/pricing/>
    pub(super) const LOG_GB: f64 = 0.50;
    pub(super) const ALARM: f64 = 0.10;
    pub(super) const METRIC: f64 = 0.30;
    pub(super) const DASHBOARD: f64 = 3.00;
    /// The price of a GB sent to the internet: <https://aws.amazon.com/ec2/pricing/on-demand/>
    pub(super) const OUT_GB: f64 = 0.09;

    /// Tiers of monthly users: the number above which each tier starts, and its price per user.
    type Tiers = &'static [(f64, f64)];
    /// The fixed prices and the tiers of other providers, free tiers included.
    pub(super) const OTHER_PROVIDERS: &[(&str, f64, Tiers)] = &[
        // <https://aws.amazon.com/cognito/pricing/>
        ("Amazon Cognito Lite", 0.0, &[(1e4, 0.0055), (1e5, 0.0046)]),
        ("Amazon Cognito Essentials", 0.0, &[(1e4, 0.015)]),
        // <https://cloud.google.com/identity-platform/pricing>
        ("Firebase with Identity Platform", 0.0, &[(5e4, 0.0055), (1e5, 0.0046)]),
        // <https://supabase.com/pricing>
        ("Supabase Pro", 25.0, &[(1e5, 0.00325)]),
    ];
}

const USERS: f64 = 1e6;
/// The monthly calls of one user, by function and outcome: a sign-up, ten logins and a hundred profiles.
const CALLS: &[(&str, &str, f64)] = &[
    ("email-duplicate-check", "free", 1.0),
    ("phone-duplicate-check", "free", 1.0),
    ("sms-auth-send", "sent", 1.0),
    ("sms-auth-verify", "verified", 1.0),
    ("signup", "signed up", 1.0),
    ("login", "logged in", 10.0),
    ("profile", "shown", 100.0),
];

// The benchmark cannot measure the following values: they are assumptions.
/// The durations of a request to DynamoDB and of one to SNS.
const DYNAMODB_MS: f64 = 5.0;
const SNS_MS: f64 = 50.0;
/// The part of the invocations that start a new execution environment, and how long its init waits.
const COLD: f64 = 0.01;
const INIT_WAIT_MS: f64 = 50.0;
/// The sizes of a line of the access log, of an event, of a response and of a stored user, in bytes.
const LOG_LINE_BYTES: f64 = 400.0;
const EVENT_BYTES: f64 = 600.0;
const RESPONSE_BYTES: f64 = 1000.0;
const USER_BYTES: f64 = 2000.0;

/// The memory sizes of the first table, in MB. The largest one has a full CPU.
const SIZES: [f64; 5] = [128.0, 256.0, 512.0, 1024.0, MB_PER_CPU as f64];

/// The work of an invocation, in ms.
#[derive(Clone, Copy)]
struct Work {
    /// The time on a full CPU.
    cpu: f64,
    /// The time that it waits for DynamoDB and SNS.
    wait: f64,
    /// The duration of init, for an invocation that starts a new execution environment.
    init: f64,
}

impl Work {
    /// Derives the work from the measurements.
    fn new(function: &str, outcome: &str, rows: &[Row], outcomes: &[Outcome]) -> Result<Self, BoxError> {
        // A user calls so rarely that no function has cached the user's token.
        let name = if function == "profile" { "profile: a new token each time" } else { function };
        let row = rows.iter().find(|row| row.name == name).ok_or_else(|| format!("the row {name:?} is missing"))?;
        let usage = &find(function, outcome, outcomes)?.usage;
        let count = |requests: &str| {
            requests.split(", ").filter_map(|request| request.split(' ').next()?.parse::<f64>().ok()).sum::<f64>()
        };
        Ok(Self {
            cpu: row.warm_cpu.median(),
            wait: count(&usage.dynamodb) * DYNAMODB_MS + count(&usage.sns) * SNS_MS,
            init: row.init_cpu.median() + INIT_WAIT_MS,
        })
    }

    /// Returns the duration of a warm invocation in a function with `mb` MB of memory.
    fn ms(self, mb: f64) -> f64 {
        self.cpu * (MB_PER_CPU as f64 / mb).max(1.0) + self.wait
    }

    /// Returns the price of a million invocations, of which the part [`COLD`] runs init.
    fn dollars_per_million(self, mb: f64) -> f64 {
        let billed = self.ms(mb).ceil() + COLD * self.init.ceil();
        1e6 * billed / 1e3 * mb / 1024.0 * prices::LAMBDA_GB_SECOND
    }
}

/// Returns the outcome with this name.
fn find<'a>(function: &str, outcome: &str, outcomes: &'a [Outcome]) -> Result<&'a Outcome, BoxError> {
    let found = outcomes.iter().find(|found| found.function == function && found.name == outcome);
    found.ok_or_else(|| format!("{function}: the outcome {outcome:?} is missing").into())
}

/// Prints the cost by memory size, and the monthly cost. The chosen memory sizes are those of `template`.
pub(crate) fn print(rows: &[Row], outcomes: &[Outcome], template: &Json) -> Result<(), BoxError> {
    println!(
        "\nThe cost of a million invocations and the duration of one, by memory. A duration includes {DYNAMODB_MS} ms"
    );
    println!("for each request to DynamoDB and {SNS_MS} ms for each to SNS. The choice of template.yaml is bold.\n");
    println!("| function | {} |", SIZES.map(|mb| format!("{mb} MB")).join(" | "));
    println!("|---|{}", "---|".repeat(SIZES.len()));
    for &(function, outcome, _) in CALLS.iter().chain(&[
        ("login-code", "logged in", 0.0),
        ("token-refresh", "refreshed", 0.0),
        ("password", "replaced", 0.0),
        ("profile-update", "updated", 0.0),
        ("password-change", "changed", 0.0),
        ("phone-change", "changed", 0.0),
        ("email-change", "changed", 0.0),
        ("account-delete", "deleted", 0.0),
        ("sessions", "listed", 0.0),
        ("session-revoke", "revoked", 0.0),
    ]) {
        let (work, chosen) = (Work::new(function, outcome, rows, outcomes)?, memory(template, function)?);
        let cells = SIZES.map(|mb| {
            let cell = format!("${:.2}, {} ms", work.dollars_per_million(mb), digits(work.ms(mb)));
            if mb == chosen { format!("**{cell}**") } else { cell }
        });
        println!("| {function} | {} |", cells.join(" | "));
    }

    print_rejected(rows, outcomes, template)?;

    let (mut calls, mut events, mut lambda, mut reads) = (0.0, 0.0, 0.0, 0.0);
    let (mut writes, mut secret_calls) = (0.0, 0.0);
    for &(function, outcome, times) in CALLS {
        let millions = times * USERS / 1e6;
        let usage = &find(function, outcome, outcomes)?.usage;
        calls += millions;
        let is_event = ENDPOINTS.iter().any(|endpoint| endpoint.name == function && !endpoint.is_read_only);
        events += if is_event { millions } else { 0.0 };
        lambda +=
            millions * Work::new(function, outcome, rows, outcomes)?.dollars_per_million(memory(template, function)?);
        let init = Init::new(access(function));
        reads += millions * (usage.read_units + COLD * init.read_units());
        writes += millions * usage.write_units;
        if init.secrets_manager.is_some() {
            secret_calls += millions * COLD * 1e6;
        }
    }
    let gb = |bytes: f64| bytes / 1e9;
    let metrics = count(template, "AWS::Logs::MetricFilter")?
        + Metric::ALL.iter().map(|metric| metric.billed() as f64).sum::<f64>();
    let monitoring = watched_metrics(template)? * prices::ALARM
        + metrics * prices::METRIC
        + count(template, "AWS::CloudWatch::Dashboard")? * prices::DASHBOARD;
    let secrets = count(template, "AWS::SecretsManager::Secret")?;
    let bill = [
        ("API Gateway, requests", calls * prices::API_MILLION),
        ("Lambda, requests", calls * prices::LAMBDA_MILLION),
        ("Lambda, duration", lambda),
        ("DynamoDB, reads", reads * prices::READ_MILLION),
        ("DynamoDB, writes", writes * prices::WRITE_MILLION),
        ("DynamoDB, storage and recovery", gb(USERS * USER_BYTES) * prices::STORED_GB),
        ("Secrets Manager", secrets * prices::SECRET + secret_calls / 1e4 * prices::SECRET_TEN_THOUSAND),
        ("Access log", gb(calls * 1e6 * LOG_LINE_BYTES) * prices::LOG_GB),
        ("Events", gb(events * 1e6 * EVENT_BYTES) * prices::LOG_GB),
        ("Metrics, alarms and dashboard", monitoring),
        ("Data out", gb(calls * 1e6 * RESPONSE_BYTES) * prices::OUT_GB),
    ];
    println!("\nThe monthly cost of a million users, each with a sign-up, 10 logins and 100 profiles, without SMS:\n");
    println!("| | US dollars a month |");
    println!("|---|---|");
    for (item, dollars) in bill {
        println!("| {item} | {dollars:.2} |");
    }
    println!("| **Ably** | **{:.0}** |", bill.iter().map(|(_, dollars)| dollars).sum::<f64>());
    for (name, fixed, tiers) in prices::OTHER_PROVIDERS {
        println!("| {name} | {:.0} |", fixed + tiered_price(tiers));
    }
    Ok(())
}

/// The outcomes of requests that a limit rejects, or that an attacker sends until one does.
const REJECTED: &[(&str, &str)] = &[
    ("email-duplicate-check", "limit of the address exhausted"),
    ("sms-auth-send", "country not allowed"),
    ("sms-auth-send", "limit of the address exhausted"),
    ("sms-auth-send", "limit of the phone number exhausted"),
    ("sms-auth-send", "limit of the device exhausted"),
    ("sms-auth-send", "limit of the account exhausted"),
    ("sms-auth-send", "total of the day exhausted"),
    ("sms-auth-send", "paused"),
    ("sms-auth-verify", "unknown SMS session"),
    ("sms-auth-verify", "attempts exhausted"),
    ("signup", "attempts exhausted"),
    ("login-code", "attempts exhausted"),
    ("login", "limit of the address exhausted"),
    ("login", "limit of the account exhausted"),
    ("login", "passwords in a row exhausted"),
    ("login", "wrong password"),
    ("password-change", "attempts exhausted"),
    ("password-change", "wrong current password"),
    ("phone-change", "SMS session not verified"),
    ("phone-change", "phone number taken"),
    ("email-change", "email taken"),
    ("session-revoke", "unknown session"),
];

/// Prints the cost of a million rejected requests.
fn print_rejected(rows: &[Row], outcomes: &[Outcome], template: &Json) -> Result<(), BoxError> {
    println!(
        "\nThe cost of a million requests that are rejected. Only a wrong password includes the work of a hash:\n"
    );
    println!("| function | outcome | US dollars |");
    println!("|---|---|---|");
    for &(function, outcome) in REJECTED {
        let (usage, mb) = (&find(function, outcome, outcomes)?.usage, memory(template, function)?);
        let work = Work::new(function, outcome, rows, outcomes)?;
        // The rows of functions that hash are those of requests that do. The row of password-change hashes twice.
        let hashes = match (function, outcome) {
            (_, "wrong password") => 1.0,
            (_, "wrong current password") => 0.5,
            _ if access(function).hashing => 0.0,
            _ => 1.0,
        };
        let work = Work { cpu: hashes * work.cpu, ..work };
        let logs = (LOG_LINE_BYTES + EVENT_BYTES) / 1e3 * prices::LOG_GB;
        let requests = prices::API_MILLION + prices::LAMBDA_MILLION + logs;
        let units = usage.read_units * prices::READ_MILLION + usage.write_units * prices::WRITE_MILLION;
        println!("| {function} | {outcome} | {:.2} |", requests + units + work.dollars_per_million(mb));
    }
    Ok(())
}

fn resources(template: &Json) -> Result<impl Iterator<Item = &Json>, BoxError> {
    Ok(template["Resources"].as_object().ok_or("template.yaml has no resources")?.values())
}

/// Returns the number of resources of a type in the template.
fn count(template: &Json, r#type: &str) -> Result<f64, BoxError> {
    Ok(resources(template)?.filter(|resource| resource["Type"] == r#type).count() as f64)
}

/// Returns the number of metrics that the alarms watch. Each is billed as an alarm.
fn watched_metrics(template: &Json) -> Result<f64, BoxError> {
    let alarms = resources(template)?.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm");
    let metrics = alarms.map(|alarm| {
        let of_expression = alarm["Properties"]["Metrics"].as_array().into_iter().flatten();
        of_expression.filter(|metric| metric["MetricStat"].is_object()).count().max(1)
    });
    Ok(metrics.sum::<usize>() as f64)
}

/// Returns the memory of a function in the template, in MB.
fn memory(template: &Json, function: &str) -> Result<f64, BoxError> {
    let found = resources(template)?.find(|resource| resource["Metadata"]["BuildProperties"]["Binary"] == function);
    let own = &found.ok_or_else(|| format!("template.yaml has no function {function:?}"))?["Properties"]["MemorySize"];
    let size = own.as_f64().or(template["Globals"]["Function"]["MemorySize"].as_f64());
    size.ok_or_else(|| format!("{function}: template.yaml has no memory size").into())
}

/// Returns the price of [`USERS`] in these tiers.
fn tiered_price(tiers: &[(f64, f64)]) -> f64 {
    let ends = tiers.iter().skip(1).map(|(above, _)| *above).chain([f64::INFINITY]);
    tiers.iter().zip(ends).map(|((above, price), end)| (USERS.min(end) - above).max(0.0) * price).sum()
}
