//! The steps of an operator, in the tables `Users`, `Sessions` and `Limits`.

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnValue, ReturnValuesOnConditionCheckFailure};

use super::item::{
    Item, claims, email, email_pk, flag, invalid, item, m, n, number, phone, phone_pk, s, text, token_version, user_id,
    user_pk, write,
};
use super::{ConditionalWrite, DynamoDbStore, MAX_ATTEMPTS, Transaction, limits, unexplained};
use crate::access::{SMS_OF_DAY, USER};
use crate::aws::error::called;
use crate::limits::day;
use crate::store::{
    Accounts as _, Administration, Counts, ImportOutcome, Page, PageKey, SmsOfDay, StoreError, Subject, User, UserKey,
};
use crate::values::{Claims, Name, Nickname, PasswordHash, UserId};

/// The items that a page reads: a third of them are users. They take about 50 units of read capacity.
const PAGE: i32 = 1000;

#[async_trait]
impl Administration for DynamoDbStore {
    async fn user(&self, key: &UserKey) -> Result<Option<User>, StoreError> {
        let id = match key {
            UserKey::Id(id) => Some(*id),
            UserKey::Email(email) => self.linked_user(email_pk(email)).await?,
            UserKey::Phone(phone) => self.linked_user(phone_pk(phone)).await?,
        };
        let Some(id) = id else { return Ok(None) };
        let user = self.get(&self.tables.users, user_pk(id)).await?.map(|item| user(&item)).transpose()?;
        // The email or the phone number may have moved between the two reads.
        Ok(user.filter(|user| match key {
            UserKey::Id(_) => true,
            UserKey::Email(email) => user.email == *email,
            UserKey::Phone(phone) => user.phone == *phone,
        }))
    }

    async fn users(&self, after: Option<&PageKey>) -> Result<Page, StoreError> {
        let scan = self
            .client
            .scan()
            .table_name(&self.tables.users)
            .consistent_read(true)
            .limit(PAGE)
            .filter_expression("begins_with(pk, :user)")
            .expression_attribute_values(":user", s(USER))
            .set_exclusive_start_key(after.map(|key| item([("pk", s(key.0.as_str()))])));
        let page = called("dynamodb:Scan", scan.send().await)?;
        let users = page.items.unwrap_or_default().iter().map(user).collect::<Result<_, _>>()?;
        let next = page.last_evaluated_key.map(|key| text(&key, "pk")).transpose()?.map(PageKey);
        Ok(Page { users, next })
    }

    async fn import_user(&self, user: &User) -> Result<ImportOutcome, StoreError> {
        let id = user.id.to_string();
        let link = |pk: String| item([("pk", s(pk)), ("user_id", s(id.as_str()))]);
        let items = [stored(user), link(email_pk(&user.email)), link(phone_pk(&user.phone))];
        let puts = items.into_iter().map(|item| {
            let put = Put::builder().table_name(&self.tables.users).set_item(Some(item));
            let put = put.condition_expression("attribute_not_exists(pk)");
            write(put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld).build())
        });
        let reasons = match self.transact(puts.collect::<Result<_, _>>()?).await? {
            Transaction::Committed => return Ok(ImportOutcome::Created),
            Transaction::Cancelled(reasons) => reasons,
        };
        let existing: Vec<_> = reasons.iter().map(|reason| reason.item()).collect();
        let is_own = |link: Option<&Item>| Ok::<_, StoreError>(link.map(user_id).transpose()? == Some(user.id));
        match *existing.as_slice() {
            [Some(_), email, phone] if is_own(email)? && is_own(phone)? => Ok(ImportOutcome::AlreadyImported),
            [id, email, phone] if id.or(email).or(phone).is_some() => Ok(ImportOutcome::Taken {
                id: id.is_some(),
                email: email.is_some() && !is_own(email)?,
                phone: phone.is_some() && !is_own(phone)?,
            }),
            _ => Err(StoreError::Failed("a cancelled transaction lacks items".into())),
        }
    }

    async fn set_claims(&self, id: UserId, before: &Claims, claims: &Claims, now: i64) -> Result<bool, StoreError> {
        let update = self
            .update_user(id, now)
            .condition_expression("claims = :before")
            .expression_attribute_values(":before", m(before))
            .update_expression("SET claims = :claims, updated_at = :now")
            .expression_attribute_values(":claims", m(claims));
        Ok(self.update(update).await?.is_applied())
    }

    async fn end_sessions(&self, id: UserId, now: i64) -> Result<bool, StoreError> {
        let update = self
            .update_user(id, now)
            .update_expression("SET token_version = token_version + :one, updated_at = :now")
            .expression_attribute_values(":one", n(1))
            .return_values(ReturnValue::UpdatedNew);
        let ConditionalWrite::Applied(updated) = self.update(update).await? else { return Ok(false) };
        // A session that started meanwhile has the new token version.
        let revoked = self
            .sessions_of(id, &["pk", "sk"])
            .filter_expression("token_version < :token_version")
            .expression_attribute_values(":token_version", n(token_version(&updated)?));
        if let Err(error) = self.delete_found(revoked).await {
            tracing::warn!(cause = %error, "revoked sessions remain until they expire");
        }
        Ok(true)
    }

    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError> {
        for _ in 0..MAX_ATTEMPTS {
            let Some(user) = self.get_user(user_pk(id), &["email", "phone"]).await? else { return Ok(false) };
            // The email or the phone number may move before the transaction.
            let delete = Delete::builder()
                .table_name(&self.tables.users)
                .key("pk", s(user_pk(id)))
                .condition_expression("email = :email AND phone = :phone")
                .expression_attribute_values(":email", s(text(&user, "email")?))
                .expression_attribute_values(":phone", s(text(&user, "phone")?));
            let items = vec![
                write(delete.build())?,
                self.delete_link(id, email_pk(&email(&user)?))?,
                self.delete_link(id, phone_pk(&phone(&user)?))?,
                self.clear(&Subject::passwords_of_account(id))?,
                self.clear(&Subject::sms_to_account(id))?,
            ];
            if self.transact(items).await?.is_committed() {
                if let Err(error) = self.delete_sessions(id).await {
                    tracing::warn!(cause = %error, "sessions of a deleted user remain until they expire");
                }
                return Ok(true);
            }
        }
        Err(unexplained())
    }

    async fn set_sms_paused(&self, is_paused: bool) -> Result<(), StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.tables.limits)
            .key("pk", s(SMS_OF_DAY))
            .update_expression("SET is_paused = :is_paused")
            .expression_attribute_values(":is_paused", AttributeValue::Bool(is_paused));
        self.update(update).await.map(|_| ())
    }

    async fn sms_of_day(&self, now: i64) -> Result<SmsOfDay, StoreError> {
        let total = limits::total(&self.get(&self.tables.limits, SMS_OF_DAY.to_owned()).await?.unwrap_or_default())?;
        // A clock that is late counts on the later day.
        Ok(SmsOfDay { count: if total.day < day(now) { 0 } else { total.count }, is_paused: total.is_paused })
    }

    async fn counts(&self, subject: &Subject, now: i64) -> Result<Counts, StoreError> {
        let item = self.get(&self.tables.limits, subject.as_str().to_owned()).await?.unwrap_or_default();
        if item.contains_key("expires_at") && number(&item, "expires_at")? <= now {
            return Ok(Counts::default());
        }
        let is_bucket = |name: &str| !matches!(name, "pk" | "expires_at" | "in_a_row");
        let mut counts = Counts::default();
        for (name, value) in item.iter().filter(|(name, _)| is_bucket(name)) {
            let idle_at = value.as_n().ok().and_then(|number| number.parse().ok());
            counts.idle_at.push((name.clone(), idle_at.ok_or_else(|| invalid("idle_at"))?));
        }
        counts.idle_at.sort();
        if item.contains_key("in_a_row") {
            counts.in_a_row = u32::try_from(number(&item, "in_a_row")?).map_err(|_| invalid("in_a_row"))?;
        }
        Ok(counts)
    }
}

impl DynamoDbStore {
    /// Returns the user of an email's or a phone number's item.
    async fn linked_user(&self, pk: String) -> Result<Option<UserId>, StoreError> {
        self.get(&self.tables.users, pk).await?.as_ref().map(user_id).transpose()
    }

    /// Returns an update of a user that exists.
    fn update_user(&self, id: UserId, now: i64) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.users)
            .key("pk", s(user_pk(id)))
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", n(now))
    }
}

/// Returns the item of a user, with the attributes that a sign-up stores.
fn stored(user: &User) -> Item {
    item([
        ("pk", s(user_pk(user.id))),
        ("name", s(user.name.as_str())),
        ("nickname", s(user.nickname.as_str())),
        ("email", s(user.email.as_str())),
        ("phone", s(user.phone.e164())),
        ("password_hash", s(user.password_hash.as_str())),
        ("created_at", n(user.created_at)),
        ("updated_at", n(user.updated_at)),
        ("password_reset_at", n(user.password_reset_at)),
        ("token_version", n(user.token_version)),
        ("is_disabled", AttributeValue::Bool(user.is_disabled)),
        ("claims", m(&user.claims)),
    ])
}

fn user(item: &Item) -> Result<User, StoreError> {
    let id = text(item, "pk")?;
    Ok(User {
        id: id.strip_prefix(USER).and_then(UserId::from_stored).ok_or_else(|| invalid("pk"))?,
        email: email(item)?,
        phone: phone(item)?,
        name: Name::from_stored(text(item, "name")?),
        nickname: Nickname::from_stored(text(item, "nickname")?),
        password_hash: PasswordHash::from_stored(text(item, "password_hash")?),
        created_at: number(item, "created_at")?,
        updated_at: number(item, "updated_at")?,
        password_reset_at: number(item, "password_reset_at")?,
        token_version: token_version(item)?,
        is_disabled: flag(item, "is_disabled")?,
        claims: claims(item)?,
    })
}
