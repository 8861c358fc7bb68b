//! The key of a user, as an operator types it.

use shared::config::Config;
use shared::store::{User, UserKey};
use shared::values::{Email, Field as _, InvalidField, Phone, UserId};

use crate::deployment::AdministrationStore;
use crate::report::Failure;

/// Parses an id, an email or a phone number.
pub(crate) fn parse(text: &str, config: &Config) -> Result<UserKey, Failure> {
    let text = text.trim();
    if let Some(id) = UserId::from_stored(text) {
        return Ok(UserKey::Id(id));
    }
    if text.contains('@') {
        let usage = |invalid: InvalidField| Failure::usage(format!("an email {}", invalid.0));
        return Email::parse(text).map(UserKey::Email).map_err(usage);
    }
    let usage =
        |_| Failure::usage("KEY must be a phone number, such as +82 10 1234 5678, an email, or the id of a user");
    Phone::parse(text, config.default_region).map(UserKey::Phone).map_err(usage)
}

/// Returns the user whom `text` names.
pub(crate) async fn find(text: &str, store: &dyn AdministrationStore, config: &Config) -> Result<User, Failure> {
    store.user(&parse(text, config)?).await?.ok_or_else(|| Failure::new("no user has this key"))
}
