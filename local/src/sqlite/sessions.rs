//! Sessions: table `sessions`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction};
use shared::store::sessions::REUSE_INTERVAL_SECONDS;
use shared::store::{RefreshOutcome, Session, Sessions, StoreError, Subject};
use shared::values::{Claims, Phone, Purpose, SmsSessionKey, UserAgent, UserId};
use uuid::Uuid;

use super::row::claims;
use super::sms_sessions::{consume, is_usable_for};
use super::{SqliteStore, limits};

#[async_trait]
impl Sessions for SqliteStore {
    async fn start_session(&self, session: &Session, user_agent: &UserAgent) -> Result<(), StoreError> {
        self.atomically(|db| start(db, session, user_agent))
    }

    async fn start_session_by_code(
        &self,
        session: &Session,
        user_agent: &UserAgent,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.atomically(|db| {
            if !is_usable_for(db, key, phone, Purpose::Login, now)? {
                return Ok(false);
            }
            consume(db, key)?;
            start(db, session, user_agent)?;
            limits::clear(db, &Subject::passwords_of_account(session.user_id))?;
            Ok(true)
        })
    }

    async fn refresh_session(&self, next: &Session, _: &Claims, now: i64) -> Result<RefreshOutcome, StoreError> {
        self.atomically(|db| {
            let query = "SELECT token_version, is_disabled, claims FROM users WHERE user_id = ?";
            let user = db.query_row(query, [next.user_id.to_string()], |row| {
                Ok((row.get::<_, u32>("token_version")?, row.get::<_, bool>("is_disabled")?, claims(row)?))
            });
            let Some((token_version, is_disabled, claims)) = user.optional()? else {
                return Ok(RefreshOutcome::Revoked);
            };
            if is_disabled {
                return Ok(RefreshOutcome::UserDisabled);
            }
            if token_version != next.token_version {
                return Ok(RefreshOutcome::Revoked);
            }
            let query = "SELECT generation, rotated_at FROM sessions
                 WHERE user_id = ? AND session_id = ? AND expires_at > ?";
            let parameters = (next.user_id.to_string(), next.id.to_string(), now);
            let latest = db.query_row(query, parameters, |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?)));
            let Some((generation, rotated_at)) = latest.optional()? else { return Ok(RefreshOutcome::Revoked) };
            if generation == next.generation && now <= rotated_at + REUSE_INTERVAL_SECONDS {
                return Ok(RefreshOutcome::Refreshed { claims });
            }
            if generation + 1 != next.generation {
                revoke(db, next.user_id, next.id)?;
                return Ok(RefreshOutcome::ReuseDetected);
            }
            db.execute(
                "UPDATE sessions SET generation = ?, rotated_at = ?, expires_at = ?
                 WHERE user_id = ? AND session_id = ?",
                (next.generation, now, next.expires_at, next.user_id.to_string(), next.id.to_string()),
            )?;
            Ok(RefreshOutcome::Refreshed { claims })
        })
    }

    async fn revoke_session(&self, session: &Session) -> Result<(), StoreError> {
        self.atomically(|db| revoke(db, session.user_id, session.id))
    }

    async fn revoke_all_sessions(&self, session: &Session) -> Result<(), StoreError> {
        self.atomically(|db| {
            let increment =
                "UPDATE users SET token_version = token_version + 1 WHERE user_id = ? AND token_version = ?";
            db.execute(increment, (session.user_id.to_string(), session.token_version)).map(|_| ())
        })
    }
}

/// Starts a session.
pub(super) fn start(db: &Transaction<'_>, session: &Session, user_agent: &UserAgent) -> rusqlite::Result<()> {
    // In place of DynamoDB's TTL.
    db.execute("DELETE FROM sessions WHERE expires_at <= ?", [session.started_at])?;
    db.execute(
        "INSERT INTO sessions VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)",
        (
            session.user_id.to_string(),
            session.id.to_string(),
            session.generation,
            session.started_at,
            user_agent.as_str(),
            session.token_version,
            session.expires_at,
        ),
    )
    .map(|_| ())
}

/// Revokes a session.
pub(super) fn revoke(db: &Transaction<'_>, user_id: UserId, id: Uuid) -> rusqlite::Result<()> {
    let delete = "DELETE FROM sessions WHERE user_id = ? AND session_id = ?";
    db.execute(delete, (user_id.to_string(), id.to_string())).map(|_| ())
}
