//! Phone numbers that can receive an SMS.

use std::cell::Cell;
use std::fmt;
use std::str::FromStr as _;

use rlibphonenumber::{PhoneNumberFormat, PhoneNumberType};

pub use rlibphonenumber::enums::Region;

use super::field::{InvalidField, readable};
use super::phone_metadata as metadata;

thread_local! {
    /// The region of the national numbers in the request that is being read: `Deserr` passes no context.
    static DEFAULT_REGION: Cell<Option<Region>> = const { Cell::new(None) };
}

/// A mobile phone number in E.164 (ITU-T E.164: `+`, country code, at most 15 digits).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Phone {
    e164: String,
    country_code: i32,
}

/// The countries whose numbers libphonenumber knows. A test compares them with its metadata, which functions that parse
/// no number do not contain.
const COUNTRIES: &str = "AC AD AE AF AG AI AL AM AO AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT \
     BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER \
     ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GT GU GW GY HK HN HR HT HU ID IE \
     IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV \
     LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP \
     NR NU NZ OM PA PE PF PG PH PK PL PM PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK \
     SL SM SN SO SR SS ST SV SX SY SZ TA TC TD TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA \
     VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// Whether libphonenumber knows numbers of this country.
#[must_use]
pub fn is_country(region: Region) -> bool {
    COUNTRIES.split(' ').any(|country| Region::from_str(country) == Ok(region))
}

/// Returns the country calling code that the digits of a number in E.164 begin with (ITU-T E.164.D): one digit in the
/// zones 1 and 7, two in the listed countries, otherwise three.
///
/// Tests compare it with the metadata of libphonenumber.
fn calling_code(e164: &str) -> Option<i32> {
    const TWO_DIGITS: [&str; 44] = [
        "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48", "49",
        "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81", "82", "84",
        "86", "90", "91", "92", "93", "94", "95", "98",
    ];
    let is_number =
        |digits: &&str| (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let digits = e164.strip_prefix('+').filter(is_number).filter(|digits| !digits.starts_with('0'))?;
    let length = match digits.get(..2)? {
        zone if zone.starts_with(['1', '7']) => 1,
        start if TWO_DIGITS.contains(&start) => 2,
        _ => 3,
    };
    digits.get(..length)?.parse().ok()
}

/// Parses an example of the region's numbers. The first number of a region takes longest, because its
/// patterns are compiled.
pub fn warm_up(region: Region) {
    if let Some(example) = metadata::example(region) {
        let _ = Phone::parse(&example, region);
    }
}

/// Calls `read`, in which request structs read national numbers as numbers of `region`.
pub fn with_default_region<T>(region: Region, read: impl FnOnce() -> T) -> T {
    let before = DEFAULT_REGION.replace(Some(region));
    let result = read();
    DEFAULT_REGION.set(before);
    result
}

impl Phone {
    /// Parses any spelling that libphonenumber understands. A national number belongs to `default_region`.
    ///
    /// # Errors
    /// [`InvalidField`] if the text is not a number, or the number cannot receive an SMS.
    pub fn parse(text: &str, default_region: Region) -> Result<Self, InvalidField> {
        Self::parse_with(text, Some(default_region))
    }

    fn parse_with(text: &str, default_region: Option<Region>) -> Result<Self, InvalidField> {
        let (number, util) = metadata::parse(text.trim(), default_region)
            .filter(|(number, util)| util.is_valid_number(number) && number.extension.is_none())
            .ok_or(InvalidField("must be a phone number, such as +82 10 1234 5678"))?;
        // Some countries (the USA) do not distinguish the two kinds by their digits.
        match util.get_number_type(&number) {
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => Ok(Self {
                e164: util.format(&number, PhoneNumberFormat::E164).into_owned(),
                country_code: number.country_code,
            }),
            _ => Err(InvalidField("must be a mobile number: this one cannot receive an SMS")),
        }
    }

    /// Returns the number in stored text in E.164, or `None` if the text is not one.
    #[must_use]
    pub fn from_stored(e164: &str) -> Option<Self> {
        Some(Self { country_code: calling_code(e164)?, e164: e164.to_owned() })
    }

    /// Returns the country that the number belongs to. Countries can share a calling code.
    #[must_use]
    pub fn country(&self) -> Option<Region> {
        metadata::region(&self.e164)
    }

    /// Returns the country of a number that belongs to one of `countries`. Mostly, its calling code suffices: parsing
    /// the number takes longer.
    #[must_use]
    pub fn country_among(&self, countries: &[Region]) -> Option<Region> {
        let shares_code = |country: &&Region| metadata::calling_code(**country) == Some(self.country_code);
        let mut sharing = countries.iter().filter(shares_code);
        match (sharing.next(), sharing.next()) {
            (Some(only), None) => Some(*only),
            _ => self.country(),
        }
    }

    /// Whether the number belongs to one of these countries.
    #[must_use]
    pub fn is_in(&self, countries: &[Region]) -> bool {
        self.country().is_some_and(|country| countries.contains(&country))
    }

    /// Returns the number in E.164: `+821012345678`.
    #[must_use]
    pub fn e164(&self) -> &str {
        &self.e164
    }

    /// Returns the national digits without the trunk prefix: `1012345678` for `+821012345678`.
    #[must_use]
    pub fn national_digits(&self) -> &str {
        self.e164.get(1 + self.country_code.to_string().len()..).unwrap_or_default()
    }

    /// Returns the country calling code: 82 for `+821012345678`.
    #[must_use]
    pub fn country_code(&self) -> i32 {
        self.country_code
    }
}

readable!(Phone, |text| Phone::parse_with(text, DEFAULT_REGION.get()));

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
        Phone::parse(text, Region::KR).ok().map(|phone| phone.e164)
    }

    #[test]
    fn a_number_belongs_to_one_country() {
        let is_in = |text: &str, countries: &[Region]| Phone::parse(text, Region::KR).unwrap().is_in(countries);
        assert!(is_in("01012345678", &[Region::JP, Region::KR]));
        assert!(!is_in("01012345678", &[Region::JP]) && !is_in("01012345678", &[]));
        // The USA, Canada and Jamaica share the calling code 1.
        for (number, country) in
            [("+12025550123", Region::US), ("+16135550123", Region::CA), ("+18765550123", Region::JM)]
        {
            let others = [Region::US, Region::CA, Region::JM].into_iter().filter(|other| *other != country);
            assert!(is_in(number, &[country]) && !is_in(number, &others.collect::<Vec<_>>()), "{number}");
        }
    }

    #[test]
    fn a_country_is_that_of_the_number_if_several_share_a_calling_code() {
        let (phone, canadian) = (Phone::parse("01012345678", Region::KR), Phone::parse("+14165550123", Region::KR));
        let (phone, canadian) = (phone.unwrap(), canadian.unwrap());
        assert_eq!(phone.country_among(&[Region::JP, Region::KR]), Some(Region::KR));
        assert_eq!(canadian.country_among(&[Region::US, Region::CA]), Some(Region::CA));
        assert_eq!(canadian.country_among(&[Region::KR]), Some(Region::CA));
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
    fn a_national_number_belongs_to_the_default_region() {
        let phone = Phone::parse("090-1234-5678", Region::JP).map(|phone| phone.e164);
        assert_eq!(phone.as_deref(), Ok("+819012345678"));
    }

    #[test]
    fn numbers_that_cannot_receive_an_sms_are_rejected() {
        for text in ["02-312-3456", "060-700-1234", "1588-1234", "080-123-4567", "+1 800 555 0199"] {
            assert_eq!(e164(text), None, "{text}");
        }
        assert_eq!(e164("+1 202 555 0123").as_deref(), Some("+12025550123"));
    }

    #[test]
    fn text_that_is_not_a_number_is_rejected() {
        for text in
            ["", "+", "12", "hello", "010-1234-5678-9012-3456", "010-1234-5678 ext. 9", "010 1234 5678; 010 1111 2222"]
        {
            assert_eq!(e164(text), None, "{text}");
        }
        assert_eq!(e164(&"1".repeat(100_000)), None);
    }

    #[test]
    fn stored_text_that_is_not_a_number_is_rejected() {
        for text in ["", "+", "+82", "821012345678", "+82101a345678", "+012345678", "+1234567890123456", "+82 10"] {
            assert_eq!(Phone::from_stored(text), None, "{text}");
        }
        assert_eq!(Phone::from_stored("+821012345678").unwrap().national_digits(), "1012345678");
    }

    #[test]
    fn debug_masks() {
        let phone = Phone::parse("01012345678", Region::KR);
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
        fn parsing_twice_changes_nothing(text in r"[+0-9() -]{6,20}|\PC*") {
            if let Some(first) = e164(&text) {
                prop_assert_eq!(e164(&first), Some(first.clone()));
                prop_assert!(first.len() <= 16 && first.starts_with('+'));
            }
        }
    }
}
