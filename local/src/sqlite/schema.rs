//! The tables.

use rusqlite::Transaction;

/// The tables of the store. Columns are named after the attributes of the DynamoDB items.
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

/// Creates the tables that do not exist, and adds the column that the first databases lack.
pub(super) fn create(db: &Transaction<'_>) -> rusqlite::Result<()> {
    db.execute_batch(SCHEMA)?;
    let has_column = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('users') WHERE name = 'epoch')";
    if !db.query_row(has_column, [], |row| row.get(0))? {
        db.execute_batch("ALTER TABLE users ADD COLUMN epoch INTEGER NOT NULL DEFAULT 0")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::sqlite::SqliteStore;

    #[test]
    fn a_database_without_token_versions_is_migrated() {
        let old = SCHEMA.replace(",\n        epoch INTEGER NOT NULL DEFAULT 0", "");
        assert_ne!(old, SCHEMA);
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&old).unwrap();
        connection.execute_batch("INSERT INTO users VALUES ('a', '', '', '', '', '', '', 0, 0, 0)").unwrap();
        let SqliteStore(connection) = SqliteStore::with_schema(connection).unwrap();
        let token_version = connection.into_inner().unwrap().query_row("SELECT epoch FROM users", [], |row| row.get(0));
        assert_eq!(token_version, Ok(0));
    }
}
