//! Verification by SMS: the session, its one-time password (OTP) and the text that carries it.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::phone::Phone;
use crate::random;
use crate::value::{Invalid, Value};

/// The secret that stands for one verification: who holds it asked for the code. 128 random bits,
/// URL-safe. It is never stored, only its [`SessionKey`]. Wiped on drop.
pub struct SessionId(Zeroizing<String>);

/// The SHA-256 of a [`SessionId`], under which the session is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKey(String);

/// A one-time password: six digits. Wiped on drop.
pub struct AuthCode(Zeroizing<String>);

/// What is stored of a code: an HMAC-SHA-256 keyed by the session id, so that who reads the table
/// can't find the code by trying the million of them.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeHash(String);

/// What a verified session may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To sign up.
    Signup,
    /// To reset the password.
    PasswordReset,
}

impl SessionId {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(random::bytes::<16>())))
    }

    /// The id itself, for the answer to the client.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The key under which the session is stored.
    #[must_use]
    pub fn key(&self) -> SessionKey {
        SessionKey(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, self.0.as_bytes())))
    }

    /// What to store of `code`.
    #[must_use]
    pub fn code_hash(&self, phone: &Phone, purpose: Option<Purpose>, code: &AuthCode) -> CodeHash {
        CodeHash(URL_SAFE_NO_PAD.encode(hmac::sign(&self.hmac_key(), Self::signed(phone, purpose, code).as_bytes())))
    }

    /// Whether `hash` was made of these, compared in constant time.
    #[must_use]
    pub fn code_matches(&self, phone: &Phone, purpose: Option<Purpose>, code: &AuthCode, hash: &CodeHash) -> bool {
        let tag = URL_SAFE_NO_PAD.decode(&hash.0).unwrap_or_default();
        hmac::verify(&self.hmac_key(), Self::signed(phone, purpose, code).as_bytes(), &tag).is_ok()
    }

    fn hmac_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }

    fn signed(phone: &Phone, purpose: Option<Purpose>, code: &AuthCode) -> Zeroizing<String> {
        Zeroizing::new(format!("{} {} {}", phone.e164(), purpose.map_or("any", Purpose::as_str), code.0.as_str()))
    }
}

impl Value for SessionId {
    /// Takes any text: one that was never given out is not found.
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        match text.len() {
            1..=128 => Ok(Self(Zeroizing::new(text.to_owned()))),
            _ => Err(Invalid("must be the session_id that sms-auth/send answered")),
        }
    }
}

impl SessionKey {
    /// The key in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl AuthCode {
    /// A new code; each of the million is equally likely.
    #[must_use]
    pub fn generate() -> Self {
        Self(Zeroizing::new(format!("{:06}", random::below(1_000_000))))
    }
}

impl Value for AuthCode {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        let text = text.trim();
        if text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(Zeroizing::new(text.to_owned())))
        } else {
            Err(Invalid("must be the six digits of the SMS"))
        }
    }
}

impl CodeHash {
    /// The hash as it is stored, in base64url.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A hash that was stored.
    #[must_use]
    pub fn stored(hash: String) -> Self {
        Self(hash)
    }
}

impl Purpose {
    /// The purpose as it is sent and stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::PasswordReset => "password_reset",
        }
    }

    /// A purpose that was stored, or `None` for a word that is no purpose.
    #[must_use]
    pub fn stored(word: &str) -> Option<Self> {
        [Self::Signup, Self::PasswordReset].into_iter().find(|purpose| purpose.as_str() == word)
    }
}

impl Value for Purpose {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        Self::stored(text).ok_or(Invalid("must be signup or password_reset"))
    }
}

/// The text of the SMS, in the language of the phone's country: Korean, Japanese, or else English.
/// It fits one segment, of 70 UCS-2 characters (3GPP TS 23.038).
#[must_use]
pub fn text(phone: &Phone, purpose: Option<Purpose>, code: &AuthCode, config: &Config) -> Zeroizing<String> {
    let (service, code, minutes) = (&config.service_name, code.0.as_str(), config.code_seconds / 60);
    Zeroizing::new(match phone.country_code() {
        82 => {
            let purpose = match purpose {
                None => "",
                Some(Purpose::Signup) => "회원가입 ",
                Some(Purpose::PasswordReset) => "비밀번호 재설정 ",
            };
            format!("[{service}] {purpose}인증번호 {code} ({minutes}분 이내 입력)")
        }
        81 => {
            let purpose = match purpose {
                None => "",
                Some(Purpose::Signup) => "会員登録の",
                Some(Purpose::PasswordReset) => "パスワード再設定の",
            };
            format!("[{service}] {purpose}認証コード: {code} ({minutes}分間有効)")
        }
        _ => {
            let purpose = match purpose {
                None => "verification",
                Some(Purpose::Signup) => "sign-up",
                Some(Purpose::PasswordReset) => "password reset",
            };
            format!("[{service}] {code} is your {purpose} code ({minutes} min)")
        }
    })
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(***)")
    }
}

impl fmt::Debug for AuthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthCode(***)")
    }
}

impl fmt::Debug for CodeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CodeHash(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: Value>(text: &str) -> T {
        T::parse(text, &Config::default()).ok().unwrap()
    }

    #[test]
    fn ids_are_random_and_url_safe() {
        let (one, other) = (SessionId::generate(), SessionId::generate());
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(URL_SAFE_NO_PAD.decode(one.reveal()).unwrap().len(), 16);
        assert_ne!(one.key().as_str(), one.reveal());
    }

    #[test]
    fn a_code_is_six_digits() {
        for text in ["000000", "999999", " 123456 "] {
            assert!(AuthCode::parse(text, &Config::default()).is_ok(), "{text}");
        }
        for text in ["", "12345", "1234567", "12345a", "１２３４５６"] {
            assert!(AuthCode::parse(text, &Config::default()).is_err(), "{text}");
        }
        assert_eq!(AuthCode::generate().0.len(), 6);
    }

    #[test]
    fn a_hash_matches_its_own_session_phone_purpose_and_code_only() {
        let (session, phone, code) =
            (SessionId::generate(), parse::<Phone>("01012345678"), parse::<AuthCode>("123456"));
        let hash = session.code_hash(&phone, None, &code);
        assert!(session.code_matches(&phone, None, &code, &hash));
        assert!(!session.code_matches(&phone, None, &parse("123457"), &hash));
        assert!(!session.code_matches(&parse("01012345679"), None, &code, &hash));
        assert!(!session.code_matches(&phone, Some(Purpose::Signup), &code, &hash));
        assert!(!SessionId::generate().code_matches(&phone, None, &code, &hash));
        assert!(!session.code_matches(&phone, None, &code, &CodeHash::stored(String::new())));
    }

    #[test]
    fn every_text_fits_one_segment_and_says_what_it_is_for() {
        let config = Config {
            service_name: "가나다라마바사아자차카타파하가나다라마바".into(),
            code_seconds: 600,
            ..Config::default()
        };
        let code = parse::<AuthCode>("123456");
        for number in ["+821012345678", "+819012345678", "+12025550123"] {
            let texts = [None, Some(Purpose::Signup), Some(Purpose::PasswordReset)]
                .map(|purpose| text(&parse(number), purpose, &code, &config));
            for text in &texts {
                assert!(text.encode_utf16().count() <= 70, "{}", text.as_str());
                assert!(text.contains("123456"));
            }
            assert!(texts[0] != texts[1] && texts[1] != texts[2]);
        }
        assert_eq!(
            text(&parse("01012345678"), None, &code, &Config::default()).as_str(),
            "[Ably] 인증번호 123456 (5분 이내 입력)"
        );
    }

    #[test]
    fn debug_shows_nothing() {
        let (session, code) = (SessionId::generate(), AuthCode::generate());
        let hash = session.code_hash(&parse("01012345678"), None, &code);
        assert_eq!(format!("{session:?} {code:?} {hash:?}"), "SessionId(***) AuthCode(***) CodeHash(***)");
    }
}
