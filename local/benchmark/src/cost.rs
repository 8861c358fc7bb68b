//! What a million monthly users cost, at public prices.

use serde_json::Value as Json;

use shared::error::BoxError;

use crate::requests::Outcome;
use crate::timing::{Row, digits};

/// US dollars in us-east-1, without free tiers, read on 2026-11-22 from the pages that are named. They
/// change: a table to be looked at again.
mod prices {
    /// A GB-second on arm64, and a million requests: <https://aws.amazon.com/lambda/pricing/>
    pub(super) const LAMBDA_GB_SECOND: f64 = 0.000_013_333_4;
    pub(super) const LAMBDA_MILLION: f64 = 0.20;
    /// A million requests to an HTTP API: <https://aws.amazon.com/api-gateway/pricing/>
    pub(super) const API_MILLION: f64 = 1.00;
    /// A million read and write units, on demand; a GB-month with its point-in-time recovery:
    /// <https://aws.amazon.com/dynamodb/pricing/on-demand/>
    pub(super) const READ_MILLION: f64 = 0.125;
    pub(super) const WRITE_MILLION: f64 = 0.625;
    pub(super) const STORED_GB: f64 = 0.25 + 0.20;
    /// A secret for a month, and ten thousand calls: <https://aws.amazon.com/secrets-manager/pricing/>
    pub(super) const SECRET: f64 = 0.40;
    pub(super) const SECRET_TEN_THOUSAND: f64 = 0.05;
    /// A GB of logs, an alarm and a metric: <https://aws.amazon.com/cloudwatch/pricing/>
    pub(super) const LOG_GB: f64 = 0.50;
    pub(super) const ALARM: f64 = 0.10;
    pub(super) const METRIC: f64 = 0.30;
    /// A GB to the internet: <https://aws.amazon.com/ec2/pricing/on-demand/>
    pub(super) const OUT_GB: f64 = 0.09;

    /// Monthly users above each number, and what each of them costs.
    type Tiers = &'static [(f64, f64)];
    /// Others' fixed price and tiers, with their free ones.
    pub(super) const OTHERS: &[(&str, f64, Tiers)] = &[
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
/// How often a user calls each function in a month: a sign-up, ten logins, a hundred profiles.
const CALLS: &[(&str, &str, f64)] = &[
    ("email-duplicate-check", "free", 1.0),
    ("phone-duplicate-check", "free", 1.0),
    ("sms-auth-send", "sent", 1.0),
    ("sms-auth-verify", "verified", 1.0),
    ("signup", "signed up", 1.0),
    ("login", "logged in", 10.0),
    ("profile", "shown", 100.0),
];

// What can't be measured here.
/// A request to DynamoDB takes some ms, one to SNS some tens of them.
const DYNAMODB_MS: f64 = 5.0;
const SNS_MS: f64 = 50.0;
/// How many invocations meet a new execution environment, and what its init waits for.
const COLD: f64 = 0.01;
const INIT_WAITS_MS: f64 = 50.0;
/// In bytes: a line of the access log, an answer, and what is stored of a user.
const LOG_LINE: f64 = 400.0;
const ANSWER: f64 = 1000.0;
const USER: f64 = 2000.0;
/// Lambda gives a vCPU for so much memory, and less CPU for less: see [`crate::share`].
const MB_OF_A_CPU: f64 = 1769.0;
const SIZES: [f64; 5] = [128.0, 256.0, 512.0, 1024.0, MB_OF_A_CPU];

/// An invocation: its CPU time, and what it waits for, in ms.
#[derive(Clone, Copy)]
struct Work {
    cpu: f64,
    waits: f64,
    init: f64,
}

impl Work {
    fn of(function: &str, outcome: &str, rows: &[Row], outcomes: &[Outcome]) -> Result<Self, BoxError> {
        // Users come so rarely that no function remembers their tokens.
        let name = if function == "profile" { "profile: a new token each time" } else { function };
        let row = rows.iter().find(|row| row.name == name).ok_or("a row is missing")?;
        let outcome = find(function, outcome, outcomes)?;
        let asked = |service: usize| {
            let requests = outcome.cost.requests.get(service).map(String::as_str).unwrap_or_default();
            requests.split(", ").filter_map(|request| request.split(' ').next()?.parse::<f64>().ok()).sum::<f64>()
        };
        Ok(Self {
            cpu: row.cpu_of_warm.median(),
            waits: asked(0) * DYNAMODB_MS + asked(1) * SNS_MS,
            init: row.cpu_of_init.median() + INIT_WAITS_MS,
        })
    }

    /// How long it takes in a function of so much memory.
    fn ms(self, mb: f64) -> f64 {
        self.cpu * (MB_OF_A_CPU / mb).max(1.0) + self.waits
    }

    /// What a million cost.
    fn dollars(self, mb: f64) -> f64 {
        let billed = self.ms(mb).ceil() + COLD * self.init.ceil();
        1e6 * billed / 1e3 * mb / 1024.0 * prices::LAMBDA_GB_SECOND
    }
}

fn find<'a>(function: &str, outcome: &str, outcomes: &'a [Outcome]) -> Result<&'a Outcome, BoxError> {
    let found = outcomes.iter().find(|found| found.function == function && found.outcome == outcome);
    found.ok_or_else(|| format!("{function}, {outcome}, was not seen").into())
}

/// Prints both tables. The sizes are those of `template.yaml`.
pub(crate) fn print(rows: &[Row], outcomes: &[Outcome], template: &Json) -> Result<(), BoxError> {
    println!("\nWhat a million invocations cost by memory, and how long one takes, of which {DYNAMODB_MS} ms for each");
    println!("request to DynamoDB and {SNS_MS} ms for one to SNS; in bold what template.yaml says:\n");
    println!("| function | {} |", SIZES.map(|mb| format!("{mb} MB")).join(" | "));
    println!("|---|---|---|---|---|---|");
    for &(function, outcome, _) in
        CALLS.iter().chain(&[("token-refresh", "refreshed", 0.0), ("password", "replaced", 0.0)])
    {
        let (work, chosen) = (Work::of(function, outcome, rows, outcomes)?, memory(template, function)?);
        let cells = SIZES.map(|mb| {
            let cell = format!("${:.2}, {} ms", work.dollars(mb), digits(work.ms(mb)));
            if mb == chosen { format!("**{cell}**") } else { cell }
        });
        println!("| {function} | {} |", cells.join(" | "));
    }

    let (mut calls, mut lambda, mut reads, mut writes) = (0.0, 0.0, 0.0, 0.0);
    for &(function, outcome, times) in CALLS {
        let millions = times * USERS / 1e6;
        let cost = &find(function, outcome, outcomes)?.cost;
        calls += millions;
        lambda += millions * Work::of(function, outcome, rows, outcomes)?.dollars(memory(template, function)?);
        // Each init reads an item that is not there.
        reads += millions * (cost.read_units + COLD * 0.5);
        writes += millions * cost.write_units;
    }
    let gb = |bytes: f64| bytes / 1e9;
    let alarms = resources(template)?.filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm").count();
    let bill = [
        ("API Gateway, requests", calls * prices::API_MILLION),
        ("Lambda, requests", calls * prices::LAMBDA_MILLION),
        ("Lambda, duration", lambda),
        ("DynamoDB, reads", reads * prices::READ_MILLION),
        ("DynamoDB, writes", writes * prices::WRITE_MILLION),
        ("DynamoDB, storage and its recovery", gb(USERS * USER) * prices::STORED_GB),
        ("Secrets Manager", 2.0 * prices::SECRET + calls * 1e6 * COLD / 1e4 * prices::SECRET_TEN_THOUSAND),
        ("Access log", gb(calls * 1e6 * LOG_LINE) * prices::LOG_GB),
        ("Alarms and their metric", alarms as f64 * prices::ALARM + prices::METRIC),
        ("Data out", gb(calls * 1e6 * ANSWER) * prices::OUT_GB),
    ];
    println!("\nWhat a million monthly users cost, with a sign-up, 10 logins and 100 profiles each, without SMS:\n");
    println!("| | US dollars a month |");
    println!("|---|---|");
    for (what, dollars) in bill {
        println!("| {what} | {dollars:.2} |");
    }
    println!("| **Ably** | **{:.0}** |", bill.iter().map(|(_, dollars)| dollars).sum::<f64>());
    for (name, fixed, tiers) in prices::OTHERS {
        println!("| {name} | {:.0} |", fixed + of_tiers(tiers));
    }
    Ok(())
}

fn resources(template: &Json) -> Result<impl Iterator<Item = &Json>, BoxError> {
    Ok(template["Resources"].as_object().ok_or("no resources")?.values())
}

/// The memory of a function in the template, in MB.
fn memory(template: &Json, function: &str) -> Result<f64, BoxError> {
    let found = resources(template)?.find(|resource| resource["Metadata"]["BuildProperties"]["Binary"] == function);
    let own = &found.ok_or("no such function")?["Properties"]["MemorySize"];
    let size = own.as_f64().or(template["Globals"]["Function"]["MemorySize"].as_f64());
    size.ok_or_else(|| "no memory size".into())
}

fn of_tiers(tiers: &[(f64, f64)]) -> f64 {
    let ends = tiers.iter().skip(1).map(|(above, _)| *above).chain([f64::INFINITY]);
    tiers.iter().zip(ends).map(|((above, price), end)| (USERS.min(end) - above).max(0.0) * price).sum()
}
