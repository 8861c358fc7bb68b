//! Access and refresh tokens, and the keys that sign and verify them.

pub mod error;
pub mod jwt;
pub mod key_set;
pub mod keyring;
pub mod rotation;
pub mod stored_keys;

pub use error::{KeyError, TokenError};
pub use jwt::{Device, RefreshGrant, TokenSettings, Tokens};
pub use key_set::{Jwks, KeySet};
pub use keyring::{KeySource, Keyring};
