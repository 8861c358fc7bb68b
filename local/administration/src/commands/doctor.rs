//! `doctor`.

use serde_json::json;

use crate::finding::{Finding, Status};
use crate::report::Report;

/// Prints the findings, the worst first. Only a problem is a failure.
pub(crate) fn run(findings: &[Finding]) -> Report {
    let of = |status: Status| findings.iter().filter(move |finding| finding.status == status);
    let mut lines = Vec::new();
    for (status, word) in [(Status::Problem, "PROBLEM"), (Status::Warning, "warning"), (Status::Ok, "ok")] {
        for finding in of(status) {
            lines.push(format!("{word:<8} {}: {}", finding.check, finding.finding));
            if !finding.action.is_empty() {
                lines.push(format!("{:<8} -> {}", "", finding.action));
            }
        }
    }
    let (problems, warnings) = (of(Status::Problem).count(), of(Status::Warning).count());
    lines.push(format!("Problems: {problems}, warnings: {warnings}"));
    Report { json: Some(json!({ "findings": findings })), text: lines.join("\n"), is_success: problems == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_is_first_and_contains_what_to_do() {
        let report = run(&[
            Finding::ok("keys", "The keys are 3 days old."),
            Finding::problem("sandbox", "SNS is in its sandbox.", "Request production access."),
        ]);
        assert!(!report.is_success);
        assert_eq!(
            report.text,
            "PROBLEM  sandbox: SNS is in its sandbox.\n         -> Request production access.\nok       keys: The keys are \
             3 days old.\nProblems: 1, warnings: 0"
        );
        assert!(run(&[Finding::warning("a", "b", "c")]).is_success);
    }
}
