//! Rotates the keys that sign tokens. Secrets Manager calls it, every 30 days and on request.

use shared::access::{Access, KeyAccess};

use super::job::Job;

/// The job.
pub const JOB: Job = Job { name: "rotate-keys", access: Access { keys: KeyAccess::Rotate, ..Access::NONE } };

#[cfg(feature = "aws")]
pub use on_aws::{connect, handle};

#[cfg(feature = "aws")]
mod on_aws {
    use shared::aws::{Rotation, Rotator};
    use shared::error::BoxError;

    /// Connects to Secrets Manager and DynamoDB.
    ///
    /// # Errors
    /// If a variable is missing or invalid.
    pub async fn connect() -> Result<Rotator, BoxError> {
        Rotator::connect().await
    }

    /// Performs the step of a rotation that the event requests.
    ///
    /// # Errors
    /// If Secrets Manager or DynamoDB fails, one of them contains no key set, or the rotation is cancelled.
    pub async fn handle(rotator: &Rotator, rotation: Rotation, now: i64) -> Result<(), BoxError> {
        rotator.rotate(&rotation, now).await
    }
}
