//! The store in DynamoDB: three tables, each with the string key `pk`.
//!
//! | table         | `pk`                      | attributes                                                      |
//! |---------------|---------------------------|-----------------------------------------------------------------|
//! | Users         | `USER#<user_id>`          | name, nickname, email, phone, password_hash, created_at, updated_at, credentials_changed_at, epoch (0 if there is none) |
//! | Users         | `EMAIL#<normalised>`      | user_id                                                         |
//! | Users         | `PHONE#<E.164>`           | user_id, and the email and name that a reset must know          |
//! | SmsSessions   | `SESSION#<SHA-256 of id>` | phone, purpose, code_hash, sent_at, attempts, is_verified, expires_at |
//! | SmsSessions   | `PHONE#<E.164>`           | sent_1, sent_2, …, failed_1, failed_2, …, expires_at            |
//! | TokenFamilies | `FAMILY#<id>`             | generation, moved_at, expires_at                                |
//!
//! The `EMAIL#` and `PHONE#` items of Users are the uniqueness. `sent_1` is when the phone's latest
//! code was sent, `sent_2` the one before, and so on: as many as the [`Budget`] asks for, so that
//! one conditional write decides it, exactly and with nothing read before.
//!
//! Every write but that of a new family is a transaction, since those carry a token: a call whose
//! answer was lost, and that the SDK makes again, counts once. Reads are consistent.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update,
};
use aws_types::SdkConfig;

use super::timeouts::Timeouts;
use super::{CallError, is_passing};
use crate::Table;
use crate::config::Config;
use crate::email::Email;
use crate::password::PasswordHash;
use crate::phone::Phone;
use crate::random;
use crate::sms_auth::{CodeHash, Purpose, SessionKey};
use crate::store::{
    Budget, GRACE_SECONDS, Login, Opened, Refreshed, Session, SignUp, Store, StoreError, Try, Verified,
};
use crate::token::Family;
use crate::user::{Account, Credentials, NewUser, Profile, UserId};

/// How often a transaction that met another one is tried: with waits of 0 to 25, 50, 100, 200 and
/// then 400 ms, 1.2 s in all on average and 2.4 s at most.
const TRIES: u32 = 10;

/// Users, sessions and logins in DynamoDB.
#[derive(Debug)]
pub struct DynamoDbStore {
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
    users: String,
    sms_sessions: String,
    token_families: String,
    longest_transaction: Duration,
}

type Item = HashMap<String, AttributeValue>;

impl DynamoDbStore {
    /// The store in these three tables.
    #[must_use]
    pub fn new(sdk: &SdkConfig, users: String, sms_sessions: String, token_families: String) -> Self {
        let longest_transaction = Timeouts::of(sdk).of_transaction();
        let sdk = sdk.clone();
        // Some functions use no table: they need not make it.
        let client: Box<dyn FnOnce() -> Client + Send> = Box::new(move || Client::new(&sdk));
        Self { client: LazyLock::new(client), users, sms_sessions, token_families, longest_transaction }
    }

    /// Reads an item that is not there, which opens the connection and costs half a unit. A function's
    /// role may read at least this item.
    pub(super) async fn warm(&self, table: Table) -> Result<(), CallError> {
        let table = match table {
            Table::Users => &self.users,
            Table::SmsSessions => &self.sms_sessions,
            Table::TokenFamilies => &self.token_families,
        };
        let got = self.client.get_item().table_name(table).key("pk", s("WARM".to_owned())).send().await;
        got.map(|_| ()).map_err(|error| CallError::new("dynamodb:GetItem", &error))
    }

    async fn get(&self, table: &str, pk: String) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(table).key("pk", s(pk)).consistent_read(true);
        let got = get.send().await.map_err(|error| failed(CallError::new("dynamodb:GetItem", &error)))?;
        Ok(got.item)
    }

    /// Writes all of `items`, or none: then it answers why, an entry for each of them.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<Result<(), Vec<CancellationReason>>, StoreError> {
        let tried = tokio::time::timeout(self.longest_transaction, self.try_to_transact(items)).await;
        tried.unwrap_or_else(|elapsed| Err(StoreError::Busy(elapsed.into())))
    }

    async fn try_to_transact(
        &self,
        items: Vec<TransactWriteItem>,
    ) -> Result<Result<(), Vec<CancellationReason>>, StoreError> {
        let mut tries = 0;
        loop {
            let write = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let Err(error) = write.send().await else { return Ok(Ok(())) };
            let call = CallError::new("dynamodb:TransactWriteItems", &error);
            let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error()
            else {
                return Err(failed(call));
            };
            let reasons = cancelled.cancellation_reasons();
            let has = |code: &str| reasons.iter().any(|reason| reason.code() == Some(code));
            tries += 1;
            if has("TransactionConflict") && tries < TRIES {
                let longest = 25 << (tries - 1).min(4);
                tokio::time::sleep(Duration::from_millis(random::below(longest).into())).await;
            } else if reasons
                .iter()
                .any(|reason| reason.code() == Some("TransactionConflict") || is_passing(reason.code()))
            {
                return Err(failed(CallError { is_passing: true, ..call }));
            } else if has("ConditionalCheckFailed") {
                return Ok(Err(reasons.to_vec()));
            } else {
                return Err(failed(call));
            }
        }
    }

    fn update_session(&self, key: &SessionKey) -> UpdateBuilder {
        Update::builder()
            .table_name(&self.sms_sessions)
            .key("pk", s(session_pk(key)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Counts on the phone, unless the budget is spent.
    fn count(&self, name: &str, phone: &Phone, budget: &Budget, now: i64) -> Result<TransactWriteItem, StoreError> {
        // Every right-hand side sees the item as it was, so this shifts the times by one.
        let mut shift = format!("SET expires_at = :expires_at, {name}_1 = :now");
        for nth in 2..=budget.longest() {
            let _ = write!(shift, ", {name}_{nth} = if_not_exists({name}_{}, :never)", nth - 1);
        }
        let mut update = Update::builder()
            .table_name(&self.sms_sessions)
            .key("pk", s(phone_pk(phone)))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expires_at", n(now + budget.seconds()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if budget.longest() > 1 {
            update = update.expression_attribute_values(":never", n(0));
        }
        let mut open = Vec::new();
        for (index, window) in budget.windows().iter().enumerate() {
            let nth = format!("{name}_{}", window.times);
            open.push(format!("(attribute_not_exists({nth}) OR {nth} <= :out_of_window_{index})"));
            update = update.expression_attribute_values(format!(":out_of_window_{index}"), n(now - window.seconds));
        }
        item(update.update_expression(shift).condition_expression(open.join(" AND ")).build())
    }

    /// Takes back the latest that was counted. The one that had been shifted out is lost, and was
    /// out of every window, or else it could not have been counted.
    fn take_back(&self, name: &str, phone: &Phone, budget: &Budget) -> Result<TransactWriteItem, StoreError> {
        let longest = budget.longest();
        let mut shift = format!("SET {name}_{longest} = :never");
        for nth in 1..longest {
            let _ = write!(shift, ", {name}_{nth} = if_not_exists({name}_{}, :never)", nth + 1);
        }
        let update = Update::builder().table_name(&self.sms_sessions).key("pk", s(phone_pk(phone)));
        item(update.expression_attribute_values(":never", n(0)).update_expression(shift).build())
    }

    /// Consumes the session, if it is verified for this.
    fn consume(
        &self,
        key: &SessionKey,
        phone: &Phone,
        purpose: Purpose,
        now: i64,
    ) -> Result<TransactWriteItem, StoreError> {
        item(
            Delete::builder()
                .table_name(&self.sms_sessions)
                .key("pk", s(session_pk(key)))
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

    /// Puts an item of Users, if there is none of its key.
    fn create<const N: usize>(
        &self,
        pk: String,
        attributes: [(&str, AttributeValue); N],
    ) -> Result<TransactWriteItem, StoreError> {
        let mut put =
            Put::builder().table_name(&self.users).condition_expression("attribute_not_exists(pk)").item("pk", s(pk));
        for (name, value) in attributes {
            put = put.item(name, value);
        }
        item(put.build())
    }
}

#[async_trait]
impl Store for DynamoDbStore {
    async fn email_taken(&self, email: &Email) -> Result<bool, StoreError> {
        Ok(self.get(&self.users, email_pk(email)).await?.is_some())
    }

    async fn phone_taken(&self, phone: &Phone) -> Result<bool, StoreError> {
        Ok(self.get(&self.users, phone_pk(phone)).await?.is_some())
    }

    async fn open_session(&self, session: &Session, config: &Config, now: i64) -> Result<Opened, StoreError> {
        let put = Put::builder()
            .table_name(&self.sms_sessions)
            .item("pk", s(session_pk(&session.key)))
            .item("phone", s(session.phone.e164()))
            .item("code_hash", s(session.code_hash.as_str()))
            .item("sent_at", n(session.sent_at))
            .item("attempts", n(0))
            .item("is_verified", AttributeValue::Bool(false))
            .item("expires_at", n(session.expires_at(config)));
        let put = match session.purpose {
            Some(purpose) => put.item("purpose", s(purpose.as_str())),
            None => put,
        };
        let budget = config.sends();
        let count = self.count("sent", &session.phone, &budget, now)?;
        Ok(match self.transact(vec![count, item(put.build())?]).await? {
            Ok(()) => Opened::Yes,
            Err(reasons) => Opened::TooSoon { retry_after: wait("sent", &reasons, &budget, now) },
        })
    }

    async fn cancel_session(&self, session: &Session, config: &Config) -> Result<(), StoreError> {
        let delete = Delete::builder()
            .table_name(&self.sms_sessions)
            .key("pk", s(session_pk(&session.key)))
            .condition_expression("attribute_exists(pk)");
        let take_back = self.take_back("sent", &session.phone, &config.sends())?;
        // If there is no such session, nothing was counted for it.
        self.transact(vec![item(delete.build())?, take_back]).await.map(|_| ())
    }

    async fn count_try(&self, key: &SessionKey, phone: &Phone, config: &Config, now: i64) -> Result<Try, StoreError> {
        let count_on_session = |condition: &str| {
            self.update_session(key)
                .update_expression("SET attempts = attempts + :one")
                .condition_expression(format!(
                    "expires_at > :now AND sent_at > :too_old AND attempts < :most AND {condition}"
                ))
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":now", n(now))
                .expression_attribute_values(":too_old", n(now - config.code_seconds))
                .expression_attribute_values(":most", n(config.tries_per_session.into()))
                .expression_attribute_values(":phone", s(phone.e164()))
        };
        let budget = config.failed_tries();
        let count = vec![item(count_on_session("phone = :phone").build())?, self.count("failed", phone, &budget, now)?];
        // A transaction answers no values. Those that the code is compared with never change, so
        // they may be read at the same time; they are used only if the try was counted.
        let (counted, session) = tokio::join!(self.transact(count), self.get(&self.sms_sessions, session_pk(key)));
        let reasons = match counted? {
            Ok(()) => {
                let Some(session) = session? else { return Ok(Try::NotFound) };
                return Ok(Try::Counted {
                    purpose: purpose(&session),
                    code_hash: CodeHash::stored(text(&session, "code_hash")?),
                });
            }
            Err(reasons) => reasons,
        };

        let Some(session) = reasons.first().filter(|reason| is_condition(reason)) else {
            return Ok(Try::Spent { retry_after: wait("failed", &reasons, &budget, now) });
        };
        let Some(session) = session.item().filter(|session| number(session, "expires_at") > now) else {
            return Ok(Try::NotFound);
        };
        if number(session, "sent_at") <= now - config.code_seconds {
            return Ok(Try::TooOld);
        }
        if number(session, "attempts") >= config.tries_per_session.into() {
            return Ok(Try::Spent { retry_after: number(session, "expires_at") - now });
        }
        let count = item(count_on_session("phone <> :phone").build())?;
        Ok(match self.transact(vec![count]).await? {
            Ok(()) => Try::WrongPhone,
            // Others at the same time have spent the last tries.
            Err(_) => Try::Spent { retry_after: number(session, "expires_at") - now },
        })
    }

    async fn mark_verified(
        &self,
        key: &SessionKey,
        phone: &Phone,
        config: &Config,
        now: i64,
    ) -> Result<bool, StoreError> {
        let mark = self
            .update_session(key)
            .update_expression("SET is_verified = :true, expires_at = :until")
            .condition_expression("expires_at > :now")
            .expression_attribute_values(":true", AttributeValue::Bool(true))
            .expression_attribute_values(":until", n(now + config.verified_seconds))
            .expression_attribute_values(":now", n(now));
        let take_back = self.take_back("failed", phone, &config.failed_tries())?;
        Ok(self.transact(vec![item(mark.build())?, take_back]).await?.is_ok())
    }

    async fn verified_session(&self, key: &SessionKey, now: i64) -> Result<Option<Verified>, StoreError> {
        let session = self.get(&self.sms_sessions, session_pk(key)).await?;
        let verified = session.filter(|session| {
            number(session, "expires_at") > now && session.get("is_verified") == Some(&AttributeValue::Bool(true))
        });
        let Some(session) = verified else { return Ok(None) };
        let phone = Phone::stored(&text(&session, "phone")?).ok_or_else(|| unexpected("a session has no phone"))?;
        Ok(Some(Verified { phone, purpose: purpose(&session) }))
    }

    async fn sign_up(&self, user: &NewUser, family: &Family, key: &SessionKey, now: i64) -> Result<SignUp, StoreError> {
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
            item(Put::builder().table_name(&self.token_families).set_item(Some(family_item(family))).build())?,
        ];
        let Err(reasons) = self.transact(items).await? else { return Ok(SignUp::Done) };
        let failed: Vec<bool> = reasons.iter().map(is_condition).collect();
        match failed.as_slice() {
            [true, ..] => Ok(SignUp::NotVerified),
            &[_, email, phone, ..] if email || phone => Ok(SignUp::Taken { email, phone }),
            _ => Err(unexpected("a new user's id is taken")),
        }
    }

    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, StoreError> {
        let pk = match login {
            Login::Email(email) => email_pk(email),
            Login::Phone(phone) => phone_pk(phone),
        };
        let link = self.get(&self.users, pk).await?;
        let id = link.as_ref().map(user_id).transpose()?;
        // For nobody, the user that can't be: the same two round trips.
        let user = self.get(&self.users, id.map_or_else(|| "USER#".to_owned(), user_pk)).await?;
        let (Some(user_id), Some(user)) = (id, user) else { return Ok(None) };
        let password_hash = PasswordHash::stored(text(&user, "password_hash")?);
        Ok(Some(Credentials { user_id, password_hash, epoch: count_of(&user, "epoch") }))
    }

    async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError> {
        let Some(user) = self.get(&self.users, user_pk(id)).await? else { return Ok(None) };
        Ok(Some(Profile {
            name: text(&user, "name")?,
            email: text(&user, "email")?,
            phone: text(&user, "phone")?,
            nickname: text(&user, "nickname")?,
            epoch: count_of(&user, "epoch"),
        }))
    }

    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError> {
        let Some(link) = self.get(&self.users, phone_pk(phone)).await? else { return Ok(None) };
        Ok(Some(Account { user_id: user_id(&link)?, email: text(&link, "email")?, name: text(&link, "name")? }))
    }

    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SessionKey,
        now: i64,
    ) -> Result<bool, StoreError> {
        let replace = Update::builder()
            .table_name(&self.users)
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
        Ok(self.transact(vec![consume, item(replace.build())?]).await?.is_ok())
    }

    async fn start_family(&self, family: &Family) -> Result<(), StoreError> {
        let put = self.client.put_item().table_name(&self.token_families).set_item(Some(family_item(family)));
        put.send().await.map(|_| ()).map_err(|error| failed(CallError::new("dynamodb:PutItem", &error)))
    }

    async fn refresh(&self, next: &Family, now: i64) -> Result<Refreshed, StoreError> {
        let (condition, epoch) = epoch_is(next.epoch);
        let is_of_epoch = ConditionCheck::builder()
            .table_name(&self.users)
            .key("pk", s(user_pk(next.user)))
            .condition_expression(condition)
            .set_expression_attribute_values(epoch);
        let move_on = Update::builder()
            .table_name(&self.token_families)
            .key("pk", s(family_pk(next)))
            .update_expression("SET generation = :next, moved_at = :now, expires_at = :expires_at")
            .condition_expression("expires_at > :now AND generation = :used")
            .expression_attribute_values(":next", n(next.generation.into()))
            .expression_attribute_values(":used", n(i64::from(next.generation) - 1))
            .expression_attribute_values(":now", n(now))
            .expression_attribute_values(":expires_at", n(next.expires_at))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let move_on = vec![item(move_on.build())?, item(is_of_epoch.build())?];
        let Err(reasons) = self.transact(move_on).await? else { return Ok(Refreshed::Yes) };
        let [family, user] = reasons.as_slice() else { return Err(unexpected("a transaction lacks reasons")) };
        let family = family.item().filter(|family| !is_condition(user) && number(family, "expires_at") > now);
        let Some(family) = family else { return Ok(Refreshed::Ended) };
        let is_latest = number(family, "generation") == i64::from(next.generation);
        if is_latest && now <= number(family, "moved_at") + GRACE_SECONDS {
            return Ok(Refreshed::Yes);
        }
        self.end_family(next).await?;
        Ok(Refreshed::Reused)
    }

    async fn end_family(&self, family: &Family) -> Result<(), StoreError> {
        let end = Delete::builder().table_name(&self.token_families).key("pk", s(family_pk(family)));
        self.transact(vec![item(end.build())?]).await.map(|_| ())
    }

    async fn end_all_families(&self, family: &Family) -> Result<(), StoreError> {
        let (condition, epoch) = epoch_is(family.epoch);
        let end = Update::builder()
            .table_name(&self.users)
            .key("pk", s(user_pk(family.user)))
            .update_expression("SET epoch = :next")
            .condition_expression(condition)
            .set_expression_attribute_values(epoch)
            .expression_attribute_values(":next", n(i64::from(family.epoch) + 1));
        // If it is not of the epoch, they are ended already.
        self.transact(vec![item(end.build())?]).await.map(|_| ())
    }
}

fn family_pk(family: &Family) -> String {
    format!("FAMILY#{}", family.id)
}

fn family_item(family: &Family) -> Item {
    Item::from([
        ("pk".to_owned(), s(family_pk(family))),
        ("generation".to_owned(), n(family.generation.into())),
        ("moved_at".to_owned(), n(family.started_at)),
        ("expires_at".to_owned(), n(family.expires_at)),
    ])
}

/// The condition that a user exists and is of this epoch. A user who never had one ended has none.
fn epoch_is(epoch: u32) -> (&'static str, Option<Item>) {
    match epoch {
        0 => ("attribute_exists(pk) AND attribute_not_exists(epoch)", None),
        _ => ("epoch = :epoch", Some(Item::from([(":epoch".to_owned(), n(epoch.into()))]))),
    }
}

fn session_pk(key: &SessionKey) -> String {
    format!("SESSION#{}", key.as_str())
}

fn user_pk(id: UserId) -> String {
    format!("USER#{id}")
}

fn email_pk(email: &Email) -> String {
    format!("EMAIL#{}", email.key())
}

fn phone_pk(phone: &Phone) -> String {
    format!("PHONE#{}", phone.e164())
}

fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

fn n(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn text(item: &Item, name: &str) -> Result<String, StoreError> {
    match item.get(name) {
        Some(AttributeValue::S(text)) => Ok(text.clone()),
        _ => Err(unexpected("an item lacks an attribute")),
    }
}

/// A number, or 0 if there is none.
fn number(item: &Item, name: &str) -> i64 {
    item.get(name).and_then(|value| value.as_n().ok()?.parse().ok()).unwrap_or_default()
}

fn count_of(item: &Item, name: &str) -> u32 {
    u32::try_from(number(item, name)).unwrap_or_default()
}

fn purpose(session: &Item) -> Option<Purpose> {
    session.get("purpose").and_then(|value| Purpose::stored(value.as_s().ok()?))
}

fn user_id(item: &Item) -> Result<UserId, StoreError> {
    UserId::read(&text(item, "user_id")?).ok_or_else(|| unexpected("an item has no user id"))
}

fn is_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

/// How long the phone must wait, by its item as the failed condition found it.
fn wait(name: &str, reasons: &[CancellationReason], budget: &Budget, now: i64) -> i64 {
    let Some(phone) = reasons.iter().filter(|reason| is_condition(reason)).find_map(CancellationReason::item) else {
        return budget.seconds();
    };
    let latest_first: Vec<i64> = (1..=budget.longest()).map(|nth| number(phone, &format!("{name}_{nth}"))).collect();
    budget.wait(&latest_first, now)
}

/// One step of a transaction.
fn item(step: Result<impl Step, BuildError>) -> Result<TransactWriteItem, StoreError> {
    step.map(Step::into_item).map_err(|error| StoreError::Failed(error.into()))
}

trait Step {
    fn into_item(self) -> TransactWriteItem;
}

impl Step for Put {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().put(self).build()
    }
}

impl Step for Update {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().update(self).build()
    }
}

impl Step for ConditionCheck {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().condition_check(self).build()
    }
}

impl Step for Delete {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().delete(self).build()
    }
}

fn failed(error: CallError) -> StoreError {
    if error.is_passing { StoreError::Busy(error.into()) } else { StoreError::Failed(error.into()) }
}

fn unexpected(what: &'static str) -> StoreError {
    StoreError::Failed(what.into())
}
