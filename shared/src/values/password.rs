//! Passwords, new ones and those that a login compares.

use std::collections::HashSet;

use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::common_passwords;
use super::field::{Field, InvalidField, readable};
use super::password_hash::PasswordHash;
use super::phone::Phone;
use super::text::{folded, nfc};
use crate::error::BoxError;

/// The shortest password, in characters (NIST SP 800-63B, 5.1.1.2).
const MIN_CHARACTERS: usize = 8;
/// The longest password, in bytes of UTF-8: bcrypt ignores further bytes. The crate's `hash` accepts 72
/// bytes, though its `non_truncating_hash` rejects them.
const MAX_BYTES: usize = 72;

/// The fewest different characters of a password.
const MIN_DIFFERENT_CHARACTERS: usize = 5;

/// A new password: at least 8 characters, 5 of them different, at most 72 bytes in UTF-8, not a common one. In NFC (RFC 8265,
/// `OpaqueString`), so that every keyboard produces the same bytes. Wiped on drop.
#[derive(Debug)]
pub struct Password(SecretString);

/// A password that a client sends to log in. The rules for new passwords do not apply. Wiped on drop.
#[derive(Debug)]
pub struct PasswordAttempt(SecretString);

impl Password {
    /// Returns the text, for another hasher than bcrypt.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// Returns whether the password is the same as `attempt`.
    #[must_use]
    pub fn is_same_as(&self, attempt: &PasswordAttempt) -> bool {
        self.0.expose_secret() == attempt.0.expose_secret()
    }

    /// Rejects a password that contains the user's email, phone or name. Parts of one character, and of
    /// two in ASCII, are ignored: too many passwords contain them.
    ///
    /// # Errors
    /// [`InvalidField`] if the password contains one of them.
    pub fn check_not_personal(
        &self,
        email: Option<&str>,
        phone: Option<&Phone>,
        name: Option<&str>,
    ) -> Result<(), InvalidField> {
        let lower = folded(self.0.expose_secret());
        let [email, name] = [email, name].map(|text| folded(text.unwrap_or_default()));
        let local_part = email.split(['+', '@']).next().unwrap_or_default();
        let joined: String = name.split_whitespace().collect();
        let contains_word = [email.as_str(), local_part, joined.as_str()]
            .into_iter()
            .chain(name.split_whitespace())
            .any(|word| !is_short(word) && lower.contains(word));

        let digits: Zeroizing<String> = Zeroizing::new(lower.chars().filter(char::is_ascii_digit).collect());
        let contains_phone = phone.is_some_and(|phone| digits.contains(phone.national_digits()));
        if contains_word || contains_phone {
            return Err(InvalidField("must not contain your email, phone or name"));
        }
        Ok(())
    }

    /// Rejects a password that has fewer than 8 characters besides the name of the service, however often it contains
    /// the name. A name of one character, or of two in ASCII, is ignored.
    ///
    /// # Errors
    /// [`InvalidField`] if it does.
    pub fn check_not_of_service(&self, name: &str) -> Result<(), InvalidField> {
        let (password, name) = (folded(self.0.expose_secret()), folded(name.trim()));
        let joined: String = name.split_whitespace().collect();
        if is_short(&joined) {
            return Ok(());
        }
        let rest = Zeroizing::new(password.replace(name.as_str(), ""));
        let rest = Zeroizing::new(rest.replace(&joined, ""));
        if rest.chars().count() < MIN_CHARACTERS {
            return Err(InvalidField("must have at least 8 characters besides the name of the service"));
        }
        Ok(())
    }

    /// Hashes the password with a new salt. `cost` is the binary logarithm of the rounds.
    ///
    /// # Errors
    /// If the cost is out of bcrypt's bounds, or the system returns no salt.
    pub fn hash(&self, cost: u32) -> Result<PasswordHash, BoxError> {
        Ok(PasswordHash::from_stored(bcrypt::hash(self.0.expose_secret().as_bytes(), cost)?))
    }
}

impl Field for Password {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        // Checked first, so that a long text costs nothing. NFC shortens no text to a third.
        if text.len() > 3 * MAX_BYTES {
            return Err(InvalidField("must have at most 72 bytes in UTF-8"));
        }
        let password = nfc(text);
        if password.chars().count() < MIN_CHARACTERS {
            return Err(InvalidField("must have at least 8 characters"));
        }
        if password.len() > MAX_BYTES {
            return Err(InvalidField("must have at most 72 bytes in UTF-8"));
        }
        // bcrypt repeats its key with a NUL between: with a NUL inside, two passwords could be equal.
        if password.chars().any(char::is_control) {
            return Err(InvalidField("must not contain control characters"));
        }
        let folded = folded(&password);
        if folded.chars().collect::<HashSet<_>>().len() < MIN_DIFFERENT_CHARACTERS {
            return Err(InvalidField("must have at least 5 different characters"));
        }
        if common_passwords::contains(&folded) {
            return Err(InvalidField("is too common: choose another password"));
        }
        Ok(Self(password.as_str().into()))
    }
}

readable!(Password, Field::parse);

impl PasswordAttempt {
    /// Returns the text, for another hasher than bcrypt.
    #[must_use]
    pub fn expose_secret(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether this is the password of `hash`. Without a hash (an unknown user), and for an impossible
    /// password, does the same work at `cost` and returns `false`.
    #[must_use]
    pub fn matches(&self, hash: Option<&PasswordHash>, cost: u32) -> bool {
        let attempt = self.0.expose_secret();
        let is_possible = attempt.len() <= MAX_BYTES && !attempt.contains('\0');
        let hash = hash.filter(|_| is_possible);
        let unmatched = unmatched_hash(cost);
        let (attempt, compared) = hash.map_or(("", &unmatched), |hash| (attempt, hash));
        bcrypt::verify(attempt, compared.as_str()).unwrap_or(false) && hash.is_some()
    }
}

/// Whether too many passwords contain the word by chance.
fn is_short(word: &str) -> bool {
    word.chars().count() < if word.is_ascii() { 3 } else { 2 }
}

/// Returns a well-formed hash that no password has.
fn unmatched_hash(cost: u32) -> PasswordHash {
    PasswordHash::from_stored(format!("$2b${cost:02}${}", ".".repeat(53)))
}

impl Field for PasswordAttempt {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        if text.is_empty() {
            return Err(InvalidField("is required"));
        }
        Ok(Self(nfc(text).as_str().into()))
    }
}

readable!(PasswordAttempt, Field::parse);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::values::phone::Region;

    fn parse(text: &str) -> Result<Password, &'static str> {
        Password::parse(text).map_err(|invalid| invalid.0)
    }

    fn attempt(text: &str) -> PasswordAttempt {
        PasswordAttempt::parse(text).unwrap()
    }

    #[test]
    fn the_length_is_limited() {
        assert!(parse("한국어비밀번호").is_err(), "seven characters");
        assert!(parse("한국어비밀번호야").is_ok(), "eight");
        assert!(parse(&"x1yz34".repeat(12)).is_ok(), "72 bytes");
        assert!(parse(&format!("{}x1yzé", "x1yz34".repeat(11))).is_ok(), "72 bytes, the last two one character");
        assert!(parse(&"x1yz34".repeat(13)).is_err());
        assert!(parse(&"가".repeat(25)).is_err(), "75 bytes");
        assert!(parse("passw\0rd-and-more").is_err());
    }

    #[test]
    fn all_72_bytes_count() {
        let (long, other) = ("x1yz34".repeat(12), format!("{}y", "x1yz34".repeat(12).split_at(71).0));
        let hash = parse(&long).unwrap().hash(4).unwrap();
        assert!(attempt(&long).matches(Some(&hash), 4));
        assert!(!attempt(&other).matches(Some(&hash), 4), "differs in byte 72");
        assert!(!attempt(&format!("{long}z")).matches(Some(&hash), 4), "is longer");
    }

    #[test]
    fn common_passwords_are_rejected() {
        for text in
            ["password1", "PassWord1", "1234567890", "qwertyuiop", "iloveyou1", "ｐａｓｓｗｏｒｄ１", "Ｐassword１"]
        {
            assert_eq!(parse(text).unwrap_err(), "is too common: choose another password", "{text}");
        }
        assert!(parse("correct horse battery").is_ok());
    }

    #[test]
    fn fewer_than_five_different_characters_are_rejected() {
        for text in ["          ", "zzzzzzzzzzzz", "xyxyxyxyxyxy", "xYyXxYyX w w", "x1y2x1y2x1", "ｘx１1ｙy２2ｘX１"]
        {
            let message = parse(text).map(|_| ()).unwrap_err();
            assert_eq!(message, "must have at least 5 different characters", "{text}");
        }
        for text in ["x1y2z-x1y2z", "가나다라마가나다", "x y z 1 2 3"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn one_kind_of_characters_is_enough() {
        for text in ["qmzvbtkxw", "QMZVBTKXW", "8305219746", "가나다라마바사아", "!?#%&*+=-", "aB3$ efgh"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_name_of_the_service_does_not_count() {
        let check = |text: &str, name: &str| parse(text).unwrap().check_not_of_service(name);
        for (text, name) in [
            ("Example Shop", "Example Shop"),
            ("exampleshop", "Example Shop"),
            ("example shop 2026", "Example Shop"),
            ("ably2026!", "Ably"),
            ("2026ABLYably!", "Ably"),
            ("ａｂｌｙ2026!", "Ably"),
            ("우리가게2026!!", "우리가게"),
        ] {
            assert!(check(text, name).is_err(), "{text}");
        }
        for (text, name) in [
            ("comfortably numb 42", "Ably"),
            ("correct horse battery", "Ably"),
            ("my ably password 2026", "Ably"),
            ("x1y2z3w4", "Ably"),
            ("x1y2z3w4", "y2"),
        ] {
            assert!(check(text, name).is_ok(), "{text}");
        }
    }

    #[test]
    fn personal_passwords_are_rejected() {
        let phone = Phone::parse("010-1234-5678", Region::KR).unwrap();
        let check = |text: &str| {
            parse(text).unwrap().check_not_personal(Some("Minji@example.com"), Some(&phone), Some("Kim Min-a"))
        };
        for text in [
            "xMINJI1990",
            "minji@example.com",
            "my 01012345678!",
            "010-1234-5678",
            "+82 10 1234 5678",
            "kimmin-a99",
            "x-min-a-x",
            "ｘMINJI1990",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check("correct horse battery").is_ok());
        let korean = |text: &str| parse(text).unwrap().check_not_personal(None, None, Some("김 민지"));
        assert!(korean("김치볶음밥맛있다").is_ok(), "too many passwords contain a syllable");
        assert!(korean("나는민지입니다요").is_err() && korean("나는 김민지 입니다").is_err());
        let tagged = parse("minji.kim2020xx").unwrap();
        assert!(tagged.check_not_personal(Some("minji.kim+ably@example.com"), None, None).is_err());
        let short =
            parse("correct horse battery").unwrap().check_not_personal(Some("co@example.com"), None, Some("O Re"));
        assert!(short.is_ok(), "too many passwords contain two letters");
    }

    #[test]
    fn every_keyboard_produces_the_same_password() {
        let hash = parse("pâssphrase").unwrap().hash(4).unwrap();
        assert!(attempt("pa\u{302}ssphrase").matches(Some(&hash), 4));
    }

    #[test]
    fn an_unknown_user_matches_nothing() {
        for cost in 4..=16 {
            assert_eq!(unmatched_hash(cost).as_str().parse::<bcrypt::HashParts>().unwrap().get_cost(), cost);
        }
        assert!(!bcrypt::verify("", unmatched_hash(4).as_str()).unwrap());
        assert!(!attempt("correct horse battery").matches(None, 4));
        assert!(!attempt("correct horse battery").matches(Some(&PasswordHash::from_stored("broken".into())), 4));
    }

    #[test]
    fn debug_shows_nothing() {
        let password = parse("correct horse battery").unwrap();
        let hash = password.hash(4).unwrap();
        let shown = format!("{password:?} {:?} {hash:?}", attempt("a secret"));
        assert!(!shown.contains("horse") && !shown.contains("a secret") && !shown.contains(hash.as_str()), "{shown}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn accepted_passwords_are_hashed_as_a_whole(text in r"\PC{0,80}") {
            if let Ok(password) = parse(&text) {
                prop_assert!(password.0.expose_secret().chars().count() >= 8 && password.0.expose_secret().len() <= 72);
                let hash = password.hash(4).unwrap();
                prop_assert!(attempt(&text).matches(Some(&hash), 4));
                let longer = format!("{text}.");
                prop_assert!(!attempt(&longer).matches(Some(&hash), 4));
            }
        }
    }
}
