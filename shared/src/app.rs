//! What every handler is given.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::sms::Sms;
use crate::sms_auth::AuthCode;
use crate::store::Store;

/// What a function uses. Init connects to it, so that no request has to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// It signs, verifies or publishes with the keys, and so is given them.
    pub keys: bool,
    /// The table of the store that init asks for an item, if it uses the store.
    pub table: Option<Table>,
    /// It reads phone numbers, and gets ready to.
    pub phones: bool,
    /// It asks the store two things at once, and needs a connection for each.
    pub at_once: bool,
}

impl Needs {
    /// Of a function that uses none of it.
    pub const NOTHING: Self = Self { keys: false, table: None, phones: false, at_once: false };
}

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Accounts.
    Users,
    /// SMS sessions.
    SmsSessions,
    /// Logins.
    TokenFamilies,
}

/// A running function's configuration and its connections. Made once, in init.
pub struct App {
    /// What the operator set.
    pub config: Config,
    /// Users and sessions.
    pub store: Box<dyn Store>,
    /// The SMS provider.
    pub sms: Box<dyn Sms>,
    /// The keys that sign and verify tokens; none in a function that handles no token.
    pub keys: Keys,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Makes the codes.
    pub new_code: fn() -> AuthCode,
}
