//! The check of a dry run: which users an import would create.

use std::collections::HashMap;

use shared::error::BoxError;
use shared::store::{Administration, UserKey};

use super::LineOutcome;
use super::user::taken;
use crate::record::Record;
use crate::retry::retried;

/// The ids, emails and phone numbers of lines, each with the number of its user.
#[derive(Default)]
pub(super) struct Seen {
    users: HashMap<String, usize>,
    count: usize,
}

impl Seen {
    /// Returns the id, the email and the phone number of a line.
    pub(super) fn keys(record: &Record) -> [String; 3] {
        let user = &record.user;
        let [id, email] = [user.id.to_string(), format!("email {}", user.email.normalized())];
        [id, email, user.phone.e164().to_owned()]
    }

    /// Whether one of the lines has the id, the email or the phone number of this one.
    pub(super) fn has_any_of(&self, record: &Record) -> bool {
        Self::keys(record).iter().any(|key| self.users.contains_key(key))
    }

    /// Adds a line with these [keys](Self::keys).
    pub(super) fn add(&mut self, keys: [String; 3]) {
        self.users.extend(keys.map(|key| (key, self.count)));
        self.count += 1;
    }

    /// Returns the outcome of a line of which an earlier line has something; otherwise `None`.
    pub(super) fn check(&self, record: &Record) -> Option<LineOutcome> {
        let [id, email, phone] = Self::keys(record).map(|key| self.users.get(&key).copied());
        outcome([record.has_id.then_some(id), Some(email), Some(phone)])
    }
}

/// Returns the outcome of a line, from the users that have its id, its email and its phone number. A line without an id
/// has none to compare.
fn outcome<T: PartialEq>([id, email, phone]: [Option<Option<T>>; 3]) -> Option<LineOutcome> {
    let (id, email, phone) = (id, email.flatten(), phone.flatten());
    let is_same_id = id.as_ref().is_none_or(|id| *id == phone);
    match (&email, &phone) {
        (Some(email), Some(phone)) if email == phone && is_same_id => Some(LineOutcome::AlreadyImported),
        _ => {
            // The user of the id may have changed the email or the phone number.
            let own = id.flatten();
            let is_taken = |by: &Option<T>| by.is_some() && *by != own;
            let taken_by = [own.is_some(), is_taken(&email), is_taken(&phone)];
            taken_by.contains(&true).then(|| taken(taken_by[0], taken_by[1], taken_by[2]))
        }
    }
}

/// Returns what an import of the line would result in, with the users that exist.
pub(super) async fn against(store: &dyn Administration, record: &Record) -> Result<LineOutcome, BoxError> {
    let user = &record.user;
    let find = async |key: UserKey| {
        let found = retried(|| store.user(&key)).await?;
        Ok::<_, BoxError>(found.map(|user| user.id))
    };
    let id = if record.has_id { Some(find(UserKey::Id(user.id)).await?) } else { None };
    let email = find(UserKey::Email(user.email.clone())).await?;
    let phone = find(UserKey::Phone(user.phone.clone())).await?;
    Ok(outcome([id, Some(email), Some(phone)]).unwrap_or(LineOutcome::Created))
}
