//! The languages of the SMS.

use super::phone::Phone;

/// A language of the SMS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Korean.
    Korean,
    /// English.
    English,
    /// Japanese.
    Japanese,
}

impl Language {
    /// Every language.
    pub const ALL: [Self; 3] = [Self::Korean, Self::English, Self::Japanese];

    /// Returns the language of most users of a phone number: that of its country, or English.
    #[must_use]
    pub fn for_phone(phone: &Phone) -> Self {
        match phone.country_code() {
            82 => Self::Korean,
            81 => Self::Japanese,
            _ => Self::English,
        }
    }

    /// Returns the language that a client prefers, according to its `Accept-Language` (RFC 9110, 12.5.4), or `None` if
    /// it accepts none of them.
    #[must_use]
    pub fn from_header(value: Option<&str>) -> Option<Self> {
        let ranges = value?.split(',').filter_map(|range| {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = parameters.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?.trim();
            let quality: f64 = quality.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?;
            let language = Self::from_tag(tag.trim())?;
            (quality > 0.0).then_some((language, quality))
        });
        // The first one of equals, as clients list their languages in the order of preference.
        let preferred = ranges.reduce(|best, range| if range.1 > best.1 { range } else { best });
        preferred.map(|(language, _)| language)
    }

    /// Returns the language of a tag such as `ko-KR` (RFC 5646), if it is one of them.
    fn from_tag(tag: &str) -> Option<Self> {
        match tag.split('-').next()?.to_ascii_lowercase().as_str() {
            "ko" => Some(Self::Korean),
            "en" => Some(Self::English),
            "ja" => Some(Self::Japanese),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_prefers_the_language_with_the_highest_quality() {
        for (header, language) in [
            ("ko", Some(Language::Korean)),
            ("ja-JP", Some(Language::Japanese)),
            ("EN-us,en;q=0.9", Some(Language::English)),
            ("de-DE, de;q=0.9, en;q=0.8, ko;q=0.7", Some(Language::English)),
            ("en;q=0.1,ko;q=0.5", Some(Language::Korean)),
            ("en ; Q = 0.5 , ja ; q=0.6", Some(Language::Japanese)),
            ("ko,ja", Some(Language::Korean)),
            ("ko;q=0,ja;q=0.001", Some(Language::Japanese)),
            ("de,fr;q=0.5", None),
            ("*", None),
            ("ko;q=0", None),
            ("ko;q=nan", None),
            ("ko;q=-1", None),
            ("ko;q=2", None),
            ("ko;level=1", None),
            ("korean", None),
            (",;,=;q", None),
            ("", None),
        ] {
            assert_eq!(Language::from_header(Some(header)), language, "{header:?}");
        }
        assert_eq!(Language::from_header(None), None);
    }
}
