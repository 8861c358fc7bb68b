//! The steps of an operator on users, sessions and SMS: `./local/admin` calls them, no function links them.

use std::fmt;

use async_trait::async_trait;

use super::error::StoreError;
use super::limits::Subject;
use crate::values::{Claims, Email, Name, Nickname, PasswordHash, Phone, UserId};

/// The steps of an operator.
#[async_trait]
pub trait Administration: Send + Sync {
    /// Returns the user with this id, email or phone number.
    async fn user(&self, key: &UserKey) -> Result<Option<User>, StoreError>;

    /// Returns the users after `after`, in any order, and where the next page begins. A page may be empty before the
    /// last one. A user who signs up, or is deleted, meanwhile may be missing.
    async fn users(&self, after: Option<&PageKey>) -> Result<Page, StoreError>;

    /// Creates a user as it is, if no user has its id, its email or its phone number. If concurrent calls have one of
    /// them, one succeeds. Another outcome than [`ImportOutcome::Created`] changes nothing.
    async fn import_user(&self, user: &User) -> Result<ImportOutcome, StoreError>;

    /// Replaces the claims `before`, which the user's access tokens contain, by `claims`, from the next login or refresh
    /// on. Returns `false`, and changes nothing, if the user has other claims or does not exist.
    async fn set_claims(&self, id: UserId, before: &Claims, claims: &Claims, now: i64) -> Result<bool, StoreError>;

    /// Revokes all of the user's sessions, and the access tokens issued before, by incrementing the token version.
    /// Returns `false` if the user does not exist. Deletes the revoked sessions as far as possible.
    ///
    /// A call whose response is lost may increment twice.
    async fn end_sessions(&self, id: UserId, now: i64) -> Result<bool, StoreError>;

    /// Deletes the user, and the user's counts of rate limits. Email and phone number are free immediately, and all
    /// sessions are revoked, because their user does not exist. Deletes them as far as possible. Returns `false` if the
    /// user does not exist.
    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError>;

    /// Pauses all SMS, or resumes them. Keeps the count of the day.
    async fn set_sms_paused(&self, is_paused: bool) -> Result<(), StoreError>;

    /// Returns the SMS that were counted on the day of `now` (UTC), and whether SMS are paused.
    async fn sms_of_day(&self, now: i64) -> Result<SmsOfDay, StoreError>;

    /// Returns the counts of a subject. A count that has expired is absent.
    async fn counts(&self, subject: &Subject, now: i64) -> Result<Counts, StoreError>;
}

/// The identifier of a user.
#[derive(Debug)]
pub enum UserKey {
    /// The id.
    Id(UserId),
    /// The email.
    Email(Email),
    /// The phone number.
    Phone(Phone),
}

/// A user, with all attributes.
#[derive(Debug)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The email, unique in its normalized form.
    pub email: Email,
    /// The phone number, unique.
    pub phone: Phone,
    /// The name.
    pub name: Name,
    /// The nickname.
    pub nickname: Nickname,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// The time of the sign-up, in Unix time.
    pub created_at: i64,
    /// The time of the most recent change, in Unix time.
    pub updated_at: i64,
    /// The time of the sign-up or of the most recent reset, in Unix time. Older device tokens are void.
    pub password_reset_at: i64,
    /// The [token version](super::Session::token_version).
    pub token_version: u32,
    /// Whether the user is disabled.
    pub is_disabled: bool,
    /// The claims that the user's access tokens contain.
    pub claims: Claims,
}

/// Some of the users.
#[derive(Debug)]
pub struct Page {
    /// The users.
    pub users: Vec<User>,
    /// Where the next page begins; `None` after the last one.
    pub next: Option<PageKey>,
}

/// The end of a page. Deliberately not shown by `Debug`: it contains personal data.
#[derive(Clone)]
pub struct PageKey(pub String);

impl fmt::Debug for PageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The outcome of [`Administration::import_user`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The user was created.
    Created,
    /// A user with this id, email and phone number exists: an earlier import created it.
    AlreadyImported,
    /// The id, the email or the phone number exists, of another user or of one who has changed since.
    Taken {
        /// Whether a user has the id.
        id: bool,
        /// Whether another user has the email.
        email: bool,
        /// Whether another user has the phone number.
        phone: bool,
    },
}

/// The SMS of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmsOfDay {
    /// The SMS that were counted.
    pub count: u32,
    /// Whether the operator, or the detector, paused all SMS.
    pub is_paused: bool,
}

/// The counts of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of each bucket, by the name of the bucket: the time at which it is idle, in Unix time.
    pub idle_at: Vec<(String, i64)>,
    /// The events in a row.
    pub in_a_row: u32,
}
