//! The targets, as ratios of one run.

use crate::comparisons::{FASTAPI_PROFILE, NODE_PROFILE};
use crate::init;
use crate::measured::Measured;
use crate::timing::{Row, digits};

/// The maximum memory of a function, in bytes.
pub(crate) const MAX_RSS: u64 = 10_000_000;
/// The maximum size of a function's zip, in bytes.
pub(crate) const MAX_ZIP: u64 = 3_000_000;

/// The maximum of bcrypt ÷ libxcrypt. On x86-64, LLVM adds an instruction to the chain from each round to the next one;
/// on arm64, the architecture of the template, it does not.
const MAX_BCRYPT: f64 = if cfg!(target_arch = "x86_64") { 1.25 } else { 1.1 };

/// The maximum of [`max_first_to_floor`].
pub(crate) const MAX_FIRST_TO_FLOOR: f64 = 2.0;

/// The rows whose instructions to the first response are mostly those of handshakes. The other rows hash a
/// password, sign a token, rotate keys or read the metadata of phone numbers: each of these costs more than
/// a handshake.
const DOMINATED_BY_HANDSHAKES: [&str; 6] =
    ["email-duplicate-check", "profile", "profile: a new token each time", "logout", "jwks", "openid-configuration"];

/// Returns the instructions of a row to its first response, divided by those of `hello` with as many
/// handshakes.
pub(crate) fn first_to_floor(measured: &Measured, row: &str) -> f64 {
    let (hello, row) = (measured.instructions("hello"), measured.instructions(row));
    let floor = hello.first as f64 + row.handshakes as f64 * measured.handshake as f64;
    row.first as f64 / floor
}

/// Returns the maximum of [`first_to_floor`] of the rows that handshakes dominate, or NaN if one was not counted.
pub(crate) fn max_first_to_floor(measured: &Measured) -> f64 {
    if DOMINATED_BY_HANDSHAKES.iter().any(|row| !measured.instructions.contains_key(*row)) {
        return f64::NAN;
    }
    DOMINATED_BY_HANDSHAKES.map(|row| first_to_floor(measured, row)).into_iter().fold(0.0, f64::max)
}

/// Prints each target, and whether it is met.
pub(crate) fn print(measured: &Measured) {
    let of_row =
        |name: &str, value: fn(&Row) -> f64| measured.rows.iter().find(|row| row.name == name).map_or(f64::NAN, value);
    let init = |row: &Row| row.init.median();
    let cold = |row: &Row| row.cold.median();
    let functions = || measured.rows.iter().filter(|row| init::is_declared(&row.function));
    let max = |value: &dyn Fn(&Row) -> f64| functions().map(value).fold(0.0, f64::max);
    let slowest = max(&init);
    let warm = |name: &str| measured.instructions(name).warm as f64;
    let bcrypt = measured.bcrypt_at_cost_10 as f64;
    // Skips functions without measurements: a function with a full CPU is not measured with a share.
    let first = functions().map(|row| row.first_with_share.median() / row.warm_with_share.median());
    let first = first.filter(|ratio| !ratio.is_nan()).reduce(f64::max).unwrap_or(f64::NAN);
    // Converts the counts at cost 10 to cost 12, which adds three hashes of cost 10 to both.
    let difference = |suffix: &str| {
        let (unknown, wrong) =
            (warm(&format!("login: unknown user{suffix}")), warm(&format!("login: wrong password{suffix}")));
        (unknown - wrong).abs() / (wrong + 3.0 * bcrypt)
    };
    let relative_difference = difference("").max(difference(", device token"));
    let mismatches = measured.outcomes.iter().filter(|outcome| outcome.mismatch.is_some()).count();

    println!("\n| target | measured | required | met |");
    println!("|---|---|---|---|");
    let print_target = |name: &str, measured: f64, required: &str, is_met: bool| {
        println!("| {name} | {} | {required} | {} |", digits(measured), if is_met { "yes" } else { "**no**" });
    };
    let at_least =
        |name: &str, measured: f64, min: f64| print_target(name, measured, &format!("≥ {min}"), measured >= min);
    let at_most = |name: &str, measured: f64, max: f64| {
        print_target(name, measured, &format!("≤ {max}"), (0.0..=max).contains(&measured))
    };
    at_most(
        "instructions to the first response ÷ (hello + its handshakes), maximum of six rows",
        max_first_to_floor(measured),
        MAX_FIRST_TO_FLOOR,
    );
    at_least("init, FastAPI ÷ the slowest function", of_row(FASTAPI_PROFILE, init) / slowest, 50.0);
    at_least("init, Node with the SDK ÷ the slowest function", of_row(NODE_PROFILE, init) / slowest, 15.0);
    at_most("cold, `profile` ÷ hello", of_row("profile", cold) / of_row("hello", cold), 4.0);
    at_least("cold, FastAPI ÷ `profile`", of_row(FASTAPI_PROFILE, cold) / of_row("profile", cold), 40.0);
    let profile_first = measured.instructions("profile").first as f64 / 1e6;
    at_most("instructions to the first response of `profile`, millions", profile_first, 6.0);
    at_most("128 MB, first request ÷ warm, maximum of all functions", first, 1.3);
    at_most("instructions, warm `profile` ÷ hello", warm("profile") / warm("hello"), 4.0);
    let warm_time = |row: &Row| row.warm.median();
    at_most("warm, `profile` ÷ hello", of_row("profile", warm_time) / of_row("hello", warm_time), 5.0);
    let without_bcrypt = 100.0 * (warm("login") - bcrypt) / (4.0 * bcrypt);
    at_most("`login` without its bcrypt ÷ bcrypt at cost 12, %", without_bcrypt, 5.0);
    at_most(
        "`login`, difference between unknown user and wrong password, with and without a device token, %",
        100.0 * relative_difference,
        2.0,
    );
    at_most("peak RSS, maximum of all functions, MB", max(&|row| row.rss as f64 / 1e6), MAX_RSS as f64 / 1e6);
    let zip = measured.zips.values().max().map_or(f64::NAN, |zip| *zip as f64 / 1e6);
    at_most("zip, maximum of all functions, MB", zip, MAX_ZIP as f64 / 1e6);
    let bcrypt = measured.bcrypt.rust.median() / measured.bcrypt.libxcrypt.median();
    at_most(&format!("bcrypt ÷ libxcrypt, on {}", std::env::consts::ARCH), bcrypt, MAX_BCRYPT);
    at_most("outcomes with unexpected requests, units or connections", mismatches as f64, 0.0);
}
