//! What does not vary must not get worse: CI compares it with what was recorded.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use shared::error::BoxError;

use crate::targets::{MAX_RSS, MAX_ZIP};

use crate::measured::Measured;

/// What is recorded of a row, the most that it may be, and by how much it may be more than recorded: a
/// part of that, or a number, whichever is more. The hashes' random seeds, the TLS handshake's own numbers
/// and the compressor make it vary by less. Memory also varies with the pages of the program that the
/// kernel has in its cache and so maps: by 0.4 MB, even of the hello's 3 MB.
const KINDS: [(&str, f64, f64, f64); 5] = [
    ("instructions to the first answer", f64::INFINITY, 0.05, 0.0),
    ("instructions of a warm request", f64::INFINITY, 0.05, 0.0),
    ("handshakes to the first answer", f64::INFINITY, 0.0, 0.0),
    ("bytes of memory", MAX_RSS as f64, 0.10, 500_000.0),
    ("bytes of its zip", MAX_ZIP as f64, 0.05, 0.0),
];

/// By row, its values in the order of [`KINDS`].
type Values = BTreeMap<String, [f64; KINDS.len()]>;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded.json")
}

fn values(measured: &Measured) -> Values {
    let counted = |row: &str| measured.instructions.get(row).copied().unwrap_or_default();
    let of_row = |row: &crate::timing::Row| {
        let (counted, zip) = (counted(&row.name), measured.zips.get(&row.function).copied().unwrap_or_default());
        let values = [counted.first, counted.warm, counted.handshakes as u64, row.rss, zip];
        (row.name.clone(), values.map(|value| value as f64))
    };
    measured.rows.iter().map(of_row).collect()
}

/// Records it.
pub(crate) fn record(measured: &Measured) -> Result<bool, BoxError> {
    let rows: serde_json::Map<String, Json> =
        values(measured).into_iter().map(|(row, values)| (row, json!(values.map(|value| value as u64)))).collect();
    std::fs::write(file(), format!("{:#}\n", Json::Object(rows)))?;
    Ok(true)
}

/// Prints what is worse than recorded, or than it may be. Whether nothing is.
pub(crate) fn check(measured: &Measured) -> Result<bool, BoxError> {
    let recorded: Values = serde_json::from_str(&std::fs::read_to_string(file())?)?;
    let (mut worse, better) = compare(&recorded, &values(measured));
    worse.extend(measured.outcomes.iter().filter_map(|outcome| outcome.wrong.clone()));
    for line in &better {
        println!("Better. Record it with ./local/bench --record. {line}");
    }
    for line in &worse {
        println!("WORSE: {line}");
    }
    println!("\n{}", if worse.is_empty() { "Nothing is worse than it was" } else { "Some of it is WORSE" });
    Ok(worse.is_empty())
}

/// What is worse than recorded, or than it may be; and what is better by as much.
fn compare(recorded: &Values, now: &Values) -> (Vec<String>, Vec<String>) {
    let (mut worse, mut better) = (Vec::new(), Vec::new());
    for row in recorded.keys().chain(now.keys().filter(|row| !recorded.contains_key(*row))) {
        let (Some(before), Some(now)) = (recorded.get(row), now.get(row)) else {
            worse.push(format!("{row}: not recorded, or not measured"));
            continue;
        };
        for ((what, most, part, least), (before, now)) in KINDS.iter().zip(before.iter().zip(now)) {
            let (change, tolerance) = (now - before, least.max(part * before));
            let line = format!("{row}: {now} {what}, {:+.1} % of {before}", 100.0 * change / before);
            if now > most {
                worse.push(format!("{row}: {now} {what}, of at most {most}"));
            } else if change > tolerance {
                worse.push(line);
            } else if change < -tolerance {
                better.push(line);
            }
        }
    }
    (worse, better)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: [f64; 5]) -> Values {
        BTreeMap::from([("profile".to_owned(), values)])
    }

    #[test]
    fn each_kind_is_seen_when_it_gets_worse() {
        let recorded = rows([9e6, 6e5, 2.0, 8.3e6, 2.8e6]);
        assert_eq!(compare(&recorded, &recorded), (vec![], vec![]));
        for worse in [
            [9.5e6, 6e5, 2.0, 8.3e6, 2.8e6],
            [9e6, 6.4e5, 2.0, 8.3e6, 2.8e6],
            [9e6, 6e5, 3.0, 8.3e6, 2.8e6],
            [9e6, 6e5, 2.0, 9.3e6, 2.8e6],
            [9e6, 6e5, 2.0, 8.3e6, 2.95e6],
        ] {
            assert_eq!(compare(&recorded, &rows(worse)).0.len(), 1, "{worse:?}");
            assert_eq!(compare(&rows(worse), &recorded).1.len(), 1, "{worse:?}");
        }
    }

    #[test]
    fn memory_of_a_small_program_may_vary_by_half_a_megabyte() {
        let recorded = rows([5.5e5, 1.3e5, 0.0, 3.0e6, 5.4e5]);
        assert_eq!(compare(&recorded, &rows([5.5e5, 1.3e5, 0.0, 3.4e6, 5.4e5])), (vec![], vec![]));
        assert_eq!(compare(&recorded, &rows([5.5e5, 1.3e5, 0.0, 3.6e6, 5.4e5])).0.len(), 1);
    }

    #[test]
    fn the_most_holds_whatever_is_recorded() {
        for most in [[1.0, 1.0, 0.0, 10.1e6, 1.0], [1.0, 1.0, 0.0, 1.0, 3.1e6]] {
            assert_eq!(compare(&rows(most), &rows(most)).0.len(), 1, "{most:?}");
        }
    }

    #[test]
    fn a_row_that_is_missing_is_worse() {
        let (some, none) = (rows([1.0; 5]), Values::new());
        assert_eq!((compare(&some, &none).0.len(), compare(&none, &some).0.len()), (1, 1));
    }
}
