//! SMS sessions: table `sms_sessions`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use shared::store::{
    AttemptOutcome, SentCode, SignUpAttemptOutcome, SmsSession, SmsSessions, StoreError, VerificationOutcome,
};
use shared::values::{CodeMac, Phone, Purpose, SmsSessionKey, SourceIp};

use super::{SqliteStore, stored};

#[async_trait]
impl SmsSessions for SqliteStore {
    async fn open_sms_session(&self, session: &SmsSession) -> Result<(), StoreError> {
        self.atomically(|db| {
            // In place of DynamoDB's TTL.
            db.execute("DELETE FROM sms_sessions WHERE expires_at <= ?", [session.sent_at])?;
            db.execute(
                "INSERT INTO sms_sessions VALUES (?, ?, ?, ?, ?, 0, ?, FALSE, 0, ?, ?)",
                (
                    session.key.as_str(),
                    session.phone.e164(),
                    session.purpose.as_str(),
                    session.code_mac.as_str(),
                    session.sent_at,
                    session.max_attempts,
                    session.ip.map(SourceIp::to_stored),
                    session.expires_at,
                ),
            )
            .map(|_| ())
        })
    }

    async fn cancel_sms_session(&self, key: &SmsSessionKey) -> Result<(), StoreError> {
        self.atomically(|db| consume(db, key))
    }

    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        code_seconds: i64,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError> {
        self.atomically(|db| {
            let Some(session) = StoredSmsSession::read(db, key, now)? else { return Ok(AttemptOutcome::NotFound) };
            if session.sent_at + code_seconds <= now {
                return Ok(AttemptOutcome::CodeExpired);
            }
            if session.attempts >= session.max_attempts {
                return Ok(AttemptOutcome::RateLimited { retry_after: session.expires_at - now });
            }
            db.execute("UPDATE sms_sessions SET attempts = attempts + 1 WHERE session = ?", [key.as_str()])?;
            Ok(AttemptOutcome::Recorded(SentCode {
                purpose: session.purpose,
                code_mac: session.code_mac,
                ip: session.ip,
                sent_at: session.sent_at,
            }))
        })
    }

    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        verified_until: i64,
        now: i64,
    ) -> Result<VerificationOutcome, StoreError> {
        self.atomically(|db| {
            let Some(session) = StoredSmsSession::read(db, key, now)? else {
                return Ok(VerificationOutcome::NotFound);
            };
            if session.is_verified {
                return Ok(VerificationOutcome::AlreadyVerified);
            }
            let mark = "UPDATE sms_sessions SET is_verified = TRUE, expires_at = ? WHERE session = ?";
            db.execute(mark, (verified_until, key.as_str()))?;
            Ok(VerificationOutcome::Verified)
        })
    }

    async fn record_sign_up_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        max: u32,
        now: i64,
    ) -> Result<SignUpAttemptOutcome, StoreError> {
        self.atomically(|db| {
            let session = StoredSmsSession::read(db, key, now)?;
            let Some(session) = session.filter(|session| session.is_verified && session.phone == *phone) else {
                return Ok(SignUpAttemptOutcome::NotVerified);
            };
            if session.purpose != Purpose::Signup {
                return Ok(SignUpAttemptOutcome::OtherPurpose);
            }
            if session.sign_ups >= max {
                return Ok(SignUpAttemptOutcome::NotVerified);
            }
            db.execute("UPDATE sms_sessions SET sign_ups = sign_ups + 1 WHERE session = ?", [key.as_str()])?;
            Ok(SignUpAttemptOutcome::Recorded)
        })
    }

    async fn verified_phone(
        &self,
        key: &SmsSessionKey,
        purpose: Purpose,
        now: i64,
    ) -> Result<Option<Phone>, StoreError> {
        self.atomically(|db| {
            let session = StoredSmsSession::read(db, key, now)?;
            let session = session.filter(|session| session.is_verified && session.purpose == purpose);
            Ok(session.map(|session| session.phone))
        })
    }
}

/// A row of `sms_sessions`.
struct StoredSmsSession {
    phone: Phone,
    purpose: Purpose,
    code_mac: CodeMac,
    sent_at: i64,
    attempts: u32,
    max_attempts: u32,
    is_verified: bool,
    sign_ups: u32,
    ip: Option<SourceIp>,
    expires_at: i64,
}

impl StoredSmsSession {
    /// Reads a session that has not expired.
    fn read(db: &Transaction<'_>, key: &SmsSessionKey, now: i64) -> rusqlite::Result<Option<Self>> {
        let query = "SELECT * FROM sms_sessions WHERE session = ? AND expires_at > ?";
        db.query_row(query, (key.as_str(), now), Self::from_row).optional()
    }

    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            phone: stored(Phone::from_stored(&row.get::<_, String>("phone")?))?,
            purpose: stored(Purpose::from_stored(&row.get::<_, String>("purpose")?))?,
            code_mac: CodeMac::from_stored(row.get("code_mac")?),
            sent_at: row.get("sent_at")?,
            attempts: row.get("attempts")?,
            max_attempts: row.get("max_attempts")?,
            is_verified: row.get("is_verified")?,
            sign_ups: row.get("sign_ups")?,
            ip: row.get::<_, Option<String>>("ip")?.map(|ip| SourceIp::from_stored(&ip)),
            expires_at: row.get("expires_at")?,
        })
    }
}

/// Whether an SMS session is for this phone number and purpose, and verified if the purpose requires that.
pub(super) fn is_usable_for(
    db: &Transaction<'_>,
    key: &SmsSessionKey,
    phone: &Phone,
    purpose: Purpose,
    now: i64,
) -> rusqlite::Result<bool> {
    Ok(StoredSmsSession::read(db, key, now)?.is_some_and(|session| {
        session.phone == *phone && session.purpose == purpose && session.is_verified == purpose.is_verified_first()
    }))
}

pub(super) fn consume(db: &Transaction<'_>, key: &SmsSessionKey) -> rusqlite::Result<()> {
    db.execute("DELETE FROM sms_sessions WHERE session = ?", [key.as_str()]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::values::SmsSessionId;

    #[tokio::test]
    async fn an_unknown_purpose_is_an_error() {
        let store = SqliteStore::in_memory().unwrap();
        let key = SmsSessionId::random().key();
        let insert =
            "INSERT INTO sms_sessions VALUES (?, '+821012345678', 'anything', '', 0, 0, 5, TRUE, 0, NULL, 1000)";
        store.0.lock().unwrap().execute(insert, [key.as_str()]).unwrap();
        let error = store.verified_phone(&key, Purpose::Signup, 10).await.unwrap_err();
        assert!(error.to_string().ends_with("a stored value is invalid"), "{error}");
    }
}
