//! Passwords and their bcrypt hashes.

use std::cmp::Ordering;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::phone::Phone;
use crate::value::{Invalid, Value};

/// NIST SP 800-63B, 5.1.1.2.
const MIN_CHARACTERS: usize = 8;
/// bcrypt reads no more. Its crate hashes 72 bytes whole (`hash`), though `non_truncating_hash`
/// refuses them.
const MAX_BYTES: usize = 72;
/// The commonest passwords of at least [`MIN_CHARACTERS`], in lower case, a line each, sorted.
/// Made from lists under the licences in `common-passwords.LICENSE`.
const COMMON: &str = include_str!("common-passwords.txt");

/// A new password: at least 8 characters, at most 72 bytes in UTF-8, none of the commonest. Kept in
/// NFC (RFC 8265, `OpaqueString`), so that every keyboard spells it alike. Wiped on drop.
pub struct Password(Zeroizing<String>);

/// A password that somebody gives to log in; it need not obey the rules for new ones. Wiped on drop.
pub struct Attempt(Zeroizing<String>);

/// A bcrypt hash in its usual form, `$2b$12$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl Password {
    /// Says no to a password that holds the user's e-mail, phone or name. Parts of one character, and
    /// of two in ASCII, are passed over: they stand in too many passwords.
    ///
    /// # Errors
    /// [`Invalid`], if the password holds one of them.
    pub fn is_not_personal(
        &self,
        email: Option<&str>,
        phone: Option<&Phone>,
        name: Option<&str>,
    ) -> Result<(), Invalid> {
        let lower = Zeroizing::new(self.0.to_lowercase());
        let email = email.map(str::to_lowercase).unwrap_or_default();
        let name = name.map(str::to_lowercase).unwrap_or_default();
        let local_part = email.split(['+', '@']).next().unwrap_or_default();
        let joined: String = name.split_whitespace().collect();
        let holds_word = [email.as_str(), local_part, joined.as_str()]
            .into_iter()
            .chain(name.split_whitespace())
            .any(|word| word.chars().count() >= if word.is_ascii() { 3 } else { 2 } && lower.contains(word));

        let digits: Zeroizing<String> = Zeroizing::new(lower.chars().filter(char::is_ascii_digit).collect());
        let holds_phone = phone.is_some_and(|phone| digits.contains(phone.national_digits()));
        if holds_word || holds_phone { Err(Invalid("must not hold your e-mail, phone or name")) } else { Ok(()) }
    }

    /// Hashes the password, with a new salt; `cost` is the binary logarithm of the rounds.
    ///
    /// # Errors
    /// [`bcrypt::BcryptError`], if the cost is out of bcrypt's bounds or the system gives no salt.
    pub fn hash(&self, cost: u32) -> Result<PasswordHash, bcrypt::BcryptError> {
        bcrypt::hash(self.0.as_bytes(), cost).map(PasswordHash)
    }
}

/// Whether the list has it, by halves: none of it need be read before.
fn is_common(password: &str) -> bool {
    let is_end = |byte: &u8| *byte == b'\n';
    let mut rest = COMMON.as_bytes();
    while !rest.is_empty() {
        let (before, _) = rest.split_at(rest.len() / 2);
        let (less, line) = rest.split_at(before.iter().rposition(is_end).map_or(0, |end| end + 1));
        let (line, greater) = line.split_at(line.iter().position(is_end).unwrap_or(line.len()));
        match password.as_bytes().cmp(line) {
            Ordering::Less => rest = less,
            Ordering::Equal => return true,
            Ordering::Greater => rest = greater.strip_prefix(b"\n").unwrap_or_default(),
        }
    }
    false
}

impl Value for Password {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        // Before any work, so that a long text costs nothing. NFC makes no text three times shorter.
        if text.len() > 3 * MAX_BYTES {
            return Err(Invalid("must have at most 72 bytes in UTF-8"));
        }
        let password = Zeroizing::new(text.nfc().collect::<String>());
        if password.chars().count() < MIN_CHARACTERS {
            return Err(Invalid("must have at least 8 characters"));
        }
        if password.len() > MAX_BYTES {
            return Err(Invalid("must have at most 72 bytes in UTF-8"));
        }
        // bcrypt repeats its key, with a NUL between: a NUL inside would let two passwords be one.
        if password.chars().any(char::is_control) {
            return Err(Invalid("must not hold control characters"));
        }
        if is_common(&Zeroizing::new(password.to_lowercase())) {
            return Err(Invalid("is one of the commonest passwords: choose another"));
        }
        Ok(Self(password))
    }
}

impl Attempt {
    /// Whether this is the password of `hash`. With no hash (no such user), or with a password that
    /// nobody can have, it does the same work at `cost` and answers no.
    #[must_use]
    pub fn matches(&self, hash: Option<&PasswordHash>, cost: u32) -> bool {
        let possible = self.0.len() <= MAX_BYTES && !self.0.contains('\0');
        let hash = hash.filter(|_| possible);
        let nobodys = nobodys_hash(cost);
        let (password, of) = hash.map_or(("", &nobodys), |hash| (self.0.as_str(), hash));
        bcrypt::verify(password, &of.0).unwrap_or(false) && hash.is_some()
    }
}

/// A hash of the right form, of no password.
fn nobodys_hash(cost: u32) -> PasswordHash {
    PasswordHash(format!("$2b${cost:02}${}", ".".repeat(53)))
}

impl Value for Attempt {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        if text.is_empty() {
            return Err(Invalid("is required"));
        }
        Ok(Self(Zeroizing::new(text.nfc().collect())))
    }
}

impl PasswordHash {
    /// The hash as it is stored.
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

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(***)")
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Attempt(***)")
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(***)")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Password, &'static str> {
        Password::parse(text, &Config::default()).map_err(|invalid| invalid.0)
    }

    fn attempt(text: &str) -> Attempt {
        Attempt::parse(text, &Config::default()).unwrap()
    }

    #[test]
    fn has_bounds() {
        assert!(parse("한국어비밀번호").is_err(), "seven characters");
        assert!(parse("한국어비밀번호야").is_ok(), "eight");
        assert!(parse(&"x1".repeat(36)).is_ok(), "72 bytes");
        assert!(parse(&format!("{}é", "x1".repeat(35))).is_ok(), "72 bytes, the last two one character");
        assert!(parse(&"x1".repeat(37)).is_err());
        assert!(parse(&"가".repeat(25)).is_err(), "75 bytes");
        assert!(parse("passw\0rd-and-more").is_err());
    }

    #[test]
    fn all_72_bytes_count() {
        let (long, other) = ("x1".repeat(36), format!("{}y", "x1".repeat(36).split_at(71).0));
        let hash = parse(&long).unwrap().hash(4).unwrap();
        assert!(attempt(&long).matches(Some(&hash), 4));
        assert!(!attempt(&other).matches(Some(&hash), 4), "differs in byte 72");
        assert!(!attempt(&format!("{long}z")).matches(Some(&hash), 4), "is longer");
    }

    #[test]
    fn the_commonest_are_refused() {
        for text in ["password1", "PassWord1", "1234567890", "qwertyuiop", "iloveyou1"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("correct horse battery").is_ok());
        assert!(COMMON.lines().count() >= 10_000);
        assert!(COMMON.lines().all(|line| line.chars().count() >= MIN_CHARACTERS && line == line.to_lowercase()));
        assert!(COMMON.lines().is_sorted());
        for line in COMMON.lines() {
            assert!(is_common(line));
            assert!(!is_common(&format!("{line}\0")) && !is_common(&format!("\0{line}")));
        }
        assert!(!is_common("") && !is_common("\u{10ffff}"));
    }

    #[test]
    fn the_personal_are_refused() {
        let config = Config::default();
        let phone = Phone::parse("010-1234-5678", &config).unwrap();
        let check = |text: &str| {
            parse(text).unwrap().is_not_personal(Some("Minji@example.com"), Some(&phone), Some("Kim Min-a"))
        };
        for text in [
            "xMINJI1990",
            "minji@example.com",
            "my 01012345678!",
            "010-1234-5678",
            "+82 10 1234 5678",
            "kimmin-a99",
            "x-min-a-x",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
        assert!(check("correct horse battery").is_ok());
        let korean = |text: &str| parse(text).unwrap().is_not_personal(None, None, Some("김 민지"));
        assert!(korean("김치볶음밥맛있다").is_ok(), "a syllable stands in too many passwords");
        assert!(korean("나는민지입니다요").is_err() && korean("나는 김민지 입니다").is_err());
        let tagged = parse("minji.kim2020xx").unwrap();
        assert!(tagged.is_not_personal(Some("minji.kim+ably@example.com"), None, None).is_err());
        let short = parse("correct horse battery").unwrap().is_not_personal(Some("co@example.com"), None, Some("O Re"));
        assert!(short.is_ok(), "two letters stand in too many passwords");
    }

    #[test]
    fn every_keyboard_spells_it_alike() {
        let hash = parse("pâssphrase").unwrap().hash(4).unwrap();
        assert!(attempt("pa\u{302}ssphrase").matches(Some(&hash), 4));
    }

    #[test]
    fn nobody_matches_nothing() {
        for cost in 4..=16 {
            assert_eq!(nobodys_hash(cost).0.parse::<bcrypt::HashParts>().unwrap().get_cost(), cost);
        }
        assert!(!bcrypt::verify("", &nobodys_hash(4).0).unwrap());
        assert!(!attempt("correct horse battery").matches(None, 4));
        assert!(!attempt("correct horse battery").matches(Some(&PasswordHash::stored("broken".into())), 4));
    }

    #[test]
    fn debug_shows_nothing() {
        let password = parse("correct horse battery").unwrap();
        assert_eq!(
            format!("{password:?} {:?} {:?}", attempt("secret"), password.hash(4).unwrap()),
            "Password(***) Attempt(***) PasswordHash(***)"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_taken_is_whole(text in r"\PC{0,80}") {
            if let Ok(password) = parse(&text) {
                prop_assert!(password.0.chars().count() >= 8 && password.0.len() <= 72);
                let hash = password.hash(4).unwrap();
                prop_assert!(attempt(&text).matches(Some(&hash), 4));
                let longer = format!("{text}.");
                prop_assert!(!attempt(&longer).matches(Some(&hash), 4));
            }
        }
    }
}
