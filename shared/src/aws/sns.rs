//! SMS through SNS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;

use super::CallError;
use crate::config::ConfigError;
use crate::phone::Phone;
use crate::sms::{Sms, SmsError};

/// Sends each code as one transactional SMS.
#[derive(Debug)]
pub struct SnsSms {
    client: Client,
    sender_id: Option<String>,
    max_price_usd: String,
}

impl SnsSms {
    /// `sender_id` is shown on the phone where its country allows one: 1 to 11 letters and digits.
    /// `max_price_usd` is the most that one SMS may cost: SNS refuses to send a dearer one.
    #[must_use]
    pub fn new(sdk: &SdkConfig, sender_id: Option<String>, max_price_usd: String) -> Self {
        Self { client: Client::new(sdk), sender_id, max_price_usd }
    }

    /// With `SMS_SENDER_ID` (none) and `SMS_MAX_PRICE_USD` (0.50).
    ///
    /// # Errors
    /// [`ConfigError`], if one of them is bad.
    pub fn from_env(sdk: &SdkConfig) -> Result<Self, ConfigError> {
        let sender_id = std::env::var("SMS_SENDER_ID").ok().filter(|id| !id.is_empty());
        if sender_id.as_ref().is_some_and(|id| id.len() > 11 || !id.bytes().all(|byte| byte.is_ascii_alphanumeric())) {
            return Err(ConfigError {
                variable: "SMS_SENDER_ID",
                must: "must have at most 11 letters and digits".into(),
            });
        }
        let max_price_usd = std::env::var("SMS_MAX_PRICE_USD").unwrap_or_else(|_| "0.50".to_owned());
        if !max_price_usd.parse::<f64>().is_ok_and(|price| price > 0.0 && price.is_finite()) {
            return Err(ConfigError { variable: "SMS_MAX_PRICE_USD", must: "must be a price in US dollars".into() });
        }
        Ok(Self::new(sdk, sender_id, max_price_usd))
    }
}

#[async_trait]
impl Sms for SnsSms {
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError> {
        let mut attributes = HashMap::from([
            ("AWS.SNS.SMS.SMSType".to_owned(), attribute("String", "Transactional")?),
            ("AWS.SNS.SMS.MaxPrice".to_owned(), attribute("Number", &self.max_price_usd)?),
        ]);
        if let Some(id) = &self.sender_id {
            attributes.insert("AWS.SNS.SMS.SenderID".to_owned(), attribute("String", id)?);
        }
        let publish =
            self.client.publish().phone_number(phone.e164()).message(text).set_message_attributes(Some(attributes));
        publish.send().await.map(|_| ()).map_err(|error| SmsError(CallError::new("sns:Publish", &error).into()))
    }
}

fn attribute(data_type: &str, value: &str) -> Result<MessageAttributeValue, SmsError> {
    let attribute = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
    attribute.map_err(|error| SmsError(error.into()))
}
