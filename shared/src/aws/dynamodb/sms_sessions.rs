//! SMS sessions in the table `SmsSessions`:
//!
//! | `pk`                      | attributes                                                            |
//! |---------------------------|-----------------------------------------------------------------------|
//! | `SESSION#<SHA-256 of id>` | phone, purpose, code_hash, sent_at, attempts, is_verified, expires_at |
//! | `PHONE#<E.164>`           | sent_1, sent_2, …, failed_1, failed_2, …, expires_at                  |
//!
//! `sent_1` is the time of the phone number's most recent SMS, `sent_2` of the one before, and so on: as
//! many as the [`RateLimit`] remembers. One conditional write therefore decides exactly, without a read.

use std::fmt::Write as _;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};

use super::item::{
    flag, invalid, is_failed_condition, n, number, phone, phone_pk, purpose, s, sms_session_pk, text, write,
};
use super::{DynamoDbStore, Transaction};
use crate::limits::RateLimit;
use crate::store::{
    AttemptLimits, AttemptOutcome, OpenOutcome, SmsSession, SmsSessions, StoreError, VerifiedSmsSession,
};
use crate::values::{CodeMac, Phone, Purpose, SmsSessionKey};

#[async_trait]
impl SmsSessions for DynamoDbStore {
    async fn open_sms_session(
        &self,
        session: &SmsSession,
        limit: &RateLimit,
        now: i64,
    ) -> Result<OpenOutcome, StoreError> {
        let mut put = Put::builder()
            .table_name(&self.tables.sms_sessions)
            .item("pk", s(sms_session_pk(&session.key)))
            .item("phone", s(session.phone.e164()))
            .item("code_hash", s(session.code_mac.as_str()))
            .item("sent_at", n(session.sent_at))
            .item("attempts", n(0))
            .item("is_verified", AttributeValue::Bool(false))
            .item("expires_at", n(session.expires_at));
        if let Some(purpose) = session.purpose {
            put = put.item("purpose", s(purpose.as_str()));
        }
        let count = self.count("sent", &session.phone, limit, now)?;
        Ok(match self.transact(vec![count, write(put.build())?]).await? {
            Transaction::Committed => OpenOutcome::Opened,
            Transaction::Cancelled(reasons) => {
                OpenOutcome::RateLimited { retry_after: retry_after("sent", &reasons, limit, now)? }
            }
        })
    }

    async fn cancel_sms_session(&self, session: &SmsSession, limit: &RateLimit) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.tables.sms_sessions)
            .key("pk", s(sms_session_pk(&session.key)))
            .condition_expression("attribute_exists(pk)");
        let refund = self.refund("sent", &session.phone, limit)?;
        // If the session does not exist, nothing was counted for it.
        self.transact(vec![write(delete.build())?, refund]).await.map(|_| ())
    }

    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        limits: &AttemptLimits,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError> {
        let count_on_session = |condition: &str| {
            self.update_sms_session(key)
                .update_expression("SET attempts = attempts + :one")
                .condition_expression(format!(
                    "expires_at > :now AND sent_at > :expired AND attempts < :limit AND {condition}"
                ))
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":now", n(now))
                .expression_attribute_values(":expired", n(now - limits.code_seconds))
                .expression_attribute_values(":limit", n(limits.per_session))
                .expression_attribute_values(":phone", s(phone.e164()))
        };
        let count = vec![
            write(count_on_session("phone = :phone").build())?,
            self.count("failed", phone, &limits.per_phone, now)?,
        ];
        // A transaction returns no values. Those that the code is compared with never change, so that
        // they can be read concurrently; they are used only if the attempt was counted.
        let (counted, session) =
            tokio::join!(self.transact(count), self.get(&self.tables.sms_sessions, sms_session_pk(key)));
        let reasons = match counted? {
            Transaction::Committed => {
                let Some(session) = session? else { return Ok(AttemptOutcome::NotFound) };
                return Ok(AttemptOutcome::Recorded {
                    purpose: purpose(&session)?,
                    code_mac: CodeMac::from_stored(text(&session, "code_hash")?),
                });
            }
            Transaction::Cancelled(reasons) => reasons,
        };

        let Some(session) = reasons.first().filter(|reason| is_failed_condition(reason)) else {
            return Ok(AttemptOutcome::RateLimited {
                retry_after: retry_after("failed", &reasons, &limits.per_phone, now)?,
            });
        };
        let Some(session) = session.item() else { return Ok(AttemptOutcome::NotFound) };
        let expires_at = number(session, "expires_at")?;
        if expires_at <= now {
            return Ok(AttemptOutcome::NotFound);
        }
        if number(session, "sent_at")? <= now - limits.code_seconds {
            return Ok(AttemptOutcome::CodeExpired);
        }
        if number(session, "attempts")? >= limits.per_session.into() {
            return Ok(AttemptOutcome::RateLimited { retry_after: expires_at - now });
        }
        let count = write(count_on_session("phone <> :phone").build())?;
        Ok(match self.transact(vec![count]).await? {
            Transaction::Committed => AttemptOutcome::WrongPhone,
            // Concurrent attempts have exhausted the limit.
            Transaction::Cancelled(_) => AttemptOutcome::RateLimited { retry_after: expires_at - now },
        })
    }

    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        verified_until: i64,
        limit: &RateLimit,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mark = self
            .update_sms_session(key)
            .update_expression("SET is_verified = :true, expires_at = :until")
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":until", n(verified_until))
            .expression_attribute_values(":now", n(now));
        let refund = self.refund("failed", phone, limit)?;
        Ok(self.transact(vec![write(mark.build())?, refund]).await?.is_committed())
    }

    async fn verified_sms_session(
        &self,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<Option<VerifiedSmsSession>, StoreError> {
        let Some(session) = self.get(&self.tables.sms_sessions, sms_session_pk(key)).await? else { return Ok(None) };
        if number(&session, "expires_at")? <= now || !flag(&session, "is_verified")? {
            return Ok(None);
        }
        Ok(Some(VerifiedSmsSession { phone: phone(&session)?, purpose: purpose(&session)? }))
    }
}

impl DynamoDbStore {
    fn update_sms_session(&self, key: &SmsSessionKey) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.tables.sms_sessions)
            .key("pk", s(sms_session_pk(key)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Returns the write that consumes an SMS session, if it is verified for this phone number and purpose.
    pub(super) fn consume(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        purpose: Purpose,
        now: i64,
    ) -> Result<TransactWriteItem, StoreError> {
        write(
            Delete::builder()
                .table_name(&self.tables.sms_sessions)
                .key("pk", s(sms_session_pk(key)))
                .condition_expression(
                    "expires_at > :now AND is_verified = :true AND phone = :phone AND (attribute_not_exists(purpose) OR purpose = :purpose)",
                )
                .expression_attribute_values(":now", n(now))
                .expression_attribute_values(":true", AttributeValue::Bool(true))
                .expression_attribute_values(":phone", s(phone.e164()))
                .expression_attribute_values(":purpose", s(purpose.as_str()))
                .build(),
        )
    }

    /// Returns the write that counts an event of the phone number, if `limit` is not exhausted.
    fn count(&self, name: &str, phone: &Phone, limit: &RateLimit, now: i64) -> Result<TransactWriteItem, StoreError> {
        // Every right-hand side reads the item as it was before: this shifts the times by one.
        let mut shift = format!("SET expires_at = :expires_at, {name}_1 = :now");
        for nth in 2..=limit.remembered() {
            let _ = write!(shift, ", {name}_{nth} = if_not_exists({name}_{}, :never)", nth - 1);
        }
        let mut update = Update::builder()
            .table_name(&self.tables.sms_sessions)
            .key("pk", s(phone_pk(phone)))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expires_at", n(now + limit.longest_seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if limit.remembered() > 1 {
            update = update.expression_attribute_values(":never", n(0));
        }
        let mut has_room = Vec::new();
        for (index, window) in limit.windows().iter().enumerate() {
            let nth = format!("{name}_{}", window.times);
            has_room.push(format!("(attribute_not_exists({nth}) OR {nth} <= :out_of_window_{index})"));
            update = update.expression_attribute_values(format!(":out_of_window_{index}"), n(now - window.seconds));
        }
        write(update.update_expression(shift).condition_expression(has_room.join(" AND ")).build())
    }

    /// Returns the write that refunds the phone number's most recent event. The event that was shifted out
    /// is lost. It was out of every window, because otherwise nothing could have been counted.
    fn refund(&self, name: &str, phone: &Phone, limit: &RateLimit) -> Result<TransactWriteItem, StoreError> {
        let remembered = limit.remembered();
        let mut shift = format!("SET {name}_{remembered} = :never");
        for nth in 1..remembered {
            let _ = write!(shift, ", {name}_{nth} = if_not_exists({name}_{}, :never)", nth + 1);
        }
        let update = Update::builder().table_name(&self.tables.sms_sessions).key("pk", s(phone_pk(phone)));
        write(update.expression_attribute_values(":never", n(0)).update_expression(shift).build())
    }
}

/// Returns the seconds until `limit` allows another event of the phone number, whose item a failed
/// condition returned.
fn retry_after(
    name: &'static str,
    reasons: &[CancellationReason],
    limit: &RateLimit,
    now: i64,
) -> Result<i64, StoreError> {
    let item = reasons.iter().filter(|reason| is_failed_condition(reason)).find_map(CancellationReason::item);
    let item = item.ok_or_else(|| StoreError::Failed("a failed condition returned no item".into()))?;
    let mut latest_first = Vec::new();
    for nth in 1..=limit.remembered() {
        // As many times as there were events, or as an earlier limit remembered.
        let Some(time) = item.get(&format!("{name}_{nth}")) else { break };
        let time = time.as_n().ok().and_then(|time| time.parse().ok());
        latest_first.push(time.ok_or_else(|| invalid(name))?);
    }
    Ok(limit.retry_after(&latest_first, now))
}
