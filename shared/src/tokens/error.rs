//! The errors of tokens and keys.

use crate::error::BoxError;

/// A token is rejected, or cannot be issued.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The token was not issued by this service, or not for this use.
    #[error("the token is not valid here")]
    Invalid,
    /// The token has expired.
    #[error("the token has expired")]
    Expired,
    /// No token can be issued: no signing key exists, or signing failed.
    #[error("no token can be issued: {0}")]
    NotIssued(#[source] BoxError),
}

/// A key set cannot be read or created. Contains nothing of the set.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text is not a key set in JSON, or the set is empty.
    #[error("the keys are not a JSON key set")]
    InvalidKeySet,
    /// A key of the set is not an RSA key.
    #[error("a key is not an RSA key")]
    InvalidKey,
    /// The system created no key.
    #[error("no key could be created")]
    NotCreated,
    /// A private key does not belong to the public key with the same id.
    #[error("a private key and its published public key do not belong together")]
    MismatchedPair,
}
