//! The ids of users.

use std::fmt;

use uuid::Uuid;

use crate::random;

/// The id of a user: a UUIDv7 (RFC 9562), so that ids sort by creation time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// Creates an id at `now_millis`, in milliseconds since the Unix epoch.
    #[must_use]
    pub fn new(now_millis: i64) -> Self {
        let millis = u64::try_from(now_millis).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid())
    }

    /// Returns the id in stored text or in a token, or `None` if the text is not an id.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        Uuid::parse_str(text).ok().map(Self)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}
