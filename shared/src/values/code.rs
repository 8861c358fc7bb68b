//! Verification codes.

use secrecy::{ExposeSecret as _, SecretString};

use super::field::{Field, InvalidField, readable};
use crate::random;

/// A one-time code of six digits, which an SMS carries. Wiped on drop.
#[derive(Clone, Debug)]
pub struct AuthCode(SecretString);

impl AuthCode {
    /// Creates a random code; all of the million are equally likely.
    #[must_use]
    pub fn random() -> Self {
        Self(format!("{:06}", random::below(1_000_000)).into())
    }

    /// Returns the digits, for the SMS.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }
}

impl Field for AuthCode {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        let text = text.trim();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidField("must be the six digits of the SMS"))
        }
    }
}

readable!(AuthCode, Field::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_digits() {
        for text in ["000000", "999999", " 123456 "] {
            assert!(AuthCode::parse(text).is_ok(), "{text}");
        }
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(AuthCode::parse(text).is_err(), "{text}");
        }
        assert_eq!(AuthCode::random().expose_secret().len(), 6);
    }
}
