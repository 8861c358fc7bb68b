//! The import of one user.

use shared::error::BoxError;
use shared::store::{Administration, ImportOutcome, UserKey};
use shared::values::{FieldError, InvalidField};

use super::LineOutcome;
use crate::patience::patiently;
use crate::record::Record;

/// Imports a user. Waits and repeats while the database is busy.
pub(super) async fn import(store: &dyn Administration, record: &Record) -> Result<LineOutcome, BoxError> {
    let outcome = patiently(|| store.import_user(&record.user)).await?;
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
    let user = patiently(|| store.user(&key)).await?;
    Ok(user.is_some_and(|user| user.email == record.user.email))
}

/// Refuses a line whose values other users have.
pub(super) fn taken(id: bool, email: bool, phone: bool) -> LineOutcome {
    let taken = [("id", id), ("email", email), ("phone", phone)];
    let errors = taken.into_iter().filter(|(_, is_taken)| *is_taken);
    LineOutcome::Refused(errors.map(|(field, _)| FieldError::new(field, InvalidField("another user has it"))).collect())
}
