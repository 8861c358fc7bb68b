//! The checks of the alarms: whether somebody is notified of them.

use aws_sdk_cloudwatch::types::{MetricAlarm, StateValue};
use shared::aws::SdkConfig;

use super::super::call::{CallError, called};
use super::super::stack::Described;
use super::unchecked;
use crate::finding::Finding;

/// The alarms of the template, by their logical ids.
const ALARMS: [&str; 17] = [
    "Api5xxAlarm",
    "BusyAlarm",
    "ConversionAlarm",
    "ErrorsAlarm",
    "FailedLoginsAlarm",
    "LimitedAlarm",
    "PauseFailedAlarm",
    "PausedAlarm",
    "ReuseAlarm",
    "RotationAlarm",
    "SmsLimitedAlarm",
    "SmsNotSentAlarm",
    "SmsOfDay100Alarm",
    "SmsOfDay50Alarm",
    "SmsOfDay80Alarm",
    "ThrottlesAlarm",
    "WrongCodesAlarm",
];

pub(super) async fn check(sdk: &SdkConfig, stack: &Described) -> Vec<Finding> {
    let mut findings = vec![check_topic(sdk, stack).await];
    match alarms(sdk, stack).await {
        Ok(alarms) => findings.extend(check_alarms(&alarms, stack.parameter("AlarmTopicArn"))),
        Err(error) => findings.push(unchecked("alarms", &error)),
    }
    findings
}

async fn check_topic(sdk: &SdkConfig, stack: &Described) -> Finding {
    const CHECK: &str = "alarm topic";
    let topic = stack.parameter("AlarmTopicArn");
    if topic.is_empty() {
        let action = "Create an SNS topic with a subscription of your email, and deploy with it as AlarmTopicArn.";
        return Finding::problem(CHECK, "Nobody is notified of the alarms: AlarmTopicArn is empty.", action);
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
                    "Nobody is notified of the alarms: the topic AlarmTopicArn does not exist.",
                    action,
                );
            }
            Err(error) => return unchecked(CHECK, &error),
        };
        for subscription in page.subscriptions() {
            // Until it is confirmed, a subscription has a word in place of its ARN.
            if subscription.subscription_arn().is_some_and(|arn| arn.starts_with("arn:")) {
                return Finding::ok(
                    CHECK,
                    "Somebody is notified of the alarms: the topic has a confirmed subscription.",
                );
            }
            pending += 1;
        }
    }
    let finding =
        format!("Nobody is notified of the alarms: the topic has {pending} subscriptions, none of them confirmed.");
    Finding::problem(CHECK, finding, "Subscribe to the topic, and confirm the subscription.")
}

/// Returns the alarms of the stack, each with its logical id.
async fn alarms(sdk: &SdkConfig, stack: &Described) -> Result<Vec<(&'static str, MetricAlarm)>, CallError> {
    let client = aws_sdk_cloudwatch::Client::new(sdk);
    let mut pages = client.describe_alarms().alarm_name_prefix(format!("{}-", stack.name)).into_paginator().send();
    let mut alarms = Vec::new();
    while let Some(page) = pages.next().await {
        let page = called("cloudwatch:DescribeAlarms", page)?.metric_alarms.unwrap_or_default();
        alarms
            .extend(page.into_iter().filter_map(|alarm| Some((logical_id(alarm.alarm_name()?, &stack.name)?, alarm))));
    }
    Ok(alarms)
}

/// Returns the logical id of an alarm of `stack`, which CloudFormation names `<stack>-<logical id>-<random>`. The name of
/// another stack may begin with that of this one.
fn logical_id(name: &str, stack: &str) -> Option<&'static str> {
    let id = name.strip_prefix(stack)?.strip_prefix('-')?.split('-').next()?;
    ALARMS.into_iter().find(|alarm| *alarm == id)
}

fn check_alarms(alarms: &[(&'static str, MetricAlarm)], topic: &str) -> Vec<Finding> {
    const CHECK: &str = "alarms";
    let mut findings = Vec::new();
    let missing: Vec<_> = ALARMS.into_iter().filter(|id| alarms.iter().all(|(found, _)| found != id)).collect();
    let silent = names(alarms, |alarm| {
        alarm.actions_enabled() != Some(true) || alarm.alarm_actions().iter().all(|action| action != topic)
    });
    if !missing.is_empty() {
        let finding = format!("The stack lacks these alarms: {}.", missing.join(", "));
        findings.push(Finding::problem("missing alarms", finding, "Deploy the template again."));
    }
    if alarms.is_empty() {
        return findings;
    }
    if silent.is_empty() {
        findings.push(Finding::ok(CHECK, format!("{} alarms are sent to the topic.", alarms.len())));
    } else {
        let action = "Deploy with an AlarmTopicArn, and enable the actions of the alarms.";
        findings.push(Finding::problem(CHECK, format!("Nobody is notified of these alarms: {silent}."), action));
    }
    let raised = names(alarms, |alarm| alarm.state_value() == Some(&StateValue::Alarm));
    if !raised.is_empty() {
        let action = "Read what the alarm means in functions/OPERATIONS.md, and the log.";
        findings.push(Finding::problem("raised alarms", format!("These alarms are raised: {raised}."), action));
    }
    findings
}

fn names(alarms: &[(&'static str, MetricAlarm)], is_named: impl Fn(&MetricAlarm) -> bool) -> String {
    alarms.iter().filter(|(_, alarm)| is_named(alarm)).map(|(id, _)| *id).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarms_are_those_of_the_template() {
        let template = include_str!("../../../../../template.yaml");
        let mut ids: Vec<_> = template
            .rsplit_once("    Type: AWS::CloudWatch::Alarm\n")
            .map(|(before, _)| before.split("    Type: AWS::CloudWatch::Alarm\n"))
            .unwrap()
            .map(|before| before.trim_end().lines().last().unwrap().trim().strip_suffix(':').unwrap())
            .collect();
        ids.sort_unstable();
        assert_eq!(ids, ALARMS);
    }

    #[test]
    fn an_alarm_of_a_stack_with_a_longer_name_is_not_one_of_this_stack() {
        assert_eq!(logical_id("ably-ErrorsAlarm-1A2B3C", "ably"), Some("ErrorsAlarm"));
        assert_eq!(logical_id("ably-staging-ErrorsAlarm-1A2B3C", "ably-staging"), Some("ErrorsAlarm"));
        for other in ["ably-staging-ErrorsAlarm-1A2B3C", "ably2-ErrorsAlarm-1A2B3C", "ably-OtherAlarm-1A2B3C"] {
            assert_eq!(logical_id(other, "ably"), None, "{other}");
        }
    }
}
