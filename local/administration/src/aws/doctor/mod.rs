//! The checks of a stack. Each is independent: one that cannot be made is a finding.

mod alarms;
mod data;
mod keys;
mod sms;

use aws_sdk_lambda::Client;
use shared::aws::SdkConfig;

use super::call::{CallError, called};
use super::stack::Described;
use crate::finding::Finding;

/// Checks the stack at `now`. Hints begin with `command`.
pub(super) async fn check(sdk: &SdkConfig, stack: &Described, command: &str, now: i64) -> Vec<Finding> {
    let mut findings = vec![check_stack(stack)];
    match stack.config() {
        Ok(config) => findings.extend(sms::check(sdk, stack, &config, command, now).await),
        Err(error) => {
            let action = "Deploy the stack again, with a valid value.";
            findings.push(Finding::problem("settings", format!("A parameter is invalid: {error}."), action));
        }
    }
    findings.push(check_concurrency(sdk, stack).await);
    findings.extend(data::check(sdk, stack).await);
    findings.extend(keys::check(sdk, stack, now).await);
    findings.extend(alarms::check(sdk, stack).await);
    findings
}

/// The remedy of a missing permission.
const ATTACH: &str = "Attach the stack's OperatorPolicy (output OperatorPolicyArn) to your role.";

/// A check whose call failed.
fn unchecked(check: &'static str, error: &CallError) -> Finding {
    if error.is_denied {
        return Finding::unchecked(check, format!("You are not permitted {}.", error.call), ATTACH);
    }
    Finding::unchecked(check, format!("It could not be checked: {error}."), "Repeat the command.")
}

/// A check that could not read a table.
fn unread(check: &'static str, error: &dyn std::fmt::Display) -> Finding {
    let action = format!("Repeat the command. If you are not permitted to read the table: {ATTACH}");
    Finding::unchecked(check, format!("It could not be checked: {error}."), action)
}

/// A check for which the stack lacks an output.
fn no_output(check: &'static str, error: &shared::error::BoxError) -> Finding {
    Finding::unchecked(check, format!("It could not be checked: {error}."), "Deploy the template of this version.")
}

fn check_stack(stack: &Described) -> Finding {
    let (name, status) = (&stack.name, &stack.status);
    match status.as_str() {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" => Finding::ok("stack", format!("The stack {name} is {status}.")),
        status if status.ends_with("_IN_PROGRESS") => {
            Finding::warning("stack", format!("The stack {name} is {status}."), "Wait until the deployment is over.")
        }
        _ => {
            let action = "Read the events of the stack in CloudFormation, and deploy again.";
            Finding::problem("stack", format!("The stack {name} is {status}."), action)
        }
    }
}

async fn check_concurrency(sdk: &SdkConfig, stack: &Described) -> Finding {
    const CHECK: &str = "concurrency";
    let settings = Client::new(sdk).get_account_settings().send().await;
    let settings = match called("lambda:GetAccountSettings", settings) {
        Ok(settings) => settings,
        Err(error) => return unchecked(CHECK, &error),
    };
    // Excludes the concurrency that is reserved for other functions.
    let allowed = settings.account_limit().and_then(|limit| limit.unreserved_concurrent_executions());
    let Some(allowed) = allowed else {
        let reason = "It could not be checked: Lambda returned no limit.";
        return Finding::unchecked(CHECK, reason, "Repeat the command.");
    };
    let parameter: i32 = stack.parameter("AccountConcurrency").parse().unwrap_or(10);
    let finding =
        format!("Lambda allows {allowed} unreserved concurrent executions; AccountConcurrency is {parameter}");
    if allowed < parameter {
        let action = "Deploy with a lower AccountConcurrency, or raise Lambda's quota Concurrent executions.";
        Finding::problem(
            CHECK,
            format!("{finding}: the routes allow more requests than Lambda can run concurrently."),
            action,
        )
    } else if parameter < 1000 && allowed / 10 >= parameter {
        let action = "Deploy with a higher AccountConcurrency.";
        Finding::warning(
            CHECK,
            format!("{finding}: the routes reject requests that the functions could handle."),
            action,
        )
    } else if allowed <= 10 {
        let action = "Raise Lambda's quota Concurrent executions before many users sign up.";
        Finding::warning(CHECK, format!("{finding}, which is ten logins a second for all users together."), action)
    } else {
        Finding::ok(CHECK, format!("{finding}."))
    }
}
