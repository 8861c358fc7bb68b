//! The alarm of a low conversion, computed from the lines of the events as `template.yaml` defines it.

use std::collections::VecDeque;

use serde_json::Value as Json;

use super::HOUR;

/// Reads the lines of events.
#[derive(Default)]
pub(crate) struct Detector {
    /// The codes of the last hour: the time of each, and whether it was verified or sent.
    codes: VecDeque<(i64, bool)>,
    /// The time at which the alarm was raised for the first time.
    pub(crate) raised_at: Option<i64>,
}

impl Detector {
    /// Reads a line that was written at `now`.
    pub(crate) fn read(&mut self, line: &str, now: i64) {
        let event: Json = serde_json::from_str(line).unwrap();
        for (metric, is_verified) in [("codes_sent", false), ("codes_verified", true)] {
            if event[metric] == 1 {
                self.codes.push_back((now, is_verified));
            }
        }
    }

    /// Returns whether the alarm is raised at `now`.
    pub(crate) fn is_raised(&mut self, now: i64) -> bool {
        while self.codes.front().is_some_and(|(at, _)| *at <= now - HOUR) {
            self.codes.pop_front();
        }
        let verified = self.codes.iter().filter(|(_, is_verified)| *is_verified).count();
        let sent = self.codes.len() - verified;
        let is_raised =
            sent >= parameter("MinConversionSends") && 100 * verified < parameter("MinConversionPercent") * sent;
        if is_raised {
            self.raised_at.get_or_insert(now);
        }
        is_raised
    }
}

/// Returns the default of a parameter of the template.
fn parameter(name: &str) -> usize {
    let template = include_str!("../../../template.yaml");
    let (_, parameter) = template.split_once(&format!("\n  {name}:\n")).unwrap();
    let (_, default) = parameter.split_once("    Default: ").unwrap();
    default.lines().next().unwrap().parse().unwrap()
}

#[test]
fn the_alarm_follows_from_the_codes_of_the_last_hour() {
    let raised_at = |codes: &[(i64, &str)]| {
        let mut detector = Detector::default();
        for (at, metric) in codes {
            detector.read(&serde_json::json!({ *metric: 1 }).to_string(), *at);
            detector.is_raised(*at);
        }
        detector.raised_at
    };
    let (floor, minutes) = (parameter("MinConversionSends"), |count: usize| 60 * i64::try_from(count).unwrap());
    let sent = |count| (0..count).map(move |nth| (minutes(nth), "codes_sent")).collect::<Vec<_>>();
    let verified = |every: usize| {
        let codes = sent(2 * floor).into_iter().enumerate();
        codes.flat_map(move |(nth, code)| {
            let verified = (nth % every == 0).then_some((code.0, "codes_verified"));
            [Some(code), verified].into_iter().flatten()
        })
    };
    assert_eq!(raised_at(&sent(floor - 1)), None, "below the floor");
    assert_eq!(raised_at(&sent(floor)), Some(minutes(floor - 1)), "at the floor");
    assert_eq!(raised_at(&verified(2).collect::<Vec<_>>()), None, "half of the codes are verified");
    assert!(raised_at(&verified(5).collect::<Vec<_>>()).is_some(), "a fifth of the codes is verified");
    let slowly: Vec<_> = sent(100).into_iter().map(|(at, metric)| (10 * at, metric)).collect();
    assert_eq!(raised_at(&slowly), None, "six codes in an hour");
}
