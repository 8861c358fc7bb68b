//! Data that is stored and returned, but must not be shown in logs or errors.
//!
//! Secrets (codes, passwords, session ids, tokens) are kept in `secrecy::SecretString`, which also wipes
//! them on drop.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Serialize, Serializer};

/// A value that must not be shown. `Debug` prints `***`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Masked<T>(pub T);

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Serializes a secret into a response or into storage, for `#[serde(serialize_with)]`.
///
/// # Errors
/// The serializer's.
pub fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}
