//! Sessions: table `token_families`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction};
use shared::store::sessions::REUSE_INTERVAL_SECONDS;
use shared::store::{RefreshOutcome, Session, Sessions, StoreError};

use super::SqliteStore;

#[async_trait]
impl Sessions for SqliteStore {
    async fn start_session(&self, session: &Session) -> Result<(), StoreError> {
        self.atomically(|db| start(db, session))
    }

    async fn refresh_session(&self, next: &Session, now: i64) -> Result<RefreshOutcome, StoreError> {
        self.atomically(|db| {
            let query = "SELECT generation, moved_at FROM token_families WHERE family = ?1 AND expires_at > ?2
                 AND EXISTS (SELECT 1 FROM users WHERE user_id = ?3 AND epoch = ?4)";
            let parameters = (next.id.to_string(), now, next.user_id.to_string(), next.token_version);
            let latest = db.query_row(query, parameters, |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?)));
            let Some((generation, refreshed_at)) = latest.optional()? else { return Ok(RefreshOutcome::Revoked) };
            if generation == next.generation && now <= refreshed_at + REUSE_INTERVAL_SECONDS {
                return Ok(RefreshOutcome::Refreshed);
            }
            if generation + 1 != next.generation {
                revoke(db, next)?;
                return Ok(RefreshOutcome::ReuseDetected);
            }
            db.execute(
                "UPDATE token_families SET generation = ?, moved_at = ?, expires_at = ? WHERE family = ?",
                (next.generation, now, next.expires_at, next.id.to_string()),
            )?;
            Ok(RefreshOutcome::Refreshed)
        })
    }

    async fn revoke_session(&self, session: &Session) -> Result<(), StoreError> {
        self.atomically(|db| revoke(db, session))
    }

    async fn revoke_all_sessions(&self, session: &Session) -> Result<(), StoreError> {
        self.atomically(|db| {
            let increment = "UPDATE users SET epoch = epoch + 1 WHERE user_id = ? AND epoch = ?";
            db.execute(increment, (session.user_id.to_string(), session.token_version)).map(|_| ())
        })
    }
}

/// Starts a session.
pub(super) fn start(db: &Transaction<'_>, session: &Session) -> rusqlite::Result<()> {
    // In place of DynamoDB's TTL.
    db.execute("DELETE FROM token_families WHERE expires_at <= ?", [session.started_at])?;
    db.execute(
        "INSERT INTO token_families VALUES (?, ?, ?, ?)",
        (session.id.to_string(), session.generation, session.started_at, session.expires_at),
    )
    .map(|_| ())
}

fn revoke(db: &Transaction<'_>, session: &Session) -> rusqlite::Result<()> {
    db.execute("DELETE FROM token_families WHERE family = ?", [session.id.to_string()]).map(|_| ())
}
