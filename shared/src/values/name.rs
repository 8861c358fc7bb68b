//! Names and nicknames.

use super::field::{Field, InvalidField, readable};
use super::text::{is_invisible, is_visible, nfc};
use crate::secret::Masked;

/// The user's name: 1 to 50 characters, trimmed, in NFC, at least one of them visible, none of them invisible. The
/// selectors of emoji's presentation are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name(Masked<String>);

/// The user's nickname: 1 to 30 characters, otherwise like [`Name`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nickname(Masked<String>);

impl Name {
    /// Returns the name in stored text, whatever [`Field::parse`] accepts by now.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(Masked(text))
    }

    /// Returns the name, as stored and displayed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.0
    }
}

impl Nickname {
    /// Returns the nickname in stored text, whatever [`Field::parse`] accepts by now.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(Masked(text))
    }

    /// Returns the nickname, as stored and displayed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.0
    }
}

impl Field for Name {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        let name = line(text, 50).ok_or(InvalidField("must have 1 to 50 characters, none of them invisible"))?;
        Ok(Self(Masked(name)))
    }
}

impl Field for Nickname {
    fn parse(text: &str) -> Result<Self, InvalidField> {
        let name = line(text, 30).ok_or(InvalidField("must have 1 to 30 characters, none of them invisible"))?;
        Ok(Self(Masked(name)))
    }
}

readable!(Name, Field::parse);
readable!(Nickname, Field::parse);

fn line(text: &str, longest: usize) -> Option<String> {
    let without_selectors: String = text.chars().filter(|c| !matches!(c, '\u{fe0e}' | '\u{fe0f}')).collect();
    let line = nfc(without_selectors.trim()).to_string();
    let fits = line.chars().count() <= longest && line.chars().any(is_visible);
    (fits && !line.chars().any(|c| c.is_control() || is_invisible(c))).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        Name::parse(text).ok().map(|name| name.as_str().to_owned())
    }

    #[test]
    fn a_name_is_trimmed_and_composed() {
        assert_eq!(name("  Kim Minji\n").as_deref(), Some("Kim Minji"));
        // 김, written as three jamo, is one character.
        assert_eq!(name("\u{1100}\u{1175}\u{11b7}").as_deref(), Some("김"));
    }

    #[test]
    fn invisible_names_are_rejected() {
        for text in [
            "",
            "\u{3000}",
            "\u{2800}\u{2800}",
            "\u{301}",
            "\u{3164}",
            "\u{115f}\u{1160}",
            "\u{200b}",
            "\u{e0041}",
            "Kim\u{200b}Minji",
            "Kim\u{feff}",
            "\u{ad}Kim",
            "\u{200f}Kim",
        ] {
            assert_eq!(name(text), None, "{text:?}");
        }
        for text in ["김", "★", "_", "O'Neil-García 3", "\u{1f600}"] {
            assert_eq!(name(text).as_deref(), Some(text));
        }
        for (text, expected) in [
            ("Minji \u{2764}\u{fe0f}", "Minji \u{2764}"),
            ("\u{fe0f} Kim \u{fe0f}", "Kim"),
            ("Rene\u{fe0f}\u{301}", "René"),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn the_length_is_limited() {
        assert_eq!(name(" \t "), None);
        assert!(name(&"김".repeat(50)).is_some());
        assert_eq!(name(&"김".repeat(51)), None);
        assert_eq!(name("Kim\u{0}Minji"), None);
        assert_eq!(name("Kim\u{202e}Minji"), None);
        assert_eq!(name("Kim\u{2028}Minji"), None);
        assert!(Nickname::parse(&"a".repeat(30)).is_ok());
        assert!(Nickname::parse(&"a".repeat(31)).is_err());
    }
}
