//! The SMS provider on SNS.

use std::collections::HashMap;

use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::config::retry::RetryConfig;
use aws_sdk_sns::types::MessageAttributeValue;
use aws_types::SdkConfig;

use super::error::{CallError, called};
use super::timeouts::Timeouts;
use crate::sms::{Sms, SmsError, SmsSettings};
use crate::values::Phone;

/// Sends each code as one transactional SMS.
#[derive(Debug)]
pub struct SnsSms {
    client: Client,
    settings: SmsSettings,
}

impl SnsSms {
    /// Creates a sender with these settings.
    #[must_use]
    pub fn new(sdk: &SdkConfig, settings: SmsSettings) -> Self {
        let once = aws_sdk_sns::config::Builder::from(sdk)
            // SNS is not idempotent: a retry could send a second SMS.
            .retry_config(RetryConfig::disabled())
            .timeout_config(Timeouts::used_by(sdk).publish());
        Self { client: Client::from_conf(once.build()), settings }
    }

    /// Reads a setting, which opens the connection.
    pub(super) async fn warm_up(&self) -> Result<(), CallError> {
        let request = self.client.get_sms_attributes().attributes("DefaultSMSType");
        called("sns:GetSMSAttributes", request.send().await).map(|_| ())
    }
}

#[async_trait]
impl Sms for SnsSms {
    async fn send(&self, phone: &Phone, text: &str) -> Result<(), SmsError> {
        let mut attributes = HashMap::from([
            ("AWS.SNS.SMS.SMSType".to_owned(), attribute("String", "Transactional")?),
            ("AWS.SNS.SMS.MaxPrice".to_owned(), attribute("Number", &self.settings.max_price_usd)?),
        ]);
        if let Some(id) = &self.settings.sender_id {
            attributes.insert("AWS.SNS.SMS.SenderID".to_owned(), attribute("String", id)?);
        }
        let publish =
            self.client.publish().phone_number(phone.e164()).message(text).set_message_attributes(Some(attributes));
        called("sns:Publish", publish.send().await).map(|_| ()).map_err(|error| {
            if error.is_unknown { SmsError::Unknown(error.into()) } else { SmsError::Refused(error.into()) }
        })
    }
}

fn attribute(data_type: &str, value: &str) -> Result<MessageAttributeValue, SmsError> {
    let attribute = MessageAttributeValue::builder().data_type(data_type).string_value(value).build();
    attribute.map_err(|error| SmsError::Refused(error.into()))
}
