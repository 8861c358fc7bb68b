//! `export`: writes all users.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Map, json};
use shared::clock::Clock;
use shared::error::BoxError;

use crate::audit::{Act, Outcome, audited};
use crate::cli;
use crate::deployment::{AdministrationStore, Deployment};
use crate::patience::patiently;
use crate::record;
use crate::report::{Failure, Report};
use crate::text::grouped;

/// Writes all users to a file, or to the standard output.
pub(crate) async fn run(
    arguments: &cli::Export,
    deployment: &Deployment,
    clock: &dyn Clock,
) -> Result<Report, Failure> {
    let is_stdout = arguments.file == Path::new("-");
    if !is_stdout && arguments.file.exists() {
        return Err(Failure::new(format!("{} exists: delete it, or choose another file", arguments.file.display())));
    }
    let act = Act { command: "export", user_id: None };
    let users = audited(deployment, &|| clock.now_millis(), act, async {
        let store = &*deployment.store;
        let users = if is_stdout {
            write(store, &mut BufWriter::new(io::stdout().lock())).await?
        } else {
            write_file(store, &arguments.file).await?
        };
        let counts = Map::from_iter([("users".to_owned(), users.into())]);
        Ok(Outcome { result: users, word: "done", counts })
    })
    .await?;
    let text = format!("Users exported: {}", grouped(users));
    let document = json!({ "users": users, "file": arguments.file });
    Ok(Report { json: (!is_stdout).then_some(document), text, is_success: true })
}

/// Writes a file that only its owner may read, and renames it last, so that a file of this name is complete.
async fn write_file(store: &dyn AdministrationStore, file: &Path) -> Result<u64, BoxError> {
    let part = file.with_added_extension("part");
    let users = write_part(store, &part).await;
    match users {
        Ok(_) => fs::rename(part, file)?,
        // It contains personal data.
        Err(_) => fs::remove_file(part)?,
    }
    users
}

async fn write_part(store: &dyn AdministrationStore, part: &Path) -> Result<u64, BoxError> {
    let output = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part)?;
    let mut output = BufWriter::new(output);
    let users = write(store, &mut output).await?;
    output.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(users)
}

async fn write(store: &dyn AdministrationStore, output: &mut impl Write) -> Result<u64, BoxError> {
    let (mut users, mut after) = (0, None);
    loop {
        let page = patiently(|| store.users(after.as_ref())).await?;
        for user in &page.users {
            writeln!(output, "{}", record::to_json(user))?;
            users += 1;
        }
        show(users);
        after = page.next;
        if after.is_none() {
            output.flush()?;
            return Ok(users);
        }
    }
}

/// Shows how far the export is, on a terminal.
fn show(users: u64) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\rUsers: {} ", grouped(users));
    }
}
