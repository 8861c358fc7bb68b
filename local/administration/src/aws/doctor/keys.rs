//! The checks of the signing keys: their age, and the schedule of their rotation.

use aws_sdk_secretsmanager::Client;
use secrecy::ExposeSecret as _;
use shared::aws::{PublicKeys, SdkConfig};
use shared::tokens::{KeySet, KeySource as _};

use super::super::call::called;
use super::super::stack::Described;
use super::{no_output, unchecked, unread};
use crate::finding::Finding;
use crate::text::duration;

/// The age of the newest key from which a rotation of every 30 days has failed.
const OLD_SECONDS: i64 = 35 * 24 * 60 * 60;

pub(super) async fn check(sdk: &SdkConfig, stack: &Described, now: i64) -> Vec<Finding> {
    vec![check_schedule(sdk, stack).await, check_age(sdk, stack, now).await]
}

async fn check_schedule(sdk: &SdkConfig, stack: &Described) -> Finding {
    const CHECK: &str = "key rotation";
    let secret = match stack.output("PrivateKeysSecretArn") {
        Ok(secret) => secret,
        Err(error) => return no_output(CHECK, &error),
    };
    let described = Client::new(sdk).describe_secret().secret_id(secret).send().await;
    let described = match called("secretsmanager:DescribeSecret", described) {
        Ok(described) => described,
        Err(error) => return unchecked(CHECK, &error),
    };
    let days = described.rotation_rules().and_then(|rules| rules.automatically_after_days());
    match (described.rotation_enabled(), days) {
        (Some(true), Some(days)) => Finding::ok(CHECK, format!("The keys are rotated every {days} days.")),
        (Some(true), None) => Finding::ok(CHECK, "The keys are rotated."),
        _ => {
            let action = "Deploy the template again: somebody switched the rotation off.";
            Finding::problem(CHECK, "The keys are not rotated.", action)
        }
    }
}

async fn check_age(sdk: &SdkConfig, stack: &Described, now: i64) -> Finding {
    const CHECK: &str = "signing key";
    let (table, secret) = match (stack.output("PublicKeysTableName"), stack.output("PrivateKeysSecretArn")) {
        (Ok(table), Ok(secret)) => (table, secret),
        (Err(error), _) | (_, Err(error)) => return no_output(CHECK, &error),
    };
    let published = match PublicKeys::new(sdk, table).load().await {
        Ok(published) => published,
        Err(error) => return unread(CHECK, &error),
    };
    let region = sdk.region().map(ToString::to_string).unwrap_or_default();
    let rotate = format!(
        "Read the log of rotate-keys, fix the cause, then: aws secretsmanager rotate-secret --secret-id {secret} --region \
         {region}"
    );
    match KeySet::from_stored(published.expose_secret()).map(|keys| keys.newest_created_at()) {
        Ok(Some(created_at)) if now - created_at <= OLD_SECONDS => {
            Finding::ok(CHECK, format!("The newest key was created {} ago.", duration(now - created_at)))
        }
        Ok(Some(created_at)) => {
            let age = duration(now - created_at);
            Finding::problem(CHECK, format!("The newest key was created {age} ago: rotations fail."), rotate)
        }
        Ok(None) => Finding::problem(CHECK, "No key is published: nobody can log in.", rotate),
        Err(error) => Finding::problem(CHECK, format!("The published keys are invalid: {error}."), rotate),
    }
}
