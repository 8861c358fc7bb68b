//! The seam to the SMS provider.

use crate::phone::Phone;

/// Sends an SMS.
#[async_trait::async_trait]
pub trait Sms: Send + Sync {
    /// Sends `text` to `phone`. When this returns, the provider has taken the message.
    ///
    /// # Errors
    /// [`SmsError`], if it did not take it, or did not answer in time.
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError>;
}

/// The provider did not take the message. The source names no phone and no text.
#[derive(Debug, thiserror::Error)]
#[error("the SMS was not sent: {0}")]
pub struct SmsError(#[source] pub Box<dyn std::error::Error + Send + Sync>);
