//! The keys and their rotation, against moto's Secrets Manager.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::stand_ins::{call, post, url};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};
use shared::aws::{Rotation, Rotator, SdkConfig, SecretKeys, sdk_config};
use shared::config::Config;
use shared::keys::{KeySet, KeySource as _, Keys};
use shared::token::Family;
use shared::user::UserId;

const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];
const DAY: i64 = 24 * 60 * 60;
const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://accounts.example.com";

/// A function that moto calls, and that does nothing: the steps are done by the tests, in any order.
fn rotation_function() -> &'static str {
    static FUNCTION: OnceLock<String> = OnceLock::new();
    FUNCTION.get_or_init(|| {
        let (moto, unique) = (url("MOTO_KEYS_URL"), std::process::id());
        post(&format!("{moto}/moto-api/config"), "moto", "application/json", "", r#"{"lambda":{"use_docker":false}}"#);
        let trust = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
        let role = format!("Action=CreateRole&Version=2010-05-08&RoleName=rotate-{unique}&AssumeRolePolicyDocument={trust}");
        post(&moto, "iam", "application/x-www-form-urlencoded", "", &role);
        let empty_zip = [&b"PK\x05\x06"[..], &[0; 18]].concat();
        let function = json!({
            "FunctionName": format!("rotate-{unique}"), "Runtime": "python3.13", "Handler": "a.b",
            "Role": format!("arn:aws:iam::123456789012:role/rotate-{unique}"),
            "Code": { "ZipFile": STANDARD.encode(empty_zip) },
        });
        let created =
            post(&format!("{moto}/2015-03-31/functions"), "lambda", "application/json", "", &function.to_string());
        serde_json::from_str::<Json>(&created).unwrap()["FunctionArn"].as_str().unwrap().to_owned()
    })
}

/// The two secrets, as the template makes them.
struct Secrets {
    sdk: SdkConfig,
    private: String,
    public: String,
}

impl Secrets {
    async fn create() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let template = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../template.yaml")).unwrap();
        let template: Json = serde_saphyr::from_str(&template).unwrap();
        let [private, public] = ["PrivateKeysSecret", "PublicKeysSecret"].map(|secret| {
            let value = &template["Resources"][secret]["Properties"]["SecretString"];
            let create =
                json!({ "Name": format!("{secret}-{unique}"), "SecretString": value, "ClientRequestToken": token(0) });
            let created = call(&url("MOTO_KEYS_URL"), "secretsmanager.CreateSecret", &create);
            created["ARN"].as_str().unwrap().to_owned()
        });
        Self { sdk: sdk_config().unwrap().into_builder().endpoint_url(url("MOTO_KEYS_URL")).build(), private, public }
    }

    /// Has Secrets Manager begin a rotation: it lists a version, pending and without a value.
    fn begin(&self, version: u32) {
        let described =
            call(&url("MOTO_KEYS_URL"), "secretsmanager.DescribeSecret", &json!({ "SecretId": self.private }));
        for (finished, stages) in described["VersionIdsToStages"].as_object().unwrap() {
            // The finished one may be still pending, or not. Moto takes the first for unfinished.
            if stages.as_array().unwrap().contains(&"AWSCURRENT".into()) && stages.to_string().contains("AWSPENDING") {
                let no_more =
                    json!({ "SecretId": self.private, "VersionStage": "AWSPENDING", "RemoveFromVersionId": finished });
                call(&url("MOTO_KEYS_URL"), "secretsmanager.UpdateSecretVersionStage", &no_more);
            }
        }
        let rotate = json!({
            "SecretId": self.private, "ClientRequestToken": token(version), "RotationLambdaARN": rotation_function(),
        });
        call(&url("MOTO_KEYS_URL"), "secretsmanager.RotateSecret", &rotate);
    }

    /// One step of the rotation that makes this version.
    async fn step(&self, version: u32, step: &str, now: i64) -> Result<(), String> {
        let event = json!({ "Step": step, "SecretId": self.private, "ClientRequestToken": token(version) });
        let rotation: Rotation = serde_json::from_value(event).unwrap();
        let rotator = Rotator::new(&self.sdk, self.public.clone());
        rotator.rotate(&rotation, now).await.map_err(|error| error.to_string())
    }

    async fn steps(&self, version: u32, steps: &[&str], now: i64) {
        for step in steps {
            self.step(version, step, now).await.unwrap_or_else(|error| panic!("{step}: {error}"));
        }
    }

    async fn rotate(&self, version: u32, now: i64) {
        self.begin(version);
        self.steps(version, &STEPS, now).await;
    }

    async fn current(&self, secret: &str) -> String {
        SecretKeys::new(&self.sdk, secret.to_owned()).read().await.unwrap().to_string()
    }

    async fn both(&self) -> [String; 2] {
        [self.current(&self.private).await, self.current(&self.public).await]
    }

    async fn keys(&self, secret: &str, now: i64) -> Keys {
        Keys::read(Box::new(SecretKeys::new(&self.sdk, secret.to_owned())), now).await.unwrap()
    }

    /// Whether what signs now is published now, and verified by what verifies now.
    async fn are_good(&self, now: i64) -> bool {
        let (signer, verifier) = (self.keys(&self.private, now).await, self.keys(&self.public, now).await);
        let (token, published) = (access_token(&signer, now).await, published(&verifier, now).await);
        verifies(&verifier, &token, now).await && published.contains(&kid_of(&token))
    }

    /// Puts an empty set in place of `version`, the current one, which is labelled `stage` too: in two
    /// calls, because moto takes the version of a rotation that has just begun for the current one.
    fn empty(&self, version: u32, stage: &str) {
        let (url, new) = (url("MOTO_KEYS_URL"), token(999));
        let put = json!({
            "SecretId": self.private, "SecretString": r#"{"keys":[]}"#, "ClientRequestToken": new, "VersionStages": [stage],
        });
        call(&url, "secretsmanager.PutSecretValue", &put);
        let promote = json!({
            "SecretId": self.private, "VersionStage": "AWSCURRENT", "MoveToVersionId": new, "RemoveFromVersionId": token(version),
        });
        call(&url, "secretsmanager.UpdateSecretVersionStage", &promote);
    }
}

fn token(version: u32) -> String {
    format!("00000000-0000-0000-0000-{version:012}")
}

fn kids(json: &str) -> Vec<String> {
    let set: Json = serde_json::from_str(json).unwrap();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

async fn published(verifier: &Keys, now: i64) -> Vec<String> {
    let set = verifier.current(now).await;
    kids(&serde_json::to_string(&set.jwks(&Config::default(), now)).unwrap())
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
    assert!(Keys::read(source(&secrets.private), NOW).await.is_err(), "there is no key yet");
    secrets.rotate(1, NOW).await;
    let (signer, verifier) = (secrets.keys(&secrets.private, NOW).await, secrets.keys(&secrets.public, NOW).await);
    let first = access_token(&signer, NOW).await;
    assert!(verifies(&verifier, &first, NOW).await);
    let family = Family::start(UserId::generate(NOW), 0, &Config::default(), NOW);
    assert!(verifier.issue(&family, ISSUER, &Config::default(), NOW).await.is_err(), "it has no private half");

    // The second is published at once, signs after a day, and the first goes when its tokens have.
    let now = NOW + 30 * DAY;
    secrets.rotate(2, now).await;
    let published = async |now| published(&verifier, now).await;
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
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Json>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn each_step_can_be_done_again_from_any_step_on() {
    let secrets = Secrets::create().await;
    // Secrets Manager asks for all of them again when a step did not answer; it may have been done.
    for (version, crashed_after) in (1..).zip(0..=STEPS.len()) {
        let now = NOW + i64::from(version) * 2 * DAY;
        let before = secrets.current(&secrets.private).await;
        secrets.begin(version);
        secrets.steps(version, &STEPS[..crashed_after], now).await;
        if crashed_after < STEPS.len() {
            let meanwhile = secrets.current(&secrets.private).await;
            assert_eq!(meanwhile, before, "nothing signs otherwise before the last step");
        }
        secrets.steps(version, &STEPS, now + 1).await;
        for step in STEPS {
            secrets.steps(version, &[step, step], now + 2).await;
        }
        let [after, public] = secrets.both().await;
        assert_eq!(kids(&after)[1..], kids(&before)[..], "one more key");
        assert_eq!(KeySet::public(&after).unwrap(), public);
    }
}

#[tokio::test]
async fn a_rotation_that_stands_still_harms_no_token_and_is_given_up_when_it_goes_on() {
    let secrets = Secrets::create().await;
    secrets.rotate(1, NOW).await;
    for (version, stands_after) in (2..).step_by(2).zip(1..STEPS.len()) {
        let now = NOW + i64::from(version) * 10 * DAY;
        secrets.begin(version);
        secrets.steps(version, &STEPS[..stands_after], now).await;
        for days in [0, 1, 2, 9] {
            assert!(secrets.are_good(now + days * DAY).await, "after {} and {days} days", STEPS[stands_after - 1]);
        }
        // Its key would sign at once, though nobody knows it yet.
        for step in [STEPS[stands_after - 1], STEPS[stands_after], "finishSecret"] {
            secrets.step(version, step, now + 2 * DAY).await.unwrap_err();
            assert!(secrets.are_good(now + 2 * DAY).await);
        }
        let before = secrets.current(&secrets.private).await;
        secrets.rotate(version + 1, now + 3 * DAY).await;
        assert_eq!(kids(&secrets.current(&secrets.private).await)[1..], kids(&before)[..]);
        assert!(secrets.are_good(now + 3 * DAY).await && secrets.are_good(now + 4 * DAY).await);
    }
}

#[tokio::test]
async fn a_step_that_comes_late_changes_nothing() {
    let secrets = Secrets::create().await;
    for version in 1..=3 {
        secrets.rotate(version, NOW + i64::from(version) * DAY).await;
    }
    // Of a rotation that is finished, of one that another one overtook, and of none.
    secrets.begin(4);
    secrets.steps(4, &STEPS[..2], NOW + 4 * DAY).await;
    secrets.begin(5);
    let both = secrets.both().await;
    for step in STEPS {
        secrets.step(3, step, NOW + 4 * DAY).await.unwrap();
        for version in [1, 2, 4, 77] {
            secrets.step(version, step, NOW + 4 * DAY).await.unwrap_err();
        }
        if step != "createSecret" {
            secrets.step(5, step, NOW + 4 * DAY).await.unwrap_err();
        }
        assert_eq!(secrets.both().await, both, "{step}");
    }
    secrets.steps(5, &STEPS, NOW + 4 * DAY).await;
    secrets.step(5, "nothing", NOW + 4 * DAY).await.unwrap();
    secrets.begin(6);
    secrets.steps(6, &STEPS[..1], NOW + 5 * DAY).await;
    let error = secrets.step(6, "nothing", NOW + 5 * DAY).await.unwrap_err();
    assert!(!error.contains("arn:"), "{error}");
}

#[tokio::test]
async fn a_rotation_whose_last_call_was_not_made_is_healed_by_the_same_step() {
    let secrets = Secrets::create().await;
    secrets.rotate(1, NOW).await;
    secrets.begin(2);
    secrets.steps(2, &STEPS[..3], NOW + 30 * DAY).await;
    let promote = json!({
        "SecretId": secrets.private, "VersionStage": "AWSCURRENT", "MoveToVersionId": token(2), "RemoveFromVersionId": token(1),
    });
    call(&url("MOTO_KEYS_URL"), "secretsmanager.UpdateSecretVersionStage", &promote);
    let now = NOW + 32 * DAY;
    assert!(secrets.are_good(now).await);
    let verifier = secrets.keys(&secrets.public, now).await;
    assert_eq!(published(&verifier, now).await.len(), 2, "not retired, for it is not confirmed");
    secrets.steps(2, &["finishSecret", "finishSecret"], now).await;
    assert_eq!(published(&verifier, now + 300).await.len(), 1);
    assert!(secrets.are_good(now + 300).await);
}

#[tokio::test]
async fn a_leaked_key_is_gone_after_the_set_was_emptied_and_rotated() {
    // As the README says; and as a change in the console leaves it.
    for stage in ["AWSPENDING", "EMPTY"] {
        leaks_no_more(stage).await;
    }
}

async fn leaks_no_more(stage: &str) {
    let secrets = Secrets::create().await;
    secrets.rotate(1, NOW).await;
    let leaked = access_token(&secrets.keys(&secrets.private, NOW).await, NOW).await;
    let verifier = secrets.keys(&secrets.public, NOW).await;
    // While a rotation is under way that has the leaked key in it.
    secrets.begin(2);
    secrets.steps(2, &STEPS[..2], NOW + 60).await;
    secrets.empty(1, stage);
    for step in ["testSecret", "finishSecret"] {
        secrets.step(2, step, NOW + 61).await.unwrap_err();
    }
    secrets.rotate(3, NOW + 62).await;
    let [private, public] = secrets.both().await;
    assert_eq!((kids(&private).len(), kids(&public)), (1, kids(&private)));
    let new = access_token(&secrets.keys(&secrets.private, NOW + 62).await, NOW + 62).await;
    assert!(verifies(&verifier, &new, NOW + 62).await, "an unknown kid: read again");
    assert!(!verifies(&verifier, &leaked, NOW + 62).await);
}

#[test]
fn the_event_of_secrets_manager_is_understood() {
    let event =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../local/events/rotate-keys.json")).unwrap();
    serde_json::from_str::<Rotation>(&event).unwrap();
}
