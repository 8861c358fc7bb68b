//! What does not vary must not get worse: CI compares it with what was recorded.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use crate::targets::{MAX_RSS, MAX_ZIP};
use crate::{BoxError, Measured};

/// By how much a number of instructions may differ from the recorded one: the hashes' random seeds and
/// the TLS handshake make it vary by less.
const TOLERANCE: f64 = 0.05;

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("instructions.json")
}

/// Records the instructions.
pub(crate) fn record(measured: &Measured) -> Result<bool, BoxError> {
    let recorded: serde_json::Map<String, Json> = measured
        .instructions
        .iter()
        .map(|(row, counted)| (row.clone(), json!([counted.first, counted.warm])))
        .collect();
    std::fs::write(file(), format!("{:#}\n", Json::Object(recorded)))?;
    Ok(true)
}

/// Prints what is worse than recorded, or than it may be. Whether nothing is.
pub(crate) fn check(measured: &Measured) -> Result<bool, BoxError> {
    let recorded: Json = serde_json::from_str(&std::fs::read_to_string(file())?)?;
    let mut worse = Vec::new();
    for (row, counted) in &measured.instructions {
        for (nth, what, now) in [(0, "to the first answer", counted.first), (1, "of a warm request", counted.warm)] {
            let before = recorded[row][nth].as_f64().ok_or_else(|| format!("{row} is not recorded"))?;
            let change = now as f64 / before - 1.0;
            let line = format!("{row}: {now} instructions {what}, {:+.1} % of {before}", change * 100.0);
            if change > TOLERANCE {
                worse.push(line);
            } else if change < -TOLERANCE {
                println!("Better. Record it with ./local/bench --record. {line}");
            }
        }
    }
    for row in measured.rows.iter().filter(|row| row.rss > MAX_RSS) {
        worse.push(format!("{}: {} bytes of memory, of at most {MAX_RSS}", row.name, row.rss));
    }
    for (function, zip) in measured.zips.iter().filter(|(_, zip)| **zip > MAX_ZIP) {
        worse.push(format!("{function}: a zip of {zip} bytes, of at most {MAX_ZIP}"));
    }
    worse.extend(measured.outcomes.iter().filter_map(|outcome| outcome.wrong.clone()));
    for line in &worse {
        println!("WORSE: {line}");
    }
    println!("\n{}", if worse.is_empty() { "Nothing is worse than it was" } else { "Some of it is WORSE" });
    Ok(worse.is_empty())
}
