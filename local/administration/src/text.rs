//! Numbers and times, as they are printed.

#[cfg(feature = "aws")]
use shared::clock::timestamp;

/// Returns the date (UTC) of a time: `2026/01/31`.
#[cfg(feature = "aws")]
pub(crate) fn folder_of_date(seconds: i64) -> String {
    timestamp(seconds).chars().take_while(|character| *character != 'T').collect::<String>().replace('-', "/")
}

/// Returns a number with commas: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a duration in its two largest units: `1 h 5 min`.
pub(crate) fn duration(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([59, 60, 3661, 90_000].map(duration), ["59 s", "1 min 0 s", "1 h 1 min", "1 d 1 h"]);
    }
}
