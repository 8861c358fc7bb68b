//! Rate limits in the table `Limits`:
//!
//! | `pk`        | attributes                                          |
//! |-------------|-----------------------------------------------------|
//! | `<subject>` | the number of each bucket, in_a_row, expires_at      |
//! | `SMS#DAY`   | day, count, is_paused                               |
//!
//! The number of a bucket is the time at which it is idle. `in_a_row` and `expires_at` are absent where the limit
//! has none. The item of the day never expires; `is_paused` is absent until the operator sets it.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, ReturnValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem,
};

use super::item::{Item, flag, n, number, s, write};
use super::{ConditionalWrite, DynamoDbStore, MAX_ATTEMPTS};
use crate::access::SMS_OF_DAY;
use crate::limits::{BucketState, DayState, DayTotal, day};
use crate::store::{CountOutcome, DayOutcome, Limit, Limits, StoreError, Subject};

#[async_trait]
impl Limits for DynamoDbStore {
    async fn count(&self, limit: &Limit, now: i64) -> Result<CountOutcome, StoreError> {
        // The first write assumes that nothing was counted. If it is rejected, it returns the item, from which
        // the next write follows. Each write that is rejected means that another call was counted.
        let mut item = None;
        for _ in 0..MAX_ATTEMPTS {
            let numbers = Numbers::read(limit, item.as_ref(), now)?;
            if let Some(rejected) = numbers.rejected() {
                return Ok(rejected);
            }
            match self.update(numbers.write(self.update_limit(limit), limit, now)).await? {
                ConditionalWrite::Applied(_) => return Ok(CountOutcome::Counted),
                ConditionalWrite::Rejected(found) => item = found,
            }
        }
        Err(StoreError::Busy("dynamodb:UpdateItem: a limit changes too fast".into()))
    }

    async fn refund(&self, limit: &Limit, now: i64) -> Result<(), StoreError> {
        let mut refund = Expressions::default();
        for (nth, (name, bucket)) in limit.buckets.iter().enumerate() {
            refund.set.push(format!("{name} = {name} - :every{nth}"));
            refund.conditions.push(format!("attribute_exists({name})"));
            refund.value(format!(":every{nth}"), bucket.every);
        }
        if limit.in_a_row.is_some() {
            refund.set.push("in_a_row = in_a_row - :one".to_owned());
            refund.conditions.push("in_a_row > :zero".to_owned());
            refund.value(":one", 1);
            refund.value(":zero", 0);
        }
        refund.conditions.push("(attribute_not_exists(expires_at) OR expires_at > :now)".to_owned());
        refund.value(":now", now);
        self.update(refund.build(self.update_limit(limit))).await.map(|_| ())
    }

    async fn count_sms_of_day(&self, max: u32, now: i64) -> Result<DayOutcome, StoreError> {
        let today = day(now);
        let not_paused = "(attribute_not_exists(is_paused) OR is_paused = :false)";
        // The first write assumes that the day has begun. If it is rejected, it returns the item, from which the
        // next write follows.
        let mut state = DayState::Today;
        for _ in 0..MAX_ATTEMPTS {
            let update = match state {
                DayState::Paused => return Ok(DayOutcome::Paused),
                DayState::Exhausted => return Ok(DayOutcome::Exhausted),
                DayState::Today => self
                    .update_day()
                    .update_expression("SET #count = #count + :one")
                    .condition_expression(format!("#day >= :today AND #count < :max AND {not_paused}"))
                    .expression_attribute_values(":max", n(max)),
                DayState::NewDay => self
                    .update_day()
                    .update_expression("SET #day = :today, #count = :one")
                    .condition_expression(format!("(attribute_not_exists(#day) OR #day < :today) AND {not_paused}")),
            };
            let update = update
                .expression_attribute_values(":one", n(1))
                .expression_attribute_values(":today", n(today))
                .expression_attribute_values(":false", AttributeValue::Bool(false))
                .return_values(ReturnValue::UpdatedNew);
            match self.update(update).await? {
                ConditionalWrite::Applied(counted) => {
                    let count = u32::try_from(number(&counted, "count")?).unwrap_or(u32::MAX);
                    return Ok(DayOutcome::Counted { count });
                }
                ConditionalWrite::Rejected(item) => state = total(&item.unwrap_or_default())?.state(max, now),
            }
        }
        Err(StoreError::Busy("dynamodb:UpdateItem: the item of the day changes too fast".into()))
    }

    async fn refund_sms_of_day(&self, now: i64) -> Result<(), StoreError> {
        let refund = self
            .update_day()
            .update_expression("SET #count = #count - :one")
            .condition_expression("#day = :today AND #count > :zero")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":zero", n(0))
            .expression_attribute_values(":today", n(day(now)));
        self.update(refund).await.map(|_| ())
    }
}

impl DynamoDbStore {
    /// Returns the write that deletes the counts of a subject.
    pub(super) fn clear(&self, subject: &Subject) -> Result<TransactWriteItem, StoreError> {
        write(Delete::builder().table_name(&self.tables.limits).key("pk", s(subject.as_str())).build())
    }

    fn update_limit(&self, limit: &Limit) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.limits)
            .key("pk", s(limit.subject.as_str()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    /// Returns an update of the item that counts the SMS of the day. `count` and `day` are reserved words.
    fn update_day(&self) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.tables.limits)
            .key("pk", s(SMS_OF_DAY))
            .expression_attribute_names("#count", "count")
            .expression_attribute_names("#day", "day")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }
}

/// Reads the total of a day. The operator may have paused SMS before the first one.
pub(super) fn total(item: &Item) -> Result<DayTotal, StoreError> {
    let is_paused = item.contains_key("is_paused") && flag(item, "is_paused")?;
    if !item.contains_key("day") {
        return Ok(DayTotal { is_paused, ..DayTotal::NONE });
    }
    let count = u32::try_from(number(item, "count")?).unwrap_or(u32::MAX);
    Ok(DayTotal { day: number(item, "day")?, count, is_paused })
}

/// The numbers of a subject, as a write expects them.
struct Numbers {
    states: Vec<BucketState>,
    in_a_row: InARow,
}

/// The count of events in a row.
enum InARow {
    /// Below the maximum, or absent.
    Open,
    /// Expired, and not deleted yet: it starts again.
    Expired,
    Exhausted,
}

impl Numbers {
    fn read(limit: &Limit, item: Option<&Item>, now: i64) -> Result<Self, StoreError> {
        let optional = |name: &'static str| match item {
            Some(item) if item.contains_key(name) => number(item, name).map(Some),
            _ => Ok(None),
        };
        let states = limit.buckets.iter().map(|(name, bucket)| Ok(bucket.state(optional(name)?, now)));
        let in_a_row = match (limit.in_a_row, optional("in_a_row")?, optional("expires_at")?) {
            (Some(_), Some(_), Some(expires_at)) if expires_at <= now => InARow::Expired,
            (Some(max), Some(count), _) if count >= i64::from(max) => InARow::Exhausted,
            _ => InARow::Open,
        };
        Ok(Self { states: states.collect::<Result<_, StoreError>>()?, in_a_row })
    }

    fn rejected(&self) -> Option<CountOutcome> {
        if matches!(self.in_a_row, InARow::Exhausted) {
            return Some(CountOutcome::InARowExhausted);
        }
        let waits = self.states.iter().filter_map(|state| match state {
            BucketState::Exhausted { retry_after } => Some(*retry_after),
            BucketState::Idle | BucketState::Busy => None,
        });
        waits.max().map(|retry_after| CountOutcome::RateLimited { retry_after })
    }

    /// Returns the write that counts an event, if the numbers are still as expected.
    fn write(&self, update: UpdateItemFluentBuilder, limit: &Limit, now: i64) -> UpdateItemFluentBuilder {
        let mut count = Expressions::default();
        count.value(":now", now);
        for (nth, ((name, bucket), state)) in limit.buckets.iter().zip(&self.states).enumerate() {
            if *state == BucketState::Idle {
                count.set.push(format!("{name} = :next{nth}"));
                count.conditions.push(format!("(attribute_not_exists({name}) OR {name} <= :now)"));
                count.value(format!(":next{nth}"), bucket.after_event(None, now));
            } else {
                count.set.push(format!("{name} = {name} + :every{nth}"));
                count.conditions.push(format!("{name} > :now AND {name} <= :latest{nth}"));
                count.value(format!(":every{nth}"), bucket.every);
                count.value(format!(":latest{nth}"), bucket.latest_busy(now));
            }
        }
        if let Some(max) = limit.in_a_row {
            count.value(":one", 1);
            if matches!(self.in_a_row, InARow::Expired) {
                count.set.push("in_a_row = :one".to_owned());
                count.conditions.push("expires_at <= :now".to_owned());
            } else {
                count.set.push("in_a_row = if_not_exists(in_a_row, :zero) + :one".to_owned());
                let not_expired = "(attribute_not_exists(expires_at) OR expires_at > :now)";
                count.conditions.push(format!("(attribute_not_exists(in_a_row) OR in_a_row < :max AND {not_expired})"));
                count.value(":zero", 0);
                count.value(":max", max);
            }
        }
        if let Some(expires_at) = limit.expires_at(now) {
            count.set.push("expires_at = :expires_at".to_owned());
            count.value(":expires_at", expires_at);
        }
        count.build(update)
    }
}

/// The parts of an update.
#[derive(Default)]
struct Expressions {
    set: Vec<String>,
    conditions: Vec<String>,
    values: HashMap<String, AttributeValue>,
}

impl Expressions {
    fn value(&mut self, name: impl Into<String>, number: impl Into<i64>) {
        self.values.insert(name.into(), n(number));
    }

    fn build(self, update: UpdateItemFluentBuilder) -> UpdateItemFluentBuilder {
        update
            .update_expression(format!("SET {}", self.set.join(", ")))
            .condition_expression(self.conditions.join(" AND "))
            .set_expression_attribute_values(Some(self.values))
    }
}
