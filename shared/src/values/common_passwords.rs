//! The most common passwords, as a filter: it contains all of them, and one of 65,536 others.
//!
//! The list itself would take four times as many bytes, and a third more in a zip.

use aws_lc_rs::digest;
use xorf::{BinaryFuse16, BinaryFuse16Ref, DmaSerializable, Filter as _, FilterRef as _};

/// The filter of the passwords in `common-passwords.txt`. To replace it, merge lists with
/// `local/tools/common_passwords.py`, then run `the_filter_is_made_of_the_list` with `UPDATE_COMMON_PASSWORDS=1`.
static FILTER: &Aligned<[u8]> = &Aligned(*include_bytes!("common-passwords.bin"));

/// Bytes that begin at an even address, as the filter's 16-bit numbers must.
#[repr(align(2))]
struct Aligned<T: ?Sized>(T);

/// Whether the filter contains `password`, which is in NFKC and lower case.
pub(super) fn contains(password: &str) -> bool {
    let (descriptor, fingerprints) = FILTER.0.split_at(BinaryFuse16::DESCRIPTOR_LEN);
    BinaryFuse16Ref::from_dma(descriptor, fingerprints).contains(&key(password))
}

/// Returns the key of a password in the filter.
fn key(password: &str) -> u64 {
    let digest = digest::digest(&digest::SHA256, password.as_bytes());
    digest.as_ref().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::super::text::folded;
    use super::*;
    use crate::random;

    const LIST: &str = include_str!("common-passwords.txt");

    #[test]
    fn the_filter_is_made_of_the_list() {
        let keys: Vec<_> = LIST.lines().map(key).collect();
        let filter = BinaryFuse16::try_from(&keys).unwrap();
        let mut bytes = vec![0; BinaryFuse16::DESCRIPTOR_LEN];
        filter.dma_copy_descriptor_to(&mut bytes);
        bytes.extend(filter.dma_fingerprints());
        if std::env::var_os("UPDATE_COMMON_PASSWORDS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/values/common-passwords.bin"), &bytes).unwrap();
            return;
        }
        assert!(bytes == FILTER.0, "run this test with UPDATE_COMMON_PASSWORDS=1");
    }

    #[test]
    fn the_filter_contains_the_list() {
        assert_eq!(LIST.lines().count(), 48_995, "the documentation states the number");
        assert!(LIST.lines().all(|line| contains(line) && line.chars().count() >= 8 && folded(line).as_str() == line));
    }

    #[test]
    fn the_filter_contains_few_other_passwords() {
        let others = (0..100_000).filter(|_| contains(&format!("{:032x}", u128::from_be_bytes(random::bytes()))));
        // Expected are 1.5; more than 20 happen less than once in 10^15 runs.
        assert!(others.count() <= 20);
    }
}
