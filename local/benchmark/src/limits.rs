//! Compares the deterministic metrics with `recorded.json`, so that CI rejects a regression.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use shared::error::BoxError;

use crate::init::access;
use crate::measured::Measured;
use crate::targets::{MAX_FIRST_TO_FLOOR, MAX_RSS, MAX_ZIP, max_first_to_floor};
use crate::timing::Row;

/// A metric of each row.
struct Metric {
    name: &'static str,
    value: fn(&Measured, &Row) -> u64,
    /// The maximum, whatever the recorded value is.
    max: f64,
    /// The permitted increase, as a part of the recorded value.
    relative_tolerance: f64,
    /// The permitted increase, as a number. The larger of both tolerances applies.
    absolute_tolerance: f64,
}

/// The metrics, in the order of the values in `recorded.json`.
///
/// Random seeds of hashes, the random numbers of TLS handshakes and the compressor vary them by less than
/// the tolerances. Memory also varies with the pages of the program in the kernel's cache, which the kernel
/// maps: by 0.4 MB, even of the 3 MB of `hello`.
const METRICS: [Metric; 5] = [
    Metric {
        name: "instructions to the first response",
        value: |measured, row| measured.instructions(&row.name).first,
        max: f64::INFINITY,
        relative_tolerance: 0.05,
        absolute_tolerance: 0.0,
    },
    Metric {
        name: "instructions of a warm request",
        value: |measured, row| measured.instructions(&row.name).warm,
        max: f64::INFINITY,
        relative_tolerance: 0.05,
        absolute_tolerance: 0.0,
    },
    Metric {
        name: "handshakes to the first response",
        value: |measured, row| measured.instructions(&row.name).handshakes as u64,
        max: f64::INFINITY,
        relative_tolerance: 0.0,
        absolute_tolerance: 0.0,
    },
    Metric {
        name: "bytes of memory",
        value: |_, row| row.rss,
        max: MAX_RSS as f64,
        relative_tolerance: 0.10,
        absolute_tolerance: 500_000.0,
    },
    Metric {
        name: "bytes of its zip",
        value: |measured, row| measured.zips.get(&row.function).copied().unwrap_or_default(),
        max: MAX_ZIP as f64,
        relative_tolerance: 0.05,
        absolute_tolerance: 0.0,
    },
];

/// The values of each row, in the order of [`METRICS`].
type Values = BTreeMap<String, [f64; METRICS.len()]>;

fn recorded_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.json")
}

/// Returns the values of each row.
///
/// # Errors
/// If the instructions or the zip of a row are missing.
fn values(measured: &Measured) -> Result<Values, BoxError> {
    let values = |row: &Row| {
        if !measured.instructions.contains_key(&row.name) || !measured.zips.contains_key(&row.function) {
            return Err(format!("{}: its instructions or its zip are missing", row.name).into());
        }
        Ok((row.name.clone(), METRICS.map(|metric| (metric.value)(measured, row) as f64)))
    };
    measured.rows.iter().map(values).collect()
}

/// Records the metrics, and prints every outcome with unexpected requests, units or connections.
pub(crate) fn record(measured: &Measured) -> Result<(), BoxError> {
    for mismatch in measured.outcomes.iter().filter_map(|outcome| outcome.mismatch.as_ref()) {
        println!("UNEXPECTED: {mismatch}");
    }
    let rows: serde_json::Map<String, Json> =
        values(measured)?.into_iter().map(|(row, values)| (row, json!(values.map(|value| value as u64)))).collect();
    Ok(std::fs::write(recorded_file(), format!("{:#}\n", Json::Object(rows)))?)
}

/// An operation of SNS. Its name is in each program that links the client of SNS.
const SNS_OPERATION: &[u8] = b"GetSMSAttributes";

/// Returns one line for each program that links the client of SNS and sends no SMS, or the reverse.
fn wrong_clients(measured: &Measured) -> Result<Vec<String>, BoxError> {
    let mut wrong = Vec::new();
    for row in measured.rows.iter().filter(|row| row.name == row.function) {
        let links_sns = std::fs::read(&row.program)?.windows(SNS_OPERATION.len()).any(|bytes| bytes == SNS_OPERATION);
        if links_sns != access(&row.function).sms {
            wrong.push(format!("{}: {} the client of SNS", row.name, if links_sns { "links" } else { "lacks" }));
        }
    }
    Ok(wrong)
}

/// Prints every regression and improvement, and returns whether no metric regressed. An outcome with
/// unexpected requests, units or connections is a regression too, and so are a client that is linked
/// without need and a first response that exceeds its target.
pub(crate) fn check(measured: &Measured) -> Result<bool, BoxError> {
    let recorded: Values = serde_json::from_str(&std::fs::read_to_string(recorded_file())?)?;
    let Changes { mut regressions, improvements } = compare(&recorded, &values(measured)?);
    regressions.extend(measured.outcomes.iter().filter_map(|outcome| outcome.mismatch.clone()));
    regressions.extend(wrong_clients(measured)?);
    let ratio = max_first_to_floor(measured);
    if !(0.0..=MAX_FIRST_TO_FLOOR).contains(&ratio) {
        regressions.push(format!(
            "{ratio:.2} instructions to the first response ÷ (hello + its handshakes), of at most {MAX_FIRST_TO_FLOOR}"
        ));
    }
    for line in &improvements {
        println!("IMPROVED, record it with ./local/bench --record: {line}");
    }
    for line in &regressions {
        println!("REGRESSED: {line}");
    }
    let passes = regressions.is_empty();
    println!("\n{} in deterministic metrics", if passes { "No regression" } else { "REGRESSION" });
    Ok(passes)
}

/// The changes that exceed the tolerances.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    regressions: Vec<String>,
    improvements: Vec<String>,
}

/// Compares the current values with the recorded ones.
fn compare(recorded: &Values, current: &Values) -> Changes {
    let mut changes = Changes::default();
    for row in recorded.keys().chain(current.keys().filter(|row| !recorded.contains_key(*row))) {
        let (Some(recorded), Some(current)) = (recorded.get(row), current.get(row)) else {
            changes.regressions.push(format!("{row}: is not recorded, or not measured"));
            continue;
        };
        for (metric, (recorded, current)) in METRICS.iter().zip(recorded.iter().zip(current)) {
            let Metric { name, max, .. } = metric;
            let change = current - recorded;
            let tolerance = metric.absolute_tolerance.max(metric.relative_tolerance * recorded);
            let line = format!("{row}: {current} {name}, {:+.1} % of {recorded}", 100.0 * change / recorded);
            if current > max {
                changes.regressions.push(format!("{row}: {current} {name}, of at most {max}"));
            } else if change > tolerance {
                changes.regressions.push(line);
            } else if change < -tolerance {
                changes.improvements.push(line);
            }
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: [f64; 5]) -> Values {
        BTreeMap::from([("profile".to_owned(), values)])
    }

    #[test]
    fn regression_of_each_metric_is_reported() {
        let recorded = rows([9e6, 6e5, 2.0, 8.3e6, 2.8e6]);
        assert_eq!(compare(&recorded, &recorded), Changes::default());
        for regressed in [
            [9.5e6, 6e5, 2.0, 8.3e6, 2.8e6],
            [9e6, 6.4e5, 2.0, 8.3e6, 2.8e6],
            [9e6, 6e5, 3.0, 8.3e6, 2.8e6],
            [9e6, 6e5, 2.0, 9.3e6, 2.8e6],
            [9e6, 6e5, 2.0, 8.3e6, 2.95e6],
        ] {
            assert_eq!(compare(&recorded, &rows(regressed)).regressions.len(), 1, "{regressed:?}");
            assert_eq!(compare(&rows(regressed), &recorded).improvements.len(), 1, "{regressed:?}");
        }
    }

    #[test]
    fn memory_of_a_small_program_may_vary_by_half_a_megabyte() {
        let recorded = rows([5.5e5, 1.3e5, 0.0, 3.0e6, 5.4e5]);
        assert_eq!(compare(&recorded, &rows([5.5e5, 1.3e5, 0.0, 3.4e6, 5.4e5])), Changes::default());
        assert_eq!(compare(&recorded, &rows([5.5e5, 1.3e5, 0.0, 3.6e6, 5.4e5])).regressions.len(), 1);
    }

    #[test]
    fn maximum_applies_whatever_is_recorded() {
        for exceeded in [[1.0, 1.0, 0.0, 10.1e6, 1.0], [1.0, 1.0, 0.0, 1.0, 3.1e6]] {
            assert_eq!(compare(&rows(exceeded), &rows(exceeded)).regressions.len(), 1, "{exceeded:?}");
        }
    }

    #[test]
    fn missing_row_is_a_regression() {
        let (some, none) = (rows([1.0; 5]), Values::new());
        assert_eq!((compare(&some, &none).regressions.len(), compare(&none, &some).regressions.len()), (1, 1));
    }
}
