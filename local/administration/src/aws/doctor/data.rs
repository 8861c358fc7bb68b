//! The checks of the tables: expiry, recovery, and protection from deletion.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{PointInTimeRecoveryStatus, TimeToLiveStatus};
use shared::aws::SdkConfig;

use super::super::call::called;
use super::super::stack::Described;
use super::{no_output, unchecked};
use crate::finding::Finding;

const DEPLOY: &str = "Deploy the template again: somebody changed the table.";

pub(super) async fn check(sdk: &SdkConfig, stack: &Described) -> Vec<Finding> {
    const CHECK: &str = "tables";
    let tables = match stack.tables() {
        Ok(tables) => tables,
        Err(error) => return vec![no_output(CHECK, &error)],
    };
    let client = Client::new(sdk);
    let mut findings = Vec::new();
    let expiring = [
        ("expiry of SmsSessions", &tables.sms_sessions),
        ("expiry of Sessions", &tables.sessions),
        ("expiry of Limits", &tables.limits),
    ];
    for (check, table) in expiring {
        findings.push(check_expiry(&client, check, table).await);
    }
    findings.push(check_recovery(&client, &tables.users).await);
    findings.push(check_protection(&client, &tables.users).await);
    findings
}

async fn check_expiry(client: &Client, check: &'static str, table: &str) -> Finding {
    let described = client.describe_time_to_live().table_name(table).send().await;
    let described = match called("dynamodb:DescribeTimeToLive", described) {
        Ok(described) => described,
        Err(error) => return unchecked(check, &error),
    };
    let is_enabled = described.time_to_live_description().is_some_and(|ttl| {
        let is_on = matches!(ttl.time_to_live_status(), Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling));
        is_on && ttl.attribute_name() == Some("expires_at")
    });
    if is_enabled {
        Finding::ok(check, "DynamoDB deletes the expired items.")
    } else {
        Finding::problem(check, "DynamoDB does not delete the expired items.", DEPLOY)
    }
}

async fn check_recovery(client: &Client, users: &str) -> Finding {
    const CHECK: &str = "recovery";
    let described = client.describe_continuous_backups().table_name(users).send().await;
    let described = match called("dynamodb:DescribeContinuousBackups", described) {
        Ok(described) => described,
        Err(error) => return unchecked(CHECK, &error),
    };
    let recovery =
        described.continuous_backups_description().and_then(|backups| backups.point_in_time_recovery_description());
    let status = recovery.and_then(|recovery| recovery.point_in_time_recovery_status());
    if status == Some(&PointInTimeRecoveryStatus::Enabled) {
        Finding::ok(CHECK, "Users can be restored to any second of the last 35 days.")
    } else {
        Finding::problem(CHECK, "Users cannot be restored: point-in-time recovery is off.", DEPLOY)
    }
}

async fn check_protection(client: &Client, users: &str) -> Finding {
    const CHECK: &str = "deletion protection";
    let described = match called("dynamodb:DescribeTable", client.describe_table().table_name(users).send().await) {
        Ok(described) => described,
        Err(error) => return unchecked(CHECK, &error),
    };
    if described.table().and_then(|table| table.deletion_protection_enabled()) == Some(true) {
        Finding::ok(CHECK, "The table of users is protected from deletion.")
    } else {
        Finding::problem(CHECK, "The table of users is not protected from deletion.", DEPLOY)
    }
}
