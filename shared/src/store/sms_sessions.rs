//! SMS sessions: each verifies one phone number for one purpose with one code.

use async_trait::async_trait;

use super::error::StoreError;
use crate::values::{CodeMac, Phone, Purpose, SmsSessionKey, SourceIp};

/// The SMS sessions.
#[async_trait]
pub trait SmsSessions: Send + Sync {
    /// Opens `session`.
    async fn open_sms_session(&self, session: &SmsSession) -> Result<(), StoreError>;

    /// Deletes a session whose SMS was not sent. Does nothing if the session does not exist.
    async fn cancel_sms_session(&self, key: &SmsSessionKey) -> Result<(), StoreError>;

    /// Counts an attempt on the session, unless its attempts are exhausted or its code, which is valid for
    /// `code_seconds`, has expired. The caller compares the code only AFTER this returned
    /// [`AttemptOutcome::Recorded`]. Concurrent calls never exceed the session's
    /// [`max_attempts`](SmsSession::max_attempts).
    ///
    /// A call whose response is lost may count twice, never less than once.
    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        code_seconds: i64,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError>;

    /// Marks the session verified until `verified_until`, once: later calls do not extend it. At most one of many
    /// calls returns [`VerificationOutcome::Verified`], and none if its response was lost. The caller compares the
    /// code first.
    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        verified_until: i64,
        now: i64,
    ) -> Result<VerificationOutcome, StoreError>;

    /// Counts a sign-up attempt on the session, if it is verified for `phone` and for sign-up, and has
    /// fewer than `max`. The caller hashes the password only AFTER this returned
    /// [`SignUpAttemptOutcome::Recorded`]. Concurrent calls never exceed the number.
    ///
    /// A call whose response is lost may count twice, never less than once.
    async fn record_sign_up_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        max: u32,
        now: i64,
    ) -> Result<SignUpAttemptOutcome, StoreError>;

    /// Returns the phone number of the session, if it is verified for `purpose`.
    async fn verified_phone(
        &self,
        key: &SmsSessionKey,
        purpose: Purpose,
        now: i64,
    ) -> Result<Option<Phone>, StoreError>;
}

/// A new SMS session.
#[derive(Debug)]
pub struct SmsSession {
    /// The key under which the session is stored.
    pub key: SmsSessionKey,
    /// The phone number that the session verifies.
    pub phone: Phone,
    /// The purpose that the session may be used for.
    pub purpose: Purpose,
    /// The stored form of the code.
    pub code_mac: CodeMac,
    /// The number of codes that may be compared.
    pub max_attempts: u32,
    /// The address whose limit counted the send, which a verification refunds; `None` for a known device.
    pub ip: Option<SourceIp>,
    /// The time at which the session was opened, in Unix time.
    pub sent_at: i64,
    /// The time at which the session is deleted unless it is verified, in Unix time.
    pub expires_at: i64,
}

/// The outcome of [`SmsSessions::record_attempt`].
#[derive(Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The attempt was counted: the code can be compared.
    Recorded(SentCode),
    /// The session does not exist.
    NotFound,
    /// The code has expired.
    CodeExpired,
    /// The session's attempts are exhausted.
    RateLimited {
        /// The seconds after which the session has expired.
        retry_after: i64,
    },
}

/// The code of an SMS session, as far as an attempt needs it.
#[derive(Debug, PartialEq, Eq)]
pub struct SentCode {
    /// The session's purpose.
    pub purpose: Purpose,
    /// The stored form of the code, which also depends on the phone number.
    pub code_mac: CodeMac,
    /// The session's [`ip`](SmsSession::ip).
    pub ip: Option<SourceIp>,
    /// The session's [`sent_at`](SmsSession::sent_at).
    pub sent_at: i64,
}

/// The outcome of [`SmsSessions::mark_verified`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerificationOutcome {
    /// This call marked the session verified.
    Verified,
    /// An earlier call did.
    AlreadyVerified,
    /// The session does not exist.
    NotFound,
}

/// The outcome of [`SmsSessions::record_sign_up_attempt`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpAttemptOutcome {
    /// The attempt was counted: the password can be hashed.
    Recorded,
    /// The session does not exist, is not verified for the phone number, or its sign-ups are exhausted.
    NotVerified,
    /// The session is verified for the phone number, but not for sign-up.
    OtherPurpose,
}
