//! Users in the table `Users`:
//!
//! | `pk`                 | attributes                                                                  |
//! |----------------------|-----------------------------------------------------------------------------|
//! | `USER#<user_id>`     | name, nickname, email, phone, password_hash, created_at, updated_at, password_reset_at, token_version, is_disabled, claims |
//! | `EMAIL#<normalized>` | user_id                                                                     |
//! | `PHONE#<E.164>`      | user_id                                                                     |
//!
//! The items `EMAIL#` and `PHONE#` enforce uniqueness. `password_reset_at` is the time of the sign-up or of the
//! most recent reset. `claims` are in a map, which is empty until an operator adds one.
//!
//! Each read of a user names its attributes, because roles permit no others.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};

use super::item::{
    claims, email_pk, flag, is_failed_condition, n, number, phone_pk, s, text, token_version, user_id, user_pk, write,
};
use super::{DynamoDbStore, Transaction};
use crate::secret::Masked;
use crate::store::{
    Account, Credentials, LoginIdentifier, NewUser, Session, SignUpOutcome, StoreError, Subject, Users,
};
use crate::values::{Email, PasswordHash, Phone, Purpose, SmsSessionKey, UserAgent, UserId};

#[async_trait]
impl Users for DynamoDbStore {
    async fn is_email_taken(&self, email: &Email) -> Result<bool, StoreError> {
        Ok(self.get(&self.tables.users, email_pk(email)).await?.is_some())
    }

    async fn is_phone_taken(&self, phone: &Phone) -> Result<bool, StoreError> {
        Ok(self.get(&self.tables.users, phone_pk(phone)).await?.is_some())
    }

    async fn sign_up(
        &self,
        user: &NewUser,
        session: &Session,
        user_agent: &UserAgent,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<SignUpOutcome, StoreError> {
        let id = || s(user.id.to_string());
        let items = vec![
            self.consume(key, &user.phone, Purpose::Signup, now)?,
            self.create(email_pk(&user.email), [("user_id", id())])?,
            self.create(phone_pk(&user.phone), [("user_id", id())])?,
            self.create(
                user_pk(user.id),
                [
                    ("name", s(user.name.as_str())),
                    ("nickname", s(user.nickname.as_str())),
                    ("email", s(user.email.as_str())),
                    ("phone", s(user.phone.e164())),
                    ("password_hash", s(user.password_hash.as_str())),
                    ("created_at", n(now)),
                    ("updated_at", n(now)),
                    ("password_reset_at", n(now)),
                    ("token_version", n(session.token_version)),
                    ("is_disabled", AttributeValue::Bool(false)),
                    ("claims", AttributeValue::M(HashMap::new())),
                ],
            )?,
            self.put_session(session, user_agent)?,
        ];
        let reasons = match self.transact(items).await? {
            Transaction::Committed => return Ok(SignUpOutcome::Created),
            Transaction::Cancelled(reasons) => reasons,
        };
        let failed: Vec<bool> = reasons.iter().map(is_failed_condition).collect();
        match failed.as_slice() {
            [true, ..] => Ok(SignUpOutcome::NotVerified),
            &[_, email, phone, ..] if email || phone => Ok(SignUpOutcome::Taken { email, phone }),
            _ => Err(StoreError::Failed("a new user's id already exists".into())),
        }
    }

    async fn credentials(&self, login: &LoginIdentifier) -> Result<Option<Credentials>, StoreError> {
        let pk = match login {
            LoginIdentifier::Email(email) => email_pk(email),
            LoginIdentifier::Phone(phone) => phone_pk(phone),
        };
        let link = self.get(&self.tables.users, pk).await?;
        let id = link.as_ref().map(user_id).transpose()?;
        // For an unknown login, read a key that never exists, so that both cases take two round trips.
        let pk = id.map_or_else(|| "USER#".to_owned(), user_pk);
        let attributes = ["password_hash", "token_version", "is_disabled", "password_reset_at", "claims"];
        let user = self.get_user(pk, &attributes).await?;
        let (Some(user_id), Some(user)) = (id, user) else { return Ok(None) };
        Ok(Some(Credentials {
            user_id,
            password_hash: PasswordHash::from_stored(text(&user, "password_hash")?),
            token_version: token_version(&user)?,
            is_disabled: flag(&user, "is_disabled")?,
            password_reset_at: number(&user, "password_reset_at")?,
            claims: claims(&user)?,
        }))
    }

    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError> {
        let link = self.get(&self.tables.users, phone_pk(phone)).await?;
        let id = link.as_ref().map(user_id).transpose()?;
        // For an unknown phone number, read a key that never exists, so that both cases take two round trips.
        let pk = id.map_or_else(|| "USER#".to_owned(), user_pk);
        let attributes = ["phone", "token_version", "email", "name", "is_disabled", "password_reset_at", "claims"];
        let user = self.get_user(pk, &attributes).await?;
        let (Some(user_id), Some(user)) = (id, user) else { return Ok(None) };
        // The phone number may have moved between the two reads.
        if text(&user, "phone")? != phone.e164() {
            return Ok(None);
        }
        Ok(Some(Account {
            user_id,
            token_version: token_version(&user)?,
            email: Masked(text(&user, "email")?),
            name: Masked(text(&user, "name")?),
            is_disabled: flag(&user, "is_disabled")?,
            password_reset_at: number(&user, "password_reset_at")?,
            claims: claims(&user)?,
        }))
    }

    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        let replace = Update::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(id)))
            .update_expression(
                "SET password_hash = :hash, updated_at = :now, password_reset_at = :now, token_version = token_version + :one",
            )
            .condition_expression("is_disabled = :false AND phone = :phone")
            .expression_attribute_values(":phone", s(phone.e164()))
            .expression_attribute_values(":hash", s(hash.as_str()))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":one", n(1));
        let consume = self.consume(key, phone, Purpose::PasswordReset, now)?;
        let items = vec![consume, write(replace.build())?, self.clear(&Subject::passwords_of_account(id))?];
        Ok(self.transact(items).await?.is_committed())
    }

    async fn set_disabled(&self, id: UserId, is_disabled: bool, now: i64) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(id)))
            .update_expression("SET is_disabled = :is_disabled, updated_at = :now")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":is_disabled", AttributeValue::Bool(is_disabled))
            .expression_attribute_values(":now", n(now));
        Ok(self.update(update).await?.is_applied())
    }
}

impl DynamoDbStore {
    /// Returns the write that creates an item of `Users`, if its key does not exist.
    pub(super) fn create<const N: usize>(
        &self,
        pk: String,
        attributes: [(&str, AttributeValue); N],
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.tables.users).condition_expression("attribute_not_exists(pk)");
        let put = attributes.into_iter().fold(put.item("pk", s(pk)), |put, (name, value)| put.item(name, value));
        write(put.build())
    }
}
