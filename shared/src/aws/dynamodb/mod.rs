//! The store in DynamoDB. The files beside this one describe the items of each table.
//!
//! A write of several items is a transaction. A write of one item is a conditional write, at half the price.
//! The SDK repeats a call whose response was lost. Both calls have the effect of one, unless the trait documents
//! otherwise. Reads are consistent.

mod accounts;
mod administration;
mod caller;
mod item;
mod limits;
mod public_keys;
mod sessions;
mod sms_sessions;
mod users;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::delete_item::builders::DeleteItemFluentBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{CancellationReason, KeysAndAttributes, TransactWriteItem};
use aws_types::SdkConfig;

use super::error::{CallError, called, is_transient};
use super::timeouts::Timeouts;
use super::variable::variable;
use crate::config::ConfigError;
use crate::random;
use crate::store::StoreError;
use item::{Item, s};
pub use public_keys::PublicKeys;

/// The attempts of a call that conflicts with a transaction, or that DynamoDB does not process as a whole.
const MAX_ATTEMPTS: u32 = 10;

/// The store in DynamoDB.
pub struct DynamoDbStore {
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
    tables: TableNames,
    call_timeout: Duration,
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
    /// The counts of rate limits.
    pub limits: String,
    /// The public keys.
    pub public_keys: String,
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
            sessions: variable("SESSIONS_TABLE")?,
            limits: variable("LIMITS_TABLE")?,
            public_keys: variable("PUBLIC_KEYS_TABLE")?,
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

/// The outcome of a conditional write of one item.
enum ConditionalWrite {
    /// The item was written. Contains the attributes that were requested.
    Applied(Item),
    /// The condition failed. Contains the item as it is, if that was requested and the item exists.
    Rejected(Option<Item>),
}

impl ConditionalWrite {
    fn is_applied(&self) -> bool {
        matches!(self, Self::Applied(_))
    }
}

impl DynamoDbStore {
    /// Creates a store in these tables. Connects at the first use: some functions use no table.
    #[must_use]
    pub fn new(sdk: &SdkConfig, tables: TableNames) -> Self {
        let (sdk, call_timeout) = (sdk.clone(), Timeouts::used_by(sdk).all_attempts());
        let client: Box<dyn FnOnce() -> Client + Send> = Box::new(move || Client::new(&sdk));
        Self { client: LazyLock::new(client), tables, call_timeout }
    }

    /// Returns the published key set, which is read through the same connection.
    pub(super) fn public_keys(&self) -> PublicKeys {
        PublicKeys::with_client(self.client.clone(), self.tables.public_keys.clone())
    }

    /// Reads an item.
    async fn get(&self, table: &str, pk: String) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(table).key("pk", s(pk)).consistent_read(true);
        Ok(called("dynamodb:GetItem", get.send().await)?.item)
    }

    /// Reads these attributes of an item of `Users`. Roles permit no others.
    async fn get_user(&self, pk: String, attributes: &[&str]) -> Result<Option<Item>, StoreError> {
        let (projection, names) = projection(attributes);
        let get = self.client.get_item().table_name(&self.tables.users).key("pk", s(pk)).consistent_read(true);
        let get = get.projection_expression(projection).set_expression_attribute_names(Some(names));
        Ok(called("dynamodb:GetItem", get.send().await)?.item)
    }

    /// Reads items of several tables in one request. Returns the items by table.
    async fn get_batch(
        &self,
        requests: HashMap<String, KeysAndAttributes>,
    ) -> Result<HashMap<String, Vec<Item>>, StoreError> {
        self.in_time(self.attempt_batch(requests)).await
    }

    async fn attempt_batch(
        &self,
        requests: HashMap<String, KeysAndAttributes>,
    ) -> Result<HashMap<String, Vec<Item>>, StoreError> {
        for attempt in 1..=MAX_ATTEMPTS {
            let get = self.client.batch_get_item().set_request_items(Some(requests.clone()));
            let output = called("dynamodb:BatchGetItem", get.send().await)?;
            if output.unprocessed_keys().is_none_or(HashMap::is_empty) {
                return Ok(output.responses.unwrap_or_default());
            }
            pause(attempt).await;
        }
        Err(StoreError::Busy("dynamodb:BatchGetItem: items were not processed".into()))
    }

    /// Sends a conditional update.
    async fn update(&self, update: UpdateItemFluentBuilder) -> Result<ConditionalWrite, StoreError> {
        self.in_time(self.attempt_update(update)).await
    }

    async fn attempt_update(&self, update: UpdateItemFluentBuilder) -> Result<ConditionalWrite, StoreError> {
        let error = match write_one(|| update.clone().send()).await {
            Ok(output) => return Ok(ConditionalWrite::Applied(output.attributes.unwrap_or_default())),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(failed)) => {
                Ok(ConditionalWrite::Rejected(failed.item().cloned()))
            }
            _ => Err(CallError::new("dynamodb:UpdateItem", &error).into()),
        }
    }

    /// Deletes an item.
    async fn delete(&self, delete: DeleteItemFluentBuilder) -> Result<(), StoreError> {
        let attempts = async { called("dynamodb:DeleteItem", write_one(|| delete.clone().send()).await) };
        self.in_time(async { Ok(attempts.await.map(|_| ())?) }).await
    }

    /// Writes all of `items`, or none of them.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Transaction, StoreError> {
        self.in_time(self.attempt_transaction(items)).await
    }

    /// Limits the duration of a call with all its attempts.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let call = tokio::time::timeout(self.call_timeout, call).await;
        call.unwrap_or_else(|elapsed| Err(StoreError::Busy(elapsed.into())))
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
                pause(attempts).await;
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

/// The error of a condition that failed although the item meets it, which a concurrent write can cause.
fn unexplained() -> StoreError {
    StoreError::Busy("dynamodb: an item changed meanwhile".into())
}

/// Sends a write of one item, and repeats it while it conflicts with a transaction.
async fn write_one<T, E: ProvideErrorMetadata, F: Future<Output = Result<T, SdkError<E>>>>(
    send: impl Fn() -> F,
) -> Result<T, SdkError<E>> {
    for attempt in 1..MAX_ATTEMPTS {
        match send().await {
            Err(error) if error.code() == Some("TransactionConflictException") => pause(attempt).await,
            result => return result,
        }
    }
    send().await
}

/// Waits before the next attempt, for a random time: up to 25, 50, 100, 200 and then 400 ms. Nine waits take
/// 1.2 s in all on average, and 2.4 s at most.
async fn pause(attempt: u32) {
    let longest = 25 << (attempt - 1).min(4);
    tokio::time::sleep(Duration::from_millis(random::below(longest).into())).await;
}

/// Returns the projection expression of these attributes, and the names in it. `name` alone would be a
/// reserved word.
fn projection(attributes: &[&str]) -> (String, HashMap<String, String>) {
    let placeholders: Vec<_> = (0..attributes.len()).map(|nth| format!("#{nth}")).collect();
    let names = placeholders.iter().cloned().zip(attributes.iter().map(|&name| name.to_owned()));
    (placeholders.join(", "), names.collect())
}

/// Returns the request for these attributes of one item in a batch.
fn keys_and_attributes(key: Item, attributes: &[&str]) -> Result<KeysAndAttributes, StoreError> {
    let (projection, names) = projection(attributes);
    let request = KeysAndAttributes::builder().keys(key).consistent_read(true).projection_expression(projection);
    request.set_expression_attribute_names(Some(names)).build().map_err(|error| StoreError::Failed(error.into()))
}

impl fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DynamoDbStore").field("tables", &self.tables).finish_non_exhaustive()
    }
}
