//! The interface to the SMS provider.

use async_trait::async_trait;

use crate::error::BoxError;
use crate::values::Phone;

/// The settings of the messages.
#[derive(Clone, Debug)]
pub struct SmsSettings {
    /// The sender that the phone displays, where its country allows one.
    pub sender_id: Option<String>,
    /// The highest price of one SMS, in US dollars.
    pub max_price_usd: String,
}

/// An SMS provider.
#[async_trait]
pub trait Sms: Send + Sync {
    /// Sends `text` to `phone`. Returns once the provider has accepted the message.
    ///
    /// # Errors
    /// [`SmsError`] if the provider did not accept the message, or did not respond in time.
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError>;
}

/// The provider did not accept the message. The source contains no phone number and no text.
#[derive(Debug, thiserror::Error)]
#[error("the SMS was not sent: {0}")]
pub struct SmsError(#[source] pub BoxError);

/// The provider of a function that sends no SMS, which therefore links no client.
#[derive(Debug)]
pub struct NoSms;

#[async_trait]
impl Sms for NoSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Err(SmsError("the function's access declares no SMS".into()))
    }
}
