//! `import`: creates the users of a file.
//!
//! Lines are imported in groups. After each group, the report and then the progress are written, so that an import that
//! was killed continues after the last complete group. Users of the group that was interrupted are found again.

mod check;
mod file;
mod progress;
mod rate;
mod user;

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use shared::clock::Clock;
use shared::error::BoxError;
use shared::values::FieldError;
use tokio::task::JoinSet;

use crate::audit::{Act, Counts, audited};
use crate::cli;
use crate::deployment::Deployment;
use crate::interrupt::Interrupt;
use crate::record::{self, Record};
use crate::report::{Failure, Report};
use crate::text::grouped;

use check::Seen;
use file::Lines;
use progress::{Progress, ProgressFile};
use rate::Rate;

/// The lines after which the progress is written.
const GROUP: usize = 100;
/// The users that are imported concurrently.
const WORKERS: usize = 16;

/// The outcome of a line.
#[derive(Debug)]
enum LineOutcome {
    Created,
    AlreadyImported,
    Refused(Vec<FieldError>),
}

/// An import of one file.
struct Import<'a> {
    deployment: &'a Deployment,
    clock: &'a dyn Clock,
    lines: Lines,
    rate: Rate,
    report: PathBuf,
    progress: Progress,
    /// Where the progress is kept; `None` in a dry run, which starts anew each time.
    file: Option<ProgressFile>,
    /// The ids, emails and phone numbers of the lines before, in a dry run.
    seen: Option<Seen>,
}

/// Imports a file, or checks it.
pub(crate) async fn run(
    arguments: &cli::Import,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let report = arguments
        .report
        .clone()
        .unwrap_or_else(|| beside(&arguments.file, if arguments.dry_run { "dry-run.report" } else { "report" }));
    let mut import = Import::open(arguments, report.clone(), deployment, clock)?;
    if arguments.dry_run {
        import.all().await.map_err(Failure::new)?;
    } else {
        let act = Act { command: "import", user_id: None };
        let before = import.progress.clone();
        audited(deployment, &|| clock.now_millis(), act, async |counts| {
            let result = import.all().await;
            *counts = import.progress.counts_since(&before);
            result.map(|()| ("done", ()))
        })
        .await?;
    }
    if let Some(file) = &import.file {
        file.delete()?;
    }
    let refused = import.progress.refused;
    if refused == 0 {
        fs::remove_file(&report)?;
    }
    Ok(import.progress.report(arguments.dry_run, (refused > 0).then_some(report.as_path())))
}

/// Returns the path of a file that belongs to another: `users.jsonl.report`.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".");
    path.push(suffix);
    path.into()
}

impl<'a> Import<'a> {
    fn open(
        arguments: &cli::Import,
        report: PathBuf,
        deployment: &'a Deployment,
        clock: &'a dyn Clock,
    ) -> Result<Self, Failure> {
        let unreadable = |error| Failure::new(format!("{}: {error}", arguments.file.display()));
        let mut lines = Lines::open(&arguments.file).map_err(unreadable)?;
        let file = if arguments.dry_run {
            None
        } else {
            let names = [deployment.name.as_bytes(), report.as_os_str().as_encoded_bytes()];
            let fingerprint = lines.fingerprint(&names).map_err(unreadable)?;
            Some(ProgressFile::new(beside(&arguments.file, "progress"), fingerprint))
        };
        let existing = fs::metadata(&report).ok();
        let is_users = existing.as_ref().is_some_and(|found| lines.is_file(found.dev(), found.ino()));
        let length = existing.map_or(0, |found| found.len());
        // Without the beginning of the report, the import starts at the first line. It finds its users again.
        let progress = file.as_ref().and_then(ProgressFile::read).filter(|progress| progress.report_bytes <= length);
        if is_users || (arguments.report.is_some() && progress.is_none() && length > 0) {
            return Err(Failure::new(format!("{} exists: delete it, or choose another report", report.display())));
        }
        let progress = progress.unwrap_or_default();
        lines.start_at(progress.lines, progress.bytes).map_err(unreadable)?;
        let rate = Rate::new(arguments.rate.or(deployment.rate));
        let seen = arguments.dry_run.then(Seen::default);
        Ok(Self { deployment, clock, lines, rate, report, progress, file, seen })
    }

    /// Imports all lines. If it is interrupted, the same command continues after the last complete group.
    async fn all(&mut self) -> Result<(), BoxError> {
        if self.progress.lines > 0 {
            let _ = writeln!(io::stderr(), "Continuing after line {}", grouped(self.progress.lines));
        }
        let (mut interrupt, mut report) = (Interrupt::new()?, self.open_report()?);
        let result = loop {
            match interrupt.or(self.group(&mut report)).await {
                Ok(Ok(true)) => self.show(),
                Ok(Ok(false)) => break Ok(()),
                Ok(Err(error)) => break Err(error),
                Err(interrupted) => break Err(interrupted.into()),
            }
        };
        if io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        result
    }

    /// Opens the report after what an earlier import wrote about the lines that are finished.
    fn open_report(&self) -> Result<File, BoxError> {
        let open = || {
            // It contains no values, but the names of unknown fields.
            let report = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.report)?;
            report.set_len(self.progress.report_bytes)?;
            Ok(report)
        };
        open().map_err(|error: io::Error| format!("{}: {error}", self.report.display()).into())
    }

    /// Imports the next group of lines. Returns `false` after the last one.
    async fn group(&mut self, report: &mut File) -> Result<bool, BoxError> {
        let first = self.lines.read();
        let mut outcomes = Vec::new();
        let mut workers = JoinSet::new();
        let mut keys = Vec::new();
        // No two lines of a group have the same id, email or phone number, so that the first one of a file wins.
        let mut group = Seen::default();
        while outcomes.len() < GROUP {
            let position = self.lines.position();
            let Some(line) = self.lines.next()? else { break };
            let nth = outcomes.len();
            if line.trim_ascii().is_empty() {
                outcomes.push(None);
                continue;
            }
            match record::parse(line, self.deployment.config.default_region, self.clock.now_millis()) {
                Err(errors) => outcomes.push(Some(LineOutcome::Refused(errors))),
                Ok(record) if group.has_any_of(&record) => {
                    self.lines.return_to(position)?;
                    break;
                }
                Ok(record) => {
                    keys.push((nth, Seen::keys(&record)));
                    group.add(Seen::keys(&record));
                    outcomes.push(None);
                    self.rate.wait().await;
                    if workers.len() >= WORKERS {
                        keep(&mut outcomes, workers.join_next().await)?;
                    }
                    self.start(&mut workers, nth, record);
                }
            }
        }
        while let Some(finished) = workers.join_next().await {
            keep(&mut outcomes, Some(finished))?;
        }
        if outcomes.is_empty() {
            return Ok(false);
        }
        if let Some(seen) = &mut self.seen {
            // A refused line takes no email and no phone number from a later one. A user who exists is found again.
            let is_created = |nth: usize| matches!(outcomes.get(nth), Some(Some(LineOutcome::Created)));
            keys.into_iter().filter(|(nth, _)| is_created(*nth)).for_each(|(_, keys)| seen.add(keys));
        }
        self.record(first, outcomes, report)?;
        Ok(true)
    }

    fn start(&self, workers: &mut JoinSet<(usize, Result<LineOutcome, BoxError>)>, nth: usize, record: Record) {
        let store = Arc::clone(&self.deployment.store);
        match &self.seen {
            None => workers.spawn(async move { (nth, user::import(&*store, &record).await) }),
            Some(seen) => {
                let earlier = seen.check(&record);
                workers.spawn(async move {
                    let outcome = match earlier {
                        Some(outcome) => Ok(outcome),
                        None => check::against(&*store, &record).await,
                    };
                    (nth, outcome)
                })
            }
        };
    }

    /// Writes the report of a group, and then the progress.
    fn record(&mut self, first: u64, outcomes: Vec<Option<LineOutcome>>, report: &mut File) -> Result<(), BoxError> {
        let mut refused = String::new();
        for (line, outcome) in (first + 1..).zip(outcomes) {
            match outcome {
                None => {}
                Some(LineOutcome::Created) => self.progress.created += 1,
                Some(LineOutcome::AlreadyImported) => self.progress.already_imported += 1,
                Some(LineOutcome::Refused(errors)) => {
                    self.progress.refused += 1;
                    refused.push_str(&json!({ "line": line, "errors": errors }).to_string());
                    refused.push('\n');
                }
            }
        }
        if !refused.is_empty() {
            report.write_all(refused.as_bytes())?;
            report.sync_data()?;
        }
        self.progress.report_bytes += refused.len() as u64;
        (self.progress.lines, self.progress.bytes) = (self.lines.read(), self.lines.position().bytes);
        self.file.as_ref().map_or(Ok(()), |file| file.write(&self.progress))
    }

    /// Shows a bar, on a terminal.
    fn show(&self) {
        if !io::stderr().is_terminal() {
            return;
        }
        let percent = self.progress.bytes * 100 / self.lines.size().max(1);
        let bar = "#".repeat(usize::try_from(percent / 4).unwrap_or_default());
        let lines = grouped(self.progress.lines);
        let _ = write!(io::stderr(), "\r[{bar:<25}] {percent:>3} %  {lines} lines, {} refused", self.progress.refused);
    }
}

type Finished = Result<(usize, Result<LineOutcome, BoxError>), tokio::task::JoinError>;

/// Keeps the outcome of a line at its place.
fn keep(outcomes: &mut [Option<LineOutcome>], finished: Option<Finished>) -> Result<(), BoxError> {
    let Some(finished) = finished else { return Ok(()) };
    let (nth, outcome) = finished?;
    if let Some(kept) = outcomes.get_mut(nth) {
        *kept = Some(outcome?);
    }
    Ok(())
}

impl Progress {
    /// Returns what was counted since an earlier progress of the same import.
    fn counts_since(&self, before: &Self) -> Counts {
        let counts = [
            ("lines", self.lines - before.lines),
            ("created", self.created - before.created),
            ("already_imported", self.already_imported - before.already_imported),
            ("refused", self.refused - before.refused),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count.into())).collect()
    }

    fn report(&self, is_dry_run: bool, report: Option<&Path>) -> Report {
        let mut document = self.counts_since(&Self::default());
        document.insert("is_dry_run".to_owned(), is_dry_run.into());
        document.insert("report".to_owned(), json!(report.map(|report| report.display().to_string())));
        let would = if is_dry_run { "that would be created" } else { "created" };
        let mut text = format!(
            "Lines: {}; users {would}: {}, imported before: {}, refused: {}",
            grouped(self.lines),
            grouped(self.created),
            grouped(self.already_imported),
            grouped(self.refused),
        );
        if let Some(report) = report {
            text.push_str(&format!("\nThe refused lines, and why: {}", report.display()));
        }
        Report { json: Some(document.into()), text, is_success: self.refused == 0 }
    }
}
