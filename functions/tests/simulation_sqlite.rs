//! The simulation of an attack, on SQLite.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test that cannot continue fails; counts are small"
)]

#[expect(dead_code, reason = "other tests use other sizes")]
mod simulation;

use local::SqliteStore;
use simulation::{Day, Size, run};

#[tokio::test]
async fn attackers_win_no_more_than_the_limits_allow() {
    // `local/simulate` runs the full size.
    let size = if std::env::var_os("SIMULATE_FULL").is_some() { Size::FULL } else { Size::SHORT };
    for day in [Day::Quiet, Day::Attack, Day::AttackAndPause] {
        run(SqliteStore::in_memory().unwrap(), &size, day).await;
    }
}
