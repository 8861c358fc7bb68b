//! Rate limits of requests, and the devices that have limits of their own.

use shared::app::App;
use shared::events::SharedEvent;
use shared::limits;
use shared::store::{CountOutcome, DayOutcome, Limit};
use shared::tokens::Device;
use shared::values::UserId;

use super::problem::ApiError;

/// The limits that a request counts on, each with the error of an exhausted one, in the order in which they are
/// counted: a request that one limit rejects does not count on the next ones.
#[derive(Default)]
pub struct RequestLimits(Vec<(Limit, Exhausted)>);

/// Returns the error of an exhausted limit, for the seconds until it allows the next request.
pub type Exhausted = fn(i64) -> ApiError;

impl RequestLimits {
    /// Adds a limit.
    #[must_use]
    pub fn and(mut self, limit: Limit, exhausted: Exhausted) -> Self {
        self.0.push((limit, exhausted));
        self
    }

    /// Counts the request.
    ///
    /// # Errors
    /// The error of the first exhausted limit; or any [`shared::store::StoreError`].
    pub async fn count(&self, app: &App, now: i64) -> Result<(), ApiError> {
        for limit in &self.0 {
            Self::count_on(limit, app, now).await?;
        }
        Ok(())
    }

    /// Counts the request on all limits or, if one of them rejects it, on none.
    ///
    /// # Errors
    /// As [`RequestLimits::count`].
    pub async fn count_on_all(&self, app: &App, now: i64) -> Result<(), ApiError> {
        for (nth, limit) in self.0.iter().enumerate() {
            if let Err(error) = Self::count_on(limit, app, now).await {
                for (counted, _) in self.0.iter().take(nth) {
                    refund(app, counted, now).await;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn count_on((limit, exhausted): &(Limit, Exhausted), app: &App, now: i64) -> Result<(), ApiError> {
        match app.store.count(limit, now).await? {
            CountOutcome::Counted => Ok(()),
            CountOutcome::RateLimited { retry_after } => Err(exhausted(retry_after)),
            CountOutcome::InARowExhausted => Err(ApiError::VerificationRequired),
        }
    }

    /// Refunds a request that was counted. If that fails, the request stays counted.
    pub async fn refund(&self, app: &App, now: i64) {
        for (limit, _) in &self.0 {
            refund(app, limit, now).await;
        }
    }
}

/// Refunds an event that was counted. If that fails, the event stays counted.
pub async fn refund(app: &App, limit: &Limit, now: i64) {
    if let Err(error) = app.store.refund(limit, now).await {
        tracing::warn!(cause = %error, "an event was not refunded to its limit");
    }
}

/// Counts an SMS of the deployment on the total of the day, up to `max`. Adds the part of the total to the event.
///
/// # Errors
/// 429 if the total is exhausted; 503 if SMS are paused; or any [`shared::store::StoreError`].
pub async fn count_sms_of_day(app: &App, event: &SharedEvent, max: u32, now: i64) -> Result<(), ApiError> {
    match app.store.count_sms_of_day(max, now).await? {
        DayOutcome::Counted { count } => {
            let percent = u64::from(count) * 100 / u64::from(app.config.limits.sms_per_day);
            event.lock().sms_of_day_percent = Some(percent);
            Ok(())
        }
        DayOutcome::Exhausted => Err(ApiError::TooManySends { retry_after: limits::seconds_until_tomorrow(now) }),
        DayOutcome::Paused => Err(ApiError::SmsPaused),
    }
}

/// Refunds an SMS that was not sent to the total of the day. If that fails, the SMS stays counted.
pub async fn refund_sms_of_day(app: &App, now: i64) {
    if let Err(error) = app.store.refund_sms_of_day(now).await {
        tracing::warn!(cause = %error, "an SMS was not refunded to the total of the day");
    }
}

/// Returns the device if its token was issued to this user, and after the user's most recent reset: a reset
/// makes the tokens of before void.
#[must_use]
pub fn known_device(device: Option<Device>, user_id: UserId, password_reset_at: i64) -> Option<Device> {
    device.filter(|device| device.user_id == user_id && device.issued_at >= password_reset_at)
}
