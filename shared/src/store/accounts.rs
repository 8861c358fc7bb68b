//! The account of a caller: its profile, its sessions, and the changes that its user makes.
//!
//! Each step of a caller rejects one whose session or token version is revoked, or whose user is disabled or deleted. A
//! change checks it in the same atomic step.
//!
//! A change of the credentials replaces the caller's session by `session`, whose token version is the next one. This
//! revokes all other sessions of the user, and all tokens issued before.

use async_trait::async_trait;
use uuid::Uuid;

use super::error::{CallerError, StoreError};
use super::sessions::{Caller, ListedSession, Session};
use super::users::Profile;
use crate::secret::Masked;
use crate::values::{Claims, Email, Name, Nickname, PasswordHash, Phone, SmsSessionKey, UserAgent, UserId};

/// The accounts of callers.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Returns the caller's profile.
    async fn profile(&self, caller: &Caller, now: i64) -> Result<Profile, CallerError>;

    /// Replaces the name, the nickname, or both. Returns the profile as it is then.
    async fn update_profile(
        &self,
        caller: &Caller,
        name: Option<&Name>,
        nickname: Option<&Nickname>,
        now: i64,
    ) -> Result<Profile, CallerError>;

    /// Returns the hash of the password, the values that a new password must not contain, and the claims.
    async fn own_credentials(&self, caller: &Caller, now: i64) -> Result<OwnCredentials, CallerError>;

    /// Replaces the password. Device tokens stay valid.
    async fn change_password(
        &self,
        caller: &Caller,
        hash: &PasswordHash,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<(), CallerError>;

    /// Replaces the phone number and consumes the SMS session, if that is verified for `phone` and for a change of the
    /// phone number, and no account has `phone`. If concurrent calls have one phone number, one succeeds. Another
    /// outcome than [`PhoneChangeOutcome::Changed`] changes nothing.
    async fn change_phone(
        &self,
        caller: &Caller,
        phone: &Phone,
        key: &SmsSessionKey,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<PhoneChangeOutcome, CallerError>;

    /// Replaces the email, if no other account has it. If concurrent calls have one email, one succeeds. Another
    /// outcome than [`EmailChangeOutcome::Changed`] changes nothing.
    async fn change_email(
        &self,
        caller: &Caller,
        email: &Email,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<EmailChangeOutcome, CallerError>;

    /// Deletes the user, and the user's counts of rate limits. Email and phone number are free immediately, and all
    /// sessions are revoked, because their user does not exist.
    async fn delete_account(&self, caller: &Caller, now: i64) -> Result<(), CallerError>;

    /// Returns the caller's sessions that are neither revoked nor expired, in any order. A session
    /// that is revoked meanwhile may be among them.
    async fn list_sessions(&self, caller: &Caller, now: i64) -> Result<Vec<ListedSession>, CallerError>;

    /// Revokes one of the caller's sessions. Returns `false` if the caller has no such session, or if it is revoked
    /// or has expired.
    async fn revoke_listed_session(&self, caller: &Caller, id: Uuid, now: i64) -> Result<bool, CallerError>;

    /// Deletes the sessions of a deleted user, which are revoked already.
    async fn delete_sessions(&self, user_id: UserId) -> Result<(), StoreError>;
}

/// The caller's password, what a new password must not contain, and what new tokens contain.
#[derive(Debug)]
pub struct OwnCredentials {
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// The email.
    pub email: Masked<String>,
    /// The phone number.
    pub phone: Phone,
    /// The name.
    pub name: Masked<String>,
    /// The claims that the user's access tokens contain.
    pub claims: Claims,
}

/// The outcome of [`Accounts::change_phone`].
#[derive(Debug, PartialEq, Eq)]
pub enum PhoneChangeOutcome {
    /// The phone number was replaced.
    Changed {
        /// The phone number of before.
        previous: Phone,
        /// The claims that the user's access tokens contain.
        claims: Claims,
    },
    /// The SMS session is not verified, or not for this phone number and purpose.
    NotVerified,
    /// An account has the phone number; it may be the caller's own.
    Taken,
}

/// The outcome of [`Accounts::change_email`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmailChangeOutcome {
    /// The email was replaced.
    Changed {
        /// The claims that the user's access tokens contain.
        claims: Claims,
    },
    /// Another account has the email.
    Taken,
}
