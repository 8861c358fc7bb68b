//! The tables.

use rusqlite::Transaction;

use super::error::OpenError;

/// The version of the tables, which SQLite stores as `user_version`. Increment it with each change of
/// [`SCHEMA`].
const VERSION: i64 = 2;

/// The tables of the store. Columns are named after the attributes of the DynamoDB items.
const SCHEMA: &str = "
    CREATE TABLE users (
        user_id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        nickname TEXT NOT NULL,
        email TEXT NOT NULL,
        email_key TEXT NOT NULL UNIQUE,
        phone TEXT NOT NULL UNIQUE,
        password_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        password_reset_at INTEGER NOT NULL,
        token_version INTEGER NOT NULL,
        is_disabled INTEGER NOT NULL,
        claims TEXT NOT NULL
    ) STRICT;
    CREATE TABLE sms_sessions (
        session TEXT PRIMARY KEY,
        phone TEXT NOT NULL,
        purpose TEXT NOT NULL,
        code_mac TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        max_attempts INTEGER NOT NULL,
        is_verified INTEGER NOT NULL,
        sign_ups INTEGER NOT NULL,
        ip TEXT,
        expires_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE sessions (
        user_id TEXT NOT NULL,
        session_id TEXT NOT NULL,
        generation INTEGER NOT NULL,
        rotated_at INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        user_agent TEXT NOT NULL,
        token_version INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        PRIMARY KEY (user_id, session_id)
    ) STRICT;
    CREATE TABLE limits (
        subject TEXT NOT NULL,
        name TEXT NOT NULL,
        number INTEGER NOT NULL,
        expires_at INTEGER,
        PRIMARY KEY (subject, name)
    ) STRICT;
    CREATE INDEX limits_by_expiry ON limits (expires_at);
    CREATE TABLE sms_of_day (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        day INTEGER NOT NULL,
        count INTEGER NOT NULL,
        is_paused INTEGER NOT NULL
    ) STRICT;
";

/// Creates the tables in an empty database.
///
/// # Errors
/// [`OpenError::OtherVersion`] if the database has tables of another version.
pub(super) fn create(db: &Transaction<'_>) -> Result<(), OpenError> {
    let version: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let is_empty: bool = db.query_row("SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)", [], |row| row.get(0))?;
    if is_empty {
        db.execute_batch(SCHEMA)?;
        db.pragma_update(None, "user_version", VERSION)?;
    } else if version != VERSION {
        return Err(OpenError::OtherVersion);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::{SqliteStore, connect};

    #[test]
    fn a_database_of_another_version_is_rejected_and_unchanged() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ably.db");
        let old = "CREATE TABLE users (user_id TEXT PRIMARY KEY); INSERT INTO users VALUES ('a')";
        connect(&file).unwrap().execute_batch(old).unwrap();
        let error = SqliteStore::open(&file).unwrap_err();
        assert!(matches!(error, OpenError::OtherVersion));
        assert_eq!(
            error.to_string(),
            "the database was created by another version of Ably: stop all functions, and delete its files"
        );
        let users = |file| connect(file).unwrap().query_row("SELECT user_id FROM users", [], |row| row.get(0));
        assert_eq!(users(&file), Ok("a".to_owned()));

        let later = folder.path().join("later.db");
        drop(SqliteStore::open(&later).unwrap());
        SqliteStore::open(&later).unwrap();
        connect(&later).unwrap().pragma_update(None, "user_version", VERSION + 1).unwrap();
        assert!(matches!(SqliteStore::open(&later), Err(OpenError::OtherVersion)));
    }
}
