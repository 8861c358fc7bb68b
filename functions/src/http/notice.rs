//! The SMS about a change of an account, to the phone number of its owner.

use shared::app::App;
use shared::events::SharedEvent;
use shared::sms::SmsError;
use shared::sms_text::segments;
use shared::values::Phone;

use super::limits::{count_sms_of_day, refund_sms_of_day};

/// Sends `text` to `phone`, as far as possible: a failure is logged, because the change has already happened.
///
/// The SMS counts on the total of the day only, up to `max`, and `event` contains its price. A test phone
/// gets none.
pub async fn send_notice(app: &App, event: &SharedEvent, phone: &Phone, text: &str, max: u32, now: i64) {
    if app.test_phone(phone, now).is_some() {
        return;
    }
    if let Err(error) = count_sms_of_day(app, event, max, now).await {
        let (error_code, cause) = (error.code().as_str(), std::error::Error::source(&error).map(ToString::to_string));
        tracing::warn!(error_code, cause, "an SMS about a change of an account was not sent");
        return;
    }
    let sent = app.sms.send(phone, text).await;
    if !matches!(sent, Err(SmsError::Refused(_))) {
        event.lock().sms_usd = Some(app.config.sms_usd(None, segments(text)));
    }
    match sent {
        Ok(()) => {}
        Err(error @ SmsError::Refused(_)) => {
            tracing::warn!(cause = %error, "an SMS about a change of an account was not sent");
            refund_sms_of_day(app, now).await;
        }
        // It may arrive: it counts.
        Err(error @ SmsError::Unknown(_)) => {
            tracing::error!(cause = %error, "an SMS about a change of an account may not have been sent");
        }
    }
}
