//! The metadata of phone numbers, decoded by country calling code when it is first needed.
//!
//! rlibphonenumber offers its metadata only decoded as a whole, which takes longer than the rest of init
//! and half of a function's memory. A function sees numbers of few countries.

use std::str::FromStr as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use prost::Message as _;
use prost::bytes::Bytes;
use rlibphonenumber::enums::Region;
use rlibphonenumber::{
    ParseError, PhoneMetadata, PhoneMetadataCollection, PhoneNumber, PhoneNumberType, PhoneNumberUtil,
};

/// libphonenumber's metadata (Apache-2.0), a protobuf message of all regions: the file `metadata.bin` of
/// [`METADATA_VERSION`] of rlibphonenumber.
static METADATA: &[u8] = include_bytes!("phone-metadata.bin");
#[cfg(test)]
const METADATA_VERSION: &str = "2.2.15";

/// The metadata of each region, not decoded yet.
#[derive(prost::Message)]
struct Regions {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    metadata: Vec<Bytes>,
}

/// The part of a region's metadata that identifies the region.
#[derive(prost::Message)]
struct RegionKey {
    #[prost(string, tag = "9")]
    id: String,
    #[prost(int32, tag = "10")]
    calling_code: i32,
}

/// The decoded metadata, by calling code, for the lifetime of the process.
static DECODED: Mutex<Vec<(i32, &'static PhoneNumberUtil)>> = Mutex::new(Vec::new());

/// All of the metadata, for numbers with an international prefix instead of `+`, which are rare. Only
/// the metadata knows the prefixes.
static ALL: LazyLock<Option<PhoneNumberUtil>> =
    LazyLock::new(|| PhoneNumberUtil::new_for_metadata(PhoneMetadataCollection::decode(METADATA).ok()?).ok());

/// Parses a number as libphonenumber does with all of its metadata.
pub(super) fn parse(text: &str, default_region: Option<Region>) -> Option<(PhoneNumber, &'static PhoneNumberUtil)> {
    let util = match text.split_once('+') {
        Some((_, number)) => util_for_digits(&number.chars().filter(char::is_ascii_digit).take(3).collect::<String>()),
        None => default_region.and_then(util_for_region),
    };
    match util.map(|util| (util.parse(text, default_region), util)) {
        Some((Ok(number), util)) => Some((number, util)),
        // The number belongs to a country that `util` does not contain.
        None | Some((Err(ParseError::InvalidCountryCode), _)) => {
            let all = ALL.as_ref()?;
            Some((all.parse(text, default_region).ok()?, all))
        }
        Some((Err(_), _)) => None,
    }
}

/// Returns the region of a number in E.164.
pub(super) fn region(e164: &str) -> Option<Region> {
    let util = util_for_digits(e164.strip_prefix('+')?)?;
    util.get_region_for_number(&util.parse(e164, None).ok()?)
}

/// Returns the calling code of a region.
pub(super) fn calling_code(region: Region) -> Option<i32> {
    util_for_region(region)?.get_country_code_for_region(region)
}

/// Returns an example of the region's mobile numbers, as national digits.
pub(super) fn example(region: Region) -> Option<String> {
    let example =
        util_for_region(region)?.get_example_number_for_type_and_region(region, PhoneNumberType::Mobile).ok()?;
    Some(example.national_number.to_string())
}

fn util_for_region(region: Region) -> Option<&'static PhoneNumberUtil> {
    decoded(|_, util| util.get_country_code_for_region(region).is_some())
        .or_else(|| decode(|key| Region::from_str(&key.id) == Ok(region)))
}

/// Returns the metadata of the calling code that `digits` begin with. No calling code begins with
/// another one.
fn util_for_digits(digits: &str) -> Option<&'static PhoneNumberUtil> {
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

/// Decodes all regions that share the calling code of the first region that `is_it` accepts.
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

#[cfg(test)]
mod tests {
    use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat};

    use super::*;
    use crate::values::phone::{self, Phone};

    /// Parses with all of the metadata, decoded as a whole.
    fn reference(text: &str, region: Region) -> Option<String> {
        let number = PHONE_NUMBER_UTIL.parse(text.trim(), Some(region)).ok()?;
        let is_mobile = matches!(number.get_type(), PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile);
        let is_good = number.is_valid() && number.extension.is_none() && is_mobile;
        is_good.then(|| number.format_as(PhoneNumberFormat::E164).into_owned())
    }

    fn e164(text: &str, region: Region) -> Option<String> {
        Phone::parse(text, region).ok().map(|phone| phone.e164().to_owned())
    }

    #[test]
    fn numbers_of_every_country_are_parsed_as_with_all_of_the_metadata() {
        let (mut parsed, mut mobile) = (0, 0);
        for region in PHONE_NUMBER_UTIL.get_supported_regions() {
            assert!(phone::is_country(region), "{region:?}");
            for kind in [PhoneNumberType::Mobile, PhoneNumberType::FixedLine] {
                let Ok(number) = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind) else {
                    continue;
                };
                let in_e164 = number.format_as(PhoneNumberFormat::E164).into_owned();
                let digits = &in_e164[1..];
                for text in [
                    number.format_as(PhoneNumberFormat::National).into_owned(),
                    number.format_as(PhoneNumberFormat::International).into_owned(),
                    number.format_as(PhoneNumberFormat::RFC3966).into_owned(),
                    in_e164.clone(),
                    digits.to_owned(),
                    format!("00{digits}"),
                    format!("001{digits}"),
                    format!("011 {digits}"),
                    format!("({in_e164})"),
                    format!("{digits};phone-context={}", &in_e164[..3]),
                    in_e164.replace('+', "\u{ff0b}"),
                    format!("{in_e164} ext. 3"),
                    in_e164[..6].to_owned(),
                ] {
                    for default_region in [region, Region::KR] {
                        let found = e164(&text, default_region);
                        assert_eq!(found, reference(&text, default_region), "{text} in {default_region:?}");
                        parsed += 1;
                        mobile += usize::from(found.is_some());
                    }
                }
                let stored = Phone::from_stored(&in_e164).map(|phone| phone.country_code());
                assert_eq!(stored, Some(number.country_code), "{in_e164}");
            }
        }
        assert!(parsed > 10_000 && mobile > 2_000, "{mobile} of {parsed} were mobile numbers");
    }

    #[test]
    fn countries_are_those_of_the_metadata() {
        let letters = || (b'A'..=b'Z').map(char::from);
        let codes = letters().flat_map(|first| letters().map(move |second| format!("{first}{second}")));
        let countries: Vec<_> = codes.filter_map(|code| Region::from_str(&code).ok()).collect();
        let mut known = 0;
        for country in countries {
            assert_eq!(phone::is_country(country), util_for_region(country).is_some(), "{country:?}");
            known += usize::from(phone::is_country(country));
        }
        assert!(known > 200 && !phone::is_country(Region::World));
    }

    #[test]
    fn numbers_without_a_country_are_parsed_as_with_all_of_the_metadata() {
        let mut accepted = Vec::new();
        for calling_code in PHONE_NUMBER_UTIL.get_supported_global_network_calling_codes() {
            let number = PHONE_NUMBER_UTIL.get_example_number_for_non_geo_entity(calling_code).unwrap();
            let text = number.format_as(PhoneNumberFormat::E164).into_owned();
            let found = e164(&text, Region::KR);
            assert_eq!(found, reference(&text, Region::KR), "{text}");
            assert_eq!(Phone::from_stored(&text).map(|phone| phone.country_code()), Some(calling_code), "{text}");
            accepted.extend(found);
        }
        assert!(!accepted.is_empty());
    }

    #[test]
    fn the_metadata_has_the_version_in_use() {
        let lock = include_str!("../../../Cargo.lock");
        let (_, package) = lock.split_once("name = \"rlibphonenumber\"\nversion = \"").unwrap();
        assert!(package.starts_with(&format!("{METADATA_VERSION}\"")), "copy its metadata.bin here");
    }
}
