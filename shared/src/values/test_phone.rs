//! Phone numbers for tests, which get no SMS.

use std::collections::HashSet;

use time::{Date, Month};

use super::code::AuthCode;
use super::field::Field as _;
use super::phone::Phone;
use crate::secret::Masked;

/// The number of test phones that may be configured.
const MAX_PHONES: usize = 5;
/// The longest time for which a test phone works, in seconds: 90 days.
const MAX_SECONDS: i64 = 90 * 24 * 60 * 60;

/// A phone number that gets no SMS, for the reviewers of app stores and for automated tests. Its code never changes.
#[derive(Clone, Debug)]
pub struct TestPhone {
    /// In E.164.
    phone: Masked<String>,
    /// The code, for every purpose.
    pub code: AuthCode,
    /// The end of the last day, in Unix time.
    expires_at: i64,
}

impl TestPhone {
    /// Parses `+12025550123:58203914:2027-01-31`: a phone number in E.164, a code of eight digits, and the last day
    /// (UTC). Parses several of them, separated by commas; none in empty text.
    ///
    /// Returns `None` if the text is anything else, if it repeats a phone number, or if a code is easily guessed: fewer
    /// than five different digits, or digits in a row.
    #[must_use]
    pub fn parse_list(text: &str) -> Option<Vec<Self>> {
        if text.is_empty() {
            return Some(Vec::new());
        }
        let phones: Vec<_> = text.split(',').map(Self::parse).collect::<Option<_>>()?;
        let different: HashSet<_> = phones.iter().map(|phone| &phone.phone.0).collect();
        (phones.len() <= MAX_PHONES && different.len() == phones.len()).then_some(phones)
    }

    fn parse(text: &str) -> Option<Self> {
        let [phone, code, day] = text.split(':').collect::<Vec<_>>().try_into().ok()?;
        let number = Phone::from_stored(phone).filter(|phone| phone.e164().len() > 8);
        let is_number = number.is_some();
        let is_code = code.len() == 8 && is_hard_to_guess(code.as_bytes());
        let code = AuthCode::parse(code).ok().filter(|_| is_number && is_code)?;
        Some(Self { phone: Masked(phone.to_owned()), code, expires_at: end_of_day(day)? })
    }

    /// Whether `phone` is this test phone at `now`: until its last day, and during the 90 days before.
    #[must_use]
    pub fn is(&self, phone: &Phone, now: i64) -> bool {
        self.has_number(phone) && (self.expires_at - MAX_SECONDS..self.expires_at).contains(&now)
    }

    /// Whether `code` is the code of this test phone.
    #[must_use]
    pub fn has_code(&self, code: &AuthCode) -> bool {
        self.code.expose_secret() == code.expose_secret()
    }

    /// Whether `phone` is this test phone at any time.
    #[must_use]
    pub fn has_number(&self, phone: &Phone) -> bool {
        self.phone.0 == phone.e164()
    }
}

/// Returns the end of a day (UTC), as `2027-01-31`, in Unix time.
pub(crate) fn end_of_day(day: &str) -> Option<i64> {
    let has_digits = day.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let [year, month, day] = day.split('-').collect::<Vec<_>>().try_into().ok()?;
    if !has_digits || (year.len(), month.len(), day.len()) != (4, 2, 2) {
        return None;
    }
    let month = Month::try_from(month.parse::<u8>().ok()?).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    Some(date.next_day()?.midnight().assume_utc().unix_timestamp())
}

/// Whether at least five of the digits are different, and they do not go up or down by one and the same number (0
/// follows 9).
fn is_hard_to_guess(digits: &[u8]) -> bool {
    let steps = digits.windows(2).map(|pair| match pair {
        [one, next] => (10 + i16::from(*next) - i16::from(*one)) % 10,
        _ => 0,
    });
    let different = |numbers: &mut dyn Iterator<Item = i16>| numbers.collect::<HashSet<_>>().len();
    different(&mut digits.iter().copied().map(i16::from)) >= 5 && different(&mut steps.into_iter()) > 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::phone::Region;

    const TEXT: &str = "+12025550123:58203914:2027-01-31";
    /// The end of 31 January 2027.
    const END: i64 = 1_801_440_000;

    #[test]
    fn a_test_phone_works_for_90_days_until_its_last_day() {
        let [test_phone] = <[_; 1]>::try_from(TestPhone::parse_list(TEXT).unwrap()).unwrap();
        let phone = Phone::parse("+1 202 555 0123", Region::KR).unwrap();
        let other = Phone::parse("+1 202 555 0124", Region::KR).unwrap();
        for (now, works) in
            [(END - MAX_SECONDS - 1, false), (END - MAX_SECONDS, true), (END - 1, true), (END, false), (END + 1, false)]
        {
            assert_eq!(test_phone.is(&phone, now), works, "{now}");
            assert!(!test_phone.is(&other, now));
        }
        assert_eq!(test_phone.code.expose_secret(), "58203914");
    }

    #[test]
    fn at_most_five_are_accepted() {
        assert!(TestPhone::parse_list("").unwrap().is_empty());
        let phones =
            |count| (0..count).map(|nth| TEXT.replace("0123", &format!("012{nth}"))).collect::<Vec<_>>().join(",");
        assert_eq!(TestPhone::parse_list(&phones(5)).unwrap().len(), 5);
        assert!(TestPhone::parse_list(&phones(6)).is_none());
        assert!(TestPhone::parse_list(&[TEXT; 2].join(",")).is_none(), "a phone number has one code");
    }

    #[test]
    fn anything_else_is_rejected() {
        for text in [
            ",",
            "+12025550123",
            "+12025550123:58203914",
            "+12025550123:58203914:2027-01-31:",
            "12025550123:58203914:2027-01-31",
            "+1 202 555 0123:58203914:2027-01-31",
            "+1202555:58203914:2027-01-31",
            "+12025550123:582039:2027-01-31",
            "+12025550123:5820391a:2027-01-31",
            "+12025550123:11111111:2027-01-31",
            "+12025550123:12345678:2027-01-31",
            "+12025550123:87654321:2027-01-31",
            "+12025550123:90123456:2027-01-31",
            "+12025550123:12121212:2027-01-31",
            "+12025550123:00000001:2027-01-31",
            "+12025550123:58203914:2027-1-31",
            "+12025550123:58203914:+027-01-31",
            "+12025550123:58203914:2027-02-29",
            "+12025550123:58203914:2027-13-01",
            "+12025550123:58203914:31.01.2027",
            "+12025550123:58203914:",
        ] {
            assert!(TestPhone::parse_list(text).is_none(), "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let shown = format!("{:?}", TestPhone::parse_list(TEXT).unwrap());
        assert!(!shown.contains("5550123") && !shown.contains("58203914"), "{shown}");
    }
}
