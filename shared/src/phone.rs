//! Phone numbers that can get an SMS.

use std::fmt;
use std::str::FromStr as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use prost::Message as _;
use prost::bytes::Bytes;
use rlibphonenumber::{
    ParseError, PhoneMetadata, PhoneMetadataCollection, PhoneNumber, PhoneNumberFormat, PhoneNumberType,
    PhoneNumberUtil,
};

pub use rlibphonenumber::enums::Region;

use crate::config::Config;
use crate::value::{Invalid, Value};

/// libphonenumber's metadata (Apache-2.0), a protobuf message of all regions: the file `metadata.bin` of
/// [`METADATA_VERSION`] of rlibphonenumber, which hands it out only decoded whole. That takes longer
/// than all the rest of init, and half of a function's memory, and a function sees numbers of few
/// countries: here it is decoded by country calling code, when a number of that code is first read.
static METADATA: &[u8] = include_bytes!("phone-metadata.bin");
#[cfg(test)]
const METADATA_VERSION: &str = "2.2.15";

/// The regions' metadata, each not decoded yet.
#[derive(prost::Message)]
struct Regions {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    metadata: Vec<Bytes>,
}

/// Of a region's metadata, what it is found by.
#[derive(prost::Message)]
struct RegionKey {
    #[prost(string, tag = "9")]
    id: String,
    #[prost(int32, tag = "10")]
    calling_code: i32,
}

/// What was decoded, by calling code; for as long as the function lives.
static DECODED: Mutex<Vec<(i32, &'static PhoneNumberUtil)>> = Mutex::new(Vec::new());

/// For a number with an international prefix instead of `+`, which few people write: what the prefixes
/// are, only the metadata knows.
static ALL: LazyLock<Option<PhoneNumberUtil>> =
    LazyLock::new(|| PhoneNumberUtil::new_for_metadata(PhoneMetadataCollection::decode(METADATA).ok()?).ok());

/// Whether libphonenumber knows the numbers of this region. The world is none: its numbers have no
/// national spelling.
#[must_use]
pub fn is_known(region: Region) -> bool {
    region != Region::World && regions().any(|(key, _)| Region::from_str(&key.id) == Ok(region))
}

/// Reads an example of the default region's numbers: the first of them is the slow one, because it
/// compiles the patterns.
pub fn warm_up(config: &Config) {
    let region = config.default_region;
    let Some(util) = of_region(region) else { return };
    if let Ok(example) = util.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile) {
        let _ = Phone::parse(&example.national_number.to_string(), config);
    }
}

fn of_region(region: Region) -> Option<&'static PhoneNumberUtil> {
    decoded(|_, util| util.get_country_code_for_region(region).is_some())
        .or_else(|| decode(|key| Region::from_str(&key.id) == Ok(region)))
}

/// Of the calling code that these digits begin with; none begins with another one.
fn of_digits(digits: &str) -> Option<&'static PhoneNumberUtil> {
    let is_it = |calling_code: i32| digits.starts_with(&calling_code.to_string());
    decoded(|calling_code, _| is_it(calling_code)).or_else(|| decode(|key| is_it(key.calling_code)))
}

fn decoded(is_it: impl Fn(i32, &PhoneNumberUtil) -> bool) -> Option<&'static PhoneNumberUtil> {
    let decoded = DECODED.lock().unwrap_or_else(PoisonError::into_inner);
    decoded.iter().find(|(calling_code, util)| is_it(*calling_code, util)).map(|(_, util)| *util)
}

fn regions() -> impl Iterator<Item = (RegionKey, Bytes)> {
    let regions = Regions::decode(Bytes::from_static(METADATA)).unwrap_or_default().metadata.into_iter();
    regions.filter_map(|region| Some((RegionKey::decode(region.clone()).ok()?, region)))
}

/// Decodes all regions of the calling code of which one `is_it`.
fn decode(is_it: impl Fn(&RegionKey) -> bool) -> Option<&'static PhoneNumberUtil> {
    let regions: Vec<_> = regions().collect();
    let calling_code = regions.iter().map(|(key, _)| key).find(|key| is_it(key))?.calling_code;
    let regions = regions.into_iter().filter(|(key, _)| key.calling_code == calling_code);
    let metadata = regions.filter_map(|(_, region)| PhoneMetadata::decode(region).ok()).collect();
    let util = PhoneNumberUtil::new_for_metadata(PhoneMetadataCollection { metadata }).ok()?;
    let util: &'static _ = Box::leak(Box::new(util));
    DECODED.lock().unwrap_or_else(PoisonError::into_inner).push((calling_code, util));
    Some(util)
}

/// Reads a number as libphonenumber with all its metadata does.
fn read(text: &str, default: Region) -> Option<(PhoneNumber, &'static PhoneNumberUtil)> {
    let util = match text.split_once('+') {
        Some((_, number)) => of_digits(&number.chars().filter(char::is_ascii_digit).take(3).collect::<String>()),
        None => of_region(default),
    };
    match util.map(|util| (util.parse(text, Some(default)), util)) {
        Some((Ok(number), util)) => Some((number, util)),
        // Of a country whose metadata that does not have.
        None | Some((Err(ParseError::InvalidCountryCode), _)) => {
            let all = ALL.as_ref()?;
            Some((all.parse(text, Some(default)).ok()?, all))
        }
        Some((Err(_), _)) => None,
    }
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
        let country_code = of_digits(e164.strip_prefix('+')?)?.parse(e164, None).ok()?.country_code;
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
        let (number, util) = read(text.trim(), config.default_region)
            .filter(|(number, util)| util.is_valid_number(number) && number.extension.is_none())
            .ok_or(Invalid("must be a phone number, such as +82 10 1234 5678"))?;
        // Where a country gives both kinds the same digits (the USA), the kind can't be told.
        match util.get_number_type(&number) {
            PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile => Ok(Self {
                e164: util.format(&number, PhoneNumberFormat::E164).into_owned(),
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
    use rlibphonenumber::PHONE_NUMBER_UTIL;

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

    /// What all of the metadata says, decoded at once.
    fn reference(text: &str, region: Region) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(text.trim(), Some(region)).ok()?;
        let is_mobile = matches!(number.get_type(), PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile);
        let is_good = number.is_valid() && number.extension.is_none() && is_mobile;
        is_good.then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
    }

    #[test]
    fn every_country_is_read_as_with_all_of_the_metadata() {
        let (mut read, mut mobile) = (0, 0);
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            assert!(is_known(region), "{region:?}");
            for kind in [PhoneNumberType::Mobile, PhoneNumberType::FixedLine] {
                let Ok(number) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind) else {
                    continue;
                };
                let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
                let digits = &e164[1..];
                for text in [
                    number.format_as(PhoneNumberFormat::National).into_owned(),
                    number.format_as(PhoneNumberFormat::International).into_owned(),
                    number.format_as(PhoneNumberFormat::RFC3966).into_owned(),
                    e164.clone(),
                    digits.to_owned(),
                    format!("00{digits}"),
                    format!("001{digits}"),
                    format!("011 {digits}"),
                    format!("({e164})"),
                    format!("{digits};phone-context={}", &e164[..3]),
                    e164.replace('+', "\u{ff0b}"),
                    format!("{e164} ext. 3"),
                    e164[..6].to_owned(),
                ] {
                    for default in [region, Region::KR] {
                        let config = Config { default_region: default, ..Config::default() };
                        let found = Phone::parse(&text, &config).ok().map(|phone| phone.e164);
                        assert_eq!(found, reference(&text, default), "{text} in {default:?}");
                        read += 1;
                        mobile += usize::from(found.is_some());
                    }
                }
                let stored = Phone::stored(&e164).map(|phone| phone.country_code);
                assert_eq!(stored, Some(number.country_code), "{e164}");
            }
        }
        assert!(read > 10_000 && mobile > 2_000, "{read}, of which {mobile} were taken");
    }

    #[test]
    fn what_is_of_no_country_is_read_as_with_all_of_the_metadata() {
        let mut taken = Vec::new();
        for calling_code in PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes() {
            let number = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(calling_code).unwrap();
            let e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
            let found = Phone::parse(&e164, &Config::default()).ok().map(|phone| phone.e164);
            assert_eq!(found, reference(&e164, Region::KR), "{e164}");
            taken.extend(found);
        }
        assert!(!taken.is_empty());
    }

    #[test]
    fn the_metadata_is_of_the_version_in_use() {
        let lock = include_str!("../../Cargo.lock");
        let (_, package) = lock.split_once("name = \"rlibphonenumber\"\nversion = \"").unwrap();
        assert!(package.starts_with(&format!("{METADATA_VERSION}\"")), "copy its metadata.bin here");
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
