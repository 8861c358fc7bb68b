//! The accounts of callers, in the tables `Users`, `Sessions` and `Limits`.
//!
//! A change is one transaction. It requires the token version and the session of the caller, so that no other change
//! of the credentials happens between its reads and its writes: each of them increments the token version.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, ConditionCheck, Delete, TransactWriteItem, Update};
use uuid::Uuid;

use super::item::{
    Item, email, email_pk, flag, is_failed_condition, item, n, number, phone, phone_pk, s, session_id, session_key,
    text, token_version, user_pk, write,
};
use super::{DynamoDbStore, Transaction, keys_and_attributes, projection, unexplained};
use crate::aws::error::called;
use crate::secret::Masked;
use crate::store::{
    Accounts, Caller, CallerError, EmailChangeOutcome, ListedSession, OwnCredentials, PhoneChangeOutcome, Profile,
    Session, StoreError, Subject,
};
use crate::values::{Email, Name, Nickname, PasswordHash, Phone, Purpose, SmsSessionKey, UserAgent, UserId};

/// The condition on the user and the session of a caller.
const USER_IS_CURRENT: &str = "token_version = :token_version AND is_disabled = :false";
const SESSION_IS_CURRENT: &str = "expires_at > :now";
/// The condition on a session that its user sees.
const IS_LISTED: &str = "expires_at > :now AND token_version = :token_version";

#[async_trait]
impl Accounts for DynamoDbStore {
    async fn profile(&self, caller: &Caller, now: i64) -> Result<Profile, CallerError> {
        let user = self.get_caller(caller, &["name", "email", "phone", "nickname"], now).await?;
        Ok(Profile {
            name: Masked(text(&user, "name")?),
            email: Masked(text(&user, "email")?),
            phone: Masked(text(&user, "phone")?),
            nickname: Masked(text(&user, "nickname")?),
        })
    }

    async fn update_profile(
        &self,
        caller: &Caller,
        name: Option<&Name>,
        nickname: Option<&Nickname>,
        now: i64,
    ) -> Result<Profile, CallerError> {
        let mut profile = self.profile(caller, now).await?;
        let mut update = self.update_caller(caller, now);
        let mut set = "SET updated_at = :now".to_owned();
        // `name` is a reserved word.
        for (attribute, value, current) in [
            ("name", name.map(Name::as_str), &mut profile.name),
            ("nickname", nickname.map(Nickname::as_str), &mut profile.nickname),
        ] {
            if let Some(value) = value {
                value.clone_into(&mut current.0);
                set.push_str(&format!(", #{attribute} = :{attribute}"));
                update = update
                    .expression_attribute_names(format!("#{attribute}"), attribute)
                    .expression_attribute_values(format!(":{attribute}"), s(value));
            }
        }
        let items = vec![write(update.update_expression(set).build())?, self.check_session(caller, now)?];
        match self.transact(items).await? {
            Transaction::Committed => Ok(profile),
            Transaction::Cancelled(_) => Err(self.rejection(caller, now).await),
        }
    }

    async fn own_credentials(&self, caller: &Caller, now: i64) -> Result<OwnCredentials, CallerError> {
        let user = self.get_caller(caller, &["password_hash", "email", "phone", "name"], now).await?;
        Ok(OwnCredentials {
            password_hash: PasswordHash::from_stored(text(&user, "password_hash")?),
            email: Masked(text(&user, "email")?),
            phone: phone(&user)?,
            name: Masked(text(&user, "name")?),
        })
    }

    async fn change_password(
        &self,
        caller: &Caller,
        hash: &PasswordHash,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<(), CallerError> {
        let [user, revoke, start] =
            self.change_credentials(caller, "password_hash", hash.as_str(), session, user_agent, now)?;
        match self.transact(vec![user, revoke, start]).await? {
            Transaction::Committed => Ok(()),
            Transaction::Cancelled(_) => Err(self.rejection(caller, now).await),
        }
    }

    async fn change_phone(
        &self,
        caller: &Caller,
        phone: &Phone,
        key: &SmsSessionKey,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<PhoneChangeOutcome, CallerError> {
        let previous = super::item::phone(&self.get_caller(caller, &["phone"], now).await?)?;
        if previous == *phone {
            return Ok(PhoneChangeOutcome::Taken);
        }
        let [user, revoke, start] = self.change_credentials(caller, "phone", phone.e164(), session, user_agent, now)?;
        let consume = self.consume(key, phone, Purpose::PhoneChange, now)?;
        let link = self.create(phone_pk(phone), [("user_id", s(caller.user_id.to_string()))])?;
        let unlink = self.delete_link(caller, phone_pk(&previous))?;
        let reasons = match self.transact(vec![user, revoke, start, unlink, consume, link]).await? {
            Transaction::Committed => return Ok(PhoneChangeOutcome::Changed { previous }),
            Transaction::Cancelled(reasons) => reasons,
        };
        match failed_conditions(&reasons).as_slice() {
            [false, false, _, false, true, _] => Ok(PhoneChangeOutcome::NotVerified),
            [false, false, _, false, false, true] => Ok(PhoneChangeOutcome::Taken),
            _ => Err(self.rejection(caller, now).await),
        }
    }

    async fn change_email(
        &self,
        caller: &Caller,
        email: &Email,
        session: &Session,
        user_agent: &UserAgent,
        now: i64,
    ) -> Result<EmailChangeOutcome, CallerError> {
        let previous = super::item::email(&self.get_caller(caller, &["email"], now).await?)?;
        let [user, revoke, start] =
            self.change_credentials(caller, "email", email.as_str(), session, user_agent, now)?;
        let mut items = vec![user, revoke, start];
        // Another spelling of the same email keeps its item.
        if previous != *email {
            items.push(self.delete_link(caller, email_pk(&previous))?);
            items.push(self.create(email_pk(email), [("user_id", s(caller.user_id.to_string()))])?);
        }
        let reasons = match self.transact(items).await? {
            Transaction::Committed => return Ok(EmailChangeOutcome::Changed),
            Transaction::Cancelled(reasons) => reasons,
        };
        match failed_conditions(&reasons).as_slice() {
            [false, false, _, false, true] => Ok(EmailChangeOutcome::Taken),
            _ => Err(self.rejection(caller, now).await),
        }
    }

    async fn delete_account(&self, caller: &Caller, now: i64) -> Result<(), CallerError> {
        let user = self.get_caller(caller, &["email", "phone"], now).await?;
        let (email, phone) = (email(&user)?, phone(&user)?);
        let delete = Delete::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(caller.user_id)))
            .condition_expression(USER_IS_CURRENT)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        let items = vec![
            write(delete.build())?,
            self.revoke_caller(caller, now)?,
            self.delete_link(caller, email_pk(&email))?,
            self.delete_link(caller, phone_pk(&phone))?,
            self.clear(&Subject::passwords_of_account(caller.user_id))?,
            self.clear(&Subject::sms_to_account(caller.user_id))?,
        ];
        match self.transact(items).await? {
            Transaction::Committed => Ok(()),
            Transaction::Cancelled(_) => Err(self.rejection(caller, now).await),
        }
    }

    async fn list_sessions(&self, caller: &Caller, now: i64) -> Result<Vec<ListedSession>, CallerError> {
        self.get_caller(caller, &[], now).await?;
        let query = self
            .sessions_of(
                caller.user_id,
                &["sk", "created_at", "rotated_at", "user_agent", "token_version", "expires_at"],
            )
            .filter_expression(IS_LISTED)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":now", n(now));
        let sessions =
            called("dynamodb:Query", query.send().await).map_err(StoreError::from)?.items.unwrap_or_default();
        let sessions = sessions.iter().map(|session| {
            Ok(ListedSession {
                id: session_id(session)?,
                created_at: number(session, "created_at")?,
                last_used_at: number(session, "rotated_at")?,
                user_agent: text(session, "user_agent")?,
            })
        });
        Ok(sessions.collect::<Result<_, StoreError>>()?)
    }

    async fn revoke_listed_session(&self, caller: &Caller, id: Uuid, now: i64) -> Result<bool, CallerError> {
        let revoke = Delete::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(session_key(caller.user_id, id)))
            .condition_expression(IS_LISTED)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":now", n(now));
        let mut items = vec![write(revoke.build())?, self.check_user(caller)?];
        // A transaction cannot contain two steps on one item.
        if id != caller.session_id {
            items.push(self.check_session(caller, now)?);
        }
        let reasons = match self.transact(items).await? {
            Transaction::Committed => return Ok(true),
            Transaction::Cancelled(reasons) => reasons,
        };
        match reasons.iter().map(is_failed_condition).collect::<Vec<_>>().as_slice() {
            [true, false, false] => Ok(false),
            _ => Err(self.rejection(caller, now).await),
        }
    }

    async fn delete_sessions(&self, user_id: UserId) -> Result<(), StoreError> {
        let deletions = async {
            let query = self.sessions_of(user_id, &["pk", "sk"]);
            for key in called("dynamodb:Query", query.send().await)?.items.unwrap_or_default() {
                self.delete(self.client.delete_item().table_name(&self.tables.sessions).set_key(Some(key))).await?;
            }
            Ok(())
        };
        self.in_time(deletions).await
    }
}

impl DynamoDbStore {
    /// Reads the user of a caller, with these attributes, together with the caller's session.
    async fn get_caller(&self, caller: &Caller, attributes: &[&str], now: i64) -> Result<Item, CallerError> {
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
    async fn rejection(&self, caller: &Caller, now: i64) -> CallerError {
        self.get_caller(caller, &[], now).await.err().unwrap_or_else(|| unexplained().into())
    }

    /// Returns the check that the caller's user is current.
    fn check_user(&self, caller: &Caller) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(caller.user_id)))
            .condition_expression(USER_IS_CURRENT)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false));
        write(check.build())
    }

    /// Returns the check that the caller's session is current.
    fn check_session(&self, caller: &Caller, now: i64) -> Result<TransactWriteItem, StoreError> {
        let check = ConditionCheck::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(session_key(caller.user_id, caller.session_id)))
            .condition_expression(SESSION_IS_CURRENT)
            .expression_attribute_values(":now", n(now));
        write(check.build())
    }

    /// Returns a query of the first page of a user's sessions, which contains thousands of them.
    fn sessions_of(&self, user_id: UserId, attributes: &[&str]) -> QueryFluentBuilder {
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

    /// Returns an update of the caller's user, if it is current.
    fn update_caller(&self, caller: &Caller, now: i64) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(caller.user_id)))
            .condition_expression(USER_IS_CURRENT)
            .expression_attribute_values(":token_version", n(caller.token_version))
            .expression_attribute_values(":false", AttributeValue::Bool(false))
            .expression_attribute_values(":now", n(now))
    }

    /// Returns the writes that replace an attribute of the caller's user, and the caller's session by `session`.
    fn change_credentials(
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
    fn revoke_caller(&self, caller: &Caller, now: i64) -> Result<TransactWriteItem, StoreError> {
        let revoke = Delete::builder()
            .table_name(&self.tables.sessions)
            .set_key(Some(session_key(caller.user_id, caller.session_id)))
            .condition_expression(SESSION_IS_CURRENT)
            .expression_attribute_values(":now", n(now));
        write(revoke.build())
    }

    /// Returns the write that deletes the item of the caller's email or phone number.
    fn delete_link(&self, caller: &Caller, pk: String) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(&self.tables.users)
            .key("pk", s(pk))
            .condition_expression("user_id = :user_id")
            .expression_attribute_values(":user_id", s(caller.user_id.to_string()));
        write(delete.build())
    }
}

fn failed_conditions(reasons: &[CancellationReason]) -> Vec<bool> {
    reasons.iter().map(is_failed_condition).collect()
}
