//! Sessions in the table `TokenFamilies`:
//!
//! | `pk`          | attributes                       |
//! |---------------|----------------------------------|
//! | `FAMILY#<id>` | generation, moved_at, expires_at |
//!
//! `moved_at` is the time of the most recent refresh.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{Item, is_failed_condition, n, number, s, user_pk, write};
use super::{DynamoDbStore, Transaction};
use crate::aws::error::called;
use crate::store::sessions::REUSE_INTERVAL_SECONDS;
use crate::store::{RefreshOutcome, Session, Sessions, StoreError};

#[async_trait]
impl Sessions for DynamoDbStore {
    async fn start_session(&self, session: &Session) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.sessions).set_item(Some(item(session)));
        called("dynamodb:PutItem", put.send().await)?;
        Ok(())
    }

    async fn refresh_session(&self, next: &Session, now: i64) -> Result<RefreshOutcome, StoreError> {
        let (condition, token_version) = token_version_is(next.token_version);
        let is_current_version = ConditionCheck::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(next.user_id)))
            .condition_expression(condition)
            .set_expression_attribute_values(token_version);
        let advance = Update::builder()
            .table_name(&self.tables.sessions)
            .key("pk", s(session_pk(next)))
            .update_expression("SET generation = :next, moved_at = :now, expires_at = :expires_at")
            .condition_expression("expires_at > :now AND generation = :used")
            .expression_attribute_values(":next", n(next.generation))
            .expression_attribute_values(":used", n(i64::from(next.generation) - 1))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expires_at", n(next.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let reasons = match self.transact(vec![write(advance.build())?, write(is_current_version.build())?]).await? {
            Transaction::Committed => return Ok(RefreshOutcome::Refreshed),
            Transaction::Cancelled(reasons) => reasons,
        };
        let [session, user] = reasons.as_slice() else {
            return Err(StoreError::Failed("a cancelled transaction lacks reasons".into()));
        };
        let session = session.item().filter(|_| !is_failed_condition(user));
        let Some(session) = session else { return Ok(RefreshOutcome::Revoked) };
        if number(session, "expires_at")? <= now {
            return Ok(RefreshOutcome::Revoked);
        }
        let is_latest = number(session, "generation")? == i64::from(next.generation);
        if is_latest && now <= number(session, "moved_at")? + REUSE_INTERVAL_SECONDS {
            return Ok(RefreshOutcome::Refreshed);
        }
        self.revoke_session(next).await?;
        Ok(RefreshOutcome::ReuseDetected)
    }

    async fn revoke_session(&self, session: &Session) -> Result<(), StoreError> {
        let delete = Delete::builder().table_name(&self.tables.sessions).key("pk", s(session_pk(session)));
        self.transact(vec![write(delete.build())?]).await.map(|_| ())
    }

    async fn revoke_all_sessions(&self, session: &Session) -> Result<(), StoreError> {
        let (condition, token_version) = token_version_is(session.token_version);
        let increment = Update::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(session.user_id)))
            .update_expression("SET epoch = :next")
            .condition_expression(condition)
            .set_expression_attribute_values(token_version)
            .expression_attribute_values(":next", n(i64::from(session.token_version) + 1));
        // If the condition fails, the sessions are already revoked.
        self.transact(vec![write(increment.build())?]).await.map(|_| ())
    }
}

impl DynamoDbStore {
    /// Returns the write that starts a session.
    pub(super) fn put_session(&self, session: &Session) -> Result<TransactWriteItem, StoreError> {
        write(Put::builder().table_name(&self.tables.sessions).set_item(Some(item(session))).build())
    }
}

fn session_pk(session: &Session) -> String {
    format!("FAMILY#{}", session.id)
}

fn item(session: &Session) -> Item {
    Item::from([
        ("pk".to_owned(), s(session_pk(session))),
        ("generation".to_owned(), n(session.generation)),
        ("moved_at".to_owned(), n(session.started_at)),
        ("expires_at".to_owned(), n(session.expires_at)),
    ])
}

/// Returns the condition that a user exists and has this token version. A user whose sessions were never
/// revoked has no such attribute.
fn token_version_is(token_version: u32) -> (&'static str, Option<Item>) {
    match token_version {
        0 => ("attribute_exists(pk) AND attribute_not_exists(epoch)", None),
        _ => ("epoch = :token_version", Some(Item::from([(":token_version".to_owned(), n(token_version))]))),
    }
}
