//! Sessions in the table `Sessions`:
//!
//! | `pk`             | `sk`                   | attributes                                                                 |
//! |------------------|------------------------|----------------------------------------------------------------------------|
//! | `USER#<user_id>` | `SESSION#<session_id>` | generation, rotated_at, created_at, user_agent, token_version, expires_at |
//!
//! `rotated_at` is the time of the most recent refresh, or of the login.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{
    AttributeValue, ConditionCheck, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::caller::USER_IS_CURRENT;
use super::item::{Item, flag, is_failed_condition, item, m, n, number, s, session_key, token_version, user_pk, write};
use super::{DynamoDbStore, MAX_ATTEMPTS, Transaction, unexplained};
use crate::aws::error::called;
use crate::store::sessions::REUSE_INTERVAL_SECONDS;
use crate::store::{RefreshOutcome, Session, Sessions, StoreError, Subject};
use crate::values::{Claims, Phone, Purpose, SmsSessionKey, UserAgent};

#[async_trait]
impl Sessions for DynamoDbStore {
    async fn start_session(&self, session: &Session, user_agent: &UserAgent) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.tables.sessions).set_item(Some(stored(session, user_agent)));
        called("dynamodb:PutItem", put.send().await)?;
        Ok(())
    }

    async fn start_session_by_code(
        &self,
        session: &Session,
        user_agent: &UserAgent,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        let items = vec![
            self.consume(key, phone, Purpose::Login, now)?,
            self.put_session(session, user_agent)?,
            self.clear(&Subject::passwords_of_account(session.user_id))?,
        ];
        Ok(self.transact(items).await?.is_committed())
    }

    async fn refresh_session(&self, next: &Session, claims: &Claims, now: i64) -> Result<RefreshOutcome, StoreError> {
        let mut claims = claims.clone();
        for _ in 0..MAX_ATTEMPTS {
            match self.attempt_refresh(next, &claims, now).await? {
                Refresh::Ended(outcome) => return Ok(outcome),
                Refresh::OtherClaims(stored) => claims = stored,
            }
        }
        Err(unexplained())
    }

    async fn revoke_session(&self, session: &Session) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.sessions).set_key(Some(key(session)));
        self.delete(delete).await
    }

    async fn revoke_all_sessions(&self, session: &Session) -> Result<(), StoreError> {
        let increment = self
            .client
            .update_item()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(session.user_id)))
            .update_expression("SET token_version = :next")
            .condition_expression("token_version = :token_version")
            .expression_attribute_values(":token_version", n(session.token_version))
            .expression_attribute_values(":next", n(i64::from(session.token_version) + 1));
        if self.update(increment).await?.is_applied() {
            return Ok(());
        }
        // The sessions are already revoked, or the user does not exist, or lacks a token version.
        let user = self.get_user(user_pk(session.user_id), &["token_version"]).await?;
        user.map_or(Ok(()), |user| token_version(&user).map(|_| ()))
    }
}

/// The outcome of an attempt to refresh a session.
enum Refresh {
    Ended(RefreshOutcome),
    /// The user has other claims: nothing was changed.
    OtherClaims(Claims),
}

impl DynamoDbStore {
    /// Refreshes a session of a user who has these claims. A transaction that succeeds returns no item, so that it
    /// requires the claims of the token in place of reading them.
    async fn attempt_refresh(&self, next: &Session, claims: &Claims, now: i64) -> Result<Refresh, StoreError> {
        let advance = Update::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(key(next)))
            .update_expression("SET generation = :next, rotated_at = :now, expires_at = :expires_at")
            .condition_expression("expires_at > :now AND generation = :used")
            .expression_attribute_values(":next", n(next.generation))
            .expression_attribute_values(":used", n(i64::from(next.generation) - 1))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expires_at", n(next.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let refreshed = || Refresh::Ended(RefreshOutcome::Refreshed { claims: claims.clone() });
        let reasons = match self.transact(vec![write(advance.build())?, self.check_claims(next, claims)?]).await? {
            Transaction::Committed => return Ok(refreshed()),
            Transaction::Cancelled(reasons) => reasons,
        };
        let [session, user] = reasons.as_slice() else {
            return Err(StoreError::Failed("a cancelled transaction lacks reasons".into()));
        };
        if is_failed_condition(user) {
            // The role may not read the whole user, so that the transaction does not return it.
            let user = self.get_user(user_pk(next.user_id), &["token_version", "is_disabled", "claims"]).await?;
            let Some(user) = user else { return Ok(Refresh::Ended(RefreshOutcome::Revoked)) };
            let (token_version, is_disabled) = (token_version(&user)?, flag(&user, "is_disabled")?);
            let stored = super::item::claims(&user)?;
            return if is_disabled {
                Ok(Refresh::Ended(RefreshOutcome::UserDisabled))
            } else if token_version != next.token_version {
                Ok(Refresh::Ended(RefreshOutcome::Revoked))
            } else if stored != *claims {
                Ok(Refresh::OtherClaims(stored))
            } else {
                Err(unexplained())
            };
        }
        let Some(session) = session.item() else { return Ok(Refresh::Ended(RefreshOutcome::Revoked)) };
        if number(session, "expires_at")? <= now {
            return Ok(Refresh::Ended(RefreshOutcome::Revoked));
        }
        let is_latest = number(session, "generation")? == i64::from(next.generation);
        if is_latest && now <= number(session, "rotated_at")? + REUSE_INTERVAL_SECONDS {
            return Ok(refreshed());
        }
        self.revoke_session(next).await?;
        Ok(Refresh::Ended(RefreshOutcome::ReuseDetected))
    }

    /// Returns the check that a user is not disabled, and has the token version of a session and these claims.
    fn check_claims(&self, session: &Session, claims: &Claims) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(session.user_id)))
            .condition_expression(format!("{USER_IS_CURRENT} AND claims = :claims"))
            .expression_attribute_values(":token_version", n(session.token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":claims", m(claims));
        write(check.build())
    }

    /// Returns the write that starts a session.
    pub(super) fn put_session(
        &self,
        session: &Session,
        user_agent: &UserAgent,
    ) -> Result<TransactWriteItem, StoreError> {
        write(Put::builder().table_name(&self.tables.sessions).set_item(Some(stored(session, user_agent))).build())
    }
}

fn key(session: &Session) -> Item {
    session_key(session.user_id, session.id)
}

fn stored(session: &Session, user_agent: &UserAgent) -> Item {
    let attributes = item([
        ("generation", n(session.generation)),
        ("rotated_at", n(session.started_at)),
        ("created_at", n(session.started_at)),
        ("user_agent", s(user_agent.as_str())),
        ("token_version", n(session.token_version)),
        ("expires_at", n(session.expires_at)),
    ]);
    key(session).into_iter().chain(attributes).collect()
}
