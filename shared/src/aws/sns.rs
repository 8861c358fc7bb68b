//! SMS through SNS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_types::SdkConfig;

use super::CallError;
use super::timeouts::Timeouts;
use crate::config::Config;
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
    /// With [`Config::sms_sender_id`] and [`Config::sms_max_price_usd`].
    #[must_use]
    pub fn new(sdk: &SdkConfig, config: &Config) -> Self {
        let once = aws_sdk_sns::config::Builder::from(sdk)
            // SNS knows no idempotency: a second try may be a second SMS.
            .retry_config(RetryConfig::disabled())
            .timeout_config(Timeouts::of(sdk).of_publish());
        Self {
            client: Client::from_conf(once.build()),
            sender_id: config.sms_sender_id.clone(),
            max_price_usd: config.sms_max_price_usd.clone(),
        }
    }

    /// Asks for a setting, which opens the connection.
    pub(super) async fn warm(&self) -> Result<(), CallError> {
        let asked = self.client.get_sms_attributes().attributes("DefaultSMSType").send().await;
        asked.map(|_| ()).map_err(|error| CallError::new("sns:GetSMSAttributes", &error))
    }
}

/// The provider of a function that sends nothing, and carries no client for it.
pub(super) struct NoSms;

#[async_trait]
impl Sms for NoSms {
    async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
        Err(SmsError("this function sends no SMS: see `connect_with_sms`".into()))
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
