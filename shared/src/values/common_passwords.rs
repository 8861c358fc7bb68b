//! The most common passwords, as a Bloom filter: it contains all of them, and a thousandth of all others.
//!
//! The list would take four times as many bytes in the functions, even compressed.

use aws_lc_rs::digest;

/// The filter of the passwords in `common-passwords.txt`, which `local/tools/common_passwords.py` makes from lists
/// under the licenses in `common-passwords.LICENSE`.
const FILTER: &[u8; 88_000] = include_bytes!("common-passwords.bin");
/// The bits of a password: with 14.4 bits in the filter for each password, this number is the best one.
const BITS_PER_PASSWORD: usize = 10;

/// Whether the filter contains `password`, which is in NFKC and lower case.
pub(super) fn contains(password: &str) -> bool {
    bits_of(password).all(|(byte, bit)| FILTER.get(byte).is_some_and(|byte| byte & bit != 0))
}

/// Returns the bits of a password, each as the index of its byte and the bit in it.
fn bits_of(password: &str) -> impl Iterator<Item = (usize, u8)> {
    let digest = digest::digest(&digest::SHA512, password.as_bytes());
    (0..BITS_PER_PASSWORD).map(move |nth| {
        let word = digest.as_ref().iter().skip(4 * nth).take(4);
        let index = word.fold(0_usize, |index, byte| index << 8 | usize::from(*byte)) % (8 * FILTER.len());
        (index / 8, 1 << (index % 8))
    })
}

#[cfg(test)]
mod tests {
    use super::super::text::folded;
    use super::*;
    use crate::random;

    const LIST: &str = include_str!("common-passwords.txt");

    #[test]
    fn the_filter_is_made_of_the_list() {
        let mut filter = *FILTER;
        filter.fill(0);
        for (byte, bit) in LIST.lines().flat_map(bits_of) {
            filter[byte] |= bit;
        }
        assert!(filter == *FILTER, "run local/tools/common_passwords.py");
        assert!(LIST.lines().count() >= 48_000);
        assert!(LIST.lines().all(|line| contains(line) && line.chars().count() >= 8 && folded(line).as_str() == line));
    }

    #[test]
    fn the_filter_contains_few_other_passwords() {
        let others = (0..20_000).filter(|_| contains(&format!("{:032x}", u128::from_be_bytes(random::bytes()))));
        // Expected are 20; more than 60 happen less than once in 10^12 runs.
        assert!(others.count() <= 60);
    }
}
