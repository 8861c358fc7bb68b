//! Verification codes.

use secrecy::{ExposeSecret as _, SecretString};

use super::field::{Field, InvalidField, readable};
use crate::random;

/// A one-time code of six or eight digits, which an SMS carries. Wiped on drop.
#[derive(Clone, Debug)]
pub struct AuthCode(SecretString);

/// The number of digits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeLength {
    /// Six digits.
    Six = 6,
    /// Eight digits, where a guessed code takes an account over.
    Eight = 8,
}

impl CodeLength {
    /// Returns the number of digits.
    #[must_use]
    pub fn digits(self) -> u32 {
        self as u32
    }

    /// Returns the number of codes of this length.
    #[must_use]
    pub fn codes(self) -> u32 {
        10_u32.pow(self.digits())
    }
}

impl AuthCode {
    /// Creates a random code; all codes of this length are equally likely.
    #[must_use]
    pub fn random(length: CodeLength) -> Self {
        let width = length as usize;
        Self(format!("{:0width$}", random::below(length.codes())).into())
    }

    /// Returns the number of digits.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.0.expose_secret().len()
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
        if matches!(text.len(), 6 | 8) && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidField("must be the digits of the SMS, six or eight"))
        }
    }
}

readable!(AuthCode, Field::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_six_or_eight_digits() {
        for text in ["000000", "999999", " 123456 ", "00000000", "12345678"] {
            assert!(AuthCode::parse(text).is_ok(), "{text}");
        }
        for text in ["", "12345", "1234567", "123456789", "12345a", "1234567a", "１２３４５６"] {
            assert!(AuthCode::parse(text).is_err(), "{text}");
        }
        for (length, digits) in [(CodeLength::Six, 6), (CodeLength::Eight, 8)] {
            let code = AuthCode::random(length);
            assert_eq!((code.expose_secret().len(), length.digits()), (digits, digits as u32));
            assert!(AuthCode::parse(code.expose_secret()).is_ok());
        }
    }
}
