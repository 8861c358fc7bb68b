//! Sessions: the chains of tokens that begin with a login.

use async_trait::async_trait;
use uuid::Uuid;

use super::error::StoreError;
use crate::random;
use crate::values::{Claims, Phone, SmsSessionKey, UserAgent, UserId};

/// The seconds during which the predecessor of the latest refresh token is accepted again, for a client
/// that did not receive the response.
pub const REUSE_INTERVAL_SECONDS: i64 = 30;

/// The sessions.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Starts a session of a user who logged in. If all of the user's sessions were revoked after the
    /// credentials were read, the new session is already revoked.
    async fn start_session(&self, session: &Session, user_agent: &UserAgent) -> Result<(), StoreError>;

    /// Starts a session of the user with `phone`, consumes the SMS session and clears the count of strangers' wrong
    /// passwords, if the SMS session is for `phone` and for a login. The caller compares the code first. Returns
    /// `false`, and changes nothing, otherwise. If concurrent calls have the same SMS session, one succeeds. If all of
    /// the user's sessions were revoked after the account was read, the new session is already revoked.
    async fn start_session_by_code(
        &self,
        session: &Session,
        user_agent: &UserAgent,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError>;

    /// Advances a session to the generation of `next`, if the generation before it is the latest and the
    /// user is not disabled.
    ///
    /// If `next` already is the latest, and for no longer than [`REUSE_INTERVAL_SECONDS`], changes
    /// nothing and returns the same outcome: of many concurrent calls with one token, all receive the
    /// same next generation. Any other token was used before, and revokes the session.
    ///
    /// `claims` are those of the token, and usually the user's. The call takes one round trip if they are, and three if
    /// they were replaced since the token was issued.
    async fn refresh_session(&self, next: &Session, claims: &Claims, now: i64) -> Result<RefreshOutcome, StoreError>;

    /// Revokes a session. Does nothing if it is already revoked.
    async fn revoke_session(&self, session: &Session) -> Result<(), StoreError>;

    /// Revokes all of the user's sessions, and the access tokens issued before, by incrementing the
    /// token version. Does nothing if it was already incremented since `session` started.
    async fn revoke_all_sessions(&self, session: &Session) -> Result<(), StoreError>;
}

/// A session and one generation of its refresh tokens, each of which is used once, for the next. The
/// tokens contain all of it; the store knows which generation is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The session's id.
    pub id: Uuid,
    /// The user who logged in.
    pub user_id: UserId,
    /// The number of times that all of the user's sessions had been revoked when this session started.
    /// Once the user's number is higher, the session and its access tokens are revoked. A number, because
    /// times do not order two events within a second, or on two machines.
    pub token_version: u32,
    /// The time of the login, in Unix time.
    pub started_at: i64,
    /// The number of times that the session was refreshed.
    pub generation: u32,
    /// The time at which the session expires unless it is refreshed, in Unix time.
    pub expires_at: i64,
}

/// The user and the session of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: UserId,
    /// The [id](Session::id) of the session.
    pub session_id: Uuid,
    /// The user's [token version](Session::token_version) when the session started.
    pub token_version: u32,
    /// The [time of the login](Session::started_at), in Unix time.
    pub started_at: i64,
}

/// A session in the list that its user sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSession {
    /// The [id](Session::id).
    pub id: Uuid,
    /// The [time of the login](Session::started_at), in Unix time.
    pub created_at: i64,
    /// The time of the most recent refresh, or of the login, in Unix time.
    pub last_used_at: i64,
    /// The label of the client that started the session.
    pub user_agent: String,
}

/// The lifetime of sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionLifetime {
    /// The seconds after which an unused session expires: the lifetime of a refresh token.
    pub refresh_token_seconds: i64,
    /// The seconds after which every session expires.
    pub session_seconds: i64,
}

/// The outcome of [`Sessions::refresh_session`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// The next generation is the latest: its tokens can be issued.
    Refreshed {
        /// The user's claims.
        claims: Claims,
    },
    /// The token was used before. The session is revoked.
    ReuseDetected,
    /// The session does not exist, or is revoked.
    Revoked,
    /// The user is disabled.
    UserDisabled,
}

impl Session {
    /// Creates a session of a user who logs in.
    #[must_use]
    pub fn new(user_id: UserId, token_version: u32, lifetime: SessionLifetime, now: i64) -> Self {
        let id = uuid::Builder::from_random_bytes(random::bytes()).into_uuid();
        Self { id, user_id, token_version, started_at: now, generation: 0, expires_at: now }.used_at(lifetime, now)
    }

    /// Creates the session that replaces the caller's after a change of the credentials. `started_at` is the time of the
    /// most recent login.
    #[must_use]
    pub fn replacing(caller: &Caller, started_at: i64, lifetime: SessionLifetime, now: i64) -> Self {
        let session = Self::new(caller.user_id, caller.token_version + 1, lifetime, now);
        Self { started_at, ..session }.used_at(lifetime, now)
    }

    /// Returns the session's next generation.
    #[must_use]
    pub fn next(self, lifetime: SessionLifetime, now: i64) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }.used_at(lifetime, now)
    }

    fn used_at(self, lifetime: SessionLifetime, now: i64) -> Self {
        let (unused, longest) = (now + lifetime.refresh_token_seconds, self.started_at + lifetime.session_seconds);
        Self { expires_at: unused.min(longest), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_expires_when_it_is_unused_or_old() {
        let day = 24 * 60 * 60;
        let lifetime = SessionLifetime { refresh_token_seconds: 30 * day, session_seconds: 90 * day };
        let first = Session::new(UserId::new(0), 3, lifetime, 0);
        assert_eq!((first.generation, first.token_version, first.expires_at), (0, 3, 30 * day));
        let second = first.next(lifetime, 29 * day);
        assert_eq!((second.generation, second.expires_at), (1, 59 * day));
        let third = second.next(lifetime, 58 * day).next(lifetime, 87 * day);
        assert_eq!((third.generation, third.started_at, third.expires_at), (3, 0, 90 * day));
    }
}
