//! `export`: writes all users.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use serde_json::json;
use shared::clock::Clock;
use shared::error::BoxError;

use crate::audit::{Act, Counts, audited};
use crate::cli;
use crate::deployment::{AdministrationStore, Deployment};
use crate::interrupt::Interrupt;
use crate::record;
use crate::report::{Failure, Report};
use crate::retry::retried;
use crate::text::grouped;

/// Writes all users to a file, or to the standard output.
pub(crate) async fn run(
    arguments: &cli::Export,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let (file, is_stdout) = (arguments.file.as_path(), arguments.is_stdout());
    if is_stdout && io::stdout().is_terminal() {
        return Err(Failure::usage(
            "the users contain hashes of passwords, which a terminal must not show: name a file",
        ));
    }
    if !is_stdout && file.exists() {
        return Err(Failure::new(format!("{} exists: delete it, or choose another file", file.display())));
    }
    let act = Act { command: "export", user_id: None };
    let users = audited(deployment, &|| clock.now_millis(), act, async |counts| {
        let mut users = 0;
        let written = if is_stdout {
            write(&*deployment.store, &mut BufWriter::new(io::stdout().lock()), &mut users).await
        } else {
            write_file(&*deployment.store, file, &mut users).await
        };
        end_line();
        *counts = Counts::from_iter([("users".to_owned(), users.into())]);
        written.map(|()| ("done", users))
    })
    .await?;
    let text = format!("Users exported: {}", grouped(users));
    let document = json!({ "users": users, "file": file.display().to_string() });
    Ok(Report { json: (!is_stdout).then_some(document), text, is_success: true })
}

/// Writes a file that only its owner may read. Until it is complete, it has another name, and is deleted if the export
/// fails or is interrupted.
async fn write_file(store: &dyn AdministrationStore, file: &Path, users: &mut u64) -> Result<(), BoxError> {
    let named = |error: io::Error| format!("{}: {error}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // New, and with mode 0600.
    let mut part = tempfile::Builder::new().prefix(".export-").tempfile_in(folder).map_err(named)?;
    write(store, &mut BufWriter::new(part.as_file_mut()), users).await?;
    part.as_file().sync_all().map_err(named)?;
    part.persist_noclobber(file).map_err(|error| named(error.error))?;
    Ok(())
}

/// Writes all users, and counts them in `users`.
async fn write(store: &dyn AdministrationStore, output: &mut impl Write, users: &mut u64) -> Result<(), BoxError> {
    let (mut interrupt, mut after) = (Interrupt::new()?, None);
    loop {
        // Yields, so that a signal is received even if the database responds immediately.
        let page = async {
            tokio::task::yield_now().await;
            retried(|| store.users(after.as_ref())).await
        };
        let page = interrupt.or(page).await??;
        for user in &page.users {
            writeln!(output, "{}", record::to_json(user))?;
            *users += 1;
        }
        show(*users);
        after = page.next;
        if after.is_none() {
            return Ok(output.flush()?);
        }
    }
}

/// Shows how far the export is, on a terminal.
fn show(users: u64) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\rUsers: {} ", grouped(users));
    }
}

/// Adds a line break after the line that shows how far the export is.
fn end_line() {
    if io::stderr().is_terminal() {
        let _ = writeln!(io::stderr());
    }
}
