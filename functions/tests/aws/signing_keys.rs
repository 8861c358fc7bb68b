//! The keys and their rotation, against moto's Secrets Manager.

use crate::stand_ins::{call, url};
use serde_json::{Value as Json, json};
use shared::aws::{Rotation, SdkConfig, SecretKeys, rotate_keys, sdk_config};
use shared::config::Config;
use shared::keys::{KeySet, KeySource as _, Keys};
use shared::token::Family;
use shared::user::UserId;

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://accounts.example.com";

/// The two secrets, as the template makes them.
struct Secrets {
    sdk: SdkConfig,
    signing: String,
    public: String,
}

impl Secrets {
    async fn create() -> Self {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        let template: Json = serde_saphyr::from_str(&template).unwrap();
        let [signing, public] = ["SigningKeysSecret", "PublicKeysSecret"].map(|secret| {
            let created = call(
                &url("MOTO_URL"),
                "secretsmanager.CreateSecret",
                &json!({
                    "Name": format!("{secret}-{unique}"),
                    "SecretString": template["Resources"][secret]["Properties"]["SecretString"],
                    "ClientRequestToken": "00000000-0000-0000-0000-000000000000",
                }),
            );
            created["ARN"].as_str().unwrap().to_owned()
        });
        Self { sdk: sdk_config().await.into_builder().endpoint_url(url("MOTO_URL")).build(), signing, public }
    }

    /// One step of the rotation that makes this version.
    async fn step(&self, version: u32, step: &str, now: i64) -> Result<(), String> {
        let token = format!("00000000-0000-0000-0000-{version:012}");
        let event = json!({ "Step": step, "SecretId": self.signing, "ClientRequestToken": token });
        let rotation: Rotation = serde_json::from_value(event).unwrap();
        rotate_keys(&self.sdk, &self.public, &rotation, now).await.map_err(|error| error.to_string())
    }

    async fn steps(&self, version: u32, steps: &[&str], now: i64) {
        for step in steps {
            self.step(version, step, now).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    }

    async fn current(&self, secret: &str) -> String {
        SecretKeys::new(&self.sdk, secret.to_owned()).read().await.unwrap().to_string()
    }

    async fn keys(&self, secret: &str, now: i64) -> Keys {
        Keys::read(Box::new(SecretKeys::new(&self.sdk, secret.to_owned())), now).await.unwrap()
    }
}

fn kids(json: &str) -> Vec<String> {
    let set: Json = serde_json::from_str(json).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn access_token(keys: &Keys, now: i64) -> String {
    let config = Config::default();
    let family = Family::start(UserId::generate(now), 0, &config, now);
    let tokens = keys.issue(&family, ISSUER, &config, now).await.unwrap();
    serde_json::to_value(&tokens).unwrap()["access_token"].as_str().unwrap().to_owned()
}

async fn verifies(keys: &Keys, token: &str, now: i64) -> bool {
    keys.verify_access(token, ISSUER, &Config::default(), now).await.is_ok()
}

#[tokio::test]
async fn a_rotation_makes_the_first_key_which_functions_use_without_a_restart() {
    let secrets = Secrets::create().await;
    let source = |secret: &String| Box::new(SecretKeys::new(&secrets.sdk, secret.clone()));
    assert!(Keys::read(source(&secrets.signing), NOW).await.is_err(), "there is no key yet");
    secrets.steps(1, &STEPS, NOW).await;
    let (signer, verifier) = (secrets.keys(&secrets.signing, NOW).await, secrets.keys(&secrets.public, NOW).await);
    let first = access_token(&signer, NOW).await;
    assert!(verifies(&verifier, &first, NOW).await);
    let family = Family::start(UserId::generate(NOW), 0, &Config::default(), NOW);
    assert!(verifier.issue(&family, ISSUER, &Config::default(), NOW).await.is_err(), "it has no private half");

    // The second is published at once, signs after a day, and the first goes when its tokens have.
    let now = NOW + 30 * DAY;
    secrets.steps(2, &STEPS, now).await;
    let published = async |now| {
        let set = verifier.current(now).await;
        kids(&serde_json::to_string(&set.jwks(&Config::default(), now)).unwrap())
    };
    let [second_kid, first_kid] = published(now).await.try_into().unwrap();
    let kid_at = async |now| {
        let token = access_token(&signer, now).await;
        assert!(verifies(&verifier, &token, now).await);
        kid_of(&token)
    };
    assert_eq!(kid_at(now + DAY - 1).await, first_kid);
    assert_eq!(kid_at(now + DAY).await, second_kid);
    assert_eq!(published(now + DAY + 899).await, [second_kid.clone(), first_kid]);
    assert_eq!(published(now + DAY + 900).await, [second_kid]);
}

fn kid_of(token: &str) -> String {
    use base64::Engine as _;
    let header = token.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    serde_json::from_slice::<Json>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_step_can_be_done_again_from_any_step_on() {
    let secrets = Secrets::create().await;
    // Secrets Manager asks for all of them again when a step did not answer; it may have been done.
    for (version, crashed_after) in (1..).zip(1..=STEPS.len()) {
        let now = NOW + i64::from(version) * 2 * DAY;
        let before = secrets.current(&secrets.signing).await;
        secrets.steps(version, &STEPS[..crashed_after], now).await;
        if crashed_after < STEPS.len() {
            assert_eq!(secrets.current(&secrets.signing).await, before, "nothing signs otherwise before the last step");
        }
        secrets.steps(version, &STEPS, now + 1).await;
        for step in STEPS {
            secrets.steps(version, &[step, step], now + 2).await;
        }
        let after = secrets.current(&secrets.signing).await;
        assert_eq!(kids(&after)[1..], kids(&before)[..], "one more key");
        assert_eq!(KeySet::public(&after).unwrap(), secrets.current(&secrets.public).await);
    }
}

#[tokio::test]
async fn a_rotation_that_was_given_up_after_any_step_harms_no_token() {
    let secrets = Secrets::create().await;
    secrets.steps(1, &STEPS, NOW).await;
    for (version, given_up_after) in (2..).step_by(2).zip(1..STEPS.len()) {
        let now = NOW + i64::from(version) * DAY;
        let good = async || {
            let (signer, verifier) =
                (secrets.keys(&secrets.signing, now).await, secrets.keys(&secrets.public, now).await);
            let token = access_token(&signer, now).await;
            assert!(verifies(&verifier, &token, now).await);
        };
        secrets.steps(version, &STEPS[..given_up_after], now).await;
        good().await;
        // Another one, later, of another version; and then a step of the old one that comes late.
        secrets.steps(version + 1, &STEPS, now + 1).await;
        good().await;
        let (signing, public) = (secrets.current(&secrets.signing).await, secrets.current(&secrets.public).await);
        let _ = secrets.step(version, STEPS[given_up_after - 1], now + 2).await;
        good().await;
        assert_eq!(
            (secrets.current(&secrets.signing).await, secrets.current(&secrets.public).await),
            (signing, public)
        );
    }
}

#[tokio::test]
async fn a_leaked_key_is_gone_after_the_set_was_emptied_and_rotated() {
    let secrets = Secrets::create().await;
    secrets.steps(1, &STEPS, NOW).await;
    let leaked = access_token(&secrets.keys(&secrets.signing, NOW).await, NOW).await;
    let verifier = secrets.keys(&secrets.public, NOW).await;
    // In two calls: moto forgets which version a rotation made the current one.
    let empty = "00000000-0000-0000-0001-000000000000";
    let put = json!({
        "SecretId": secrets.signing, "SecretString": r#"{"keys":[]}"#, "ClientRequestToken": empty, "VersionStages": ["EMPTY"],
    });
    call(&url("MOTO_URL"), "secretsmanager.PutSecretValue", &put);
    let promote = json!({
        "SecretId": secrets.signing, "VersionStage": "AWSCURRENT", "MoveToVersionId": empty,
        "RemoveFromVersionId": "00000000-0000-0000-0000-000000000001",
    });
    call(&url("MOTO_URL"), "secretsmanager.UpdateSecretVersionStage", &promote);
    secrets.steps(2, &STEPS, NOW + 60).await;
    let new = access_token(&secrets.keys(&secrets.signing, NOW + 60).await, NOW + 60).await;
    assert!(verifies(&verifier, &new, NOW + 60).await, "an unknown kid: read again");
    assert!(!verifies(&verifier, &leaked, NOW + 60).await);
}

#[tokio::test]
async fn a_step_that_does_not_exist_or_has_no_version_is_an_error() {
    let secrets = Secrets::create().await;
    for step in ["setSecret", "testSecret", "finishSecret", "nothing"] {
        let error = secrets.step(1, step, NOW).await.unwrap_err();
        assert!(!error.contains("arn:"), "{error}");
    }
    assert!(kids(&secrets.current(&secrets.signing).await).is_empty());
}

#[test]
fn the_event_of_secrets_manager_is_understood() {
    let event =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../local/events/rotate-keys.json")).unwrap();
    serde_json::from_str::<Rotation>(&event).unwrap();
}
