//! The errors of the database.

use crate::error::BoxError;

/// The database failed. The source contains no value of an item.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database throttles or is unavailable: the call can be retried.
    #[error("the store is busy: {0}")]
    Busy(#[source] BoxError),
    /// Any other failure.
    #[error("the store failed: {0}")]
    Failed(#[source] BoxError),
}

/// A step of a caller is rejected and changes nothing, or the store fails.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    /// The session has expired, or the session or the token version is revoked.
    #[error("the session is revoked")]
    Revoked,
    /// The user is disabled.
    #[error("the user is disabled")]
    UserDisabled,
    /// The user does not exist.
    #[error("the user does not exist")]
    UserNotFound,
    /// The store fails.
    #[error(transparent)]
    Store(#[from] StoreError),
}
