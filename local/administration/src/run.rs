//! From the arguments to the exit code.

use std::io::{self, Write as _};

use serde_json::json;
use shared::clock::{Clock, SystemClock};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

use crate::cli::{Cli, Command};
use crate::commands::{doctor, limits, sms, users};
use crate::deployment::Backend;
use crate::report::{Failure, Report};
use crate::{export, import};

/// Runs the command, prints its result, and returns the exit code.
///
/// With `--json`, prints one document, that of an error included. Otherwise, prints text, and errors on the standard
/// error.
pub async fn run(cli: Cli, backend: &dyn Backend) -> u8 {
    // A step that succeeded may report what it left, as sessions that were not deleted.
    let warnings = Targets::new().with_target("shared", LevelFilter::WARN);
    let lines = fmt::layer().with_writer(io::stderr).without_time().with_target(false).with_ansi(false);
    tracing_subscriber::registry().with(lines.with_filter(warnings)).init();
    // The standard output of such an export contains users only.
    let json = cli.json && !matches!(&cli.command, Command::Export(export) if export.is_stdout());
    let report = match command(cli.command, backend, &SystemClock).await {
        Ok(report) => report,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "Error: {failure}");
            if json {
                let _ = writeln!(io::stdout(), "{}", json!({ "error": failure.to_string() }));
            }
            return failure.code;
        }
    };
    let printed = match (report.json, json) {
        (Some(document), true) => writeln!(io::stdout(), "{document}"),
        (None, _) => writeln!(io::stderr(), "{}", report.text),
        (Some(_), false) => writeln!(io::stdout(), "{}", report.text),
    };
    u8::from(!report.is_success || printed.is_err())
}

async fn command(command: Command, backend: &dyn Backend, clock: &dyn Clock) -> Result<Report, Failure> {
    let connected = async || backend.connect().await.map_err(Failure::new);
    match command {
        Command::Find(key) => users::find(&key.key, &connected().await?).await,
        Command::Disable(key) => users::set_disabled(&key.key, true, &connected().await?, clock).await,
        Command::Enable(key) => users::set_disabled(&key.key, false, &connected().await?, clock).await,
        Command::EndSessions(key) => users::end_sessions(&key.key, &connected().await?, clock).await,
        Command::Delete(arguments) => users::delete(&arguments, &connected().await?, clock).await,
        Command::Claims(arguments) => users::claims(&arguments, &connected().await?, clock).await,
        Command::PauseSms => sms::set_paused(true, &connected().await?, clock).await,
        Command::ResumeSms => sms::set_paused(false, &connected().await?, clock).await,
        Command::Limits(arguments) => limits::run(&arguments, &connected().await?, clock.now()).await,
        Command::Import(arguments) => import::run(&arguments, &connected().await?, clock).await,
        Command::Export(arguments) => export::run(&arguments, &connected().await?, clock).await,
        Command::Doctor => Ok(doctor::run(&backend.check(clock.now()).await)),
    }
}
