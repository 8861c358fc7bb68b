//! The users of local runs, in `LOCAL_DIR`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use local::{DATABASE, KEYS};
use shared::config::Config;
use shared::error::BoxError;
use shared::store::Administration as _;
use shared::tokens::KeySet;

use crate::audit::AuditLog;
use crate::deployment::{Backend, Deployment};
use crate::finding::Finding;
use crate::text;

/// The name of the audit log in the folder.
const AUDIT_LOG: &str = "audit.jsonl";
/// The age of a key in days from which a deployment would have replaced it.
const OLD_KEY_DAYS: i64 = 180;

/// The backend of local runs.
#[derive(Clone, Copy, Debug)]
pub struct Local;

#[async_trait]
impl Backend for Local {
    async fn connect(&self) -> Result<Deployment, BoxError> {
        let (folder, store) = (local::folder(), local::open_store()?);
        Ok(Deployment {
            name: fs::canonicalize(&folder)?.display().to_string(),
            command: "./local/admin".to_owned(),
            store: Arc::new(store),
            config: Config::from_env()?,
            audit: Box::new(AuditFile(folder.join(AUDIT_LOG))),
            rate: None,
        })
    }

    async fn check(&self, now: i64) -> Vec<Finding> {
        let folder = local::folder();
        let mut findings = vec![check_settings()];
        if folder.exists() {
            findings.extend([check_folder(&folder), check_keys(&folder, now)]);
        }
        if !folder.join(DATABASE).exists() {
            findings.push(Finding::ok("database", format!("{} contains no users.", folder.display())));
            return findings;
        }
        match local::open_store() {
            Err(error) => findings.push(Finding::problem(
                "database",
                format!("The database cannot be opened: {error}."),
                "Stop all functions, and delete the files of the database, or set LOCAL_DIR to another folder.",
            )),
            Ok(store) => {
                findings.push(Finding::ok("database", "The database can be read, and this version created it."));
                findings.push(match store.sms_of_day(now).await {
                    Ok(day) if day.is_paused => {
                        Finding::warning("pause", "SMS are paused.", "Resume them with: ./local/admin resume-sms")
                    }
                    Ok(_) => Finding::ok("pause", "SMS are not paused."),
                    Err(error) => {
                        Finding::unchecked("pause", format!("It could not be checked: {error}."), "Repeat the command.")
                    }
                });
            }
        }
        findings
    }
}

fn check_folder(folder: &Path) -> Finding {
    match fs::metadata(folder) {
        Ok(found) if found.permissions().mode() & 0o077 == 0 => {
            Finding::ok("folder", format!("Only you can read {}.", folder.display()))
        }
        Ok(_) => Finding::problem(
            "folder",
            format!("Others can read {}, which contains phone numbers, codes and keys.", folder.display()),
            format!("Run: chmod 700 {}", folder.display()),
        ),
        Err(error) => Finding::problem("folder", format!("{}: {error}.", folder.display()), "Set LOCAL_DIR."),
    }
}

fn check_settings() -> Finding {
    match Config::from_env() {
        Ok(_) => Finding::ok("settings", "The settings are valid."),
        Err(error) => Finding::problem("settings", format!("{error}."), "Change the variable."),
    }
}

fn check_keys(folder: &Path, now: i64) -> Finding {
    let file = folder.join(KEYS);
    let stored = match fs::read_to_string(&file) {
        Ok(stored) => stored,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Finding::ok("keys", "No signing key exists: the first function that needs one creates it.");
        }
        Err(error) => {
            let action = format!("Make {} readable.", file.display());
            return Finding::problem("keys", format!("The keys cannot be read: {error}."), action);
        }
    };
    let delete = format!("Delete {}: all users log in again.", file.display());
    match KeySet::from_stored(&stored).map(|keys| keys.newest_created_at()) {
        Ok(Some(created_at)) if now - created_at < OLD_KEY_DAYS * 86_400 => {
            Finding::ok("keys", format!("The signing key was created {} ago.", text::duration(now - created_at)))
        }
        Ok(_) => Finding::warning("keys", format!("The signing key is older than {OLD_KEY_DAYS} days."), delete),
        Err(error) => Finding::problem("keys", format!("The keys cannot be used: {error}."), delete),
    }
}

/// The audit log of local runs.
struct AuditFile(PathBuf);

#[async_trait]
impl AuditLog for AuditFile {
    /// Returns the user of the process, whatever `USER` contains.
    async fn who(&self) -> Result<String, BoxError> {
        let output = Command::new("id").arg("-un").output()?;
        let name = String::from_utf8(output.stdout)?;
        if output.status.success() { Ok(name.trim().to_owned()) } else { Err("`id -un` failed".into()) }
    }

    async fn append(&self, line: &str, _: i64) -> Result<(), BoxError> {
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&self.0)?;
        // One write, so that lines of two commands are not mixed.
        file.write_all(format!("{line}\n").as_bytes())?;
        Ok(file.sync_data()?)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use shared::tokens::rotation;

    use super::*;
    use crate::finding::Status;

    #[test]
    fn old_and_broken_keys_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let (file, day) = (folder.path().join(KEYS), 86_400);
        let status = |now| check_keys(folder.path(), now).status;
        assert_eq!(status(0), Status::Ok, "no keys yet");
        fs::write(&file, rotation::create(0).unwrap().expose_secret()).unwrap();
        assert_eq!(status(179 * day), Status::Ok);
        assert_eq!(status(180 * day), Status::Warning);
        fs::write(&file, "{}").unwrap();
        assert_eq!(status(0), Status::Problem);
    }
}
