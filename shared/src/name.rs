//! The two names that a user gives.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::config::Config;
use crate::value::{Invalid, Value};

/// The user's name: 1 to 50 characters, NFC, trimmed, no control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

/// What the user wants to be called: 1 to 30 characters, otherwise as [`Name`].
#[derive(Clone, PartialEq, Eq)]
pub struct Nickname(String);

impl Name {
    /// The name as it is stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Nickname {
    /// The nickname as it is stored and shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Value for Name {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        line(text, 50).map(Self).ok_or(Invalid("must have 1 to 50 characters and no control characters"))
    }
}

impl Value for Nickname {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        line(text, 30).map(Self).ok_or(Invalid("must have 1 to 30 characters and no control characters"))
    }
}

fn line(text: &str, longest: usize) -> Option<String> {
    let line: String = text.trim().nfc().collect();
    let fits = (1..=longest).contains(&line.chars().count());
    (fits && !line.chars().any(|c| c.is_control() || reorders_or_breaks(c))).then_some(line)
}

/// The controls of Unicode that `char::is_control` leaves out: of direction, and of lines.
fn reorders_or_breaks(c: char) -> bool {
    matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(***)")
    }
}

impl fmt::Debug for Nickname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nickname(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        Name::parse(text, &Config::default()).ok().map(|name| name.0)
    }

    #[test]
    fn is_trimmed_and_composed() {
        assert_eq!(name("  Kim Minji\n").as_deref(), Some("Kim Minji"));
        // 김, written as three jamo, is one character.
        assert_eq!(name("\u{1100}\u{1175}\u{11b7}").as_deref(), Some("김"));
    }

    #[test]
    fn has_bounds() {
        assert_eq!(name(" \t "), None);
        assert!(name(&"김".repeat(50)).is_some());
        assert_eq!(name(&"김".repeat(51)), None);
        assert_eq!(name("Kim\u{0}Minji"), None);
        assert_eq!(name("Kim\u{202e}Minji"), None);
        assert!(Nickname::parse(&"a".repeat(30), &Config::default()).is_ok());
        assert!(Nickname::parse(&"a".repeat(31), &Config::default()).is_err());
    }
}
