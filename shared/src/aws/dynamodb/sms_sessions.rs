//! SMS sessions in the table `SmsSessions`:
//!
//! | `pk`                      | attributes                                                                                    |
//! |---------------------------|-----------------------------------------------------------------------------------------------|
//! | `SESSION#<SHA-256 of id>` | phone, purpose, code_mac, sent_at, attempts, max_attempts, is_verified, sign_ups, ip, expires_at |
//!
//! `ip` is absent if the limit of the client's address did not count the send.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use super::item::{Item, flag, n, number, phone, purpose, s, sms_session_pk, text, write};
use super::{ConditionalWrite, DynamoDbStore, unexplained};
use crate::aws::error::called;
use crate::store::{
    AttemptOutcome, SentCode, SignUpAttemptOutcome, SmsSession, SmsSessions, StoreError, VerificationOutcome,
};
use crate::values::{CodeMac, Phone, Purpose, SmsSessionKey, SourceIp};

#[async_trait]
impl SmsSessions for DynamoDbStore {
    async fn open_sms_session(&self, session: &SmsSession) -> Result<(), StoreError> {
        let mut put = self
            .client
            .put_item()
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
        if let Some(ip) = session.ip {
            put = put.item("ip", s(ip.to_stored()));
        }
        called("dynamodb:PutItem", put.send().await)?;
        Ok(())
    }

    async fn cancel_sms_session(&self, key: &SmsSessionKey) -> Result<(), StoreError> {
        let delete = self.client.delete_item().table_name(&self.tables.sms_sessions).key("pk", s(sms_session_pk(key)));
        self.delete(delete).await
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
                let ip = if session.contains_key("ip") { Some(text(&session, "ip")?) } else { None };
                return Ok(AttemptOutcome::Recorded(SentCode {
                    purpose: purpose(&session)?,
                    code_mac: CodeMac::from_stored(text(&session, "code_mac")?),
                    ip: ip.map(|ip| SourceIp::from_stored(&ip)),
                    sent_at: number(&session, "sent_at")?,
                }));
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
        max: u32,
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
            .expression_attribute_values(":max", n(max));
        let session = match self.update(count).await? {
            ConditionalWrite::Applied(_) => return Ok(SignUpAttemptOutcome::Recorded),
            ConditionalWrite::Rejected(session) => session,
        };
        let Some(session) = session else { return Ok(SignUpAttemptOutcome::NotVerified) };
        match verified(&session, now)? {
            Some((verified, purpose)) if verified == *phone => {
                if purpose != Purpose::Signup {
                    Ok(SignUpAttemptOutcome::OtherPurpose)
                } else if number(&session, "sign_ups")? >= i64::from(max) {
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

    /// Returns the write that consumes an SMS session, if it is for this phone number and purpose, and verified if
    /// the purpose requires that.
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
                    "expires_at > :now AND is_verified = :is_verified AND phone = :phone AND purpose = :purpose",
                )
                .expression_attribute_values(":now", n(now))
                .expression_attribute_values(":is_verified", AttributeValue::Bool(purpose.is_verified_first()))
                .expression_attribute_values(":phone", s(phone.e164()))
                .expression_attribute_values(":purpose", s(purpose.as_str()))
                .build(),
        )
    }
}
