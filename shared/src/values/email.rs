//! Email addresses.

use std::fmt;

use email_address::{EmailAddress, Options};
use unicode_security::MixedScript as _;

use super::field::{Field, InvalidField, readable};
use super::text::{is_invisible, nfc, nfkc};

/// The longest address that fits into the path of an SMTP command (RFC 3696, erratum 1690).
const MAX_BYTES: usize = 254;

/// An email address. The local part keeps the user's case, for display; two addresses are equal if
/// their [`Email::normalized`] forms are.
#[derive(Clone)]
pub struct Email {
    address: String,
    normalized: String,
}

impl Email {
    /// Returns the address in stored text, whatever [`Field::parse`] accepts by now, or `None` if the text is not one.
    #[must_use]
    pub fn from_stored(text: &str) -> Option<Self> {
        let (local, domain) = text.rsplit_once('@')?;
        let domain = idna::domain_to_ascii_strict(domain).ok()?;
        Some(Self { address: text.to_owned(), normalized: normalized(local, &domain) })
    }

    /// Returns the address in the user's case, trimmed, in NFKC; the domain is in Unicode (UTS 46).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.address
    }

    /// Returns the form that is unique: ASCII letters of the local part in lower case, the domain in ASCII (IDNA,
    /// UTS 46). Other letters keep their case, because some servers distinguish it, and because the lower case of
    /// one letter can be another one.
    #[must_use]
    pub fn normalized(&self) -> &str {
        &self.normalized
    }
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.normalized == other.normalized
    }
}

impl Eq for Email {}

impl Field for Email {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        parse(text).ok_or(InvalidField("must be one email address of at most 254 bytes, in one script"))
    }
}

readable!(Email, Field::parse);

fn parse(text: &str) -> Option<Email> {
    let text = text.trim();
    // Checked first, so that a long text costs nothing.
    if text.len() > MAX_BYTES {
        return None;
    }
    let (local, domain) = text.rsplit_once(['@', '\u{ff20}', '\u{fe6b}'])?;
    let local = nfkc(local);
    // A quoted local part ("a b"@x.example) is legal, but unused, and has two spellings. A letter of another script
    // can look like one of the others (Latin a, Cyrillic а).
    if local.starts_with('"') || local.chars().any(is_invisible) || !local.is_single_script() {
        return None;
    }
    let domain = idna::domain_to_ascii_strict(domain).ok()?;
    let normalized = normalized(&local, &domain);
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    EmailAddress::parse_with_options(&normalized, options).ok()?;
    let address = format!("{}@{}", local.as_str(), idna::domain_to_unicode(&domain).0);
    (normalized.len() <= MAX_BYTES && address.len() <= MAX_BYTES).then_some(Email { address, normalized })
}

/// Returns the unique form of an address, whose local part is in NFKC and whose domain is in ASCII.
fn normalized(local: &str, domain: &str) -> String {
    // NFC again, because an accent may compose with the letter in lower case only.
    format!("{}@{domain}", nfc(&local.to_ascii_lowercase()).as_str())
}

/// Shows the first character and the domain: `m***@example.com`.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, domain) = self.normalized.rsplit_once('@').unwrap_or_default();
        write!(f, "{}***@{domain}", local.chars().next().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn normalized(text: &str) -> Option<String> {
        parse(text).map(|email| email.normalized)
    }

    #[test]
    fn case_is_ignored_but_kept() {
        let email = parse("  Minji.Kim+ably@Example.COM ").unwrap();
        assert_eq!(email.as_str(), "Minji.Kim+ably@example.com");
        assert_eq!(email.normalized(), "minji.kim+ably@example.com");
    }

    #[test]
    fn internationalized_domains_are_accepted() {
        assert_eq!(normalized("minji@한국.kr").as_deref(), Some("minji@xn--3e0b707e.kr"));
        assert_eq!(normalized("minji@한국.kr"), normalized("minji@XN--3e0b707e.KR"));
        assert_eq!(normalized("민지@example.com").as_deref(), Some("민지@example.com"));
        assert_eq!(parse("minji@\u{ad}XN--3e0b707e.KR").unwrap().as_str(), "minji@한국.kr");
        assert_eq!(normalized("minji@example。com").as_deref(), Some("minji@example.com"));
    }

    #[test]
    fn only_the_case_of_ascii_letters_is_ignored() {
        for (one, other) in
            [("mınji", "minji"), ("MİNJI", "minji"), ("ÉVA", "éva"), ("ΑΣ", "ας"), ("straße", "strasse")]
        {
            let [one, other] = [one, other].map(|local| normalized(&format!("{local}@example.com")).unwrap());
            assert_ne!(one, other);
        }
        // U+212A is the Kelvin sign, and "H" has a composed form with the line below in lower case only.
        for (one, other) in
            [("ｍｉｎｊｉ", "minji"), ("Ｍinji", "minji"), ("\u{212a}im", "kim"), ("H\u{331}", "\u{1e96}")]
        {
            let [one, other] = [one, other].map(|local| normalized(&format!("{local}@example.com")).unwrap());
            assert_eq!(one, other);
        }
        assert_eq!(parse("Ｍｉｎｊｉ@example.com").unwrap().as_str(), "Minji@example.com");
        assert_eq!(normalized("minji＠example.com").as_deref(), Some("minji@example.com"));
    }

    #[test]
    fn mixed_scripts_and_invisible_characters_are_rejected() {
        for local in ["mіnji", "аdmin", "민지minji", "min\u{200b}ji", "min\u{ad}ji", "\u{202e}minji", "αdmin"] {
            assert_eq!(normalized(&format!("{local}@example.com")), None, "{local:?}");
        }
        for local in ["민지", "민지.2026", "金민지", "みんジ漢字", "админ", "minji+ably", "josé.garcía", "αβγ"]
        {
            assert!(normalized(&format!("{local}@example.com")).is_some(), "{local:?}");
        }
    }

    #[test]
    fn text_that_is_not_an_address_is_rejected() {
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
            assert_eq!(normalized(text), None, "{text:?}");
        }
    }

    #[test]
    fn the_length_is_limited() {
        let address = |length: usize| format!("minji@{}.example.com", vec!["abcdefg"; length / 8].join("."));
        assert_eq!(address(234).len(), 249);
        assert!(normalized(&address(234)).is_some());
        assert!(normalized(&address(250)).is_none());
        // Too long in ASCII, though not in the user's spelling.
        assert!(normalized(&format!("minji@{}.kr", ["안녕하세요반갑습니다"; 7].join("."))).is_none());
    }

    #[test]
    fn debug_masks() {
        assert_eq!(format!("{:?}", parse("minji@example.com").unwrap()), "m***@example.com");
    }

    proptest! {
        #[test]
        fn case_is_always_ignored(local in "[a-z0-9]{1,20}", domain in "[a-z]{1,20}\\.(com|kr)") {
            let text = format!("{local}@{domain}");
            prop_assert_eq!(normalized(&text), Some(text.clone()));
            prop_assert_eq!(normalized(&text.to_uppercase()), Some(text));
        }

        #[test]
        fn parsing_twice_changes_nothing(text in r"\PC{1,12}@\PC{1,12}\.\PC{2,4}|\PC*") {
            if let Some(email) = parse(&text) {
                prop_assert_eq!(normalized(email.as_str()), Some(email.normalized.clone()));
                prop_assert_eq!(normalized(email.normalized()), Some(email.normalized.clone()));
                prop_assert!(email.normalized.len() <= MAX_BYTES && email.address.len() <= MAX_BYTES);
            }
        }
    }
}
