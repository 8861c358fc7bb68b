//! SMS sessions: table `sms_sessions`, with the events of the rate limits in `sends` and `failed_tries`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use shared::limits::RateLimit;
use shared::store::{
    AttemptLimits, AttemptOutcome, OpenOutcome, SmsSession, SmsSessions, StoreError, VerifiedSmsSession,
};
use shared::values::{CodeMac, Phone, Purpose, SmsSessionKey};

use super::{SqliteStore, stored};

#[async_trait]
impl SmsSessions for SqliteStore {
    async fn open_sms_session(
        &self,
        session: &SmsSession,
        limit: &RateLimit,
        now: i64,
    ) -> Result<OpenOutcome, StoreError> {
        self.atomically(|db| {
            let retry_after = retry_after(db, "sends", &session.phone, limit, now)?;
            if retry_after > 0 {
                return Ok(OpenOutcome::RateLimited { retry_after });
            }
            count(db, "sends", &session.phone, limit, now)?;
            db.execute(
                "INSERT INTO sms_sessions VALUES (?, ?, ?, ?, ?, 0, FALSE, ?)",
                (
                    session.key.as_str(),
                    session.phone.e164(),
                    session.purpose.map(Purpose::as_str),
                    session.code_mac.as_str(),
                    session.sent_at,
                    session.expires_at,
                ),
            )?;
            // In place of DynamoDB's TTL.
            db.execute("DELETE FROM sms_sessions WHERE expires_at <= ?", [now])?;
            Ok(OpenOutcome::Opened)
        })
    }

    async fn cancel_sms_session(&self, session: &SmsSession, _: &RateLimit) -> Result<(), StoreError> {
        self.atomically(|db| {
            let was_open = db.execute("DELETE FROM sms_sessions WHERE session = ?", [session.key.as_str()])? == 1;
            if was_open { refund(db, "sends", &session.phone) } else { Ok(()) }
        })
    }

    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        limits: &AttemptLimits,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError> {
        self.atomically(|db| {
            let Some(session) = StoredSmsSession::read(db, key, now)? else { return Ok(AttemptOutcome::NotFound) };
            if session.sent_at + limits.code_seconds <= now {
                return Ok(AttemptOutcome::CodeExpired);
            }
            if session.attempts >= limits.per_session {
                return Ok(AttemptOutcome::RateLimited { retry_after: session.expires_at - now });
            }
            let is_same_phone = session.phone == *phone;
            if is_same_phone {
                let retry_after = retry_after(db, "failed_tries", phone, &limits.per_phone, now)?;
                if retry_after > 0 {
                    return Ok(AttemptOutcome::RateLimited { retry_after });
                }
                count(db, "failed_tries", phone, &limits.per_phone, now)?;
            }
            db.execute("UPDATE sms_sessions SET attempts = attempts + 1 WHERE session = ?", [key.as_str()])?;
            Ok(if is_same_phone {
                AttemptOutcome::Recorded { purpose: session.purpose, code_mac: session.code_mac }
            } else {
                AttemptOutcome::WrongPhone
            })
        })
    }

    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        verified_until: i64,
        _: &RateLimit,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.atomically(|db| {
            let marked = db.execute(
                "UPDATE sms_sessions SET is_verified = TRUE, expires_at = ? WHERE session = ? AND expires_at > ?",
                (verified_until, key.as_str(), now),
            )?;
            if marked == 1 {
                refund(db, "failed_tries", phone)?;
            }
            Ok(marked == 1)
        })
    }

    async fn verified_sms_session(
        &self,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<Option<VerifiedSmsSession>, StoreError> {
        self.atomically(|db| {
            let session = StoredSmsSession::read(db, key, now)?.filter(|session| session.is_verified);
            Ok(session.map(|session| VerifiedSmsSession { phone: session.phone, purpose: session.purpose }))
        })
    }
}

/// A row of `sms_sessions`.
struct StoredSmsSession {
    phone: Phone,
    purpose: Option<Purpose>,
    code_mac: CodeMac,
    sent_at: i64,
    attempts: u32,
    is_verified: bool,
    expires_at: i64,
}

impl StoredSmsSession {
    /// Reads a session that has not expired.
    fn read(db: &Transaction<'_>, key: &SmsSessionKey, now: i64) -> rusqlite::Result<Option<Self>> {
        let query = "SELECT * FROM sms_sessions WHERE session = ? AND expires_at > ?";
        db.query_row(query, (key.as_str(), now), Self::from_row).optional()
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let purpose: Option<String> = row.get("purpose")?;
        Ok(Self {
            phone: stored(Phone::from_stored(&row.get::<_, String>("phone")?))?,
            purpose: purpose.map(|word| stored(Purpose::from_stored(&word))).transpose()?,
            code_mac: CodeMac::from_stored(row.get("code_hash")?),
            sent_at: row.get("sent_at")?,
            attempts: row.get("attempts")?,
            is_verified: row.get("is_verified")?,
            expires_at: row.get("expires_at")?,
        })
    }
}

/// Whether an SMS session is verified for this phone number and purpose.
pub(super) fn is_verified_for(
    db: &Transaction<'_>,
    key: &SmsSessionKey,
    phone: &Phone,
    purpose: Purpose,
    now: i64,
) -> rusqlite::Result<bool> {
    let session = StoredSmsSession::read(db, key, now)?.filter(|session| session.is_verified);
    Ok(session.is_some_and(|session| session.phone == *phone && session.purpose.is_none_or(|only| only == purpose)))
}

pub(super) fn consume(db: &Transaction<'_>, key: &SmsSessionKey) -> rusqlite::Result<()> {
    db.execute("DELETE FROM sms_sessions WHERE session = ?", [key.as_str()]).map(|_| ())
}

/// Returns the seconds until `limit` allows another event of the phone number in `table`.
fn retry_after(db: &Transaction<'_>, table: &str, phone: &Phone, limit: &RateLimit, now: i64) -> rusqlite::Result<i64> {
    let mut latest = db.prepare(&format!("SELECT at FROM {table} WHERE phone = ? ORDER BY at DESC LIMIT ?"))?;
    let times = latest
        .query_map((phone.e164(), limit.remembered()), |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    Ok(limit.retry_after(&times, now))
}

fn count(db: &Transaction<'_>, table: &str, phone: &Phone, limit: &RateLimit, now: i64) -> rusqlite::Result<()> {
    db.execute(&format!("DELETE FROM {table} WHERE at <= ?"), [now - limit.longest_seconds()])?;
    db.execute(&format!("INSERT INTO {table} VALUES (?, ?)"), (phone.e164(), now)).map(|_| ())
}

/// Refunds the most recent event of the phone number.
fn refund(db: &Transaction<'_>, table: &str, phone: &Phone) -> rusqlite::Result<()> {
    let latest = format!("SELECT rowid FROM {table} WHERE phone = ? ORDER BY at DESC LIMIT 1");
    db.execute(&format!("DELETE FROM {table} WHERE rowid = ({latest})"), [phone.e164()]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::values::SmsSessionId;

    #[tokio::test]
    async fn an_unknown_purpose_is_an_error() {
        let store = SqliteStore::in_memory().unwrap();
        let key = SmsSessionId::random().key();
        let insert = "INSERT INTO sms_sessions VALUES (?, '+821012345678', 'anything', '', 0, 0, TRUE, 1000)";
        store.0.lock().unwrap().execute(insert, [key.as_str()]).unwrap();
        assert!(matches!(store.verified_sms_session(&key, 10).await, Err(StoreError::Failed(_))));
    }
}
