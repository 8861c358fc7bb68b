//! What must hold, in ratios of one run.

use crate::measured::Measured;
use crate::timing::{Row, digits};

/// Of any function, in bytes.
pub(crate) const MAX_RSS: u64 = 10_000_000;
/// Of any function's zip, in bytes.
pub(crate) const MAX_ZIP: u64 = 3_000_000;

/// The rows whose first answer is limited by handshakes: what else it needs is small in them. Not those
/// that hash a password, sign a token, rotate keys or read the metadata of phone numbers: each of these
/// costs more than a handshake.
const LIMITED_BY_HANDSHAKES: [&str; 6] =
    ["email-duplicate-check", "profile", "profile: a new token each time", "logout", "jwks", "openid-configuration"];

/// Returns a row's instructions to its first answer, divided by those of the hello with as many
/// handshakes.
pub(crate) fn first_of_floor(measured: &Measured, row: &str) -> f64 {
    let counted = |row: &str| measured.instructions.get(row).copied().unwrap_or_default();
    let floor = counted("hello").first as f64 + counted(row).handshakes as f64 * measured.handshake as f64;
    counted(row).first as f64 / floor
}

/// Prints each target, and whether it holds.
pub(crate) fn print(measured: &Measured) {
    let of =
        |name: &str, value: fn(&Row) -> f64| measured.rows.iter().find(|row| row.name == name).map_or(f64::NAN, value);
    let init = |row: &Row| row.init.median();
    let cold = |row: &Row| row.cold.median();
    let (fastapi, node) = ("FastAPI: profile", "Node: profile");
    let functions = || measured.rows.iter().filter(|row| row.function != "others" && row.name != "hello");
    let most = |value: &dyn Fn(&Row) -> f64| functions().map(value).fold(0.0, f64::max);
    let slowest = most(&init);
    let counted = |name: &str| measured.instructions.get(name).copied().unwrap_or_default();
    let warm = |name: &str| counted(name).warm as f64;
    let bcrypt = measured.bcrypt_of_cost_10 as f64;
    // A function that has a whole CPU is not given a share of one.
    let first = functions().map(|row| row.first_of_share.median() / row.warm_of_share.median());
    // None at all where the share can't be had.
    let first = first.filter(|ratio| !ratio.is_nan()).reduce(f64::max).unwrap_or(f64::NAN);
    // They are counted with cost 10; with cost 12, both have three more hashes of cost 10.
    let differ = (warm("login: unknown user") - warm("login: wrong password")).abs();
    let refused = differ / (warm("login: wrong password") + 3.0 * bcrypt);
    let of_floor = LIMITED_BY_HANDSHAKES.map(|row| first_of_floor(measured, row)).into_iter().fold(0.0, f64::max);
    let wrong = measured.outcomes.iter().filter(|outcome| outcome.wrong.is_some()).count();

    println!("\n| target | measured | must be | holds |");
    println!("|---|---|---|---|");
    let target = |what: &str, measured: f64, least: f64, most: f64| {
        let holds = (least..=most).contains(&measured);
        let must = if most == f64::INFINITY { format!("≥ {least}") } else { format!("≤ {most}") };
        println!("| {what} | {} | {must} | {} |", digits(measured), if holds { "yes" } else { "**no**" });
    };
    let any = f64::INFINITY;
    target("instructions to the first answer ÷ (hello + its handshakes), the most of six rows", of_floor, 0.0, 2.0);
    target("init, FastAPI ÷ the slowest function", of(fastapi, init) / slowest, 50.0, any);
    target("init, Node with the SDK ÷ the slowest function", of(node, init) / slowest, 15.0, any);
    target("cold, `profile` ÷ hello", of("profile", cold) / of("hello", cold), 0.0, 4.0);
    target("cold, FastAPI ÷ `profile`", of(fastapi, cold) / of("profile", cold), 40.0, any);
    target("instructions to the first answer of `profile`, millions", counted("profile").first as f64 / 1e6, 0.0, 10.0);
    target("128 MB, first request ÷ warm, the most of any function", first, 0.0, 1.3);
    target("instructions, warm `profile` ÷ hello", warm("profile") / warm("hello"), 0.0, 4.0);
    target(
        "`login` without its bcrypt ÷ bcrypt of cost 12, %",
        100.0 * (warm("login") - bcrypt) / (4.0 * bcrypt),
        0.0,
        5.0,
    );
    target("`login`, unknown user and wrong password differ by, %", 100.0 * refused, 0.0, 2.0);
    target("peak RSS of any function, MB", most(&|row| row.rss as f64 / 1e6), 0.0, MAX_RSS as f64 / 1e6);
    let zip = measured.zips.values().max().map_or(f64::NAN, |zip| *zip as f64 / 1e6);
    target("zip of any function, MB", zip, 0.0, MAX_ZIP as f64 / 1e6);
    target("bcrypt ÷ libxcrypt", measured.bcrypt.ours.median() / measured.bcrypt.libxcrypt.median(), 0.0, 1.1);
    target("outcomes with other requests, units or connections than they must have", wrong as f64, 0.0, 0.0);
}
