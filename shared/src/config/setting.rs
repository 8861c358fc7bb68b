//! The form of a setting, and the values that it accepts.

use std::ops::RangeInclusive;
use std::str::FromStr as _;

use crate::limits::Bucket;
use crate::sms::SmsPrices;
use crate::values::Region;
use crate::values::phone::is_country;
use crate::values::test_phone::end_of_day;

/// The events that a bucket may allow immediately, and the seconds after which it may allow one more.
pub(super) const BURST: RangeInclusive<u32> = 1..=10_000;
pub(super) const EVERY: RangeInclusive<i64> = 1..=86_400;

/// A setting: an environment variable of the functions, which a parameter of the template sets.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable.
    pub variable: &'static str,
    /// The parameter of the template.
    pub parameter: &'static str,
    /// The default, as text; empty if there is none.
    pub default: &'static str,
    /// Whether the default is for local runs only: on AWS, the operator must choose a value.
    pub is_required_on_aws: bool,
    /// The values that are accepted.
    pub accepts: Accepts,
    /// The meaning of the setting, for the template and the documentation.
    pub text: &'static str,
}

/// The values that a setting accepts.
#[derive(Clone, Copy, Debug)]
pub enum Accepts {
    /// Whole numbers from the first to the second one.
    Number(i64, i64),
    /// A [`Bucket`], as `5/3600`: five events immediately, then one each 3600 seconds.
    Bucket,
    /// Text for which the function returns true.
    Text {
        /// The values that the function accepts, in words that follow "must".
        must: &'static str,
        /// Whether a value is accepted.
        is_valid: fn(&str) -> bool,
    },
}

pub(super) const fn number(
    variable: &'static str,
    parameter: &'static str,
    default: &'static str,
    range: RangeInclusive<i64>,
    text: &'static str,
) -> Setting {
    let accepts = Accepts::Number(*range.start(), *range.end());
    Setting { variable, parameter, default, is_required_on_aws: false, accepts, text }
}

/// Returns a setting that is true or false.
pub(super) const fn flag(
    variable: &'static str,
    parameter: &'static str,
    default: &'static str,
    text: &'static str,
) -> Setting {
    let accepts = Accepts::Text { must: "be true or false", is_valid: |text| matches!(text, "true" | "false") };
    Setting { variable, parameter, default, is_required_on_aws: false, accepts, text }
}

pub(super) const fn bucket(
    variable: &'static str,
    parameter: &'static str,
    default: &'static str,
    text: &'static str,
) -> Setting {
    Setting { variable, parameter, default, is_required_on_aws: false, accepts: Accepts::Bucket, text }
}

/// Parses the date of the prices of an SMS, and the prices by country, in US dollars: `2026-11-29,KR:0.05,JP:0.08`.
pub(super) fn parse_prices(text: &str) -> Option<SmsPrices> {
    let (date, by_country) = text.split_once(',')?;
    let price = |item: &str| {
        let (country, price) = item.split_once(':')?;
        let country = Region::from_str(country).ok().filter(|country| is_country(*country))?;
        let is_decimal = price.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        Some((country, price.parse().ok().filter(|price: &f64| is_decimal && price.is_finite())?))
    };
    let by_country = by_country.split(',').map(price).collect::<Option<_>>()?;
    Some(SmsPrices { date: Some(end_of_day(date)?), by_country })
}

/// Parses a bucket: `5/3600`.
pub(super) fn parse_bucket(text: &str) -> Option<Bucket> {
    let (burst, every) = text.split_once('/')?;
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(burst) || !is_number(every) {
        return None;
    }
    let (burst, every) = (burst.parse().ok()?, every.parse().ok()?);
    (BURST.contains(&burst) && EVERY.contains(&every)).then(|| Bucket::new(burst, every))
}

/// Whether `text` is an origin (RFC 6454, 6.2), as browsers send it: in lower case, and without wildcards.
pub(super) fn is_origin(text: &str) -> bool {
    is_issuer(text) && text.splitn(4, '/').count() == 3 && !text.contains(|c: char| c == '*' || c.is_ascii_uppercase())
}

/// Whether verifiers find `/.well-known/…` below this URL (OpenID Connect Discovery 1.0, 4).
pub(super) fn is_issuer(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or_default();
    !rest.is_empty() && !rest.ends_with('/') && !rest.contains(|c: char| c.is_whitespace() || "?#@\"".contains(c))
}
