//! The findings of `doctor`.

use serde::Serialize;

/// A result of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The name of the check.
    pub check: &'static str,
    /// How good or bad the result is.
    pub status: Status,
    /// The result, in one sentence.
    pub finding: String,
    /// The remedy; empty if none is required.
    pub action: String,
}

/// How good or bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Nothing has to be done.
    Ok,
    /// It works, but not as well as it should.
    Warning,
    /// It could not be checked.
    Unchecked,
    /// It does not work, or will not for long.
    Problem,
}

impl Finding {
    /// Creates a finding that requires nothing.
    #[must_use]
    pub fn ok(check: &'static str, finding: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, finding: finding.into(), action: String::new() }
    }

    /// Creates a warning.
    #[must_use]
    pub fn warning(check: &'static str, finding: impl Into<String>, action: impl Into<String>) -> Self {
        Self { check, status: Status::Warning, finding: finding.into(), action: action.into() }
    }

    /// Creates the finding of a check that could not be made.
    #[must_use]
    pub fn unchecked(check: &'static str, reason: impl Into<String>, action: impl Into<String>) -> Self {
        Self { check, status: Status::Unchecked, finding: reason.into(), action: action.into() }
    }

    /// Creates a problem.
    #[must_use]
    pub fn problem(check: &'static str, finding: impl Into<String>, action: impl Into<String>) -> Self {
        Self { check, status: Status::Problem, finding: finding.into(), action: action.into() }
    }
}
