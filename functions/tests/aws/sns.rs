//! The requests to SNS, with moto and with a fake SNS.

use std::net::TcpListener;

use serde_json::Value as Json;
use shared::aws::{SnsSms, sdk_config};
use shared::sms::{Sms as _, SmsError, SmsSettings};
use shared::values::{Phone, Region};

use crate::guarantees::config;
use crate::http::{read_request, url_of};
use crate::services::url;

fn phone() -> Phone {
    Phone::parse("010-1234-5678", Region::KR).unwrap()
}

#[tokio::test]
async fn sns_receives_the_text_and_the_phone() {
    let moto = url("MOTO_URL");
    let sdk = sdk_config().unwrap().into_builder().endpoint_url(&moto).build();
    SnsSms::new(&sdk, config().sms).send(&phone(), "[Ably] 인증번호 123456").await.unwrap();

    let data: Json = ureq::get(format!("{moto}/moto-api/data.json")).call().unwrap().body_mut().read_json().unwrap();
    let sent = data["sns"]["SMS"].to_string();
    assert!(sent.contains("+821012345678") && sent.contains("[Ably] 인증번호 123456"), "{sent}");
}

#[tokio::test]
async fn sms_is_transactional_with_a_maximum_price_and_is_not_retried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sdk = sdk_config().unwrap().into_builder().endpoint_url(url_of(&listener)).build();
    let settings = SmsSettings { sender_id: Some("Ably".to_owned()), max_price_usd: "0.25".to_owned() };
    let second_request = listener.try_clone().unwrap();
    // The fake SNS hangs up without a response.
    let request = std::thread::spawn(move || read_request(&mut listener.accept().unwrap().0).body);
    let error = SnsSms::new(&sdk, settings).send(&phone(), "text").await.unwrap_err();
    assert!(matches!(error, SmsError::Unknown(_)), "{error}");
    let request = String::from_utf8(request.join().unwrap()).unwrap();
    second_request.set_nonblocking(true).unwrap();
    assert!(second_request.accept().is_err(), "a retry could send a second SMS");
    for attribute in
        ["SMSType&", "StringValue=Transactional", "MaxPrice&", "StringValue=0.25", "SenderID&", "StringValue=Ably"]
    {
        assert!(request.contains(attribute), "{attribute} in {request}");
    }
}
