//! Items and their attributes. A missing or unknown attribute is an error.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, ConditionCheck, Delete, Put, TransactWriteItem, Update,
};

use uuid::Uuid;

use crate::access::{EMAIL, PHONE, SMS_SESSION, USER};
use crate::store::StoreError;
use crate::values::{Claim, Claims, Email, Phone, Purpose, SmsSessionKey, UserId};

/// The beginning of the sort key of a session.
const SESSION: &str = "SESSION#";

pub(super) type Item = HashMap<String, AttributeValue>;

// ---- Keys ----

pub(super) fn user_pk(id: UserId) -> String {
    format!("{USER}{id}")
}

pub(super) fn email_pk(email: &Email) -> String {
    format!("{EMAIL}{}", email.normalized())
}

pub(super) fn phone_pk(phone: &Phone) -> String {
    format!("{PHONE}{}", phone.e164())
}

pub(super) fn session_key(user_id: UserId, session_id: Uuid) -> Item {
    item([("pk", s(user_pk(user_id))), ("sk", s(format!("{SESSION}{session_id}")))])
}

pub(super) fn sms_session_pk(key: &SmsSessionKey) -> String {
    format!("{SMS_SESSION}{}", key.as_str())
}

// ---- Attributes to write ----

pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn n(number: impl Into<i64>) -> AttributeValue {
    AttributeValue::N(number.into().to_string())
}

pub(super) fn m(claims: &Claims) -> AttributeValue {
    let claims = claims.iter().map(|(name, value)| {
        let value = match value {
            Claim::Text(text) => s(text),
            Claim::Integer(number) => n(*number),
            Claim::Flag(flag) => AttributeValue::Bool(*flag),
        };
        (name.to_owned(), value)
    });
    AttributeValue::M(claims.collect())
}

/// Returns an item or a key with these attributes.
pub(super) fn item<const N: usize>(attributes: [(&str, AttributeValue); N]) -> Item {
    attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

// ---- Attributes that were read ----

pub(super) fn text(item: &Item, name: &'static str) -> Result<String, StoreError> {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    text.cloned().ok_or_else(|| invalid(name))
}

pub(super) fn number(item: &Item, name: &'static str) -> Result<i64, StoreError> {
    let number = item.get(name).and_then(|value| value.as_n().ok()?.parse().ok());
    number.ok_or_else(|| invalid(name))
}

pub(super) fn flag(item: &Item, name: &'static str) -> Result<bool, StoreError> {
    let flag = item.get(name).and_then(|value| value.as_bool().ok());
    flag.copied().ok_or_else(|| invalid(name))
}

pub(super) fn user_id(item: &Item) -> Result<UserId, StoreError> {
    UserId::from_stored(&text(item, "user_id")?).ok_or_else(|| invalid("user_id"))
}

pub(super) fn phone(item: &Item) -> Result<Phone, StoreError> {
    Phone::from_stored(&text(item, "phone")?).ok_or_else(|| invalid("phone"))
}

pub(super) fn email(item: &Item) -> Result<Email, StoreError> {
    Email::from_stored(&text(item, "email")?).ok_or_else(|| invalid("email"))
}

pub(super) fn purpose(item: &Item) -> Result<Purpose, StoreError> {
    Purpose::from_stored(&text(item, "purpose")?).ok_or_else(|| invalid("purpose"))
}

pub(super) fn session_id(item: &Item) -> Result<Uuid, StoreError> {
    let sk = text(item, "sk")?;
    sk.strip_prefix(SESSION).and_then(|id| Uuid::parse_str(id).ok()).ok_or_else(|| invalid("sk"))
}

pub(super) fn token_version(item: &Item) -> Result<u32, StoreError> {
    u32::try_from(number(item, "token_version")?).map_err(|_| invalid("token_version"))
}

pub(super) fn claims(item: &Item) -> Result<Claims, StoreError> {
    let claim = |value: &AttributeValue| match value {
        AttributeValue::S(text) => Some(Claim::Text(text.clone())),
        AttributeValue::N(number) => number.parse().ok().map(Claim::Integer),
        AttributeValue::Bool(flag) => Some(Claim::Flag(*flag)),
        _ => None,
    };
    let stored = item.get("claims").and_then(|value| value.as_m().ok()).ok_or_else(|| invalid("claims"))?;
    let claims = stored.iter().map(|(name, value)| Some((name.clone(), claim(value)?))).collect::<Option<_>>();
    claims.and_then(Claims::from_stored).ok_or_else(|| invalid("claims"))
}

/// The attribute of an item that is missing or invalid.
pub(super) fn invalid(attribute: &'static str) -> StoreError {
    StoreError::Failed(format!("an item's {attribute} is missing or invalid").into())
}

// ---- Transactions ----

/// Returns one write of a transaction.
pub(super) fn write(step: Result<impl Write, BuildError>) -> Result<TransactWriteItem, StoreError> {
    step.map(Write::into_item).map_err(|error| StoreError::Failed(error.into()))
}

pub(super) fn is_failed_condition(reason: &CancellationReason) -> bool {
    reason.code() == Some("ConditionalCheckFailed")
}

pub(super) trait Write {
    fn into_item(self) -> TransactWriteItem;
}

impl Write for Put {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().put(self).build()
    }
}

impl Write for Update {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().update(self).build()
    }
}

impl Write for ConditionCheck {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().condition_check(self).build()
    }
}

impl Write for Delete {
    fn into_item(self) -> TransactWriteItem {
        TransactWriteItem::builder().delete(self).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is_invalid<T: std::fmt::Debug>(read: Result<T, StoreError>, attribute: &str) {
        let error = read.unwrap_err().to_string();
        assert_eq!(error, format!("the store failed: an item's {attribute} is missing or invalid"));
    }

    #[test]
    fn missing_and_unknown_attributes_are_errors() {
        let empty = Item::new();
        is_invalid(text(&empty, "name"), "name");
        is_invalid(text(&item([("name", n(1))]), "name"), "name");
        is_invalid(number(&empty, "attempts"), "attempts");
        is_invalid(number(&item([("attempts", AttributeValue::N("many".to_owned()))]), "attempts"), "attempts");
        is_invalid(flag(&empty, "is_verified"), "is_verified");
        is_invalid(flag(&item([("is_verified", s("true"))]), "is_verified"), "is_verified");
        is_invalid(user_id(&item([("user_id", s("minji"))])), "user_id");
        is_invalid(phone(&item([("phone", s("minji"))])), "phone");
        is_invalid(email(&item([("email", s("minji"))])), "email");
        is_invalid(purpose(&empty), "purpose");
        is_invalid(purpose(&item([("purpose", s("anything"))])), "purpose");
        is_invalid(purpose(&item([("purpose", n(1))])), "purpose");
        is_invalid(session_id(&item([("sk", s("SESSION#1"))])), "sk");
        for stored in [s("{}"), AttributeValue::L(Vec::new())] {
            is_invalid(claims(&item([("claims", stored)])), "claims");
        }
        for (name, value) in
            [("role", AttributeValue::Null(true)), ("level", AttributeValue::N("1.5".to_owned())), ("sub", s(""))]
        {
            is_invalid(claims(&item([("claims", AttributeValue::M(item([(name, value)])))])), "claims");
        }
        is_invalid(token_version(&empty), "token_version");
        is_invalid(token_version(&item([("token_version", n(-1))])), "token_version");
    }
}
