//! `doctor`.

use serde_json::json;

use crate::finding::{Finding, Status};
use crate::report::Report;

/// Prints the findings, the worst first. A problem is a failure, and so is a check that could not be made.
pub(crate) fn run(findings: &[Finding]) -> Report {
    let of = |status: Status| findings.iter().filter(move |finding| finding.status == status);
    let mut lines = Vec::new();
    for (status, word) in [
        (Status::Problem, "PROBLEM"),
        (Status::Unchecked, "unchecked"),
        (Status::Warning, "warning"),
        (Status::Ok, "ok"),
    ] {
        for finding in of(status) {
            lines.push(format!("{word:<9} {}: {}", finding.check, finding.finding));
            if !finding.action.is_empty() {
                lines.push(format!("{:<9} -> {}", "", finding.action));
            }
        }
    }
    let [problems, unchecked, warnings] =
        [Status::Problem, Status::Unchecked, Status::Warning].map(|status| of(status).count());
    lines.push(format!("Problems: {problems}, unchecked: {unchecked}, warnings: {warnings}"));
    let is_success = problems == 0 && unchecked == 0;
    Report { json: Some(json!({ "findings": findings })), text: lines.join("\n"), is_success }
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
            "PROBLEM   sandbox: SNS is in its sandbox.\n          -> Request production access.\nok        keys: The keys \
             are 3 days old.\nProblems: 1, unchecked: 0, warnings: 0"
        );
        assert!(run(&[Finding::warning("a", "b", "c")]).is_success);
        assert!(!run(&[Finding::unchecked("a", "b", "c")]).is_success);
    }
}
