//! The rotation of the keys, with moto's Secrets Manager and DynamoDB Local.

use std::sync::Arc;

use shared::aws::{Rotation, SecretKeys};
use shared::tokens::{Keyring, rotation};
use tokio::runtime::Handle;

use crate::keys::{Keys, STEPS, access_token, is_accepted, issue, kid_of, kids, published, version_id};
use crate::proxy::{Fault, proxy};
use crate::services::{read, url};

const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;

#[tokio::test]
async fn rotated_keys_are_used_without_a_restart() {
    let keys = Keys::create();
    let private = Box::new(SecretKeys::new(&keys.sdk, keys.private.clone()));
    let public = Box::new(keys.tables.public_keys_at(&url("DYNAMODB_LOCAL_URL")));
    assert!(Keyring::load(private, NOW).await.is_err(), "no key exists yet");
    assert!(Keyring::load(public, NOW).await.is_err(), "no key is published yet");
    keys.rotate(1, NOW).await;
    let (signer, verifier) = (keys.signer(NOW).await, keys.verifier(NOW).await);
    let first = access_token(&signer, NOW).await;
    assert!(is_accepted(&verifier, &first, NOW).await);
    assert!(issue(&verifier, NOW).await.is_none(), "it has no private key");

    // The second key is published immediately and signs a day later. The first one is published until its
    // last token has expired.
    let now = NOW + 30 * DAY;
    keys.rotate(2, now).await;
    let published = async |now| published(&verifier, now).await;
    let [second_kid, first_kid] = published(now).await.try_into().unwrap();
    let signing_kid = async |now| {
        let token = access_token(&signer, now).await;
        assert!(is_accepted(&verifier, &token, now).await);
        kid_of(&token)
    };
    assert_eq!(signing_kid(now + DAY - 1).await, first_kid);
    assert_eq!(signing_kid(now + DAY).await, second_kid);
    assert_eq!(published(now + DAY + 899).await, [second_kid.clone(), first_kid]);
    assert_eq!(published(now + DAY + 900).await, [second_kid]);
}

#[tokio::test]
async fn each_step_can_be_repeated() {
    let keys = Keys::create();
    // Secrets Manager repeats all steps if one did not respond, even if it was completed.
    for (version, completed) in (1..).zip(0..=STEPS.len()) {
        let now = NOW + i64::from(version) * 2 * DAY;
        let before = keys.private().await;
        keys.start(version);
        keys.steps(version, &STEPS[..completed], now).await;
        if completed < STEPS.len() {
            let meanwhile = keys.private().await;
            assert_eq!(meanwhile, before, "only the last step changes the private keys");
        }
        keys.steps(version, &STEPS, now + 1).await;
        for step in STEPS {
            keys.steps(version, &[step, step], now + 2).await;
        }
        let [private, public] = keys.both().await;
        assert_eq!(kids(&private)[1..], kids(&before)[..], "the rotation adds one key");
        assert_eq!(rotation::public_keys(&private).unwrap(), public);
    }
}

#[tokio::test]
async fn interrupted_rotation_keeps_tokens_valid_and_is_cancelled_when_it_resumes_late() {
    let keys = Keys::create();
    keys.rotate(1, NOW).await;
    for (version, completed) in (2..).step_by(2).zip(1..STEPS.len()) {
        let now = NOW + i64::from(version) * 10 * DAY;
        keys.start(version);
        keys.steps(version, &STEPS[..completed], now).await;
        for days in [0, 1, 2, 9] {
            let last_step = STEPS[completed - 1];
            assert!(keys.are_consistent(now + days * DAY).await, "{days} days after {last_step}");
        }
        // The new key would sign immediately, although it was not published for a day.
        for step in [STEPS[completed - 1], STEPS[completed], "finishSecret"] {
            keys.step(version, step, now + 2 * DAY).await.unwrap_err();
            assert!(keys.are_consistent(now + 2 * DAY).await);
        }
        let before = keys.private().await;
        keys.rotate(version + 1, now + 3 * DAY).await;
        assert_eq!(kids(&keys.private().await)[1..], kids(&before)[..]);
        assert!(keys.are_consistent(now + 3 * DAY).await && keys.are_consistent(now + 4 * DAY).await);
    }
}

#[tokio::test]
async fn late_step_changes_nothing() {
    let (keys, now) = (Keys::create(), NOW + 4 * DAY);
    for version in 1..=3 {
        keys.rotate(version, NOW + i64::from(version) * DAY).await;
    }
    // The fifth rotation starts before the fourth one has finished.
    keys.start(4);
    keys.steps(4, &STEPS[..2], now).await;
    keys.start(5);
    let both = keys.both().await;
    for step in STEPS {
        keys.step(3, step, now).await.unwrap();
        for version in [1, 2, 4, 77] {
            keys.step(version, step, now).await.unwrap_err();
        }
        if step != "createSecret" {
            keys.step(5, step, now).await.unwrap_err();
        }
        assert_eq!(keys.both().await, both, "{step}");
    }
    keys.steps(5, &STEPS, now).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overtaken_step_does_not_replace_the_keys_of_a_later_rotation() {
    let keys = Arc::new(Keys::create());
    keys.rotate(1, NOW).await;
    keys.start(2);
    keys.steps(2, &STEPS[..1], NOW + DAY).await;
    // The second rotation reads the published keys, and the third one finishes before the second one writes.
    let (overtaking, runtime) = (keys.clone(), Handle::current());
    let url = proxy(move |operation, _| {
        if operation == "PutItem" {
            runtime.block_on(async { overtaking.rotate(3, NOW + DAY).await });
        }
        Fault::None
    });
    let error = keys.step_at(&url, 2, "setSecret", NOW + DAY).await.unwrap_err();
    assert_eq!(error, "the published keys were changed meanwhile");
    let [private, public] = keys.both().await;
    assert_eq!((kids(&private).len(), rotation::public_keys(&private).unwrap()), (2, public));
    assert!(keys.are_consistent(NOW + DAY).await && keys.are_consistent(NOW + 2 * DAY).await);
    keys.step(2, "setSecret", NOW + DAY).await.unwrap_err();
}

#[tokio::test]
async fn key_that_became_current_after_it_was_overtaken_is_published_again() {
    let keys = Keys::create();
    keys.rotate(1, NOW).await;
    let now = NOW + 30 * DAY;
    keys.start(2);
    keys.steps(2, &STEPS[..3], now).await;
    // The third rotation publishes its keys while the second one stalls before it moves the stage.
    keys.start(3);
    keys.steps(3, &STEPS[..2], now + 601).await;
    assert!(keys.step(2, "finishSecret", now + 601).await.is_err());
    keys.promote(&version_id(2), 1);
    keys.step(2, "finishSecret", now + 602).await.unwrap();
    for step in ["testSecret", "finishSecret"] {
        keys.step(3, step, now + 602).await.unwrap_err();
    }
    for days in [0, 1, 2] {
        assert!(keys.are_consistent(now + days * DAY + 700).await, "{days} days later");
    }
}

#[tokio::test]
async fn step_whose_response_is_lost_succeeds() {
    let keys = Keys::create();
    let lose_first_write = |operation: &str, nth| {
        if operation == "PutItem" && nth == 1 { Fault::LoseResponse } else { Fault::None }
    };
    keys.start(1);
    for step in STEPS {
        keys.step_at(&proxy(lose_first_write), 1, step, NOW).await.unwrap();
    }
    let [private, public] = keys.both().await;
    assert_eq!(rotation::public_keys(&private).unwrap(), public);
}

#[tokio::test]
async fn unknown_step_is_rejected_unless_the_rotation_has_finished() {
    let keys = Keys::create();
    keys.rotate(1, NOW).await;
    keys.step(1, "nothing", NOW).await.unwrap();
    keys.start(2);
    keys.steps(2, &STEPS[..1], NOW + DAY).await;
    let error = keys.step(2, "nothing", NOW + DAY).await.unwrap_err();
    assert!(!error.contains("arn:"), "{error}");
}

#[tokio::test]
async fn repeating_the_last_step_completes_an_interrupted_rotation() {
    let keys = Keys::create();
    keys.rotate(1, NOW).await;
    keys.start(2);
    keys.steps(2, &STEPS[..3], NOW + 30 * DAY).await;
    // The last step is interrupted before its last call.
    keys.promote(&version_id(2), 1);
    let now = NOW + 32 * DAY;
    assert!(keys.are_consistent(now).await);
    let verifier = keys.verifier(now).await;
    assert_eq!(published(&verifier, now).await.len(), 2, "no key retires for a pending one");
    keys.steps(2, &["finishSecret", "finishSecret"], now).await;
    assert_eq!(published(&verifier, now + 300).await.len(), 1);
    assert!(keys.are_consistent(now + 300).await);
}

#[tokio::test]
async fn leaked_key_is_rejected_after_the_set_was_emptied_and_rotated() {
    // The stage in the documented command, and the one that a change in the console leaves.
    for stage in ["AWSPENDING", "EMPTY"] {
        empty_and_rotate(stage).await;
    }
}

async fn empty_and_rotate(stage: &str) {
    let (keys, now) = (Keys::create(), NOW + 62);
    keys.rotate(1, NOW).await;
    let leaked = access_token(&keys.signer(NOW).await, NOW).await;
    let verifier = keys.verifier(NOW).await;
    // A rotation is in progress, whose set contains the leaked key.
    keys.start(2);
    keys.steps(2, &STEPS[..2], NOW + 60).await;
    keys.empty(1, stage);
    for step in ["testSecret", "finishSecret"] {
        keys.step(2, step, NOW + 61).await.unwrap_err();
    }
    keys.rotate(3, now).await;
    let [private, public] = keys.both().await;
    assert_eq!((kids(&private).len(), kids(&public)), (1, kids(&private)));
    let new = access_token(&keys.signer(now).await, now).await;
    assert!(is_accepted(&verifier, &new, now).await, "an unknown key id reloads the keys");
    assert!(!is_accepted(&verifier, &leaked, now).await);
}

#[test]
fn event_of_secrets_manager_is_parsed() {
    serde_json::from_str::<Rotation>(&read("local/events/rotate-keys.json")).unwrap();
}
