//! The rotation of the keys, with moto's Secrets Manager.

use shared::aws::{Rotation, SecretKeys};
use shared::tokens::{Keyring, rotation};

use crate::secrets::{STEPS, Secrets, access_token, is_accepted, issue, kid_of, kids, published, version_id};
use crate::services::read;

const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;

#[tokio::test]
async fn rotated_keys_are_used_without_a_restart() {
    let secrets = Secrets::create();
    let source = Box::new(SecretKeys::new(&secrets.sdk, secrets.private.clone()));
    assert!(Keyring::load(source, NOW).await.is_err(), "no key exists yet");
    secrets.rotate(1, NOW).await;
    let (signer, verifier) =
        (secrets.keyring(&secrets.private, NOW).await, secrets.keyring(&secrets.public, NOW).await);
    let first = access_token(&signer, NOW).await;
    assert!(is_accepted(&verifier, &first, NOW).await);
    assert!(issue(&verifier, NOW).await.is_none(), "it has no private key");

    // The second key is published immediately and signs a day later. The first one is published until its
    // last token has expired.
    let now = NOW + 30 * DAY;
    secrets.rotate(2, now).await;
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
    let secrets = Secrets::create();
    // Secrets Manager repeats all steps if one did not respond, even if it was completed.
    for (version, completed) in (1..).zip(0..=STEPS.len()) {
        let now = NOW + i64::from(version) * 2 * DAY;
        let before = secrets.current(&secrets.private).await;
        secrets.start(version);
        secrets.steps(version, &STEPS[..completed], now).await;
        if completed < STEPS.len() {
            let meanwhile = secrets.current(&secrets.private).await;
            assert_eq!(meanwhile, before, "only the last step changes the private keys");
        }
        secrets.steps(version, &STEPS, now + 1).await;
        for step in STEPS {
            secrets.steps(version, &[step, step], now + 2).await;
        }
        let [private, public] = secrets.both().await;
        assert_eq!(kids(&private)[1..], kids(&before)[..], "the rotation adds one key");
        assert_eq!(rotation::public_keys(&private).unwrap(), public);
    }
}

#[tokio::test]
async fn interrupted_rotation_keeps_tokens_valid_and_is_cancelled_when_it_resumes_late() {
    let secrets = Secrets::create();
    secrets.rotate(1, NOW).await;
    for (version, completed) in (2..).step_by(2).zip(1..STEPS.len()) {
        let now = NOW + i64::from(version) * 10 * DAY;
        secrets.start(version);
        secrets.steps(version, &STEPS[..completed], now).await;
        for days in [0, 1, 2, 9] {
            let last_step = STEPS[completed - 1];
            assert!(secrets.are_consistent(now + days * DAY).await, "{days} days after {last_step}");
        }
        // The new key would sign immediately, although it was not published for a day.
        for step in [STEPS[completed - 1], STEPS[completed], "finishSecret"] {
            secrets.step(version, step, now + 2 * DAY).await.unwrap_err();
            assert!(secrets.are_consistent(now + 2 * DAY).await);
        }
        let before = secrets.current(&secrets.private).await;
        secrets.rotate(version + 1, now + 3 * DAY).await;
        assert_eq!(kids(&secrets.current(&secrets.private).await)[1..], kids(&before)[..]);
        assert!(secrets.are_consistent(now + 3 * DAY).await && secrets.are_consistent(now + 4 * DAY).await);
    }
}

#[tokio::test]
async fn late_step_changes_nothing() {
    let (secrets, now) = (Secrets::create(), NOW + 4 * DAY);
    for version in 1..=3 {
        secrets.rotate(version, NOW + i64::from(version) * DAY).await;
    }
    // The fifth rotation starts before the fourth one has finished.
    secrets.start(4);
    secrets.steps(4, &STEPS[..2], now).await;
    secrets.start(5);
    let both = secrets.both().await;
    for step in STEPS {
        secrets.step(3, step, now).await.unwrap();
        for version in [1, 2, 4, 77] {
            secrets.step(version, step, now).await.unwrap_err();
        }
        if step != "createSecret" {
            secrets.step(5, step, now).await.unwrap_err();
        }
        assert_eq!(secrets.both().await, both, "{step}");
    }
    secrets.steps(5, &STEPS, now).await;
}

#[tokio::test]
async fn unknown_step_is_rejected_unless_the_rotation_has_finished() {
    let secrets = Secrets::create();
    secrets.rotate(1, NOW).await;
    secrets.step(1, "nothing", NOW).await.unwrap();
    secrets.start(2);
    secrets.steps(2, &STEPS[..1], NOW + DAY).await;
    let error = secrets.step(2, "nothing", NOW + DAY).await.unwrap_err();
    assert!(!error.contains("arn:"), "{error}");
}

#[tokio::test]
async fn repeating_the_last_step_completes_an_interrupted_rotation() {
    let secrets = Secrets::create();
    secrets.rotate(1, NOW).await;
    secrets.start(2);
    secrets.steps(2, &STEPS[..3], NOW + 30 * DAY).await;
    // The last step is interrupted before its last call.
    secrets.promote(&version_id(2), 1);
    let now = NOW + 32 * DAY;
    assert!(secrets.are_consistent(now).await);
    let verifier = secrets.keyring(&secrets.public, now).await;
    assert_eq!(published(&verifier, now).await.len(), 2, "no key retires for a pending one");
    secrets.steps(2, &["finishSecret", "finishSecret"], now).await;
    assert_eq!(published(&verifier, now + 300).await.len(), 1);
    assert!(secrets.are_consistent(now + 300).await);
}

#[tokio::test]
async fn leaked_key_is_rejected_after_the_set_was_emptied_and_rotated() {
    // The stage in the documented command, and the one that a change in the console leaves.
    for stage in ["AWSPENDING", "EMPTY"] {
        empty_and_rotate(stage).await;
    }
}

async fn empty_and_rotate(stage: &str) {
    let (secrets, now) = (Secrets::create(), NOW + 62);
    secrets.rotate(1, NOW).await;
    let leaked = access_token(&secrets.keyring(&secrets.private, NOW).await, NOW).await;
    let verifier = secrets.keyring(&secrets.public, NOW).await;
    // A rotation is in progress, whose set contains the leaked key.
    secrets.start(2);
    secrets.steps(2, &STEPS[..2], NOW + 60).await;
    secrets.empty(1, stage);
    for step in ["testSecret", "finishSecret"] {
        secrets.step(2, step, NOW + 61).await.unwrap_err();
    }
    secrets.rotate(3, now).await;
    let [private, public] = secrets.both().await;
    assert_eq!((kids(&private).len(), kids(&public)), (1, kids(&private)));
    let new = access_token(&secrets.keyring(&secrets.private, now).await, now).await;
    assert!(is_accepted(&verifier, &new, now).await, "an unknown key id reloads the keys");
    assert!(!is_accepted(&verifier, &leaked, now).await);
}

#[test]
fn event_of_secrets_manager_is_parsed() {
    serde_json::from_str::<Rotation>(&read("local/events/rotate-keys.json")).unwrap();
}
