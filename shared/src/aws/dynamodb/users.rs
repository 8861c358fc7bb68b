//! Users in the table `Users`:
//!
//! | `pk`                 | attributes                                                                  |
//! |----------------------|-----------------------------------------------------------------------------|
//! | `USER#<user_id>`     | name, nickname, email, phone, password_hash, created_at, updated_at, credentials_changed_at, epoch (absent until it is incremented) |
//! | `EMAIL#<normalized>` | user_id                                                                     |
//! | `PHONE#<E.164>`      | user_id, and the email and name that a new password must not contain        |
//!
//! The items `EMAIL#` and `PHONE#` enforce uniqueness. `epoch` is the token version.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem, Update};

use super::item::{email_pk, is_failed_condition, n, phone_pk, s, text, token_version, user_id, user_pk, write};
use super::{DynamoDbStore, Transaction};
use crate::secret::Masked;
use crate::store::{
    Account, Credentials, LoginIdentifier, NewUser, Profile, Session, SignUpOutcome, StoreError, Users,
};
use crate::values::{Email, PasswordHash, Phone, Purpose, SmsSessionKey, UserId};

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
        key: &SmsSessionKey,
        now: i64,
    ) -> Result<SignUpOutcome, StoreError> {
        let id = || s(user.id.to_string());
        let items = vec![
            self.consume(key, &user.phone, Purpose::Signup, now)?,
            self.create(email_pk(&user.email), [("user_id", id())])?,
            self.create(
                phone_pk(&user.phone),
                [("user_id", id()), ("email", s(user.email.as_str())), ("name", s(user.name.as_str()))],
            )?,
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
                    ("credentials_changed_at", n(now)),
                ],
            )?,
            self.put_session(session)?,
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
        let user = self.get(&self.tables.users, id.map_or_else(|| "USER#".to_owned(), user_pk)).await?;
        let (Some(user_id), Some(user)) = (id, user) else { return Ok(None) };
        let password_hash = PasswordHash::from_stored(text(&user, "password_hash")?);
        Ok(Some(Credentials { user_id, password_hash, token_version: token_version(&user)? }))
    }

    async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        let Some(user) = self.get(&self.tables.users, user_pk(id)).await? else { return Ok(None) };
        Ok(Some(Profile {
            name: Masked(text(&user, "name")?),
            email: Masked(text(&user, "email")?),
            phone: Masked(text(&user, "phone")?),
            nickname: Masked(text(&user, "nickname")?),
            token_version: token_version(&user)?,
        }))
    }

    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError> {
        let Some(link) = self.get(&self.tables.users, phone_pk(phone)).await? else { return Ok(None) };
        let (email, name) = (Masked(text(&link, "email")?), Masked(text(&link, "name")?));
        Ok(Some(Account { user_id: user_id(&link)?, email, name }))
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
                "SET password_hash = :hash, updated_at = :now, credentials_changed_at = :now, epoch = if_not_exists(epoch, :zero) + :one",
            )
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":hash", s(hash.as_str()))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":one", n(1));
        let consume = self.consume(key, phone, Purpose::PasswordReset, now)?;
        Ok(self.transact(vec![consume, write(replace.build())?]).await?.is_committed())
    }
}

impl DynamoDbStore {
    /// Returns the write that creates an item of `Users`, if its key does not exist.
    fn create<const N: usize>(
        &self,
        pk: String,
        attributes: [(&str, AttributeValue); N],
    ) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder().table_name(&self.tables.users).condition_expression("attribute_not_exists(pk)");
        let put = attributes.into_iter().fold(put.item("pk", s(pk)), |put, (name, value)| put.item(name, value));
        write(put.build())
    }
}
