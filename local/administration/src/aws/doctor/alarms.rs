//! The checks of the alarms: whether somebody hears them.

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use shared::aws::SdkConfig;

use super::super::call::{CallError, called};
use super::super::stack::Described;
use super::unchecked;
use crate::finding::Finding;

pub(super) async fn check(sdk: &SdkConfig, stack: &Described) -> Vec<Finding> {
    let mut findings = vec![check_topic(sdk, stack).await];
    match alarms(sdk, stack).await {
        Ok(alarms) => findings.extend(check_alarms(&alarms)),
        Err(error) => findings.push(unchecked("alarms", &error)),
    }
    findings
}

async fn check_topic(sdk: &SdkConfig, stack: &Described) -> Finding {
    const CHECK: &str = "alarm topic";
    let topic = stack.parameter("AlarmTopicArn");
    if topic.is_empty() {
        let action = "Create an SNS topic with a subscription of your email, and deploy with it as AlarmTopicArn.";
        return Finding::problem(CHECK, "Nobody hears the alarms: AlarmTopicArn is empty.", action);
    }
    let client = aws_sdk_sns::Client::new(sdk);
    let mut pages = client.list_subscriptions_by_topic().topic_arn(topic).into_paginator().send();
    let mut pending = 0;
    while let Some(page) = pages.next().await {
        let page = match called("sns:ListSubscriptionsByTopic", page) {
            Ok(page) => page,
            Err(error) if error.is_not_found => {
                let action = "Deploy with the ARN of a topic that exists as AlarmTopicArn.";
                return Finding::problem(
                    CHECK,
                    "Nobody hears the alarms: the topic AlarmTopicArn does not exist.",
                    action,
                );
            }
            Err(error) => return unchecked(CHECK, &error),
        };
        for subscription in page.subscriptions() {
            // Until it is confirmed, a subscription has a word in place of its ARN.
            if subscription.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")) {
                return Finding::ok(CHECK, "Somebody hears the alarms: the topic has a confirmed subscription.");
            }
            pending += 1;
        }
    }
    let finding = format!("Nobody hears the alarms: the topic has {pending} subscriptions, none of them confirmed.");
    Finding::problem(CHECK, finding, "Subscribe to the topic, and confirm the subscription.")
}

/// Returns the alarms of the stack, whose names CloudFormation begins with the stack's.
async fn alarms(sdk: &SdkConfig, stack: &Described) -> Result<Vec<MetricAlarm>, CallError> {
    let client = aws_sdk_cloudwatch::Client::new(sdk);
    let mut pages = client.describe_alarms().alarm_name_prefix(format!("{}-", stack.name)).into_paginator().send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        alarms.extend(called("cloudwatch:DescribeAlarms", page)?.metric_alarms.unwrap_or_default());
    }
    Ok(alarms)
}

fn check_alarms(alarms: &[MetricAlarm]) -> Vec<Finding> {
    const CHECK: &str = "alarms";
    let mut findings = Vec::new();
    let silent = names(alarms, |alarm| alarm.actions_enabled() != Some(true) || alarm.alarm_actions().is_empty());
    if alarms.is_empty() {
        findings.push(Finding::problem(CHECK, "The stack has no alarms.", "Deploy the template again."));
    } else if silent.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} alarms are sent to the topic.", alarms.len())));
    } else {
        let action = "Deploy with an AlarmTopicArn, and enable the actions of the alarms.";
        findings.push(Finding::problem(CHECK, format!("These alarms are sent to nobody: {silent}."), action));
    }
    let raised = names(alarms, |alarm| alarm.state_value() == Some(&StateValue::Alarm));
    if !raised.is_empty() {
        let action = "Read what the alarm means in functions/OPERATIONS.md, and the log.";
        findings.push(Finding::problem("raised alarms", format!("These alarms are raised: {raised}."), action));
    }
    findings
}

fn names(alarms: &[MetricAlarm], is_named: impl Fn(&MetricAlarm) -> bool) -> String {
    let named = alarms.iter().filter(|alarm| is_named(alarm)).filter_map(MetricAlarm::alarm_name);
    named.collect::<Vec<_>>().join(", ")
}
