//! Rate limits: table `limits`, one row for each number of a subject; and the SMS of the day in `sms_of_day`.

use async_trait::async_trait;
use rusqlite::{OptionalExtension as _, Transaction};
use shared::limits::{BucketState, DayState, DayTotal};
use shared::store::{CountOutcome, DayOutcome, Limit, Limits, StoreError, Subject};

use super::SqliteStore;

/// The name of the count of events in a row.
pub(super) const IN_A_ROW: &str = "in_a_row";

#[async_trait]
impl Limits for SqliteStore {
    async fn count(&self, limit: &Limit, now: i64) -> Result<CountOutcome, StoreError> {
        self.atomically(|db| {
            // In place of DynamoDB's TTL.
            db.execute("DELETE FROM limits WHERE expires_at <= ?", [now])?;
            let (subject, mut retry_after) = (&limit.subject, 0);
            for (name, bucket) in &limit.buckets {
                if let BucketState::Exhausted { retry_after: seconds } = bucket.state(number(db, subject, name)?, now) {
                    retry_after = retry_after.max(seconds);
                }
            }
            let in_a_row = number(db, subject, IN_A_ROW)?.unwrap_or_default();
            if limit.in_a_row.is_some_and(|max| in_a_row >= i64::from(max)) {
                return Ok(CountOutcome::InARowExhausted);
            }
            if retry_after > 0 {
                return Ok(CountOutcome::RateLimited { retry_after });
            }
            for (name, bucket) in &limit.buckets {
                let idle_at = bucket.after_event(number(db, subject, name)?, now);
                set(db, limit, name, idle_at, now)?;
            }
            if limit.in_a_row.is_some() {
                set(db, limit, IN_A_ROW, in_a_row + 1, now)?;
            }
            Ok(CountOutcome::Counted)
        })
    }

    async fn refund(&self, limit: &Limit, now: i64) -> Result<(), StoreError> {
        self.atomically(|db| {
            let refund = "UPDATE limits SET number = number - ?
                 WHERE subject = ? AND name = ? AND (expires_at IS NULL OR expires_at > ?)";
            for (name, bucket) in &limit.buckets {
                db.execute(refund, (bucket.every, limit.subject.as_str(), name, now))?;
            }
            if limit.in_a_row.is_some() {
                let refund = format!("{refund} AND number > 0");
                db.execute(&refund, (1, limit.subject.as_str(), IN_A_ROW, now))?;
            }
            Ok(())
        })
    }

    async fn count_sms_of_day(&self, max: u32, now: i64) -> Result<DayOutcome, StoreError> {
        self.atomically(|db| {
            let total = total(db)?;
            match total.state(max, now) {
                DayState::Paused => return Ok(DayOutcome::Paused),
                DayState::Exhausted => return Ok(DayOutcome::Exhausted),
                DayState::NewDay | DayState::Today => {}
            }
            let total = total.after_event(now);
            let set = "INSERT INTO sms_of_day VALUES (1, ?1, ?2, FALSE)
                 ON CONFLICT (id) DO UPDATE SET day = ?1, count = ?2";
            db.execute(set, (total.day, total.count))?;
            Ok(DayOutcome::Counted { count: total.count })
        })
    }

    async fn refund_sms_of_day(&self, now: i64) -> Result<(), StoreError> {
        self.atomically(|db| {
            let refunded = total(db)?.after_refund(now);
            db.execute("UPDATE sms_of_day SET count = ?", [refunded.count]).map(|_| ())
        })
    }
}

pub(super) fn total(db: &Transaction<'_>) -> rusqlite::Result<DayTotal> {
    let stored = db.query_row("SELECT day, count, is_paused FROM sms_of_day", [], |row| {
        Ok(DayTotal { day: row.get(0)?, count: row.get(1)?, is_paused: row.get(2)? })
    });
    Ok(stored.optional()?.unwrap_or(DayTotal::NONE))
}

fn number(db: &Transaction<'_>, subject: &Subject, name: &str) -> rusqlite::Result<Option<i64>> {
    let query = "SELECT number FROM limits WHERE subject = ? AND name = ?";
    db.query_row(query, (subject.as_str(), name), |row| row.get(0)).optional()
}

fn set(db: &Transaction<'_>, limit: &Limit, name: &str, number: i64, now: i64) -> rusqlite::Result<()> {
    let set = "INSERT INTO limits VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (subject, name) DO UPDATE SET number = ?3, expires_at = ?4";
    db.execute(set, (limit.subject.as_str(), name, number, limit.expires_at(now))).map(|_| ())
}

/// Clears the counts of a subject.
pub(super) fn clear(db: &Transaction<'_>, subject: &Subject) -> rusqlite::Result<()> {
    db.execute("DELETE FROM limits WHERE subject = ?", [subject.as_str()]).map(|_| ())
}
