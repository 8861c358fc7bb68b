//! Everything that a handler receives besides the request.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::BoxError;
use crate::events::{Event, EventLog};
use crate::sms::Sms;
use crate::store::{Accounts, Store};
use crate::tokens::Keyring;
use crate::values::{AuthCode, CodeLength, Password, PasswordAttempt, PasswordHash, Phone, TestPhone};

/// Returns the accounts of callers in a store, or `None`: only a function that authenticates a caller links their steps.
pub type AccountsIn<S> = fn(&Arc<S>) -> Option<Arc<dyn Accounts>>;

/// A running function's configuration and connections, created once, in init.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The database.
    pub store: Arc<dyn Store>,
    /// The accounts of callers in the same database; `None` in a function that authenticates no caller.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// The SMS provider.
    pub sms: Box<dyn Sms>,
    /// The keys that sign and verify tokens; empty in a function without access to them.
    pub keyring: Keyring,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Creates the codes.
    pub new_code: fn(CodeLength) -> AuthCode,
    /// Hashes and compares passwords.
    pub hasher: Hasher,
    /// Writes what happens.
    pub events: EventLog,
}

impl App {
    /// Creates an app on these parts, with the system's random codes, and without keys and accounts.
    #[must_use]
    pub fn new(config: Config, store: Arc<dyn Store>, sms: impl Sms + 'static, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            store,
            accounts: None,
            sms: Box::new(sms),
            keyring: Keyring::default(),
            clock,
            new_code: AuthCode::random,
            hasher: Hasher::BCRYPT,
            events: EventLog::to_stdout(None),
        }
    }

    /// Writes an event, which happens now.
    pub fn log(&self, event: &Event) {
        self.events.log(event, &self.config.sms_countries, self.clock.now());
    }

    /// Returns the test phone with this number, if there is one at `now`.
    #[must_use]
    pub fn test_phone(&self, phone: &Phone, now: i64) -> Option<&TestPhone> {
        self.config.test_phones.iter().find(|test_phone| test_phone.is(phone, now))
    }

    /// Returns the accounts of callers.
    ///
    /// # Errors
    /// If the function authenticates no caller.
    pub fn accounts(&self) -> Result<&dyn Accounts, BoxError> {
        self.accounts.as_deref().ok_or_else(|| "the function has no accounts of callers".into())
    }

    /// Adds the accounts of callers.
    #[must_use]
    pub fn with_accounts(self, accounts: Option<Arc<dyn Accounts>>) -> Self {
        Self { accounts, ..self }
    }

    /// Adds the keys.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }
}

/// The functions that hash and compare passwords, each with a cost. Injected, so that a simulation can count them.
#[derive(Clone, Copy, Debug)]
pub struct Hasher {
    /// Hashes a password.
    pub hash: fn(&Password, u32) -> Result<PasswordHash, BoxError>,
    /// Returns whether a password matches a hash. Does the same work without a hash, and returns false.
    pub matches: fn(&PasswordAttempt, Option<&PasswordHash>, u32) -> bool,
}

impl Hasher {
    /// bcrypt.
    pub const BCRYPT: Self = Self { hash: Password::hash, matches: PasswordAttempt::matches };
}
