//! Users and what makes them unique: their email and their phone number.

use async_trait::async_trait;

use super::error::StoreError;
use super::sessions::Session;
use crate::secret::Masked;
use crate::values::{Claims, Email, Name, Nickname, PasswordHash, Phone, SmsSessionKey, UserAgent, UserId};

/// The users.
#[async_trait]
pub trait Users: Send + Sync {
    /// Whether a user has this email.
    async fn is_email_taken(&self, email: &Email) -> Result<bool, StoreError>;

    /// Whether a user has this phone number.
    async fn is_phone_taken(&self, phone: &Phone) -> Result<bool, StoreError>;

    /// Creates the user, starts `session` and consumes the SMS session, if that is verified for the
    /// user's phone number and for sign-up, and neither email nor phone number is taken. If concurrent
    /// calls have the same SMS session, email or phone number, one succeeds. [`SignUpOutcome::Taken`]
    /// leaves the SMS session usable.
    async fn sign_up(
        &self,
        user: &NewUser,
        session: &Session,
        user_agent: &UserAgent,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<SignUpOutcome, StoreError>;

    /// Returns the credentials of the user with this email or phone number. Takes as many round trips
    /// for an unknown user, so that the time does not depend on whether the account exists.
    async fn credentials(&self, login: &LoginIdentifier) -> Result<Option<Credentials>, StoreError>;

    /// Returns the account with this phone number. Takes as many round trips for an unknown phone number.
    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError>;

    /// Replaces the user's password, revokes all of the user's sessions, records the time, clears the count of
    /// strangers' wrong passwords and consumes the SMS session, if that is verified for `phone` and for a reset.
    /// Returns `false`, and changes nothing, if it is not, or if the user does not exist, is disabled or has another phone
    /// number meanwhile. If
    /// concurrent calls have the same SMS session, one succeeds.
    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError>;

    /// Disables or enables the user. Login, refresh, reset and every access token of a disabled user are
    /// rejected. Returns `false` if the user does not exist.
    async fn set_disabled(&self, id: UserId, is_disabled: bool, now: i64) -> Result<bool, StoreError>;
}

/// A user who signs up.
#[derive(Debug)]
pub struct NewUser {
    /// The new id.
    pub id: UserId,
    /// The name.
    pub name: Name,
    /// The nickname.
    pub nickname: Nickname,
    /// The email, unique in its normalized form.
    pub email: Email,
    /// The verified phone number, unique.
    pub phone: Phone,
    /// The hash of the password.
    pub password_hash: PasswordHash,
}

/// The outcome of [`Users::sign_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUpOutcome {
    /// The user was created.
    Created,
    /// The SMS session is not verified, or not for this phone number and purpose.
    NotVerified,
    /// The email, the phone number, or both are taken.
    Taken {
        /// Whether the email is taken.
        email: bool,
        /// Whether the phone number is taken.
        phone: bool,
    },
}

/// The profile of a user.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The name.
    pub name: Masked<String>,
    /// The email, in the user's spelling.
    pub email: Masked<String>,
    /// The phone number in E.164.
    pub phone: Masked<String>,
    /// The nickname.
    pub nickname: Masked<String>,
}

/// The email or the phone number of a login.
#[derive(Debug)]
pub enum LoginIdentifier {
    /// The email.
    Email(Email),
    /// The phone number.
    Phone(Phone),
}

/// The credentials that a login is compared with.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub user_id: UserId,
    /// The hash of the password.
    pub password_hash: PasswordHash,
    /// The [token version](Session::token_version).
    pub token_version: u32,
    /// Whether the user is disabled.
    pub is_disabled: bool,
    /// The time of the sign-up or of the most recent reset, in Unix time. Older device tokens are void.
    pub password_reset_at: i64,
    /// The claims that the user's access tokens contain.
    pub claims: Claims,
}

/// The account of a phone number, as far as a send, a login by code and a password reset need it.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// The [token version](Session::token_version).
    pub token_version: u32,
    /// The email, which the new password must not contain.
    pub email: Masked<String>,
    /// The name, which the new password must not contain.
    pub name: Masked<String>,
    /// Whether the user is disabled.
    pub is_disabled: bool,
    /// The time of the sign-up or of the most recent reset, in Unix time. Older device tokens are void.
    pub password_reset_at: i64,
    /// The claims that the user's access tokens contain.
    pub claims: Claims,
}
