//! Rate limits: what was counted, and for whom.

use async_trait::async_trait;
use uuid::Uuid;

use super::error::StoreError;
use super::users::LoginIdentifier;
use crate::limits::Bucket;
use crate::values::{Phone, SourceIp, UserId};

/// The counts of rate limits.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Counts an event of the limit's subject in each of its buckets and among those in a row, or nowhere if one of
    /// them is exhausted. Concurrent calls never exceed a limit.
    ///
    /// A call whose response is lost may count twice, never less than once.
    async fn count(&self, limit: &Limit, now: i64) -> Result<CountOutcome, StoreError>;

    /// Refunds an event that was counted. Does nothing if the counts have expired.
    ///
    /// A call whose response is lost may refund twice: after it, a limit allows one event more at most.
    async fn refund(&self, limit: &Limit, now: i64) -> Result<(), StoreError>;

    /// Counts an SMS of the deployment on the day of `now` (UTC), if fewer than `max` were counted and SMS are
    /// not paused. Concurrent calls never exceed `max`.
    ///
    /// A call whose response is lost may count twice, never less than once.
    async fn count_sms_of_day(&self, max: u32, now: i64) -> Result<DayOutcome, StoreError>;

    /// Refunds an SMS of the deployment that was counted on the day of `now`. Does nothing if another day has
    /// begun.
    async fn refund_sms_of_day(&self, now: i64) -> Result<(), StoreError>;
}

/// The name of the number of a limit's first bucket.
pub const FIRST: &str = "idle_at";
/// The name of the number of the shortest interval between two SMS.
pub const INTERVAL: &str = "idle_at_interval";
/// The name of the number of password resets that the client did not name.
pub const UNNAMED_RESETS: &str = "idle_at_unnamed";

/// The limit of a subject.
#[derive(Clone)]
pub struct Limit {
    /// The subject.
    pub subject: Subject,
    /// The buckets, each with the name of its number.
    pub buckets: Vec<(&'static str, Bucket)>,
    /// The number of events in a row that are allowed, however slowly they happen.
    pub in_a_row: Option<u32>,
    /// Whether the count of events in a row never expires; otherwise it expires after 30 days,
    /// or later if a bucket counts for longer.
    pub is_kept: bool,
    /// The seconds after which no bucket of the subject counts any more, those of other limits included.
    pub longest_seconds: i64,
}

/// The seconds after which a count of events in a row expires that is not kept.
pub const IN_A_ROW_SECONDS: i64 = 30 * 24 * 60 * 60;

impl Limit {
    /// Creates a limit of one bucket.
    #[must_use]
    pub fn new(subject: Subject, bucket: Bucket) -> Self {
        let longest_seconds = bucket.longest_seconds();
        Self { subject, buckets: vec![(FIRST, bucket)], in_a_row: None, is_kept: false, longest_seconds }
    }

    /// Adds a bucket of the same subject.
    #[must_use]
    pub fn and(mut self, name: &'static str, bucket: Bucket) -> Self {
        self.buckets.push((name, bucket));
        self.beside(bucket)
    }

    /// Keeps the counts for as long as those of a bucket of the same subject that another limit counts.
    #[must_use]
    pub fn beside(mut self, bucket: Bucket) -> Self {
        self.longest_seconds = self.longest_seconds.max(bucket.longest_seconds());
        self
    }

    /// Returns the time at which the counts expire that are written at `now`, or `None` if they never do.
    #[must_use]
    pub fn expires_at(&self, now: i64) -> Option<i64> {
        if self.in_a_row.is_some() {
            return (!self.is_kept).then_some(now + IN_A_ROW_SECONDS.max(self.longest_seconds));
        }
        Some(now + self.longest_seconds)
    }
}

/// The subject of a limit: whose events are counted together. Contains personal data.
#[derive(Clone, PartialEq, Eq)]
pub struct Subject(String);

impl Subject {
    /// The SMS to a phone number that strangers request.
    #[must_use]
    pub fn sms_to_phone(phone: &Phone) -> Self {
        Self(format!("SMS#PHONE#{}", phone.e164()))
    }

    /// The SMS that a client at an address requests.
    #[must_use]
    pub fn sms_from_ip(ip: SourceIp) -> Self {
        Self(format!("SMS#IP#{}", ip.to_stored()))
    }

    /// The SMS that a known device requests.
    #[must_use]
    pub fn sms_from_device(device: Uuid) -> Self {
        Self(format!("SMS#DEVICE#{device}"))
    }

    /// The SMS that all known devices of an account request.
    #[must_use]
    pub fn sms_to_account(user_id: UserId) -> Self {
        Self(format!("SMS#USER#{user_id}"))
    }

    /// The passwords that strangers send for an account.
    #[must_use]
    pub fn passwords_of_account(user_id: UserId) -> Self {
        Self(format!("PASSWORD#USER#{user_id}"))
    }

    /// The passwords that strangers send for an email or a phone number without an account.
    #[must_use]
    pub fn passwords_of_identifier(identifier: &LoginIdentifier) -> Self {
        Self(match identifier {
            LoginIdentifier::Email(email) => format!("PASSWORD#EMAIL#{}", email.normalized()),
            LoginIdentifier::Phone(phone) => format!("PASSWORD#PHONE#{}", phone.e164()),
        })
    }

    /// The passwords that a known device sends.
    #[must_use]
    pub fn passwords_from_device(device: Uuid) -> Self {
        Self(format!("PASSWORD#DEVICE#{device}"))
    }

    /// The current passwords that the client of a session sends to change the password.
    #[must_use]
    pub fn passwords_from_session(session_id: Uuid) -> Self {
        Self(format!("PASSWORD#SESSION#{session_id}"))
    }

    /// The passwords that a client at an address sends.
    #[must_use]
    pub fn passwords_from_ip(ip: SourceIp) -> Self {
        Self(format!("PASSWORD#IP#{}", ip.to_stored()))
    }

    /// The duplicate checks, and the changes of the email, of a client at an address.
    #[must_use]
    pub fn checks_from_ip(ip: SourceIp) -> Self {
        Self(format!("CHECK#IP#{}", ip.to_stored()))
    }

    /// Returns the key under which the counts are stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outcome of [`Limits::count`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountOutcome {
    /// The event was counted: it is allowed.
    Counted,
    /// A bucket is exhausted.
    RateLimited {
        /// The seconds after which an event is allowed again.
        retry_after: i64,
    },
    /// The events in a row are exhausted.
    InARowExhausted,
}

/// The outcome of [`Limits::count_sms_of_day`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayOutcome {
    /// The SMS was counted: it is allowed.
    Counted {
        /// The SMS that were counted on this day.
        count: u32,
    },
    /// The SMS of the day are exhausted.
    Exhausted,
    /// The operator paused all SMS.
    Paused,
}
