//! What every handler is given.

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Config;
use crate::keys::Keys;
use crate::sms::Sms;
use crate::sms_auth::AuthCode;
use crate::store::Store;

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
