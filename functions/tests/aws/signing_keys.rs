//! The signing keys and their rotation, against moto's Secrets Manager.

use crate::stand_ins::{call, url};
use serde_json::json;
use shared::aws::{Rotation, rotate_keys, sdk_config};
use shared::config::Config;
use shared::token::KeySet;
use shared::user::UserId;

#[tokio::test]
async fn a_rotation_makes_the_first_key_and_each_step_can_be_done_again() {
    let moto = url("MOTO_URL");
    let sdk = sdk_config().await.into_builder().endpoint_url(&moto).build();
    // As the template makes it.
    let secret = call(
        &moto,
        "secretsmanager.CreateSecret",
        &json!({ "Name": format!("signing-keys-{}", std::process::id()), "SecretString": r#"{"keys":[]}"#, "ClientRequestToken": "00000000-0000-0000-0000-000000000000" }),
    );
    let current = || {
        let value = call(
            &moto,
            "secretsmanager.GetSecretValue",
            &json!({ "SecretId": secret["ARN"], "VersionStage": "AWSCURRENT" }),
        );
        value["SecretString"].as_str().unwrap().to_owned()
    };
    let rotate = async |version: u32, steps: &[&str]| {
        for step in steps {
            let token = format!("00000000-0000-0000-0000-{version:012}");
            let event = json!({ "Step": step, "SecretId": secret["ARN"], "ClientRequestToken": token });
            let rotation: Rotation = serde_json::from_value(event).unwrap();
            rotate_keys(&sdk, &rotation).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    };

    rotate(1, &["createSecret", "createSecret", "setSecret", "setSecret", "testSecret", "testSecret"]).await;
    assert_eq!(current(), r#"{"keys":[]}"#, "nothing changes before the last step");
    rotate(1, &["finishSecret", "finishSecret", "createSecret"]).await;
    let (config, user) = (Config::default(), UserId::generate(0));
    let first = KeySet::read(&current()).unwrap();
    let token = first.issue(user, &config, 0).unwrap();

    rotate(2, &["createSecret", "setSecret", "testSecret", "finishSecret"]).await;
    let second = KeySet::read(&current()).unwrap();
    assert_eq!(
        second.verify_access(token.access_token(), &config, 0).ok(),
        Some(user),
        "the former key still verifies"
    );
    assert!(
        first.verify_access(second.issue(user, &config, 0).unwrap().access_token(), &config, 0).is_err(),
        "a new key signs"
    );
}

#[test]
fn the_event_of_secrets_manager_is_understood() {
    let event =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../local/events/rotate-keys.json")).unwrap();
    serde_json::from_str::<Rotation>(&event).unwrap();
}
