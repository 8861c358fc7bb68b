//! The list of the most common passwords.

use std::cmp::Ordering;

/// The most common passwords of at least 8 characters, in lower case, one per line, sorted. Made from
/// lists under the licenses in `common-passwords.LICENSE`.
const LIST: &str = include_str!("common-passwords.txt");

/// Whether the list contains `password`, which is in lower case. Searches the text by bisection, so that
/// no index is built first.
pub(super) fn contains(password: &str) -> bool {
    let is_end = |byte: &u8| *byte == b'\n';
    let mut rest = LIST.as_bytes();
    while !rest.is_empty() {
        let (before, _) = rest.split_at(rest.len() / 2);
        let (less, line) = rest.split_at(before.iter().rposition(is_end).map_or(0, |end| end + 1));
        let (line, greater) = line.split_at(line.iter().position(is_end).unwrap_or(line.len()));
        match password.as_bytes().cmp(line) {
            Ordering::Less => rest = less,
            Ordering::Equal => return true,
            Ordering::Greater => rest = greater.strip_prefix(b"\n").unwrap_or_default(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_contains_its_lines_and_nothing_else() {
        assert!(LIST.lines().count() >= 10_000);
        assert!(LIST.lines().all(|line| line.chars().count() >= 8 && line == line.to_lowercase()));
        assert!(LIST.lines().is_sorted());
        for line in LIST.lines() {
            assert!(contains(line));
            assert!(!contains(&format!("{line}\0")) && !contains(&format!("\0{line}")));
        }
        assert!(!contains("") && !contains("\u{10ffff}"));
    }
}
