//! The key of a user, as an operator types it.

use shared::config::Config;
use shared::store::{User, UserKey};
use shared::values::{Email, Field as _, Phone, UserId};

use crate::deployment::AdministrationStore;
use crate::report::Failure;

/// Parses an id, an email or a phone number.
pub(crate) fn parse(text: &str, config: &Config) -> Result<UserKey, Failure> {
    let text = text.trim();
    if let Some(id) = UserId::from_stored(text) {
        return Ok(UserKey::Id(id));
    }
    let usage = |message: &str| Failure::usage(format!("KEY {message}"));
    if text.contains('@') {
        return Email::parse(text).map(UserKey::Email).map_err(|invalid| usage(invalid.0));
    }
    Phone::parse(text, config.default_region).map(UserKey::Phone).map_err(|invalid| usage(invalid.0))
}

/// Returns the user whom `text` names.
pub(crate) async fn find(text: &str, store: &dyn AdministrationStore, config: &Config) -> Result<User, Failure> {
    store.user(&parse(text, config)?).await?.ok_or_else(|| Failure::new("no user has this key"))
}
