//! The interface to the SMS provider.

use async_trait::async_trait;

use crate::error::BoxError;
use crate::values::{Phone, Region};

/// The prices of an SMS.
#[derive(Clone, Debug, Default)]
pub struct SmsPrices {
    /// The end of the day on which they were read, in Unix time; `None` without prices.
    pub date: Option<i64>,
    /// The price in each country, in US dollars.
    pub by_country: Vec<(Region, f64)>,
}

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
    /// [`SmsError`] if the provider refused the message, or if it is unknown whether it accepted it.
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError>;
}

/// A message that the provider did not accept. The source contains no phone number and no text.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// The provider refused the message: it was not sent.
    #[error("the SMS was not sent: {0}")]
    Refused(#[source] BoxError),
    /// The provider did not respond in time, or failed: the message may have been sent.
    #[error("it is unknown whether the SMS was sent: {0}")]
    Unknown(#[source] BoxError),
}

/// The provider of a function that sends no SMS, which therefore links no client.
#[derive(Debug)]
pub struct NoSms;

#[async_trait]
impl Sms for NoSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Err(SmsError::Refused("the function's access declares no SMS".into()))
    }
}
