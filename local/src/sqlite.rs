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
use shared::store::{
    Budget, GRACE_SECONDS, Login, Opened, Refreshed, Session, SignUp, Store, StoreError, Try, Verified,
};
use shared::token::Family;
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
        credentials_changed_at INTEGER NOT NULL,
        epoch INTEGER NOT NULL DEFAULT 0
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
    CREATE TABLE IF NOT EXISTS token_families (
        family TEXT PRIMARY KEY,
        generation INTEGER NOT NULL,
        moved_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) STRICT;
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
        // Databases of before there were epochs lack the column.
        let has_epochs = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('users') WHERE name = 'epoch')";
        if !transaction.query_row(has_epochs, [], |row| row.get(0))? {
            transaction.execute_batch("ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0")?;
        }
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

    async fn sign_up(&self, user: &NewUser, family: &Family, key: &SessionKey, now: i64) -> Result<SignUp, StoreError> {
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
                "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, ?8, 0)",
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
            start_family(db, family)?;
            consume(db, key)?;
            Ok(SignUp::Done)
        })
    }

    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, StoreError> {
        let (query, value) = match login {
            Login::Email(email) => ("SELECT user_id, password_hash, epoch FROM users WHERE email_key = ?", email.key()),
            Login::Phone(phone) => ("SELECT user_id, password_hash, epoch FROM users WHERE phone = ?", phone.e164()),
        };
        self.atomically(|db| {
            db.query_row(query, [value], |row| {
                let password_hash = PasswordHash::stored(row.get(1)?);
                Ok(Credentials { user_id: user_id(row)?, password_hash, epoch: row.get(2)? })
            })
            .optional()
        })
    }

    async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        self.atomically(|db| {
            let query = "SELECT name, email, phone, nickname, epoch FROM users WHERE user_id = ?";
            db.query_row(query, [id.to_string()], |row| {
                let (name, email, phone) = (row.get(0)?, row.get(1)?, row.get(2)?);
                Ok(Profile { name, email, phone, nickname: row.get(3)?, epoch: row.get(4)? })
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
                "UPDATE users SET password_hash = ?1, updated_at = ?2, credentials_changed_at = ?2, epoch = epoch + 1
                 WHERE user_id = ?3",
                (hash.as_str(), now, id.to_string()),
            )?;
            if changed == 1 {
                consume(db, key)?;
            }
            Ok(changed == 1)
        })
    }

    async fn start_family(&self, family: &Family) -> Result<(), StoreError> {
        self.atomically(|db| start_family(db, family))
    }

    async fn refresh(&self, next: &Family, now: i64) -> Result<Refreshed, StoreError> {
        self.atomically(|db| {
            let query = "SELECT generation, moved_at FROM token_families WHERE family = ?1 AND expires_at > ?2
                 AND EXISTS (SELECT 1 FROM users WHERE user_id = ?3 AND epoch = ?4)";
            let family = (next.id.to_string(), now, next.user.to_string(), next.epoch);
            let latest = db.query_row(query, family, |row| Ok((row.get::<_, u32>(0)?, row.get::<_, i64>(1)?)));
            let Some((generation, moved_at)) = latest.optional()? else { return Ok(Refreshed::Ended) };
            if generation == next.generation && now <= moved_at + GRACE_SECONDS {
                return Ok(Refreshed::Yes);
            }
            if generation + 1 != next.generation {
                end_family(db, next)?;
                return Ok(Refreshed::Reused);
            }
            db.execute(
                "UPDATE token_families SET generation = ?, moved_at = ?, expires_at = ? WHERE family = ?",
                (next.generation, now, next.expires_at, next.id.to_string()),
            )?;
            Ok(Refreshed::Yes)
        })
    }

    async fn end_family(&self, family: &Family) -> Result<(), StoreError> {
        self.atomically(|db| end_family(db, family))
    }

    async fn end_all_families(&self, family: &Family) -> Result<(), StoreError> {
        self.atomically(|db| {
            let end = "UPDATE users SET epoch = epoch + 1 WHERE user_id = ? AND epoch = ?";
            db.execute(end, (family.user.to_string(), family.epoch)).map(|_| ())
        })
    }
}

fn start_family(db: &Transaction<'_>, family: &Family) -> rusqlite::Result<()> {
    // What a TTL does on DynamoDB.
    db.execute("DELETE FROM token_families WHERE expires_at <= ?", [family.started_at])?;
    db.execute(
        "INSERT INTO token_families VALUES (?, ?, ?, ?)",
        (family.id.to_string(), family.generation, family.started_at, family.expires_at),
    )
    .map(|_| ())
}

fn end_family(db: &Transaction<'_>, family: &Family) -> rusqlite::Result<()> {
    db.execute("DELETE FROM token_families WHERE family = ?", [family.id.to_string()]).map(|_| ())
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
        let family = Family::start(id, 0, &config, 10);
        assert_eq!(store.sign_up(&user, &family, &key, 10).await.unwrap(), SignUp::Done);
        verify();
        assert!(store.reset_password(id, &user.password_hash, &phone, &key, 20).await.unwrap());
        let times = "SELECT created_at, updated_at, credentials_changed_at FROM users";
        let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        assert_eq!(store.0.lock().unwrap().query_row(times, [], read), Ok((10, 20, 20)));
    }

    #[test]
    fn a_database_of_before_there_were_epochs_is_taken_over() {
        let old = SCHEMA.replace(",\n        epoch INTEGER NOT NULL DEFAULT 0", "");
        assert_ne!(old, SCHEMA);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&old).unwrap();
        connection.execute_batch("INSERT INTO users VALUES ('a', '', '', '', '', '', '', 0, 0, 0)").unwrap();
        let SqliteStore(connection) = SqliteStore::with(connection).unwrap();
        let epoch = connection.into_inner().unwrap().query_row("SELECT epoch FROM users", [], |row| row.get(0));
        assert_eq!(epoch, Ok(0));
    }
}
