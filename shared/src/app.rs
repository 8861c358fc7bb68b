//! Everything that a handler receives besides the request.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::sms::Sms;
use crate::store::Store;
use crate::tokens::Keyring;
use crate::values::{AuthCode, CodeLength};

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
        }
    }

    /// Adds the keys.
    #[must_use]
    pub fn with_keyring(self, keyring: Keyring) -> Self {
        Self { keyring, ..self }
    }
}
