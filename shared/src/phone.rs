//! Phone numbers that can get an SMS.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};

pub use rlibphonenumber::enums::Region;

use crate::config::Config;
use crate::value::{Invalid, Value};

/// Whether libphonenumber knows the numbers of this region.
#[must_use]
pub fn is_known(region: Region) -> bool {
    PHONE_NUMBER_UTIL.get_country_code_for_region(region).is_some()
}

/// A mobile phone number, in E.164 (ITU-T E.164: `+`, country code, at most 15 digits).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    e164: String,
    country_code: i32,
}

impl Phone {
    /// A number that was stored, in E.164; `None` if it is none.
    #[must_use]
    pub fn stored(e164: &str) -> Option<Self> {
        let country_code = PHONE_NUMBER_UTIL.parse(e164, None).ok()?.country_code;
        Some(Self { e164: e164.to_owned(), country_code })
    }

    /// The number in E.164: `+821012345678`.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// The digits that people know it by, less the trunk prefix: `1012345678` for `+821012345678`.
    #[must_use]
    pub fn national_digits(&self) -> &str {
        self.e164.get(1 + self.country_code.to_string().len()..).unwrap_or_default()
    }

    /// The country calling code: 82 for `+821012345678`.
    #[must_use]
    pub fn country_code(&self) -> i32 {
        self.country_code
    }
}

impl Value for Phone {
    /// Reads any spelling that libphonenumber understands; a national one is of
    /// [`Config::default_region`].
    fn parse(text: &str, config: &Config) -> Result<Self, Invalid> {
        let number = PHONE_NUMBER_UTIL
            .parse(text.trim(), Some(config.default_region))
            .ok()
            .filter(|number| number.is_valid() && number.extension.is_none())
            .ok_or(Invalid("must be a phone number, such as +82 10 1234 5678"))?;
        // Where a country gives both kinds the same digits (the USA), the kind can't be told.
        match number.get_type() {
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => Ok(Self {
                e164: number.format_as(PhoneNumberFormat::E164).into_owned(),
                country_code: number.country_code,
            }),
            _ => Err(Invalid("must be a mobile number: this one can't get an SMS")),
        }
    }
}

/// Shows the country code and the last two digits: `+82********78`.
impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_two = self.e164.len().saturating_sub(2);
        write!(f, "+{}********{}", self.country_code, self.e164.get(last_two..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn e164(text: &str) -> Option<String> {
        Phone::parse(text, &Config::default()).ok().map(|phone| phone.e164)
    }

    #[test]
    fn every_spelling_is_one_number() {
        for text in [
            "01012345678",
            "010-1234-5678",
            "+82 10 1234 5678",
            "+821012345678",
            " 010.1234.5678 ",
            "+82(0)10-1234-5678",
        ] {
            assert_eq!(e164(text).as_deref(), Some("+821012345678"), "{text}");
        }
    }

    #[test]
    fn a_national_number_is_of_the_default_region() {
        let japan = Config { default_region: Region::JP, ..Config::default() };
        let phone = Phone::parse("090-1234-5678", &japan).map(|phone| phone.e164);
        assert_eq!(phone.as_deref(), Ok("+819012345678"));
    }

    #[test]
    fn what_cannot_get_an_sms_is_refused() {
        for text in ["02-312-3456", "060-700-1234", "1588-1234", "080-123-4567", "+1 800 555 0199"] {
            assert_eq!(e164(text), None, "{text}");
        }
        assert_eq!(e164("+1 202 555 0123").as_deref(), Some("+12025550123"));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in
            ["", "+", "12", "hello", "010-1234-5678-9012-3456", "010-1234-5678 ext. 9", "010 1234 5678; 010 1111 2222"]
        {
            assert_eq!(e164(text), None, "{text}");
        }
        assert_eq!(e164(&"1".repeat(100_000)), None);
    }

    #[test]
    fn debug_masks() {
        let phone = Phone::parse("01012345678", &Config::default());
        assert_eq!(format!("{phone:?}"), "Ok(+82********78)");
    }

    proptest! {
        #[test]
        fn spelling_does_not_matter(subscriber in 20_000_000_u32..50_000_000, separator in "[ .-]?") {
            let (a, b) = (subscriber / 10_000, subscriber % 10_000);
            let expected = format!("+8210{subscriber}");
            for text in [format!("010{separator}{a}{separator}{b:04}"), format!("+82{separator}10{separator}{a}{separator}{b:04}")] {
                prop_assert_eq!(e164(&text), Some(expected.clone()));
            }
        }

        #[test]
        fn reading_what_was_read_changes_nothing(text in r"[+0-9() -]{6,20}|\PC*") {
            if let Some(first) = e164(&text) {
                prop_assert_eq!(e164(&first), Some(first.clone()));
                prop_assert!(first.len() <= 16 && first.starts_with('+'));
            }
        }
    }
}
