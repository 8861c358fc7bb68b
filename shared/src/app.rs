//! Everything that a handler receives besides the request.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::error::BoxError;
use crate::sms::Sms;
use crate::store::Store;
use crate::tokens::Keyring;
use crate::values::{AuthCode, CodeLength, Password, PasswordAttempt, PasswordHash, Phone, TestPhone};

/// A running function's configuration and connections, created once, in init.
pub struct App {
    /// The settings.
    pub config: Config,
    /// The database.
    pub store: Box<dyn Store>,
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
}

impl App {
    /// Creates an app on these parts, with the system's random codes and without keys.
    #[must_use]
    pub fn new(config: Config, store: impl Store + 'static, sms: impl Sms + 'static, clock: Arc<dyn Clock>) -> Self {
        Self {
            config,
            store: Box::new(store),
            sms: Box::new(sms),
            keyring: Keyring::default(),
            clock,
            new_code: AuthCode::random,
            hasher: Hasher::BCRYPT,
        }
    }

    /// Returns the test phone with this number, if there is one at `now`.
    #[must_use]
    pub fn test_phone(&self, phone: &Phone, now: i64) -> Option<&TestPhone> {
        self.config.test_phones.iter().find(|test_phone| test_phone.is(phone, now))
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
