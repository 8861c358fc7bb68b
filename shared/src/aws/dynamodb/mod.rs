//! The store in DynamoDB: three tables, each with the string key `pk`. The files beside this one describe
//! their items.
//!
//! Every write but that of a new session is a transaction, because a transaction has an idempotency
//! token: a call whose response was lost, and which the SDK repeats, takes effect once. Reads are
//! consistent.

mod item;
mod sessions;
mod sms_sessions;
mod users;

use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, TransactWriteItem};
use aws_types::SdkConfig;

use super::error::{CallError, called, is_transient};
use super::timeouts::Timeouts;
use super::variable::variable;
use crate::access::Table;
use crate::config::ConfigError;
use crate::random;
use crate::store::StoreError;
use item::{Item, s};

/// The attempts of a transaction that conflicts with another one. The waits between them are random, up
/// to 25, 50, 100, 200 and then 400 ms: 1.2 s in all on average, and 2.4 s at most.
const MAX_ATTEMPTS: u32 = 10;

/// The store in DynamoDB.
pub struct DynamoDbStore {
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
    tables: TableNames,
    transaction_timeout: Duration,
}

/// The names of the tables.
#[derive(Clone, Debug)]
pub struct TableNames {
    /// The users.
    pub users: String,
    /// The SMS sessions.
    pub sms_sessions: String,
    /// The sessions.
    pub sessions: String,
}

impl TableNames {
    /// Reads the names from the environment.
    ///
    /// # Errors
    /// [`ConfigError`] if one is missing.
    pub fn from_env() -> Result<Self, ConfigError> {
        Ok(Self {
            users: variable("USERS_TABLE")?,
            sms_sessions: variable("SMS_SESSIONS_TABLE")?,
            sessions: variable("TOKEN_FAMILIES_TABLE")?,
        })
    }
}

/// The outcome of a transaction.
enum Transaction {
    /// All items were written.
    Committed,
    /// No item was written, because a condition failed: one reason for each item.
    Cancelled(Vec<CancellationReason>),
}

impl Transaction {
    fn is_committed(&self) -> bool {
        matches!(self, Self::Committed)
    }
}

impl DynamoDbStore {
    /// Creates a store in these tables. Connects at the first use: some functions use no table.
    #[must_use]
    pub fn new(sdk: &SdkConfig, tables: TableNames) -> Self {
        let (sdk, transaction_timeout) = (sdk.clone(), Timeouts::used_by(sdk).transaction());
        let client: Box<dyn FnOnce() -> Client + Send> = Box::new(move || Client::new(&sdk));
        Self { client: LazyLock::new(client), tables, transaction_timeout }
    }

    /// Reads an item that does not exist, which opens the connection and costs half a read unit. A
    /// function's role permits at least this read.
    pub(super) async fn warm_up(&self, table: Table) -> Result<(), CallError> {
        let table = match table {
            Table::Users => &self.tables.users,
            Table::SmsSessions => &self.tables.sms_sessions,
            Table::TokenFamilies => &self.tables.sessions,
        };
        let get = self.client.get_item().table_name(table).key("pk", s("WARM"));
        called("dynamodb:GetItem", get.send().await).map(|_| ())
    }

    async fn get(&self, table: &str, pk: String) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(table).key("pk", s(pk)).consistent_read(true);
        Ok(called("dynamodb:GetItem", get.send().await)?.item)
    }

    /// Writes all of `items`, or none of them.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Transaction, StoreError> {
        let transaction = tokio::time::timeout(self.transaction_timeout, self.attempt_transaction(items)).await;
        transaction.unwrap_or_else(|elapsed| Err(StoreError::Busy(elapsed.into())))
    }

    async fn attempt_transaction(&self, items: Vec<TransactWriteItem>) -> Result<Transaction, StoreError> {
        let mut attempts = 0;
        loop {
            let write = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = write.send().await else { return Ok(Transaction::Committed) };
            let call = CallError::new("dynamodb:TransactWriteItems", &error);
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(call.into());
            };
            let reasons = cancelled.cancellation_reasons();
            let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
            attempts += 1;
            if has("TransactionConflict") && attempts < MAX_ATTEMPTS {
                let longest = 25 << (attempts - 1).min(4);
                tokio::time::sleep(Duration::from_millis(random::below(longest).into())).await;
            } else if has("TransactionConflict") || reasons.iter().any(|reason| is_transient(reason.code())) {
                return Err(call.into_transient().into());
            } else if has("ConditionalCheckFailed") {
                return Ok(Transaction::Cancelled(reasons.to_vec()));
            } else {
                return Err(call.into());
            }
        }
    }
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("tables", &self.tables).finish_non_exhaustive()
    }
}
