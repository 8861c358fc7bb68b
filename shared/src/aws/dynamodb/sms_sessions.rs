//! SMS sessions in the table `SmsSessions`:
//!
//! | `pk`                      | attributes                                                                                    |
//! |---------------------------|-----------------------------------------------------------------------------------------------|
//! | `SESSION#<SHA-256 of id>` | phone, purpose, code_mac, sent_at, attempts, max_attempts, is_verified, sign_ups, ip, expires_at |
//! | `PHONE#<E.164>`           | sent_1, sent_2, …, expires_at                                                                 |
//!
//! `ip` is absent if the address of the client is unknown. `sent_1` is the time of the phone number's most
//! recent SMS, `sent_2` of the one before, and so on: as many as the [`RateLimit`] remembers. One conditional
//! write therefore decides exactly, without a read.

use std::fmt::Write as _;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};

use super::item::{
    Item, flag, invalid, is_failed_condition, n, number, phone, phone_pk, purpose, s, sms_session_pk, text, write,
};
use super::{ConditionalWrite, DynamoDbStore, Transaction, unexplained};
use crate::limits::RateLimit;
use crate::store::sms_sessions::MAX_SIGN_UPS;
use crate::store::{
    AttemptOutcome, OpenOutcome, SignUpAttemptOutcome, SmsSession, SmsSessions, StoreError, VerificationOutcome,
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
            .item("purpose", s(session.purpose.as_str()))
            .item("code_mac", s(session.code_mac.as_str()))
            .item("sent_at", n(session.sent_at))
            .item("attempts", n(0))
            .item("max_attempts", n(session.max_attempts))
            .item("is_verified", AttributeValue::Bool(false))
            .item("sign_ups", n(0))
            .item("expires_at", n(session.expires_at));
        if let Some(ip) = &session.ip {
            put = put.item("ip", s(&ip.0));
        }
        let count = self.count_send(&session.phone, limit, now)?;
        Ok(match self.transact(vec![count, write(put.build())?]).await? {
            Transaction::Committed => OpenOutcome::Opened,
            Transaction::Cancelled(reasons) => {
                OpenOutcome::RateLimited { retry_after: retry_after(&reasons, limit, now)? }
            }
        })
    }

    async fn cancel_sms_session(&self, session: &SmsSession, limit: &RateLimit) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.tables.sms_sessions)
            .key("pk", s(sms_session_pk(&session.key)))
            .condition_expression("attribute_exists(pk)");
        let refund = self.refund_send(&session.phone, limit)?;
        // If the session does not exist, nothing was counted for it.
        self.transact(vec![write(delete.build())?, refund]).await.map(|_| ())
    }

    async fn record_attempt(
        &self,
        key: &SmsSessionKey,
        code_seconds: i64,
        now: i64,
    ) -> Result<AttemptOutcome, StoreError> {
        let count = self
            .update_sms_session(key)
            .update_expression("SET attempts = attempts + :one")
            .condition_expression("expires_at > :now AND sent_at > :expired AND attempts < max_attempts")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expired", n(now - code_seconds))
            .return_values(ReturnValue::AllNew);
        let session = match self.update(count).await? {
            ConditionalWrite::Applied(session) => {
                let code_mac = CodeMac::from_stored(text(&session, "code_mac")?);
                return Ok(AttemptOutcome::Recorded { purpose: purpose(&session)?, code_mac });
            }
            ConditionalWrite::Rejected(session) => session,
        };
        let Some(session) = session else { return Ok(AttemptOutcome::NotFound) };
        let expires_at = number(&session, "expires_at")?;
        if expires_at <= now {
            Ok(AttemptOutcome::NotFound)
        } else if number(&session, "sent_at")? + code_seconds <= now {
            Ok(AttemptOutcome::CodeExpired)
        } else if number(&session, "attempts")? >= number(&session, "max_attempts")? {
            Ok(AttemptOutcome::RateLimited { retry_after: expires_at - now })
        } else {
            Err(unexplained())
        }
    }

    async fn mark_verified(
        &self,
        key: &SmsSessionKey,
        verified_until: i64,
        now: i64,
    ) -> Result<VerificationOutcome, StoreError> {
        let mark = self
            .update_sms_session(key)
            .update_expression("SET is_verified = :true, expires_at = :until")
            .condition_expression("expires_at > :now AND is_verified = :false")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":until", n(verified_until))
            .expression_attribute_values(":now", n(now));
        let session = match self.update(mark).await? {
            ConditionalWrite::Applied(_) => return Ok(VerificationOutcome::Verified),
            ConditionalWrite::Rejected(session) => session,
        };
        match session {
            Some(session) if number(&session, "expires_at")? > now => {
                if flag(&session, "is_verified")? {
                    Ok(VerificationOutcome::AlreadyVerified)
                } else {
                    Err(unexplained())
                }
            }
            _ => Ok(VerificationOutcome::NotFound),
        }
    }

    async fn record_sign_up_attempt(
        &self,
        key: &SmsSessionKey,
        phone: &Phone,
        now: i64,
    ) -> Result<SignUpAttemptOutcome, StoreError> {
        let count = self
            .update_sms_session(key)
            .update_expression("SET sign_ups = sign_ups + :one")
            .condition_expression(
                "expires_at > :now AND is_verified = :true AND phone = :phone AND purpose = :signup AND sign_ups < :max",
            )
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":phone", s(phone.e164()))
            .expression_attribute_values(":signup", s(Purpose::Signup.as_str()))
            .expression_attribute_values(":max", n(MAX_SIGN_UPS));
        let session = match self.update(count).await? {
            ConditionalWrite::Applied(_) => return Ok(SignUpAttemptOutcome::Recorded),
            ConditionalWrite::Rejected(session) => session,
        };
        let Some(session) = session else { return Ok(SignUpAttemptOutcome::NotVerified) };
        match verified(&session, now)? {
            Some((verified, purpose)) if verified == *phone => {
                if purpose != Purpose::Signup {
                    Ok(SignUpAttemptOutcome::OtherPurpose)
                } else if number(&session, "sign_ups")? >= i64::from(MAX_SIGN_UPS) {
                    Ok(SignUpAttemptOutcome::NotVerified)
                } else {
                    Err(unexplained())
                }
            }
            _ => Ok(SignUpAttemptOutcome::NotVerified),
        }
    }

    async fn verified_phone(
        &self,
        key: &SmsSessionKey,
        purpose: Purpose,
        now: i64,
    ) -> Result<Option<Phone>, StoreError> {
        let session = self.get(&self.tables.sms_sessions, sms_session_pk(key)).await?;
        let verified = session.map(|session| verified(&session, now)).transpose()?.flatten();
        Ok(verified.filter(|(_, stored)| *stored == purpose).map(|(phone, _)| phone))
    }
}

/// Returns the phone number and the purpose of an SMS session, if it is verified and has not expired.
fn verified(session: &Item, now: i64) -> Result<Option<(Phone, Purpose)>, StoreError> {
    if number(session, "expires_at")? <= now || !flag(session, "is_verified")? {
        return Ok(None);
    }
    Ok(Some((phone(session)?, purpose(session)?)))
}

impl DynamoDbStore {
    /// Returns an update that returns the session if its condition fails.
    fn update_sms_session(&self, key: &SmsSessionKey) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
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
                    "expires_at > :now AND is_verified = :true AND phone = :phone AND purpose = :purpose",
                )
                .expression_attribute_values(":now", n(now))
                .expression_attribute_values(":true", AttributeValue::Bool(true))
                .expression_attribute_values(":phone", s(phone.e164()))
                .expression_attribute_values(":purpose", s(purpose.as_str()))
                .build(),
        )
    }

    /// Returns the write that counts a send to the phone number, if `limit` is not exhausted.
    fn count_send(&self, phone: &Phone, limit: &RateLimit, now: i64) -> Result<TransactWriteItem, StoreError> {
        // Every right-hand side reads the item as it was before: this shifts the times by one.
        let mut shift = "SET expires_at = :expires_at, sent_1 = :now".to_owned();
        for nth in 2..=limit.remembered() {
            let _ = write!(shift, ", sent_{nth} = if_not_exists(sent_{}, :never)", nth - 1);
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
            let nth = format!("sent_{}", window.times);
            has_room.push(format!("(attribute_not_exists({nth}) OR {nth} <= :out_of_window_{index})"));
            update = update.expression_attribute_values(format!(":out_of_window_{index}"), n(now - window.seconds));
        }
        write(update.update_expression(shift).condition_expression(has_room.join(" AND ")).build())
    }

    /// Returns the write that refunds the phone number's most recent send. The send that was shifted out
    /// is lost. It was out of every window, because otherwise nothing could have been counted.
    fn refund_send(&self, phone: &Phone, limit: &RateLimit) -> Result<TransactWriteItem, StoreError> {
        let remembered = limit.remembered();
        let mut shift = format!("SET sent_{remembered} = :never");
        for nth in 1..remembered {
            let _ = write!(shift, ", sent_{nth} = if_not_exists(sent_{}, :never)", nth + 1);
        }
        let update = Update::builder().table_name(&self.tables.sms_sessions).key("pk", s(phone_pk(phone)));
        write(update.expression_attribute_values(":never", n(0)).update_expression(shift).build())
    }
}

/// Returns the seconds until `limit` allows another send to the phone number, whose item a failed
/// condition returned.
fn retry_after(reasons: &[CancellationReason], limit: &RateLimit, now: i64) -> Result<i64, StoreError> {
    let item = reasons.iter().filter(|reason| is_failed_condition(reason)).find_map(CancellationReason::item);
    let item = item.ok_or_else(|| StoreError::Failed("a failed condition returned no item".into()))?;
    let mut latest_first = Vec::new();
    for nth in 1..=limit.remembered() {
        // As many times as there were sends, or as an earlier limit remembered.
        let Some(time) = item.get(&format!("sent_{nth}")) else { break };
        let time = time.as_n().ok().and_then(|time| time.parse().ok());
        latest_first.push(time.ok_or_else(|| invalid("sent_…"))?);
    }
    Ok(limit.retry_after(&latest_first, now))
}
