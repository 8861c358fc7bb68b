//! The store in SQLite. Each method is one transaction that takes the write lock at its start, so
//! that no other process comes between what it reads and what it writes.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Transaction, TransactionBehavior};
use shared::config::Config;
use shared::email::Email;
use shared::password::PasswordHash;
use shared::phone::Phone;
use shared::sms_auth::{CodeHash, Purpose, SessionKey};
use shared::store::{Budget, Login, Opened, Session, SignUp, Store, StoreError, Try, Verified};
use shared::user::{Account, Credentials, NewUser, Profile, UserId};

/// Columns are named as the attributes of the DynamoDB items.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS users (
        user_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        nickname TEXT NOT NULL,
        email TEXT NOT NULL,
        email_key TEXT NOT NULL UNIQUE,
        phone TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        credentials_changed_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS sms_sessions (
        session TEXT PRIMARY KEY,
        phone TEXT NOT NULL,
        purpose TEXT,
        code_hash TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        is_verified INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS sends (phone TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS sends_of_phone ON sends (phone, at);
    CREATE TABLE IF NOT EXISTS failed_tries (phone TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE INDEX IF NOT EXISTS failed_tries_of_phone ON failed_tries (phone, at);
";

/// Users and sessions in an SQLite database.
#[derive(Debug)]
pub struct SqliteStore(Mutex<Connection>);

pub(crate) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    // Every function is a process of its own; WAL lets one write while others read.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(connection)
}

impl SqliteStore {
    /// The store in `file`, which is made if there is none.
    ///
    /// # Errors
    /// If SQLite can't open it.
    pub fn open(file: &Path) -> rusqlite::Result<Self> {
        Self::with(connect(file)?)
    }

    /// A store in memory.
    ///
    /// # Errors
    /// If SQLite can't make it.
    pub fn in_memory() -> rusqlite::Result<Self> {
        Self::with(Connection::open_in_memory()?)
    }

    fn with(mut connection: Connection) -> rusqlite::Result<Self> {
        // Functions that start at once make the tables one after the other.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()?;
        Ok(Self(Mutex::new(connection)))
    }

    fn atomically<T>(&self, step: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let result = (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = step(&transaction)?;
            transaction.commit()?;
            Ok(result)
        })();
        result.map_err(|error: rusqlite::Error| match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(error.into()),
            _ => StoreError::Failed(error.into()),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn email_taken(&self, email: &Email) -> Result<bool, StoreError> {
        self.atomically(|db| is_taken(db, "email_key", email.key()))
    }

    async fn phone_taken(&self, phone: &Phone) -> Result<bool, StoreError> {
        self.atomically(|db| is_taken(db, "phone", phone.e164()))
    }

    async fn open_session(&self, session: &Session, config: &Config, now: i64) -> Result<Opened, StoreError> {
        self.atomically(|db| {
            let retry_after = wait(db, "sends", &session.phone, &config.sends(), now)?;
            if retry_after > 0 {
                return Ok(Opened::TooSoon { retry_after });
            }
            count(db, "sends", &session.phone, &config.sends(), now)?;
            db.execute(
                "INSERT INTO sms_sessions VALUES (?, ?, ?, ?, ?, 0, FALSE, ?)",
                (
                    session.key.as_str(),
                    session.phone.e164(),
                    session.purpose.map(Purpose::as_str),
                    session.code_hash.as_str(),
                    session.sent_at,
                    session.expires_at(config),
                ),
            )?;
            // What a TTL does on DynamoDB.
            db.execute("DELETE FROM sms_sessions WHERE expires_at <= ?", [now])?;
            Ok(Opened::Yes)
        })
    }

    async fn cancel_session(&self, session: &Session, _: &Config) -> Result<(), StoreError> {
        self.atomically(|db| {
            let was_open = db.execute("DELETE FROM sms_sessions WHERE session = ?", [session.key.as_str()])? == 1;
            if was_open { take_back(db, "sends", &session.phone) } else { Ok(()) }
        })
    }

    async fn count_try(&self, key: &SessionKey, phone: &Phone, config: &Config, now: i64) -> Result<Try, StoreError> {
        self.atomically(|db| {
            let session = db
                .query_row(
                    "SELECT phone, purpose, code_hash, sent_at, attempts, expires_at FROM sms_sessions WHERE session = ? AND expires_at > ?",
                    (key.as_str(), now),
                    |row| {
                        let purpose: Option<String> = row.get(1)?;
                        Ok((row.get::<_, String>(0)?, purpose, row.get(2)?, row.get::<_, i64>(3)?, row.get::<_, u32>(4)?, row.get::<_, i64>(5)?))
                    },
                )
                .optional()?;
            let Some((session_phone, purpose, code_hash, sent_at, attempts, expires_at)) = session else {
                return Ok(Try::NotFound);
            };
            if sent_at + config.code_seconds <= now {
                return Ok(Try::TooOld);
            }
            if attempts >= config.tries_per_session {
                return Ok(Try::Spent { retry_after: expires_at - now });
            }
            let is_its_phone = session_phone == phone.e164();
            if is_its_phone {
                let retry_after = wait(db, "failed_tries", phone, &config.failed_tries(), now)?;
                if retry_after > 0 {
                    return Ok(Try::Spent { retry_after });
                }
                count(db, "failed_tries", phone, &config.failed_tries(), now)?;
            }
            db.execute("UPDATE sms_sessions SET attempts = attempts + 1 WHERE session = ?", [key.as_str()])?;
            Ok(if is_its_phone {
                Try::Counted { purpose: purpose.as_deref().and_then(Purpose::stored), code_hash: CodeHash::stored(code_hash) }
            } else {
                Try::WrongPhone
            })
        })
    }

    async fn mark_verified(
        &self,
        key: &SessionKey,
        phone: &Phone,
        config: &Config,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.atomically(|db| {
            let marked = db.execute(
                "UPDATE sms_sessions SET is_verified = TRUE, expires_at = ? WHERE session = ? AND expires_at > ?",
                (now + config.verified_seconds, key.as_str(), now),
            )?;
            if marked == 1 {
                take_back(db, "failed_tries", phone)?;
            }
            Ok(marked == 1)
        })
    }

    async fn verified_session(&self, key: &SessionKey, now: i64) -> Result<Option<Verified>, StoreError> {
        self.atomically(|db| {
            db.query_row(
                "SELECT phone, purpose FROM sms_sessions WHERE session = ? AND expires_at > ? AND is_verified",
                (key.as_str(), now),
                |row| {
                    let purpose: Option<String> = row.get(1)?;
                    let phone = Phone::stored(&row.get::<_, String>(0)?).ok_or(rusqlite::Error::InvalidQuery)?;
                    Ok(Verified { phone, purpose: purpose.as_deref().and_then(Purpose::stored) })
                },
            )
            .optional()
        })
    }

    async fn sign_up(&self, user: &NewUser, key: &SessionKey, now: i64) -> Result<SignUp, StoreError> {
        self.atomically(|db| {
            if !is_verified_for(db, key, &user.phone, Purpose::Signup, now)? {
                return Ok(SignUp::NotVerified);
            }
            let (email, phone) =
                (is_taken(db, "email_key", user.email.key())?, is_taken(db, "phone", user.phone.e164())?);
            if email || phone {
                return Ok(SignUp::Taken { email, phone });
            }
            db.execute(
                "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8)",
                (
                    user.id.to_string(),
                    user.name.as_str(),
                    user.nickname.as_str(),
                    user.email.as_str(),
                    user.email.key(),
                    user.phone.e164(),
                    user.password_hash.as_str(),
                    now,
                ),
            )?;
            consume(db, key)?;
            Ok(SignUp::Done)
        })
    }

    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, StoreError> {
        let (query, value) = match login {
            Login::Email(email) => ("SELECT user_id, password_hash FROM users WHERE email_key = ?", email.key()),
            Login::Phone(phone) => ("SELECT user_id, password_hash FROM users WHERE phone = ?", phone.e164()),
        };
        self.atomically(|db| {
            db.query_row(query, [value], |row| {
                Ok(Credentials { user_id: user_id(row)?, password_hash: PasswordHash::stored(row.get(1)?) })
            })
            .optional()
        })
    }

    async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        self.atomically(|db| {
            db.query_row("SELECT name, email, phone, nickname FROM users WHERE user_id = ?", [id.to_string()], |row| {
                Ok(Profile { name: row.get(0)?, email: row.get(1)?, phone: row.get(2)?, nickname: row.get(3)? })
            })
            .optional()
        })
    }

    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError> {
        self.atomically(|db| {
            db.query_row("SELECT user_id, email, name FROM users WHERE phone = ?", [phone.e164()], |row| {
                Ok(Account { user_id: user_id(row)?, email: row.get(1)?, name: row.get(2)? })
            })
            .optional()
        })
    }

    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        self.atomically(|db| {
            if !is_verified_for(db, key, phone, Purpose::PasswordReset, now)? {
                return Ok(false);
            }
            let changed = db.execute(
                "UPDATE users SET password_hash = ?1, updated_at = ?2, credentials_changed_at = ?2 WHERE user_id = ?3",
                (hash.as_str(), now, id.to_string()),
            )?;
            if changed == 1 {
                consume(db, key)?;
            }
            Ok(changed == 1)
        })
    }
}

fn user_id(row: &rusqlite::Row<'_>) -> rusqlite::Result<UserId> {
    UserId::read(&row.get::<_, String>(0)?).ok_or(rusqlite::Error::InvalidQuery)
}

fn is_taken(db: &Transaction<'_>, column: &str, value: &str) -> rusqlite::Result<bool> {
    db.query_row(&format!("SELECT EXISTS (SELECT 1 FROM users WHERE {column} = ?)"), [value], |row| row.get(0))
}

fn is_verified_for(
    db: &Transaction<'_>,
    key: &SessionKey,
    phone: &Phone,
    purpose: Purpose,
    now: i64,
) -> rusqlite::Result<bool> {
    db.query_row(
        "SELECT EXISTS (SELECT 1 FROM sms_sessions WHERE session = ? AND expires_at > ? AND is_verified
         AND phone = ? AND (purpose IS NULL OR purpose = ?))",
        (key.as_str(), now, phone.e164(), purpose.as_str()),
        |row| row.get(0),
    )
}

fn consume(db: &Transaction<'_>, key: &SessionKey) -> rusqlite::Result<()> {
    db.execute("DELETE FROM sms_sessions WHERE session = ?", [key.as_str()]).map(|_| ())
}

/// How long the phone must wait, by what stands in `table`.
fn wait(db: &Transaction<'_>, table: &str, phone: &Phone, budget: &Budget, now: i64) -> rusqlite::Result<i64> {
    let mut latest = db.prepare(&format!("SELECT at FROM {table} WHERE phone = ? ORDER BY at DESC LIMIT ?"))?;
    let times = latest
        .query_map((phone.e164(), budget.longest()), |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<i64>>>()?;
    Ok(budget.wait(&times, now))
}

fn count(db: &Transaction<'_>, table: &str, phone: &Phone, budget: &Budget, now: i64) -> rusqlite::Result<()> {
    db.execute(&format!("DELETE FROM {table} WHERE at <= ?"), [now - budget.seconds()])?;
    db.execute(&format!("INSERT INTO {table} VALUES (?, ?)"), (phone.e164(), now)).map(|_| ())
}

/// Takes back the latest that was counted.
fn take_back(db: &Transaction<'_>, table: &str, phone: &Phone) -> rusqlite::Result<()> {
    let latest = format!("SELECT rowid FROM {table} WHERE phone = ? ORDER BY at DESC LIMIT 1");
    db.execute(&format!("DELETE FROM {table} WHERE rowid = ({latest})"), [phone.e164()]).map(|_| ())
}

#[cfg(test)]
mod tests {
    use shared::sms_auth::SessionId;
    use shared::value::Value;

    use super::*;

    /// What no endpoint shows yet.
    #[tokio::test]
    async fn a_reset_notes_when_the_credentials_changed() {
        let (store, config) = (SqliteStore::in_memory().unwrap(), Config::default());
        let (id, phone) = (UserId::generate(0), Phone::parse("01012345678", &config).unwrap());
        let value = |text| Value::parse(text, &config).unwrap();
        let user = NewUser {
            id,
            name: value("Kim Minji"),
            nickname: Value::parse("minji", &config).unwrap(),
            email: Value::parse("minji@example.com", &config).unwrap(),
            phone: phone.clone(),
            password_hash: PasswordHash::stored("the first hash".to_owned()),
        };
        let key = SessionId::generate().key();
        let insert = "INSERT INTO sms_sessions VALUES (?, '+821012345678', NULL, '', 0, 0, TRUE, 1000)";
        let verify = || store.0.lock().unwrap().execute(insert, [key.as_str()]).unwrap();
        verify();
        assert_eq!(store.sign_up(&user, &key, 10).await.unwrap(), SignUp::Done);
        verify();
        assert!(store.reset_password(id, &user.password_hash, &phone, &key, 20).await.unwrap());
        let times = "SELECT created_at, updated_at, credentials_changed_at FROM users";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        assert_eq!(store.0.lock().unwrap().query_row(times, [], read), Ok((10, 20, 20)));
    }
}
