//! Randomness. Every value that must not be predictable is created here.

use rand::RngExt as _;

/// Returns `N` bytes of the thread's CSPRNG, which the operating system seeds.
#[expect(clippy::disallowed_methods, reason = "the only place that uses the generator")]
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

/// Returns a number from 0 to `bound` - 1. All of them are equally likely.
#[expect(clippy::disallowed_methods, reason = "the only place that uses the generator")]
#[must_use]
pub fn below(bound: u32) -> u32 {
    rand::rng().random_range(0..bound)
}
