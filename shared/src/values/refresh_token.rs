//! Refresh tokens, as clients send them.

use secrecy::SecretString;

use super::field::{Field, InvalidField, readable};

/// A refresh token that is not verified yet. Wiped on drop.
#[derive(Debug)]
pub struct RefreshToken(pub SecretString);

impl Field for RefreshToken {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        if text.is_empty() { Err(InvalidField("is required")) } else { Ok(Self(text.into())) }
    }
}

readable!(RefreshToken, Field::parse);
