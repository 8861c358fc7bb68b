//! Data that is stored and returned, but must not be shown in logs or errors.
//!
//! Secrets (codes, passwords, session ids, tokens) are kept in `secrecy::SecretString`, which also wipes
//! them on drop.

use std::fmt;

use serde::Serialize;

/// A value that must not be shown. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Masked<T>(pub T);

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
