//! The properties of Unicode text that values have in common.

use icu_normalizer::ComposingNormalizerBorrowed;
use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory, GeneralCategoryGroup};
use icu_properties::{CodePointMapData, CodePointSetData};
use zeroize::Zeroizing;

/// Whether `c` is displayed as nothing: default-ignorable characters (UAX 44), among which are all that control
/// direction, and separators of lines and paragraphs.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}') || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(c)
}

/// Whether `c` is displayed by itself: a letter, a number, a punctuation mark or a symbol. A space and an accent are
/// not, and neither is the empty pattern of Braille.
pub(super) fn is_visible(c: char) -> bool {
    const VISIBLE: GeneralCategoryGroup = GeneralCategoryGroup::Letter
        .union(GeneralCategoryGroup::Number)
        .union(GeneralCategoryGroup::Punctuation)
        .union(GeneralCategoryGroup::Symbol);
    c != '\u{2800}' && !is_invisible(c) && VISIBLE.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

/// Returns the text in NFC (UAX 15), in which an accent is composed with its letter.
pub(super) fn nfc(text: &str) -> Zeroizing<String> {
    Zeroizing::new(ComposingNormalizerBorrowed::new_nfc().normalize(text).into_owned())
}

/// Returns the text in NFKC (UAX 15), which also replaces full-width letters, ligatures and the like.
pub(super) fn nfkc(text: &str) -> Zeroizing<String> {
    Zeroizing::new(ComposingNormalizerBorrowed::new_nfkc().normalize(text).into_owned())
}

/// Returns the text in NFKC and lower case, in which two spellings of the same password are equal.
pub(super) fn folded(text: &str) -> Zeroizing<String> {
    nfkc(&Zeroizing::new(nfkc(text).to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_visible_invisible_or_neither() {
        for c in "aZ9é김あ漢!_€★\u{1f600}".chars() {
            assert!(is_visible(c) && !is_invisible(c), "{c:?}");
        }
        for c in "\u{ad}\u{61c}\u{115f}\u{3164}\u{ffa0}\u{200b}\u{200d}\u{200e}\u{202e}\u{2029}\u{2060}\u{2066}\u{feff}\u{fe00}".chars()
        {
            assert!(is_invisible(c) && !is_visible(c), "{c:?}");
        }
        for c in " \u{3000}\u{301}\u{2800}\0".chars() {
            assert!(!is_visible(c) && !is_invisible(c), "{c:?}");
        }
    }

    #[test]
    fn spellings_of_one_password_are_equal() {
        for (text, expected) in
            [("PassWord1", "password1"), ("ｐａｓｓｗｏｒｄ１", "password1"), ("ﬁle", "file"), ("Ⅷ", "viii")]
        {
            assert_eq!(folded(text).as_str(), expected);
        }
    }
}
