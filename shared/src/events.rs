//! Events: each one is a line of JSON, for the audit and for the metrics.
//!
//! A line is in CloudWatch's embedded metric format: CloudWatch counts the metrics that it names, without an agent
//! and without a call. No line contains a code, a password, a token, the id of a session, an email or a whole phone
//! number.
//!
//! To add a metric: a variant of [`Metric`], its place in the directives and its value in the line, and its widget or
//! alarm in `template.yaml`. Tests name what is missing.

use std::io::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::clock::timestamp;
use crate::values::{Phone, Purpose, Region, UserId};

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Ably";

/// The number of countries that have metrics of their own: the first ones of `SMS_COUNTRIES`. The totals, and the saved
/// query by country, contain all of them.
pub const MEASURED_COUNTRIES: usize = 3;

/// The errors that are counted, each by a metric of its own, because each metric costs money. All errors are logged.
pub const COUNTED_ERRORS: [&str; 10] = [
    "REQUEST__TOO_MANY",
    "SMS__AUTH_CODE_NOT_MATCHED",
    "SMS__TOO_MANY_REQUESTS",
    "SMS__COUNTRY_NOT_ALLOWED",
    "SMS__PAUSED",
    "SMS__NOT_SENT",
    "USER__NOT_MATCHED",
    "TOKEN__REUSED",
    "SERVER__BUSY",
    "SERVER__ERROR",
];

/// The errors of a password that was not accepted. A login also fails with `REQUEST__TOO_MANY`.
const FAILED_LOGINS: [&str; 3] = ["USER__NOT_MATCHED", "USER__TOO_MANY_ATTEMPTS", "USER__VERIFICATION_REQUIRED"];

/// A metric, by the name of the field that contains its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The codes that were sent, in total and by country. Those of test phones do not count.
    CodesSent,
    /// The SMS sessions whose code was verified, in total and by country. Those of test phones do not count.
    CodesVerified,
    /// The estimated price of the SMS, in US dollars.
    SmsUsd,
    /// The SMS of the day, in percent of `SMS_PER_DAY`.
    SmsOfDayPercent,
    /// The logins, with a password or by code.
    Logins,
    /// The logins and the changes of passwords whose password was wrong, or was not compared because a limit is
    /// exhausted.
    FailedLogins,
    /// The sign-ups.
    SignUps,
    /// The pauses of all SMS by `pause-sms`.
    SmsPaused,
    /// The requests with one of [`COUNTED_ERRORS`], by error code.
    Refused,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 9] = [
        Self::CodesSent,
        Self::CodesVerified,
        Self::SmsUsd,
        Self::SmsOfDayPercent,
        Self::Logins,
        Self::FailedLogins,
        Self::SignUps,
        Self::SmsPaused,
        Self::Refused,
    ];

    /// Returns the number of metrics that CloudWatch bills: one for each combination of dimensions.
    #[must_use]
    pub fn billed(self) -> usize {
        match self {
            Self::CodesSent | Self::CodesVerified => 1 + MEASURED_COUNTRIES,
            Self::Refused => COUNTED_ERRORS.len(),
            _ => 1,
        }
    }
}

/// An event. Deliberately not `Debug`: it contains the address of a client.
#[derive(Clone, Default)]
pub struct Event {
    /// The name of the function.
    pub name: &'static str,
    /// The outcome.
    pub outcome: Outcome,
    /// The error of a request that did not succeed.
    pub error_code: Option<&'static str>,
    /// The cause of a failure.
    pub cause: Option<String>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The phone number. Its last two digits are logged.
    pub phone: Option<Phone>,
    /// The country of the phone number.
    pub country: Option<Region>,
    /// The purpose of the SMS session.
    pub purpose: Option<Purpose>,
    /// The address of the client.
    pub ip: Option<String>,
    /// The id that API Gateway gave the request, and returned to the client as `apigw-requestid`.
    pub request_id: Option<String>,
    /// Whether a code was sent, to other than a test phone.
    pub is_code_sent: bool,
    /// Whether a code was verified, of other than a test phone.
    pub is_code_verified: bool,
    /// The estimated price of the SMS, in US dollars.
    pub sms_usd: Option<f64>,
    /// The SMS of the day, in percent of `SMS_PER_DAY`.
    pub sms_of_day_percent: Option<u64>,
    /// Whether the user logged in.
    pub is_login: bool,
    /// Whether the user signed up.
    pub is_sign_up: bool,
    /// Whether all SMS were paused.
    pub is_sms_paused: bool,
}

/// The outcome of an event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It happened.
    #[default]
    Succeeded,
    /// The request was rejected: nothing failed.
    Refused,
    /// The SMS provider failed.
    SmsFailed,
    /// Something else failed.
    Failed,
}

impl Outcome {
    /// Returns the level of the line. Lambda filters lines by it.
    fn level(self) -> &'static str {
        match self {
            Self::Succeeded | Self::Refused => "INFO",
            Self::SmsFailed => "WARN",
            Self::Failed => "ERROR",
        }
    }
}

/// The event of a request, to which its handler adds the user, the phone number and others. Clones share one event.
#[derive(Clone, Default)]
pub struct SharedEvent(Arc<Mutex<Event>>);

impl SharedEvent {
    /// Returns the event, to read or to change it.
    pub fn lock(&self) -> MutexGuard<'_, Event> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds the user.
    pub fn user(&self, id: UserId) {
        self.lock().user_id = Some(id);
    }

    /// Adds the phone number.
    pub fn phone(&self, phone: &Phone) {
        self.lock().phone = Some(phone.clone());
    }
}

/// Writes events.
pub struct EventLog {
    stack: Option<String>,
    write: Box<dyn Fn(&str) + Send + Sync>,
}

impl EventLog {
    /// Creates a log of the deployment `stack`, which calls `write` with each line. Without a stack, the lines contain
    /// no metrics.
    pub fn new(stack: Option<String>, write: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self { stack, write: Box::new(write) }
    }

    /// Creates the log of the function `name`. The name of a deployed function begins with that of its stack, as
    /// `template.yaml` names it.
    #[must_use]
    pub fn for_function(name: &str) -> Self {
        let deployed = std::env::var("AWS_LAMBDA_FUNCTION_NAME").ok();
        Self::to_stdout(deployed.and_then(|deployed| Some(deployed.strip_suffix(name)?.strip_suffix('-')?.to_owned())))
    }

    /// Creates a log on the standard output of the process.
    #[must_use]
    pub fn to_stdout(stack: Option<String>) -> Self {
        Self::new(stack, |line| {
            // Whole lines, because other threads log too. Without an output, nothing can be logged.
            let _ = std::io::stdout().lock().write_all(line.as_bytes());
        })
    }

    /// Writes an event that happened at `now`, in Unix time. The first `countries` have metrics of their own.
    pub fn log(&self, event: &Event, countries: &[Region], now: i64) {
        let mut measured = countries.iter().take(MEASURED_COUNTRIES);
        let is_country_measured = measured.any(|country| Some(*country) == event.country);
        let line = Line { event, stack: self.stack.as_deref(), is_country_measured, now };
        // A line of strings and numbers is never rejected.
        if let Ok(mut line) = serde_json::to_string(&line) {
            line.push('\n');
            (self.write)(&line);
        }
    }
}

/// The JSON of an event.
struct Line<'a> {
    event: &'a Event,
    /// The stack; without it, the line contains no metrics.
    stack: Option<&'a str>,
    /// Whether the country has metrics of its own.
    is_country_measured: bool,
    now: i64,
}

/// The metrics of a line that have the same dimensions (CloudWatch's embedded metric format, `MetricDirective`).
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 1],
    metrics: Vec<Definition>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    name: Metric,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    /// In milliseconds.
    timestamp: i64,
    cloud_watch_metrics: Vec<Directive>,
}

impl Line<'_> {
    /// Returns the error code, if it has a metric.
    fn counted_error(&self) -> Option<&'static str> {
        self.event.error_code.filter(|code| COUNTED_ERRORS.contains(code))
    }

    /// Returns whether a password was not accepted.
    fn is_failed_login(&self) -> bool {
        let is_limited = self.event.name == "login" && self.event.error_code == Some("REQUEST__TOO_MANY");
        is_limited || self.event.error_code.is_some_and(|code| FAILED_LOGINS.contains(&code))
    }

    /// Returns the number of codes that were verified: 0 for a code that was sent, so that both metrics have values in
    /// the same hours, and the share of one in the other is defined.
    fn verified(&self) -> Option<u8> {
        if self.event.is_code_verified { Some(1) } else { self.event.is_code_sent.then_some(0) }
    }

    /// Returns the directives of the metrics that the event has.
    fn directives(&self) -> Vec<Directive> {
        let event = self.event;
        let only = |metrics: &[(bool, Metric)]| {
            let metrics = metrics.iter().filter(|(is_present, _)| *is_present);
            metrics.map(|(_, name)| Definition { name: *name }).collect::<Vec<_>>()
        };
        let codes = [(event.is_code_sent, Metric::CodesSent), (self.verified().is_some(), Metric::CodesVerified)];
        let others = [
            (event.sms_usd.is_some(), Metric::SmsUsd),
            (event.sms_of_day_percent.is_some(), Metric::SmsOfDayPercent),
            (event.is_login, Metric::Logins),
            (self.is_failed_login(), Metric::FailedLogins),
            (event.is_sign_up, Metric::SignUps),
            (event.is_sms_paused, Metric::SmsPaused),
        ];
        let of_country = if self.is_country_measured { only(&codes) } else { Vec::new() };
        let mut totals = only(&codes);
        totals.extend(only(&others));
        let directives: [(&'static [&'static str], _); 3] = [
            (&["stack"], totals),
            (&["stack", "country"], of_country),
            (&["stack", "error_code"], only(&[(self.counted_error().is_some(), Metric::Refused)])),
        ];
        let directives = directives.into_iter().filter(|(_, metrics)| !metrics.is_empty());
        directives
            .map(|(dimensions, metrics)| Directive { namespace: NAMESPACE, dimensions: [dimensions], metrics })
            .collect()
    }
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.event;
        let mut line = serializer.serialize_map(None)?;
        // Lambda requires it of a line that it filters by the level.
        line.serialize_entry("timestamp", &timestamp(self.now))?;
        line.serialize_entry("level", event.outcome.level())?;
        line.serialize_entry("event", event.name)?;
        line.serialize_entry("outcome", &event.outcome)?;
        entry(&mut line, "error_code", event.error_code)?;
        entry(&mut line, "cause", event.cause.as_deref())?;
        entry(&mut line, "user_id", event.user_id.map(|id| id.to_string()))?;
        entry(&mut line, "phone", event.phone.as_ref().map(|phone| format!("{phone:?}")))?;
        entry(&mut line, "country", event.country.map(|country| format!("{country:?}")))?;
        entry(&mut line, "purpose", event.purpose.map(Purpose::as_str))?;
        entry(&mut line, "ip", event.ip.as_deref())?;
        entry(&mut line, "request_id", event.request_id.as_deref())?;
        entry(&mut line, "codes_sent", event.is_code_sent.then_some(1))?;
        entry(&mut line, "codes_verified", self.verified())?;
        entry(&mut line, "sms_usd", event.sms_usd)?;
        entry(&mut line, "sms_of_day_percent", event.sms_of_day_percent)?;
        entry(&mut line, "logins", event.is_login.then_some(1))?;
        entry(&mut line, "failed_logins", self.is_failed_login().then_some(1))?;
        entry(&mut line, "sign_ups", event.is_sign_up.then_some(1))?;
        entry(&mut line, "sms_paused", event.is_sms_paused.then_some(1))?;
        entry(&mut line, "refused", self.counted_error().map(|_| 1))?;
        let directives = self.directives();
        if let Some(stack) = self.stack.filter(|_| !directives.is_empty()) {
            line.serialize_entry("stack", stack)?;
            let metadata = Metadata { timestamp: self.now * 1000, cloud_watch_metrics: directives };
            line.serialize_entry("_aws", &metadata)?;
        }
        line.end()
    }
}

fn entry<M: SerializeMap>(line: &mut M, name: &str, value: Option<impl Serialize>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| line.serialize_entry(name, &value))
}

#[cfg(test)]
mod tests;
