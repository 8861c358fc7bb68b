//! How far an import is, in a file beside that of the users.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use shared::error::BoxError;

/// How far an import is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The lines that are finished.
    pub(super) lines: u64,
    /// The bytes of these lines.
    pub(super) bytes: u64,
    /// The bytes of the report about these lines.
    pub(super) report_bytes: u64,
    pub(super) created: u64,
    pub(super) already_imported: u64,
    pub(super) refused: u64,
}

/// The file. Its fingerprint names what is imported, where, and where the report is.
pub(super) struct ProgressFile {
    path: PathBuf,
    fingerprint: String,
}

#[derive(Serialize, Deserialize)]
struct Stored<P> {
    fingerprint: String,
    #[serde(flatten)]
    progress: P,
}

impl ProgressFile {
    pub(super) fn new(path: PathBuf, fingerprint: String) -> Self {
        Self { path, fingerprint }
    }

    /// Returns the progress of the same import, if there is one. A file that cannot be read is none.
    pub(super) fn read(&self) -> Option<Progress> {
        let stored: Stored<Progress> = serde_json::from_str(&fs::read_to_string(&self.path).ok()?).ok()?;
        (stored.fingerprint == self.fingerprint).then_some(stored.progress)
    }

    /// Replaces the file as a whole, so that a kill leaves the one of before.
    pub(super) fn write(&self, progress: &Progress) -> Result<(), BoxError> {
        let new = self.path.with_added_extension("new");
        let stored = Stored { fingerprint: self.fingerprint.clone(), progress };
        delete(&new)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        options.open(&new)?.write_all(serde_json::to_string(&stored)?.as_bytes())?;
        Ok(fs::rename(new, &self.path)?)
    }

    /// Deletes the file, after the last line.
    pub(super) fn delete(&self) -> io::Result<()> {
        delete(&self.path)
    }
}

fn delete(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
