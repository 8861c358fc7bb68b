//! The clock, injected so that tests control the time.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// Returns the milliseconds since the Unix epoch.
    fn now_millis(&self) -> i64;

    /// Returns the seconds since the Unix epoch, rounded down.
    fn now(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }
}

/// The system's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system's clock")]
    fn now_millis(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Returns a Unix time in RFC 3339, in UTC: `2026-01-31T12:00:00Z`. A time beyond the year 9999 is shown as the epoch.
#[must_use]
pub fn timestamp(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.to_hms();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
}

/// A clock for tests, which moves only on request.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Creates a clock that shows `seconds` since the Unix epoch.
    #[must_use]
    pub fn new(seconds: i64) -> Self {
        Self(AtomicI64::new(seconds * 1000))
    }

    /// Moves the clock forward by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds * 1000, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_millis(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::timestamp;

    #[test]
    fn a_timestamp_is_in_rfc_3339() {
        assert_eq!(timestamp(1_769_860_800), "2026-01-31T12:00:00Z");
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
    }
}
