//! The mock SMS provider: what it is given lies in an outbox.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use serde::Serialize;
use shared::clock::Clock;
use shared::phone::Phone;
use shared::sms::{Sms, SmsError};

use crate::sqlite;

/// Messages that would have been sent.
#[derive(Clone)]
pub struct Outbox {
    connection: Arc<Mutex<Connection>>,
    clock: Arc<dyn Clock>,
    print: bool,
}

/// A message that would have been sent.
#[derive(Serialize, PartialEq, Eq)]
pub struct Message {
    /// To whom, in E.164.
    pub phone: String,
    /// The text.
    pub text: String,
    /// When, in seconds since the Unix epoch.
    pub sent_at: i64,
}

impl Outbox {
    /// The outbox in `file`, which is made if there is none.
    ///
    /// # Errors
    /// If SQLite can't open it.
    pub fn open(file: &Path, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        Self::with(sqlite::connect(file)?, clock)
    }

    /// An outbox in memory.
    ///
    /// # Errors
    /// If SQLite can't make it.
    pub fn in_memory(clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        Self::with(Connection::open_in_memory()?, clock)
    }

    fn with(connection: Connection, clock: Arc<dyn Clock>) -> rusqlite::Result<Self> {
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS outbox (phone TEXT NOT NULL, text TEXT NOT NULL, sent_at INTEGER NOT NULL) STRICT",
        )?;
        Ok(Self { connection: Arc::new(Mutex::new(connection)), clock, print: false })
    }

    /// Prints each message in the terminal as well.
    #[must_use]
    pub fn in_the_terminal(self) -> Self {
        Self { print: true, ..self }
    }

    /// The messages to `phone`, newest first.
    ///
    /// # Errors
    /// If SQLite can't read them.
    pub fn messages(&self, phone: &Phone) -> rusqlite::Result<Vec<Message>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut query =
            connection.prepare("SELECT phone, text, sent_at FROM outbox WHERE phone = ? ORDER BY rowid DESC")?;
        let rows = query.query_map([phone.e164()], |row| {
            Ok(Message { phone: row.get(0)?, text: row.get(1)?, sent_at: row.get(2)? })
        })?;
        rows.collect()
    }
}

#[async_trait::async_trait]
impl Sms for Outbox {
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError> {
        if self.print {
            #[expect(clippy::print_stdout, reason = "this is how a developer gets the code")]
            {
                println!("SMS to {}: {text}", phone.e164());
            }
        }
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection
            .execute("INSERT INTO outbox VALUES (?, ?, ?)", (phone.e164(), text, self.clock.now()))
            .map(|_| ())
            .map_err(|error| SmsError(error.into()))
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outbox(***)")
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Message(***)")
    }
}
