//! E-mail addresses.

use std::fmt;

use email_address::{EmailAddress, Options};
use unicode_normalization::UnicodeNormalization as _;

use crate::config::Config;
use crate::value::{Invalid, Value};

/// RFC 3696, erratum 1690: what fits between the brackets of an SMTP path.
const MAX_BYTES: usize = 254;

/// One e-mail address. The local part is kept as the user spells it, for display; two addresses are
/// the same if their [`Email::key`]s are.
#[derive(Clone)]
pub struct Email {
    address: String,
    key: String,
}

impl Email {
    /// The address as the user spells it, trimmed, NFC; the domain as IDNA (UTS 46) writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// The address to compare by: the local part in lower case, the domain as DNS knows it (IDNA,
    /// UTS 46).
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Email {}

impl Value for Email {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        read(text).ok_or(Invalid("must be one e-mail address of at most 254 bytes"))
    }
}

fn read(text: &str) -> Option<Email> {
    let text = text.trim();
    // Before any work, so that a long text costs nothing.
    if text.len() > MAX_BYTES {
        return None;
    }
    let address: String = text.nfc().collect();
    let (local, domain) = address.rsplit_once('@')?;
    // A quoted local part ("a b"@x.example) is legal; nobody has one, and it has two spellings.
    if local.starts_with('"') {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    // Up and down, so that what has two lower cases (σ, ς) has one.
    let key = format!("{}@{domain}", local.to_uppercase().to_lowercase().nfc().collect::<String>());
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(&key, options).ok()?;
    let address = format!("{local}@{}", idna::domain_to_unicode(&domain).0);
    (key.len() <= MAX_BYTES && address.len() <= MAX_BYTES).then_some(Email { key, address })
}

/// Shows the first character and the domain: `m***@example.com`.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = self.key.rsplit_once('@').unwrap_or_default();
        write!(f, "{}***@{domain}", local.chars().next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> Option<String> {
        read(text).map(|email| email.key)
    }

    #[test]
    fn case_does_not_matter_but_is_kept() {
        let email = read("  Minji.Kim+ably@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "Minji.Kim+ably@example.com");
        assert_eq!(email.key(), "minji.kim+ably@example.com");
    }

    #[test]
    fn idn_domains_are_understood() {
        assert_eq!(key("minji@한국.kr").as_deref(), Some("minji@xn--3e0b707e.kr"));
        assert_eq!(key("minji@한국.kr"), key("minji@XN--3e0b707e.KR"));
        assert_eq!(key("민지@example.com").as_deref(), Some("민지@example.com"));
        assert_eq!(key("ΑΣ@example.com"), key("ας@example.com"));
        assert_eq!(read("minji@\u{ad}XN--3e0b707e.KR").unwrap().as_str(), "minji@한국.kr");
        assert_eq!(key("minji@example。com").as_deref(), Some("minji@example.com"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "minji",
            "@example.com",
            "minji@",
            "minji@localhost",
            "minji@[127.0.0.1]",
            "a@b@example.com",
            "a@example.com,b@example.com",
            "Minji <minji@example.com>",
            "min ji@example.com",
            "minji@exa mple.com",
            "minji.@example.com",
            ".minji@example.com",
            "min..ji@example.com",
            "minji@-example.com",
            "minji@example..com",
            "minji@example.com.",
            "\"minji\"@example.com",
            "min\u{0}ji@example.com",
            "minji@example.com\r\nBcc: a@b.example",
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
    }

    #[test]
    fn has_a_longest() {
        let of = |length: usize| format!("minji@{}.example.com", vec!["abcdefg"; length / 8].join("."));
        assert_eq!(of(234).len(), 249);
        assert!(key(&of(234)).is_some());
        assert!(key(&of(250)).is_none());
        // In DNS's spelling it is too long, though not in the user's.
        assert!(key(&format!("minji@{}.kr", ["안녕하세요반갑습니다"; 7].join("."))).is_none());
    }

    #[test]
    fn debug_masks() {
        assert_eq!(format!("{:?}", read("minji@example.com").unwrap()), "m***@example.com");
    }

    proptest! {
        #[test]
        fn case_never_matters(local in "[a-z0-9]{1,20}", domain in "[a-z]{1,20}\\.(com|kr)") {
            let text = format!("{local}@{domain}");
            prop_assert_eq!(key(&text), Some(text.clone()));
            prop_assert_eq!(key(&text.to_uppercase()), Some(text));
        }

        #[test]
        fn reading_what_was_read_changes_nothing(text in r"\PC{1,12}@\PC{1,12}\.\PC{2,4}|\PC*") {
            if let Some(email) = read(&text) {
                prop_assert_eq!(key(email.as_str()), Some(email.key.clone()));
                prop_assert_eq!(key(email.key()), Some(email.key.clone()));
                prop_assert!(email.key.len() <= MAX_BYTES && email.address.len() <= MAX_BYTES);
            }
        }
    }
}
