//! The import of one user.

use shared::error::BoxError;
use shared::store::{Administration, ImportOutcome, UserKey};
use shared::values::{FieldError, InvalidField};

use super::LineOutcome;
use crate::record::Record;
use crate::retry::retried;

/// Imports a user. Waits and repeats while the database is busy.
pub(super) async fn import(store: &dyn Administration, record: &Record) -> Result<LineOutcome, BoxError> {
    let outcome = retried(|| store.import_user(&record.user)).await?;
    match outcome {
        ImportOutcome::Created => Ok(LineOutcome::Created),
        ImportOutcome::AlreadyImported => Ok(LineOutcome::AlreadyImported),
        ImportOutcome::Taken { email: true, phone: true, .. }
            if !record.has_id && is_imported(store, record).await? =>
        {
            Ok(LineOutcome::AlreadyImported)
        }
        ImportOutcome::Taken { id, email, phone } => Ok(taken(id, email, phone)),
    }
}

/// Whether one user has the email and the phone number of a line without an id: an earlier import created the user, with
/// an id that this import cannot know. An id that follows from the phone number would disclose the number.
async fn is_imported(store: &dyn Administration, record: &Record) -> Result<bool, BoxError> {
    let key = UserKey::Phone(record.user.phone.clone());
    let user = retried(|| store.user(&key)).await?;
    Ok(user.is_some_and(|user| user.email == record.user.email))
}

/// Refuses a line whose values users have.
pub(super) fn taken(id: bool, email: bool, phone: bool) -> LineOutcome {
    let errors = [
        ("id", id, "a user with this id exists, with another email or phone number"),
        ("email", email, "another user has it"),
        ("phone", phone, "another user has it"),
    ];
    let errors = errors.into_iter().filter(|(_, is_taken, _)| *is_taken);
    LineOutcome::Refused(errors.map(|(field, _, reason)| FieldError::new(field, InvalidField(reason))).collect())
}
