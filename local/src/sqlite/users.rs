//! Users: table `users`. `email_key` is the normalized email.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction};
use shared::secret::Masked;
use shared::store::{
    Account, Credentials, LoginIdentifier, NewUser, Session, SignUpOutcome, StoreError, Subject, Users,
};
use shared::values::{Email, PasswordHash, Phone, Purpose, SmsSessionKey, UserAgent, UserId};

use super::row::{claims, user_id};
use super::sms_sessions::{consume, is_usable_for};
use super::{SqliteStore, limits, sessions};

#[async_trait]
impl Users for SqliteStore {
    async fn is_email_taken(&self, email: &Email) -> Result<bool, StoreError> {
        self.atomically(|db| is_taken(db, "email_key", email.normalized()))
    }

    async fn is_phone_taken(&self, phone: &Phone) -> Result<bool, StoreError> {
        self.atomically(|db| is_taken(db, "phone", phone.e164()))
    }

    async fn sign_up(
        &self,
        user: &NewUser,
        session: &Session,
        user_agent: &UserAgent,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<SignUpOutcome, StoreError> {
        self.atomically(|db| {
            if !is_usable_for(db, key, &user.phone, Purpose::Signup, now)? {
                return Ok(SignUpOutcome::NotVerified);
            }
            let email = is_taken(db, "email_key", user.email.normalized())?;
            let phone = is_taken(db, "phone", user.phone.e164())?;
            if email || phone {
                return Ok(SignUpOutcome::Taken { email, phone });
            }
            db.execute(
                "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, 0, FALSE, '{}')",
                (
                    user.id.to_string(),
                    user.name.as_str(),
                    user.nickname.as_str(),
                    user.email.as_str(),
                    user.email.normalized(),
                    user.phone.e164(),
                    user.password_hash.as_str(),
                    now,
                ),
            )?;
            sessions::start(db, session, user_agent)?;
            consume(db, key)?;
            Ok(SignUpOutcome::Created)
        })
    }

    async fn credentials(&self, login: &LoginIdentifier) -> Result<Option<Credentials>, StoreError> {
        let (query, value) = match login {
            LoginIdentifier::Email(email) => ("SELECT * FROM users WHERE email_key = ?", email.normalized()),
            LoginIdentifier::Phone(phone) => ("SELECT * FROM users WHERE phone = ?", phone.e164()),
        };
        self.atomically(|db| {
            db.query_row(query, [value], |row| {
                Ok(Credentials {
                    user_id: user_id(row)?,
                    password_hash: PasswordHash::from_stored(row.get("password_hash")?),
                    token_version: row.get("token_version")?,
                    is_disabled: row.get("is_disabled")?,
                    password_reset_at: row.get("password_reset_at")?,
                    claims: claims(row)?,
                })
            })
            .optional()
        })
    }

    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError> {
        self.atomically(|db| {
            db.query_row("SELECT * FROM users WHERE phone = ?", [phone.e164()], |row| {
                Ok(Account {
                    user_id: user_id(row)?,
                    token_version: row.get("token_version")?,
                    email: Masked(row.get("email")?),
                    name: Masked(row.get("name")?),
                    is_disabled: row.get("is_disabled")?,
                    password_reset_at: row.get("password_reset_at")?,
                    claims: claims(row)?,
                })
            })
            .optional()
        })
    }

    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.atomically(|db| {
            if !is_usable_for(db, key, phone, Purpose::PasswordReset, now)? {
                return Ok(false);
            }
            let changed = db.execute(
                "UPDATE users SET password_hash = ?1, updated_at = ?2, password_reset_at = ?2,
                     token_version = token_version + 1
                 WHERE user_id = ?3 AND phone = ?4 AND NOT is_disabled",
                (hash.as_str(), now, id.to_string(), phone.e164()),
            )?;
            if changed == 1 {
                consume(db, key)?;
                limits::clear(db, &Subject::passwords_of_account(id))?;
            }
            Ok(changed == 1)
        })
    }

    async fn set_disabled(&self, id: UserId, is_disabled: bool, now: i64) -> Result<bool, StoreError> {
        self.atomically(|db| {
            let update = "UPDATE users SET is_disabled = ?, updated_at = ? WHERE user_id = ?";
            Ok(db.execute(update, (is_disabled, now, id.to_string()))? == 1)
        })
    }
}

pub(super) fn is_taken(db: &Transaction<'_>, column: &str, value: &str) -> rusqlite::Result<bool> {
    db.query_row(&format!("SELECT EXISTS (SELECT 1 FROM users WHERE {column} = ?)"), [value], |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use rusqlite::Row;
    use shared::store::SessionLifetime;
    use shared::values::{Field as _, Name, Nickname, Region, SmsSessionId};

    use super::*;

    #[tokio::test]
    async fn a_reset_records_its_time() {
        let store = SqliteStore::in_memory().unwrap();
        let (id, phone) = (UserId::new(0), Phone::parse("01012345678", Region::KR).unwrap());
        let user = NewUser {
            id,
            name: Name::parse("Kim Minji").unwrap(),
            nickname: Nickname::parse("minji").unwrap(),
            email: Email::parse("minji@example.com").unwrap(),
            phone: phone.clone(),
            password_hash: PasswordHash::from_stored("the first hash".to_owned()),
        };
        let key = SmsSessionId::random().key();
        let insert = "INSERT INTO sms_sessions VALUES (?, '+821012345678', ?, '', 0, 0, 5, TRUE, 0, NULL, 1000)";
        let verify = |purpose: Purpose| {
            store.0.lock().unwrap().execute(insert, [key.as_str(), purpose.as_str()]).unwrap();
        };
        verify(Purpose::Signup);
        let lifetime = SessionLifetime { refresh_token_seconds: 1000, session_seconds: 1000 };
        let session = Session::new(id, 0, lifetime, 10);
        let outcome = store.sign_up(&user, &session, &UserAgent::default(), &key, 10).await.unwrap();
        assert_eq!(outcome, SignUpOutcome::Created);
        verify(Purpose::PasswordReset);
        assert!(store.reset_password(id, &user.password_hash, &phone, &key, 20).await.unwrap());
        let times = "SELECT created_at, updated_at, password_reset_at FROM users";
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        assert_eq!(store.0.lock().unwrap().query_row(times, [], read), Ok((10, 20, 20)));
    }
}
