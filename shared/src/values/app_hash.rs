//! The hashes by which Android finds the app that reads a code.

use super::field::{Field, InvalidField, readable};

/// The hash of an Android app and its signing key, at the end of an SMS that the app may read without a permission
/// ([SMS Retriever](https://developers.google.com/identity/sms-retriever/verify)): 11 characters of base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppHash(String);

impl AppHash {
    /// Returns the hash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Field for AppHash {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
        if text.len() == 11 && text.bytes().all(is_base64) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidField("must be the 11 characters of an Android app's hash"))
        }
    }
}

readable!(AppHash, Field::parse);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_has_11_characters_of_base64() {
        for text in ["FA+9qCX9VSu", "abc/defghij", "00000000000"] {
            assert_eq!(AppHash::parse(text).unwrap().as_str(), text);
        }
        for text in ["", "FA+9qCX9VS", "FA+9qCX9VSuu", "FA+9qCX9VS ", "FA+9qCX9VS=", "FA-9qCX9VSu", "FA+9qCX9VS한"] {
            assert!(AppHash::parse(text).is_err(), "{text}");
        }
    }
}
