//! The accounts of callers: tables `users`, `sessions` and `limits`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Row, Transaction};
use shared::secret::Masked;
use shared::store::{
    Accounts, Caller, CallerError, EmailChangeOutcome, ListedSession, OwnCredentials, PhoneChangeOutcome, Profile,
    Session, StoreError, Subject,
};
use shared::values::{Email, Name, Nickname, PasswordHash, Phone, Purpose, SmsSessionKey, UserAgent, UserId};
use uuid::Uuid;

use super::row::{self, claims};
use super::sms_sessions::{consume, is_usable_for};
use super::users::is_taken;
use super::{SqliteStore, limits, sessions, stored};

#[async_trait]
impl Accounts for SqliteStore {
    async fn profile(&self, caller: &Caller, now: i64) -> Result<Profile, CallerError> {
        self.as_caller(caller, now, |db| read(db, caller, profile))
    }

    async fn update_profile(
        &self,
        caller: &Caller,
        name: Option<&Name>,
        nickname: Option<&Nickname>,
        now: i64,
    ) -> Result<Profile, CallerError> {
        self.as_caller(caller, now, |db| {
            let update = "UPDATE users SET name = coalesce(?, name), nickname = coalesce(?, nickname), updated_at = ?
                 WHERE user_id = ?";
            let (name, nickname) = (name.map(Name::as_str), nickname.map(Nickname::as_str));
            db.execute(update, (name, nickname, now, caller.user_id.to_string()))?;
            read(db, caller, profile)
        })
    }

    async fn own_credentials(&self, caller: &Caller, now: i64) -> Result<OwnCredentials, CallerError> {
        self.as_caller(caller, now, |db| {
            read(db, caller, |row| {
                Ok(OwnCredentials {
                    password_hash: PasswordHash::from_stored(row.get("password_hash")?),
                    email: Masked(row.get("email")?),
                    phone: row::phone(row)?,
                    name: Masked(row.get("name")?),
                    claims: claims(row)?,
                })
            })
        })
    }

    async fn change_password(
        &self,
        caller: &Caller,
        hash: &PasswordHash,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<(), CallerError> {
        self.as_caller(caller, now, |db| {
            let update = "UPDATE users SET password_hash = ? WHERE user_id = ?";
            db.execute(update, (hash.as_str(), caller.user_id.to_string()))?;
            replace_session(db, caller, session, user_agent, now)
        })
    }

    async fn change_phone(
        &self,
        caller: &Caller,
        phone: &Phone,
        key: &SmsSessionKey,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<PhoneChangeOutcome, CallerError> {
        self.as_caller(caller, now, |db| {
            if !is_usable_for(db, key, phone, Purpose::PhoneChange, now)? {
                return Ok(PhoneChangeOutcome::NotVerified);
            }
            if is_taken(db, "phone", phone.e164())? {
                return Ok(PhoneChangeOutcome::Taken);
            }
            let (previous, claims) = read(db, caller, |row| Ok((row::phone(row)?, claims(row)?)))?;
            let update = "UPDATE users SET phone = ? WHERE user_id = ?";
            db.execute(update, (phone.e164(), caller.user_id.to_string()))?;
            replace_session(db, caller, session, user_agent, now)?;
            consume(db, key)?;
            Ok(PhoneChangeOutcome::Changed { previous, claims })
        })
    }

    async fn change_email(
        &self,
        caller: &Caller,
        email: &Email,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<EmailChangeOutcome, CallerError> {
        self.as_caller(caller, now, |db| {
            let query = "SELECT EXISTS (SELECT 1 FROM users WHERE email_key = ? AND user_id != ?)";
            let user_id = caller.user_id.to_string();
            if db.query_row(query, (email.normalized(), &user_id), |row| row.get(0))? {
                return Ok(EmailChangeOutcome::Taken);
            }
            let update = "UPDATE users SET email = ?, email_key = ? WHERE user_id = ?";
            db.execute(update, (email.as_str(), email.normalized(), user_id))?;
            replace_session(db, caller, session, user_agent, now)?;
            Ok(EmailChangeOutcome::Changed { claims: read(db, caller, claims)? })
        })
    }

    async fn delete_account(&self, caller: &Caller, now: i64) -> Result<(), CallerError> {
        self.as_caller(caller, now, |db| {
            db.execute("DELETE FROM users WHERE user_id = ?", [caller.user_id.to_string()])?;
            sessions::revoke(db, caller.user_id, caller.session_id)?;
            limits::clear(db, &Subject::passwords_of_account(caller.user_id))?;
            limits::clear(db, &Subject::sms_to_account(caller.user_id))
        })
    }

    async fn list_sessions(&self, caller: &Caller, now: i64) -> Result<Vec<ListedSession>, CallerError> {
        self.as_caller(caller, now, |db| {
            let query = "SELECT session_id, created_at, rotated_at, user_agent FROM sessions
                 WHERE user_id = ? AND token_version = ? AND expires_at > ?";
            let mut query = db.prepare(query)?;
            let sessions = query.query_map((caller.user_id.to_string(), caller.token_version, now), |row| {
                Ok(ListedSession {
                    id: stored(Uuid::parse_str(&row.get::<_, String>("session_id")?).ok())?,
                    created_at: row.get("created_at")?,
                    last_used_at: row.get("rotated_at")?,
                    user_agent: row.get("user_agent")?,
                })
            })?;
            sessions.collect()
        })
    }

    async fn revoke_listed_session(&self, caller: &Caller, id: Uuid, now: i64) -> Result<bool, CallerError> {
        self.as_caller(caller, now, |db| {
            let delete = "DELETE FROM sessions
                 WHERE user_id = ? AND session_id = ? AND token_version = ? AND expires_at > ?";
            let revoked =
                db.execute(delete, (caller.user_id.to_string(), id.to_string(), caller.token_version, now))?;
            Ok(revoked == 1)
        })
    }

    async fn delete_sessions(&self, user_id: UserId) -> Result<(), StoreError> {
        self.atomically(|db| db.execute("DELETE FROM sessions WHERE user_id = ?", [user_id.to_string()]).map(|_| ()))
    }
}

impl SqliteStore {
    /// Runs a step of a caller who is current, or returns the reason why the caller is rejected.
    fn as_caller<T>(
        &self,
        caller: &Caller,
        now: i64,
        step: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, CallerError> {
        self.atomically(|db| match rejection(db, caller, now)? {
            Some(rejection) => Ok(Err(rejection)),
            None => step(db).map(Ok),
        })?
    }
}

/// Returns the reason why a caller is rejected, if there is one.
fn rejection(db: &Transaction<'_>, caller: &Caller, now: i64) -> rusqlite::Result<Option<CallerError>> {
    let query = "SELECT token_version, is_disabled, EXISTS (
            SELECT 1 FROM sessions WHERE user_id = ?1 AND session_id = ?2 AND expires_at > ?3
        ) AS has_session FROM users WHERE user_id = ?1";
    let parameters = (caller.user_id.to_string(), caller.session_id.to_string(), now);
    let rejection = db.query_row(query, parameters, |row| {
        if row.get("is_disabled")? {
            return Ok(Some(CallerError::UserDisabled));
        }
        let is_current = row.get("has_session")? && row.get::<_, u32>("token_version")? == caller.token_version;
        Ok((!is_current).then_some(CallerError::Revoked))
    });
    Ok(rejection.optional()?.unwrap_or(Some(CallerError::UserNotFound)))
}

/// Replaces the session of a caller whose credentials changed by `session`, and the token version by that of `session`.
fn replace_session(
    db: &Transaction<'_>,
    caller: &Caller,
    session: &Session,
    user_agent: &UserAgent,
    now: i64,
) -> rusqlite::Result<()> {
    let update = "UPDATE users SET token_version = ?, updated_at = ? WHERE user_id = ?";
    db.execute(update, (session.token_version, now, caller.user_id.to_string()))?;
    sessions::revoke(db, caller.user_id, caller.session_id)?;
    sessions::start(db, session, user_agent)
}

/// Reads the caller's user.
fn read<T>(
    db: &Transaction<'_>,
    caller: &Caller,
    from_row: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    db.query_row("SELECT * FROM users WHERE user_id = ?", [caller.user_id.to_string()], from_row)
}

fn profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    Ok(Profile {
        name: Masked(row.get("name")?),
        email: Masked(row.get("email")?),
        phone: Masked(row.get("phone")?),
        nickname: Masked(row.get("nickname")?),
    })
}
