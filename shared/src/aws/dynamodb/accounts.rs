//! The accounts of callers, in the tables `Users`, `Sessions` and `Limits`.
//!
//! A change is one transaction, which requires the token version and the session of the caller. Each change of the
//! credentials increments the token version, so that no other one happens between its reads and its writes.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete};
use uuid::Uuid;

use super::caller::USER_IS_CURRENT;
use super::item::{
    claims, email, email_pk, is_failed_condition, n, number, phone, phone_pk, s, session_id, session_key, text,
    user_pk, write,
};
use super::{DynamoDbStore, Transaction};
use crate::secret::Masked;
use crate::store::{
    Accounts, Caller, CallerError, EmailChangeOutcome, ListedSession, OwnCredentials, PhoneChangeOutcome, Profile,
    Session, SmsSessions as _, StoreError, Subject,
};
use crate::values::{Email, Name, Nickname, PasswordHash, Phone, Purpose, SmsSessionKey, UserAgent, UserId};

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
        let mut condition = USER_IS_CURRENT.to_owned();
        // `name` is a reserved word.
        for (attribute, value, current) in [
            ("name", name.map(Name::as_str), &mut profile.name),
            ("nickname", nickname.map(Nickname::as_str), &mut profile.nickname),
        ] {
            if let Some(value) = value {
                value.clone_into(&mut current.0);
                set.push_str(&format!(", #{attribute} = :{attribute}"));
            } else {
                // The response contains it, so that it must not have changed since it was read.
                condition.push_str(&format!(" AND #{attribute} = :{attribute}"));
            }
            update = update
                .expression_attribute_names(format!("#{attribute}"), attribute)
                .expression_attribute_values(format!(":{attribute}"), s(current.0.as_str()));
        }
        let update = update.update_expression(set).condition_expression(condition);
        let items = vec![write(update.build())?, self.check_session(caller, now)?];
        match self.transact(items).await? {
            Transaction::Committed => Ok(profile),
            Transaction::Cancelled(_) => Err(self.rejection(caller, now).await),
        }
    }

    async fn own_credentials(&self, caller: &Caller, now: i64) -> Result<OwnCredentials, CallerError> {
        let user = self.get_caller(caller, &["password_hash", "email", "phone", "name", "claims"], now).await?;
        Ok(OwnCredentials {
            password_hash: PasswordHash::from_stored(text(&user, "password_hash")?),
            email: Masked(text(&user, "email")?),
            phone: phone(&user)?,
            name: Masked(text(&user, "name")?),
            claims: claims(&user)?,
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
        let user = self.get_caller(caller, &["phone", "claims"], now).await?;
        let (previous, claims) = (super::item::phone(&user)?, claims(&user)?);
        // A transaction cannot contain two steps on one item.
        if previous == *phone {
            let verified = self.verified_phone(key, Purpose::PhoneChange, now).await?;
            let is_verified = verified.is_some_and(|verified| verified == *phone);
            return Ok(if is_verified { PhoneChangeOutcome::Taken } else { PhoneChangeOutcome::NotVerified });
        }
        let [user, revoke, start] = self.change_credentials(caller, "phone", phone.e164(), session, user_agent, now)?;
        let consume = self.consume(key, phone, Purpose::PhoneChange, now)?;
        let link = self.create(phone_pk(phone), [("user_id", s(caller.user_id.to_string()))])?;
        let unlink = self.delete_link(caller.user_id, phone_pk(&previous))?;
        let reasons = match self.transact(vec![user, revoke, start, unlink, consume, link]).await? {
            Transaction::Committed => return Ok(PhoneChangeOutcome::Changed { previous, claims }),
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
        let user = self.get_caller(caller, &["email", "claims"], now).await?;
        let (previous, claims) = (super::item::email(&user)?, claims(&user)?);
        let [user, revoke, start] =
            self.change_credentials(caller, "email", email.as_str(), session, user_agent, now)?;
        let mut items = vec![user, revoke, start];
        // Another spelling of the same email keeps its item.
        if previous != *email {
            items.push(self.delete_link(caller.user_id, email_pk(&previous))?);
            items.push(self.create(email_pk(email), [("user_id", s(caller.user_id.to_string()))])?);
        }
        let reasons = match self.transact(items).await? {
            Transaction::Committed => return Ok(EmailChangeOutcome::Changed { claims }),
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
            self.delete_link(caller.user_id, email_pk(&email))?,
            self.delete_link(caller.user_id, phone_pk(&phone))?,
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
        let sessions = self.query(query).await?;
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
        let mut items = vec![write(revoke.build())?, self.check_user(caller.user_id, caller.token_version)?];
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
        self.delete_found(self.sessions_of(user_id, &["pk", "sk"])).await
    }
}

fn failed_conditions(reasons: &[CancellationReason]) -> Vec<bool> {
    reasons.iter().map(is_failed_condition).collect()
}
