//! The public keys in the table `PublicKeys`, which only their rotation writes:
//!
//! | `pk`   | attributes |
//! |--------|------------|
//! | `KEYS` | key_set    |
//!
//! `key_set` is the key set as JSON, without private keys. Anybody may read it. It can be trusted because only
//! the rotation may write it.

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;
use aws_types::SdkConfig;
use secrecy::SecretString;

use super::item::{s, text};
use crate::aws::error::{CallError, called};
use crate::error::BoxError;
use crate::tokens::KeySource;

/// The published key set.
#[derive(Debug)]
pub struct PublicKeys {
    client: Client,
    table: String,
}

impl PublicKeys {
    /// Returns the key set in this table.
    #[must_use]
    pub fn new(sdk: &SdkConfig, table: String) -> Self {
        Self::with_client(Client::new(sdk), table)
    }

    /// Returns the key set in this table, which is read through an open connection.
    pub(super) fn with_client(client: Client, table: String) -> Self {
        Self { client, table }
    }

    /// Reads an item that does not exist, which opens the connection and costs half a read unit.
    pub(crate) async fn warm_up(&self) -> Result<(), CallError> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s("WARM"));
        called("dynamodb:GetItem", get.send().await).map(|_| ())
    }

    /// Returns the key set as JSON, or `None` if none was published yet.
    pub(crate) async fn published(&self) -> Result<Option<String>, BoxError> {
        let get = self.client.get_item().table_name(&self.table).key("pk", s("KEYS")).consistent_read(true);
        let item = called("dynamodb:GetItem", get.send().await)?.item;
        Ok(item.map(|item| text(&item, "key_set")).transpose()?)
    }

    /// Publishes `new` in place of `before`. Does nothing if `new` is already published, as it is after a
    /// call whose response was lost.
    ///
    /// # Errors
    /// If another set than these is published, or DynamoDB fails.
    pub(crate) async fn replace(&self, before: Option<&str>, new: &str) -> Result<(), BoxError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s("KEYS"))
            .item("key_set", s(new))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match before {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(before) => {
                put.condition_expression("key_set = :before").expression_attribute_values(":before", s(before))
            }
        };
        let Err(error) = put.send().await else { return Ok(()) };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                let published = failed.item().map(|item| text(item, "key_set")).transpose()?;
                if published.as_deref() == Some(new) {
                    Ok(())
                } else {
                    Err("the published keys were changed meanwhile".into())
                }
            }
            _ => Err(CallError::new("dynamodb:PutItem", &error).into()),
        }
    }
}

#[async_trait]
impl KeySource for PublicKeys {
    async fn load(&self) -> Result<SecretString, BoxError> {
        Ok(self.published().await?.ok_or("no key was published yet")?.into())
    }
}
