//! The result of a command: what it prints, and its exit code.

use std::fmt::Display;

use serde_json::Value as Json;
use shared::store::StoreError;

use crate::audit::ActError;

/// The output of a command.
#[derive(Debug, Default)]
pub struct Report {
    /// The document of `--json`; `None` if the command printed its own lines.
    pub json: Option<Json>,
    /// The same, for people.
    pub text: String,
    /// Whether everything was done, and nothing is wrong.
    pub is_success: bool,
}

impl Report {
    /// Creates the report of a command that did everything.
    pub(crate) fn done(json: Json, text: impl Into<String>) -> Self {
        Self { json: Some(json), text: text.into(), is_success: true }
    }
}

/// The reason why a command failed. Contains no personal data and no secret.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    /// The exit code.
    pub code: u8,
}

impl Failure {
    /// Creates a failure of the command.
    pub(crate) fn new(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 1 }
    }

    /// Creates a failure because of wrong arguments.
    pub(crate) fn usage(message: impl Display) -> Self {
        Self { message: message.to_string(), code: 2 }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::new(error)
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Self {
        Self::new(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error)
    }
}
