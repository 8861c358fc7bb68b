//! Randomness. Everything that must not be guessed comes from here.

use rand::RngExt as _;

/// `N` bytes of the thread's CSPRNG, which the operating system seeds.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the generator")]
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// A number from 0 to `bound` - 1, every one equally likely.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the generator")]
#[must_use]
pub fn below(bound: u32) -> u32 {
    rand::rng().random_range(0..bound)
}
