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
