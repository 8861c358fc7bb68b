//! The store in SQLite. Each method is one transaction that takes the write lock when it starts, so that
//! no other process writes between its reads and its writes.

mod accounts;
mod administration;
mod error;
mod limits;
mod row;
mod schema;
mod sessions;
mod sms_sessions;
mod users;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::Type;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use shared::store::StoreError;

pub use error::OpenError;

/// The store in an SQLite database.
#[derive(Debug)]
pub struct SqliteStore(Mutex<Connection>);

pub(crate) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    // Every function is a process of its own; WAL allows reads during a write.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    Ok(connection)
}

impl SqliteStore {
    /// Opens the store in `file`, which is created if it does not exist.
    ///
    /// # Errors
    /// [`OpenError`] if SQLite cannot open it, or it was created by another version.
    pub fn open(file: &Path) -> Result<Self, OpenError> {
        Self::with_schema(connect(file)?)
    }

    /// Creates a store in memory.
    ///
    /// # Errors
    /// [`OpenError`] if SQLite cannot create it.
    pub fn in_memory() -> Result<Self, OpenError> {
        Self::with_schema(Connection::open_in_memory()?)
    }

    fn with_schema(mut connection: Connection) -> Result<Self, OpenError> {
        // In a transaction, so that functions that start concurrently create the tables only once.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        schema::create(&transaction)?;
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

/// Returns a stored value, or an error if the stored text is not one.
fn stored<T>(value: Option<T>) -> rusqlite::Result<T> {
    let invalid = || rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "a stored value is invalid".into());
    value.ok_or_else(invalid)
}
