//! Users, as they are stored.

use std::fmt;

use uuid::Uuid;

use crate::email::Email;
use crate::name::{Name, Nickname};
use crate::password::PasswordHash;
use crate::phone::Phone;
use crate::random;

/// A user's id: a UUIDv7 (RFC 9562), so that ids sort by when they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// A new one, made at `now_millis` since the Unix epoch.
    #[must_use]
    pub fn generate(now_millis: i64) -> Self {
        let millis = u64::try_from(now_millis).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid())
    }

    /// Reads an id that was stored or stands in a token.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// Somebody who signs up.
#[derive(Debug)]
pub struct NewUser {
    /// The new id.
    pub id: UserId,
    /// The name.
    pub name: Name,
    /// The nickname.
    pub nickname: Nickname,
    /// The e-mail, unique by its key.
    pub email: Email,
    /// The verified phone, unique.
    pub phone: Phone,
    /// The password's hash.
    pub password_hash: PasswordHash,
}

/// What `profile` shows.
#[derive(PartialEq, Eq, serde::Serialize)]
pub struct Profile {
    /// The name.
    pub name: String,
    /// The e-mail, as the user spells it.
    pub email: String,
    /// The phone, in E.164.
    pub phone: String,
    /// The nickname.
    pub nickname: String,
    /// The [epoch](crate::token::Family::epoch), which an access token must be of. Not shown.
    #[serde(skip)]
    pub epoch: u32,
}

/// What `login` compares with.
#[derive(Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Whose they are.
    pub user_id: UserId,
    /// The password's hash.
    pub password_hash: PasswordHash,
    /// The [epoch](crate::token::Family::epoch).
    pub epoch: u32,
}

/// What a password reset needs to know of a phone's user.
pub struct Account {
    /// The user.
    pub user_id: UserId,
    /// The e-mail, which the new password must not hold.
    pub email: String,
    /// The name, which the new password must not hold.
    pub name: String,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Profile(***)")
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Account({})", self.user_id)
    }
}
