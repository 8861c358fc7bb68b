//! The ids of SMS sessions, and what is stored in place of ids and codes.

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::code::AuthCode;
use super::field::{Field, InvalidField, readable};
use super::phone::Phone;
use super::purpose::Purpose;
use crate::random;
use crate::secret::Masked;

/// The id of an SMS session, a secret that only the client that requested the code holds: 128 random
/// bits, URL-safe. Only its [`SmsSessionKey`] is stored. Wiped on drop.
#[derive(Debug)]
pub struct SmsSessionId(SecretString);

/// The SHA-256 of an [`SmsSessionId`], under which the session is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmsSessionKey(String);

/// The stored form of a code: an HMAC-SHA-256 keyed by the session id, so that a reader of the table
/// cannot find the code by computing the MACs of all codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeMac(Masked<String>);

impl SmsSessionId {
    /// Creates a random id.
    #[must_use]
    pub fn random() -> Self {
        Self(URL_SAFE_NO_PAD.encode(random::bytes::<16>()).into())
    }

    /// Returns the id itself, for the response.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns the key under which the session is stored.
    #[must_use]
    pub fn key(&self) -> SmsSessionKey {
        SmsSessionKey(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.expose_secret().as_bytes())))
    }

    /// Returns the stored form of `code`, which is valid for this phone and purpose only.
    #[must_use]
    pub fn code_mac(&self, phone: &Phone, purpose: Purpose, code: &AuthCode) -> CodeMac {
        let mac = hmac::sign(&self.hmac_key(), Self::signed(phone, purpose, code).as_bytes());
        CodeMac(Masked(URL_SAFE_NO_PAD.encode(mac)))
    }

    /// Whether `mac` belongs to this phone, purpose and code. Compares in constant time.
    #[must_use]
    pub fn code_matches(&self, phone: &Phone, purpose: Purpose, code: &AuthCode, mac: &CodeMac) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(mac.as_str()).unwrap_or_default();
        hmac::verify(&self.hmac_key(), Self::signed(phone, purpose, code).as_bytes(), &tag).is_ok()
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.expose_secret().as_bytes())
    }

    fn signed(phone: &Phone, purpose: Purpose, code: &AuthCode) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {} {}", phone.e164(), purpose.as_str(), code.expose_secret()))
    }
}

impl Field for SmsSessionId {
    /// Accepts any text: an id that was never issued is not found.
    fn parse(text: &str) -> Result<Self, InvalidField> {
        match text.len() {
            1..=128 => Ok(Self(text.into())),
            _ => Err(InvalidField("must be the session_id returned by sms-auth/send")),
        }
    }
}

readable!(SmsSessionId, Field::parse);

impl SmsSessionKey {
    /// Returns the key in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CodeMac {
    /// Returns the stored text, in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.0
    }

    /// Returns the MAC in stored text. Text that is not a MAC matches no code.
    #[must_use]
    pub fn from_stored(mac: String) -> Self {
        Self(Masked(mac))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::code::CodeLength;
    use crate::values::phone::Region;

    fn phone(text: &str) -> Phone {
        Phone::parse(text, Region::KR).unwrap()
    }

    fn code(text: &str) -> AuthCode {
        AuthCode::parse(text).unwrap()
    }

    #[test]
    fn ids_are_random_and_url_safe() {
        let (one, other) = (SmsSessionId::random(), SmsSessionId::random());
        assert_ne!(one.expose_secret(), other.expose_secret());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.expose_secret()).unwrap().len(), 16);
        assert_ne!(one.key().as_str(), one.expose_secret());
    }

    #[test]
    fn a_mac_matches_only_its_own_session_phone_purpose_and_code() {
        let (session, phone_1, code_1) = (SmsSessionId::random(), phone("01012345678"), code("123456"));
        let mac = session.code_mac(&phone_1, Purpose::Signup, &code_1);
        assert!(session.code_matches(&phone_1, Purpose::Signup, &code_1, &mac));
        assert!(!session.code_matches(&phone_1, Purpose::Signup, &code("123457"), &mac));
        assert!(!session.code_matches(&phone("01012345679"), Purpose::Signup, &code_1, &mac));
        assert!(!session.code_matches(&phone_1, Purpose::PasswordReset, &code_1, &mac));
        assert!(!SmsSessionId::random().code_matches(&phone_1, Purpose::Signup, &code_1, &mac));
        assert!(!session.code_matches(&phone_1, Purpose::Signup, &code_1, &CodeMac::from_stored(String::new())));
    }

    #[test]
    fn debug_shows_nothing() {
        let (session, code) = (SmsSessionId::random(), AuthCode::random(CodeLength::Eight));
        let mac = session.code_mac(&phone("01012345678"), Purpose::Signup, &code);
        let shown = format!("{session:?} {code:?} {mac:?}");
        for secret in [session.expose_secret(), code.expose_secret(), mac.as_str()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
