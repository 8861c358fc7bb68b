//! The purposes of an SMS session.

use super::field::{Field, InvalidField, readable};

/// The purpose that a verified SMS session may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Signing up.
    Signup,
    /// Resetting the password.
    PasswordReset,
    /// Logging in.
    Login,
    /// Changing the phone number of an account.
    PhoneChange,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 4] = [Self::Signup, Self::PasswordReset, Self::Login, Self::PhoneChange];

    /// Returns the word that is sent and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::PasswordReset => "password_reset",
            Self::Login => "login",
            Self::PhoneChange => "phone_change",
        }
    }

    /// Whether the code is verified before the SMS session is used. A login verifies it in the same request, so
    /// that the id of its SMS session opens nothing without the code.
    #[must_use]
    pub fn is_verified_first(self) -> bool {
        match self {
            Self::Signup | Self::PasswordReset | Self::PhoneChange => true,
            Self::Login => false,
        }
    }

    /// Returns the purpose of a stored word, or `None` if the word is unknown.
    #[must_use]
    pub fn from_stored(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word)
    }
}

impl Field for Purpose {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        Self::from_stored(text).ok_or(InvalidField("must be signup, password_reset, login or phone_change"))
    }
}

readable!(Purpose, Field::parse);
