//! The metrics, the alarms, the dashboard and the saved queries of the template.

use std::collections::BTreeSet;

use functions::http::ErrorCode;
use serde_json::Value as Json;
use shared::events::{COUNTED_ERRORS, Metric, NAMESPACE};

use crate::files::template;

/// Returns the name of a metric, as events write it.
fn name(metric: Metric) -> String {
    serde_json::to_value(metric).unwrap().as_str().unwrap().to_owned()
}

/// Returns the resources of a type, by logical id.
fn resources(template: &Json, of_type: &str) -> Vec<(String, Json)> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let found = resources.filter(|(_, resource)| resource["Type"] == of_type);
    found.map(|(id, resource)| (id.clone(), resource["Properties"].clone())).collect()
}

/// Returns the metrics of the functions' events that an alarm watches, each with its dimensions.
fn watched(alarm: &Json) -> Vec<(String, Json)> {
    let of_expression = alarm["Metrics"].as_array().into_iter().flatten().map(|metric| &metric["MetricStat"]["Metric"]);
    let all = of_expression.chain([alarm]).filter(|metric| metric["Namespace"] == NAMESPACE);
    let of_events = all.filter(|metric| metric["Dimensions"].is_array());
    of_events.map(|metric| (metric["MetricName"].as_str().unwrap().to_owned(), metric["Dimensions"].clone())).collect()
}

#[test]
fn alarms_watch_metrics_of_events_with_their_dimensions() {
    let template = template();
    let mut counted = BTreeSet::new();
    let mut names = BTreeSet::new();
    for (id, alarm) in resources(&template, "AWS::CloudWatch::Alarm") {
        for (metric, dimensions) in watched(&alarm) {
            assert!(Metric::ALL.into_iter().any(|known| name(known) == metric), "{id}: {metric}");
            assert_eq!(dimensions[0], serde_json::json!({ "Name": "stack", "Value": "AWS::StackName" }), "{id}");
            let error_code = (metric == name(Metric::Refused)).then(|| {
                assert_eq!(dimensions[1]["Name"], "error_code", "{id}");
                dimensions[1]["Value"].as_str().unwrap().to_owned()
            });
            assert_eq!(dimensions.as_array().unwrap().len(), 1 + usize::from(error_code.is_some()), "{id}");
            counted.extend(error_code);
            names.insert(metric);
        }
    }
    let expected = [
        "REQUEST__TOO_MANY",
        "SERVER__BUSY",
        "SMS__AUTH_CODE_NOT_MATCHED",
        "SMS__NOT_SENT",
        "SMS__PAUSED",
        "SMS__TOO_MANY_REQUESTS",
        "TOKEN__REUSED",
    ];
    assert_eq!(counted.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    let expected = ["codes_sent", "codes_verified", "failed_logins", "refused", "sms_of_day_percent"];
    assert_eq!(names.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn counted_errors_are_errors() {
    for code in COUNTED_ERRORS {
        assert!(ErrorCode::ALL.iter().any(|known| known.as_str() == code), "{code}");
    }
    assert_eq!(COUNTED_ERRORS.iter().collect::<BTreeSet<_>>().len(), COUNTED_ERRORS.len());
}

#[test]
fn every_alarm_notifies_the_operator_and_ends_without_data() {
    for (id, alarm) in resources(&template(), "AWS::CloudWatch::Alarm") {
        let action = &alarm["AlarmActions"];
        let is_conditional = action[0] == "HasAlarmTopic" && action[1][0] == "AlarmTopicArn";
        let is_list = action[0][0] == "HasAlarmTopic" && action[0][1] == "AlarmTopicArn";
        assert!(is_conditional || is_list, "{id}: {action}");
        assert_eq!(alarm["TreatMissingData"], "notBreaching", "{id}");
    }
}

#[test]
fn alarms_exist_for_50_80_and_100_percent_of_the_sms_of_a_day() {
    let template = template();
    for percent in [50, 80, 100] {
        let alarm = &template["Resources"][format!("SmsOfDay{percent}Alarm")]["Properties"];
        assert_eq!((&alarm["Threshold"], &alarm["Statistic"]), (&percent.into(), &"Maximum".into()));
        assert_eq!(watched(alarm)[0].0, name(Metric::SmsOfDayPercent));
    }
}

#[test]
fn an_sms_that_the_provider_refuses_raises_another_alarm_than_that_of_errors() {
    let template = template();
    let filter = &template["Resources"]["ErrorsLogged"]["Properties"];
    assert_eq!(filter["FilterPattern"], r#"{ $.level = "ERROR" }"#);
    let alarm = &template["Resources"]["SmsNotSentAlarm"]["Properties"];
    assert_eq!(watched(alarm)[0].1[1]["Value"], "SMS__NOT_SENT");
}

#[test]
fn the_dashboard_shows_every_metric_and_every_alarm() {
    let template = template();
    let body = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"].as_str().unwrap();
    let widgets: Json = serde_json::from_str(body).unwrap();
    let widgets = widgets["widgets"].as_array().unwrap();
    let metrics = widgets.iter().map(|widget| widget["properties"]["metrics"].to_string().replace('\\', ""));
    let metrics = metrics.collect::<String>();
    for metric in Metric::ALL {
        assert!(metrics.contains(&format!("\"{}\"", name(metric))), "{metric:?}: {metrics}");
    }
    let shown = widgets.iter().find_map(|widget| widget["properties"]["alarms"].as_array()).unwrap();
    let shown: BTreeSet<_> = shown.iter().map(|arn| arn.as_str().unwrap().to_owned()).collect();
    let alarms = resources(&template, "AWS::CloudWatch::Alarm").into_iter();
    assert_eq!(shown, alarms.map(|(id, _)| format!("${{{id}.Arn}}")).collect());
}

#[test]
fn saved_queries_name_fields_of_events() {
    let template = template();
    let queries = resources(&template, "AWS::Logs::QueryDefinition");
    let fields = [
        "event",
        "outcome",
        "error_code",
        "cause",
        "user_id",
        "phone",
        "country",
        "purpose",
        "ip",
        "request_id",
        "codes_sent",
        "codes_verified",
        "sms_usd",
    ];
    let source = crate::files::text("shared/src/events.rs");
    // The fields of the audit lines of operators' acts.
    let of_acts = ["command", "who"];
    let acts = crate::files::text("local/administration/src/audit.rs");
    for field in of_acts {
        assert!(acts.contains(&format!("    {field}: ")), "acts have no {field}");
    }
    for field in fields {
        assert!(source.contains(&format!("\"{field}\"")), "events have no {field}");
    }
    // The words of the query language, and the names that the queries give.
    let others = [
        "fields",
        "timestamp",
        "filter",
        "sort",
        "desc",
        "limit",
        "stats",
        "sum",
        "as",
        "by",
        "count",
        "ispresent",
        "sent",
        "verified",
        "percent",
        "usd",
        "requests",
    ];
    let quoted = regex_lite::Regex::new("\"[^\"]*\"").unwrap();
    for (id, query) in &queries {
        let text = query["QueryString"].as_str().unwrap();
        for word in quoted.replace_all(text, "").split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            assert!(is_number || [&fields[..], &of_acts, &others].concat().contains(&word), "{id}: {word}");
        }
        assert_eq!(query["LogGroupNames"][0], "FunctionLogs", "{id}");
    }
    assert_eq!(queries.len(), 5);
}

#[test]
fn only_the_alarm_of_a_low_conversion_calls_pause_sms() {
    let template = template();
    let resources = &template["Resources"];
    let alarm = &resources["ConversionAlarm"]["Properties"];
    assert_eq!(
        alarm["AlarmActions"],
        serde_json::json!([
            ["HasAlarmTopic", "AlarmTopicArn", "AWS::NoValue"],
            ["PausesOnLowConversion", "PauseSmsFunction.Arn", "AWS::NoValue"],
        ])
    );
    assert_eq!(
        (&alarm["ComparisonOperator"], &alarm["Threshold"]),
        (&"LessThanThreshold".into(), &"MinConversionPercent".into())
    );
    assert_eq!(alarm["Metrics"][0]["Expression"], "IF(sent >= ${MinConversionSends}, 100 * verified / sent, 100)");
    assert_eq!((&alarm["TreatMissingData"], &alarm["EvaluationPeriods"]), (&"notBreaching".into(), &1.into()));
    for (nth, (id, metric)) in
        [("sent", Metric::CodesSent), ("verified", Metric::CodesVerified)].into_iter().enumerate()
    {
        let found = &alarm["Metrics"][nth + 1];
        assert_eq!((&found["Id"], &found["MetricStat"]["Metric"]["MetricName"]), (&id.into(), &name(metric).into()));
        assert_eq!((&found["MetricStat"]["Period"], &found["MetricStat"]["Stat"]), (&3600.into(), &"Sum".into()));
    }
    assert_eq!(resources["PauseSmsPermission"]["Condition"], "PausesOnLowConversion");
    assert_eq!(resources["PauseFailedAlarm"]["Properties"]["Dimensions"][0]["Value"], "PauseSmsFunction");
    let permission = &resources["PauseSmsPermission"]["Properties"];
    assert_eq!(permission["SourceArn"], "ConversionAlarm.Arn");
    assert_eq!(permission["Principal"], "lambda.alarms.cloudwatch.amazonaws.com");
    assert_eq!(template["Parameters"]["PauseOnLowConversion"]["Default"], "false");
}
