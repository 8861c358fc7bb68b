//! SMS on the wire, against moto's SNS.

use std::net::TcpListener;

use crate::http::read_request;
use crate::stand_ins::url;
use serde_json::Value as Json;
use shared::aws::{SnsSms, sdk_config};
use shared::config::Config;
use shared::phone::Phone;
use shared::sms::Sms as _;
use shared::value::Value as _;

#[tokio::test]
async fn sns_takes_the_text_for_the_phone() {
    let moto = url("MOTO_URL");
    let phone = Phone::parse("010-1234-5678", &Config::default()).unwrap();
    let sdk = sdk_config().unwrap().into_builder().endpoint_url(&moto).build();
    SnsSms::new(&sdk, &Config::default()).send(&phone, "[Ably] 인증번호 123456").await.unwrap();

    let data: Json = ureq::get(format!("{moto}/moto-api/data.json")).call().unwrap().body_mut().read_json().unwrap();
    let sent = data["sns"]["SMS"].to_string();
    assert!(sent.contains("+821012345678") && sent.contains("[Ably] 인증번호 123456"), "{sent}");
}

#[tokio::test]
async fn an_sms_is_transactional_and_has_a_highest_price() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sdk = sdk_config().unwrap().into_builder().endpoint_url(url).build();
    let phone = Phone::parse("010-1234-5678", &Config::default()).unwrap();
    let config =
        Config { sms_sender_id: Some("Ably".to_owned()), sms_max_price_usd: "0.25".to_owned(), ..Config::default() };
    let again = listener.try_clone().unwrap();
    let request = std::thread::spawn(move || read_request(&mut listener.accept().unwrap().0).1);
    // The stand-in hangs up without an answer.
    SnsSms::new(&sdk, &config).send(&phone, "text").await.unwrap_err();
    let request = String::from_utf8(request.join().unwrap()).unwrap();
    again.set_nonblocking(true).unwrap();
    assert!(again.accept().is_err(), "it is asked once: a second try may be a second SMS");
    for attribute in
        ["SMSType&", "StringValue=Transactional", "MaxPrice&", "StringValue=0.25", "SenderID&", "StringValue=Ably"]
    {
        assert!(request.contains(attribute), "{attribute} in {request}");
    }
}
