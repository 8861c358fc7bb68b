//! `limits`.

use serde::Serialize;
use serde_json::{Value as Json, json};
use shared::config::LimitSettings;
use shared::limits::{Bucket, BucketState, seconds_until_tomorrow};
use shared::store::limits::{FIRST, INTERVAL, UNNAMED_RESETS};
use shared::store::{Counts, LoginIdentifier, Subject, UserKey};
use shared::values::SourceIp;

use crate::deployment::Deployment;
use crate::report::{Failure, Report};
use crate::{cli, key, text};

/// The rest of one limit of a subject.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Left {
    /// The setting of the limit.
    limit: &'static str,
    description: &'static str,
    /// The events that are allowed now.
    remaining: u32,
    of: u32,
    /// The seconds until one is allowed; `None` if one is allowed now, or if only a code of an SMS allows one.
    retry_after: Option<i64>,
}

/// A limit with a bucket: its setting, its description, and the name under which its count is stored.
#[derive(Clone, Copy)]
struct Limit(&'static str, &'static str, &'static str, Bucket);

/// A subject, and its limits: those with a bucket, and that of passwords in a row.
struct Limited {
    subject: Subject,
    buckets: Vec<Limit>,
    in_a_row: Option<u32>,
}

/// Shows the SMS of the day, and what a phone number, an account or an address has left.
pub(crate) async fn run(arguments: &cli::Limits, deployment: &Deployment, now: i64) -> Result<Report, Failure> {
    let settings = &deployment.config.limits;
    let subjects = match (&arguments.key, arguments.ip) {
        (Some(key), _) => subjects_of(&key::parse(key, &deployment.config)?, deployment).await?,
        (None, Some(ip)) => subjects_of_address(SourceIp::parse(Some(&ip.to_string())), settings),
        (None, None) => Vec::new(),
    };
    // It may reject what the other limits allow.
    let (day, day_text) = day(deployment, now).await?;
    if subjects.is_empty() {
        return Ok(Report::done(json!({ "sms_of_day": day }), day_text));
    }
    let mut left = Vec::new();
    for limited in &subjects {
        let counts = deployment.store.counts(&limited.subject, now).await?;
        left.extend(limited.left(&counts, now));
    }
    let text = left.iter().map(described).collect::<Vec<_>>().join("\n");
    Ok(Report::done(json!({ "sms_of_day": day, "limits": left }), format!("{day_text}\n{text}")))
}

/// Returns the SMS of the day, as a document and as text.
async fn day(deployment: &Deployment, now: i64) -> Result<(Json, String), Failure> {
    let (settings, day) = (&deployment.config.limits, deployment.store.sms_of_day(now).await?);
    let (all, strangers) = (settings.sms_per_day, settings.sms_per_day_for_strangers());
    let paused = if day.is_paused {
        format!("SMS are paused. Resume them with: {} resume-sms", deployment.command)
    } else {
        "SMS are not paused.".to_owned()
    };
    let until = text::duration(seconds_until_tomorrow(now));
    let text = format!(
        "{} of {} SMS of today (UTC) are sent; strangers get the first {}. The next day begins in {until}.\n{paused}",
        text::grouped(day.count.into()),
        text::grouped(all.into()),
        text::grouped(strangers.into()),
    );
    let document = json!({
        "count": day.count,
        "max": all,
        "max_for_strangers": strangers,
        "is_paused": day.is_paused,
        "seconds_until_next_day": seconds_until_tomorrow(now),
    });
    Ok((document, text))
}

fn described(left: &Left) -> String {
    let next = match (left.remaining, left.retry_after) {
        (1.., _) => String::new(),
        (0, Some(seconds)) => format!("; the next one in {}", text::duration(seconds)),
        (0, None) => "; a login by code or a reset allows the next one".to_owned(),
    };
    format!("{:<32} {:<58} {} of {} left{next}", left.limit, left.description, left.remaining, left.of)
}

/// Returns the limits of a user, or of a phone number or an email without a user.
async fn subjects_of(key: &UserKey, deployment: &Deployment) -> Result<Vec<Limited>, Failure> {
    let settings = &deployment.config.limits;
    let user = deployment.store.user(key).await?;
    let phone = match (&user, key) {
        (Some(user), _) => Some(&user.phone),
        (None, UserKey::Phone(phone)) => Some(phone),
        (None, _) => None,
    };
    let mut subjects: Vec<_> = phone
        .map(|phone| Limited {
            subject: Subject::sms_to_phone(phone),
            buckets: vec![
                Limit("SMS_PER_PHONE", "SMS to the phone number, for strangers", FIRST, settings.sms_per_phone),
                Limit(
                    "SMS_PER_PHONE_FOR_UNNAMED_RESET",
                    "SMS to the phone number, for resets without a purpose",
                    UNNAMED_RESETS,
                    settings.sms_per_phone_for_unnamed_reset,
                ),
                Limit(
                    "SECONDS_BETWEEN_SENDS",
                    "SMS to the phone number, in the shortest interval",
                    INTERVAL,
                    Bucket::new(1, settings.seconds_between_sends),
                ),
            ],
            in_a_row: None,
        })
        .into_iter()
        .collect();
    let subject = match (&user, key) {
        (Some(user), _) => {
            subjects.push(Limited::one(
                Subject::sms_to_account(user.id),
                "SMS_PER_ACCOUNT",
                "SMS to known devices of the account",
                settings.sms_per_account,
            ));
            Subject::passwords_of_account(user.id)
        }
        (None, UserKey::Email(email)) => Subject::passwords_of_identifier(&LoginIdentifier::Email(email.clone())),
        (None, UserKey::Phone(phone)) => Subject::passwords_of_identifier(&LoginIdentifier::Phone(phone.clone())),
        (None, UserKey::Id(_)) => return Err(Failure::new("no user has this key")),
    };
    let description = "wrong passwords of strangers for the account";
    let passwords = Limited::one(subject, "PASSWORDS_PER_ACCOUNT", description, settings.passwords_per_account);
    let in_a_row = Some(settings.passwords_in_a_row);
    subjects.push(Limited { in_a_row, ..passwords });
    Ok(subjects)
}

fn subjects_of_address(ip: SourceIp, settings: &LimitSettings) -> Vec<Limited> {
    vec![
        Limited::one(
            Subject::sms_from_ip(ip),
            "SMS_PER_IP",
            "SMS of strangers at the address that are not verified",
            settings.sms_per_ip,
        ),
        Limited::one(
            Subject::passwords_from_ip(ip),
            "PASSWORDS_PER_IP",
            "wrong passwords of strangers at the address",
            settings.passwords_per_ip,
        ),
        Limited::one(
            Subject::checks_from_ip(ip),
            "CHECKS_PER_IP",
            "duplicate checks and changes of the email at the address",
            settings.checks_per_ip,
        ),
    ]
}

impl Limited {
    fn one(subject: Subject, setting: &'static str, description: &'static str, bucket: Bucket) -> Self {
        Self { subject, buckets: vec![Limit(setting, description, FIRST, bucket)], in_a_row: None }
    }

    fn left(&self, counts: &Counts, now: i64) -> Vec<Left> {
        let buckets = self.buckets.iter().map(|&Limit(limit, description, stored, bucket)| {
            let idle_at = counts.idle_at.iter().find(|(name, _)| name == stored).map(|(_, idle_at)| *idle_at);
            let retry_after = match bucket.state(idle_at, now) {
                BucketState::Exhausted { retry_after } => Some(retry_after),
                BucketState::Idle | BucketState::Busy => None,
            };
            Left { limit, description, remaining: bucket.remaining(idle_at, now), of: bucket.burst, retry_after }
        });
        let in_a_row = self.in_a_row.map(|max| Left {
            limit: "PASSWORDS_IN_A_ROW",
            description: "wrong passwords of strangers for the account, in a row",
            remaining: max.saturating_sub(counts.in_a_row),
            of: max,
            retry_after: None,
        });
        buckets.chain(in_a_row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_the_counts() {
        let bucket = Bucket::new(5, 3600);
        let subject = Subject::checks_from_ip(SourceIp::parse(Some("203.0.113.7")));
        let limited = Limited { in_a_row: Some(100), ..Limited::one(subject, "SENDS", "sends", bucket) };
        let at = |idle_at: Option<i64>, in_a_row: u32| {
            let idle_at = idle_at.map(|idle_at| (FIRST.to_owned(), idle_at)).into_iter().collect();
            limited.left(&Counts { idle_at, in_a_row }, 1000)
        };
        let first = |idle_at| {
            let left = at(idle_at, 0);
            (left[0].remaining, left[0].retry_after)
        };
        assert_eq!(first(None), (5, None));
        assert_eq!(first(Some(1000)), (5, None));
        assert_eq!(first(Some(1000 + 3600)), (4, None));
        assert_eq!(first(Some(1000 + 5 * 3600)), (0, Some(3600)));
        assert_eq!(first(Some(1000 + 4 * 3600)), (1, None));
        let in_a_row = &at(None, 100)[1];
        assert_eq!((in_a_row.remaining, in_a_row.of, in_a_row.retry_after), (0, 100, None));
        let text = described(in_a_row);
        assert!(text.ends_with(" 0 of 100 left; a login by code or a reset allows the next one"), "{text}");
    }
}
