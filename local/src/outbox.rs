//! The mock SMS provider: it stores messages in an outbox.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use serde::Serialize;
use shared::clock::Clock;
use shared::secret::Masked;
use shared::sms::{Sms, SmsError};
use shared::values::Phone;

use crate::sqlite;

/// The messages that would have been sent.
#[derive(Clone)]
pub struct Outbox {
    connection: Arc<Mutex<Connection>>,
    clock: Arc<dyn Clock>,
    print: bool,
}

/// A message that would have been sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// The phone number, in E.164.
    pub phone: Masked<String>,
    /// The text.
    pub text: Masked<String>,
    /// The time, in Unix time.
    pub sent_at: i64,
}

impl Outbox {
    /// Opens the outbox in `file`, which is created if it does not exist.
    ///
    /// # Errors
    /// If SQLite cannot open it.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        Self::with_schema(sqlite::connect(file)?, clock)
    }

    /// Creates an outbox in memory.
    ///
    /// # Errors
    /// If SQLite cannot create it.
    pub fn in_memory(clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        Self::with_schema(Connection::open_in_memory()?, clock)
    }

    fn with_schema(connection: Connection, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS outbox (phone TEXT NOT NULL, text TEXT NOT NULL, sent_at INTEGER NOT NULL) STRICT",
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), clock, print: false })
    }

    /// Also prints each message in the terminal.
    #[must_use]
    pub fn in_the_terminal(self) -> Self {
        Self { print: true, ..self }
    }

    /// Returns the messages to `phone`, newest first.
    ///
    /// # Errors
    /// If SQLite cannot read them.
    pub fn messages(&self, phone: &Phone) -> rusqlite::Result<Vec<Message>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query =
            connection.prepare("SELECT phone, text, sent_at FROM outbox WHERE phone = ? ORDER BY rowid DESC")?;
        let rows = query.query_map([phone.e164()], |row| {
            Ok(Message { phone: Masked(row.get(0)?), text: Masked(row.get(1)?), sent_at: row.get(2)? })
        })?;
        rows.collect()
    }
}

#[async_trait::async_trait]
impl Sms for Outbox {
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError> {
        if self.print {
            #[expect(clippy::print_stdout, reason = "the developer reads the code in the terminal")]
            {
                println!("SMS to {}: {text}", phone.e164());
            }
        }
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .execute("INSERT INTO outbox VALUES (?, ?, ?)", (phone.e164(), text, self.clock.now()))
            .map(|_| ())
            .map_err(|error| SmsError::Refused(error.into()))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").finish_non_exhaustive()
    }
}
