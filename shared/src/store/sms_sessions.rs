//! SMS sessions: each verifies one phone number with one code.

use async_trait::async_trait;

use super::error::StoreError;
use crate::limits::RateLimit;
use crate::values::{CodeMac, Phone, Purpose, SmsSessionKey};

/// The SMS sessions, and the rate limits of their phone numbers.
#[async_trait]
pub trait SmsSessions: Send + Sync {
    /// Opens `session` and counts a send for its phone number, or does neither if `limit` is exhausted.
    /// Concurrent calls for one phone number never exceed the limit.
    async fn open_sms_session(
        &self,
        session: &SmsSession,
        limit: &RateLimit,
        now: i64,
    ) -> Result<OpenOutcome, StoreError>;

    /// Cancels a session whose SMS could not be sent: deletes the session and refunds the phone number's
    /// most recent send. Does nothing if the session is not open.
    async fn cancel_sms_session(&self, session: &SmsSession, limit: &RateLimit) -> Result<(), StoreError>;

    /// Counts an attempt on the session and on its phone number, if `limits` allow it. The caller
    /// compares the code only AFTER this returned [`AttemptOutcome::Recorded`]. Concurrent calls never exceed
    /// the limits. An attempt for a phone number that is not the session's
    /// counts on the session alone.
    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        limits: &AttemptLimits,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError>;

    /// Marks the session verified until `verified_until` and refunds the attempt to the phone number's
    /// `limit`. Returns `false` if the session does not exist.
    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        verified_until: i64,
        limit: &RateLimit,
        now: i64,
    ) -> Result<bool, StoreError>;

    /// Returns the session if it is verified.
    async fn verified_sms_session(
        &self,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<Option<VerifiedSmsSession>, StoreError>;
}

/// A new SMS session.
#[derive(Debug)]
pub struct SmsSession {
    /// The key under which the session is stored.
    pub key: SmsSessionKey,
    /// The phone number that the session verifies.
    pub phone: Phone,
    /// The purpose that the session may be used for; any purpose if `None`.
    pub purpose: Option<Purpose>,
    /// The stored form of the code.
    pub code_mac: CodeMac,
    /// The time at which the session was opened, in Unix time.
    pub sent_at: i64,
    /// The time at which the session is deleted unless it is verified, in Unix time.
    pub expires_at: i64,
}

/// The outcome of [`SmsSessions::open_sms_session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenOutcome {
    /// The session is open: the code can be sent.
    Opened,
    /// The phone number's limit is exhausted.
    RateLimited {
        /// The seconds after which a send is allowed again.
        retry_after: i64,
    },
}

/// The limits of [`SmsSessions::record_attempt`].
#[derive(Clone, Debug)]
pub struct AttemptLimits {
    /// The seconds for which a code is valid.
    pub code_seconds: i64,
    /// The number of attempts in one session.
    pub per_session: u32,
    /// The number of wrong codes for one phone number.
    pub per_phone: RateLimit,
}

/// The outcome of [`SmsSessions::record_attempt`].
#[derive(Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The attempt was counted: the code can be compared.
    Recorded {
        /// The session's purpose.
        purpose: Option<Purpose>,
        /// The stored form of the code.
        code_mac: CodeMac,
    },
    /// The session does not exist.
    NotFound,
    /// The code has expired.
    CodeExpired,
    /// The phone number is not the session's.
    WrongPhone,
    /// The limit of the session or of the phone number is exhausted.
    RateLimited {
        /// The seconds after which an attempt is allowed again.
        retry_after: i64,
    },
}

/// A verified SMS session.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedSmsSession {
    /// The phone number that was verified.
    pub phone: Phone,
    /// The purpose that the session may be used for; any purpose if `None`.
    pub purpose: Option<Purpose>,
}

impl VerifiedSmsSession {
    /// Whether the session may be used for `purpose`.
    #[must_use]
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.purpose.is_none_or(|only| only == purpose)
    }
}
