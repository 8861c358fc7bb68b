//! The user and the session of a caller: the reads and writes that several steps share.

use std::collections::HashMap;

use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, ConditionCheck, Delete, TransactWriteItem, Update};

use super::item::{Item, flag, item, n, number, s, session_key, token_version, user_pk, write};
use super::{DynamoDbStore, keys_and_attributes, projection, unexplained};
use crate::aws::error::called;
use crate::store::{Caller, CallerError, Session, StoreError};
use crate::values::{UserAgent, UserId};

/// The condition on the user of a caller.
pub(super) const USER_IS_CURRENT: &str = "token_version = :token_version AND is_disabled = :false";
/// The condition on the session of a caller.
const SESSION_IS_CURRENT: &str = "expires_at > :now";

impl DynamoDbStore {
    /// Reads the user of a caller, with these attributes, together with the caller's session.
    pub(super) async fn get_caller(&self, caller: &Caller, attributes: &[&str], now: i64) -> Result<Item, CallerError> {
        let (users, sessions) = (&self.tables.users, &self.tables.sessions);
        let user_key = item([("pk", s(user_pk(caller.user_id)))]);
        let attributes = [attributes, &["token_version", "is_disabled"]].concat();
        let requests = HashMap::from([
            (users.clone(), keys_and_attributes(user_key, &attributes)?),
            (sessions.clone(), keys_and_attributes(session_key(caller.user_id, caller.session_id), &["expires_at"])?),
        ]);
        let mut items = self.get_batch(requests).await?;
        let mut first = |table: &String| items.remove(table).and_then(|items| items.into_iter().next());
        let (Some(user), session) = (first(users), first(sessions)) else { return Err(CallerError::UserNotFound) };
        if flag(&user, "is_disabled")? {
            return Err(CallerError::UserDisabled);
        }
        let expires_at = session.as_ref().map(|session| number(session, "expires_at")).transpose()?;
        if expires_at.is_none_or(|expires_at| expires_at <= now) || token_version(&user)? != caller.token_version {
            return Err(CallerError::Revoked);
        }
        Ok(user)
    }

    /// Returns the reason for which a transaction rejected the caller.
    pub(super) async fn rejection(&self, caller: &Caller, now: i64) -> CallerError {
        self.get_caller(caller, &[], now).await.err().unwrap_or_else(|| unexplained().into())
    }

    /// Returns the check that a user is not disabled and has this token version.
    pub(super) fn check_user(&self, user_id: UserId, token_version: u32) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(user_id)))
            .condition_expression(USER_IS_CURRENT)
            .expression_attribute_values(":token_version", n(token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        write(check.build())
    }

    /// Returns the check that the caller's session is current.
    pub(super) fn check_session(&self, caller: &Caller, now: i64) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(session_key(caller.user_id, caller.session_id)))
            .condition_expression(SESSION_IS_CURRENT)
            .expression_attribute_values(":now", n(now));
        write(check.build())
    }

    /// Returns all items that a query finds.
    pub(super) async fn query(&self, query: QueryFluentBuilder) -> Result<Vec<Item>, StoreError> {
        self.in_time(self.attempt_query(query)).await
    }

    /// Does the same without a limit of time.
    pub(super) async fn attempt_query(&self, mut query: QueryFluentBuilder) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        loop {
            let page = called("dynamodb:Query", query.clone().send().await)?;
            items.extend(page.items.unwrap_or_default());
            let Some(last) = page.last_evaluated_key else { return Ok(items) };
            query = query.set_exclusive_start_key(Some(last));
        }
    }

    /// Returns a query of the sessions of a user.
    pub(super) fn sessions_of(&self, user_id: UserId, attributes: &[&str]) -> QueryFluentBuilder {
        let (projection, names) = projection(attributes);
        self.client
            .query()
            .table_name(&self.tables.sessions)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(user_pk(user_id)))
            .consistent_read(true)
            .projection_expression(projection)
            .set_expression_attribute_names(Some(names))
    }

    /// Deletes the sessions that a query of their keys finds.
    pub(super) async fn delete_found(&self, query: QueryFluentBuilder) -> Result<(), StoreError> {
        let deletions = async {
            for key in self.attempt_query(query).await? {
                self.delete(self.client.delete_item().table_name(&self.tables.sessions).set_key(Some(key))).await?;
            }
            Ok(())
        };
        self.in_time(deletions).await
    }

    /// Returns an update of the caller's user, if it is current.
    pub(super) fn update_caller(&self, caller: &Caller, now: i64) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(caller.user_id)))
            .condition_expression(USER_IS_CURRENT)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":now", n(now))
    }

    /// Returns the writes that replace an attribute of the caller's user, and the caller's session by `session`.
    pub(super) fn change_credentials(
        &self,
        caller: &Caller,
        attribute: &str,
        value: &str,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<[TransactWriteItem; 3], StoreError> {
        let user = self
            .update_caller(caller, now)
            .update_expression(format!("SET {attribute} = :value, updated_at = :now, token_version = :next"))
            .expression_attribute_values(":value", s(value))
            .expression_attribute_values(":next", n(session.token_version));
        Ok([write(user.build())?, self.revoke_caller(caller, now)?, self.put_session(session, user_agent)?])
    }

    /// Returns the write that revokes the caller's session, if it is current.
    pub(super) fn revoke_caller(&self, caller: &Caller, now: i64) -> Result<TransactWriteItem, StoreError> {
        let revoke = Delete::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(session_key(caller.user_id, caller.session_id)))
            .condition_expression(SESSION_IS_CURRENT)
            .expression_attribute_values(":now", n(now));
        write(revoke.build())
    }

    /// Returns the write that deletes the item of a user's email or phone number.
    pub(super) fn delete_link(&self, user_id: UserId, pk: String) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.tables.users)
            .key("pk", s(pk))
            .condition_expression("user_id = :user_id")
            .expression_attribute_values(":user_id", s(user_id.to_string()));
        write(delete.build())
    }
}
