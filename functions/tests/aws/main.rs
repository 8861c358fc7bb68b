//! The backend on AWS, with the services that `local/test` starts: DynamoDB Local and moto. Without them
//! these tests fail, and `cargo test` alone does not build them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a test that cannot continue fails; counts are small"
)]

mod account_faults;
mod accounts;
mod api_faults;
mod endpoints;
mod faults;
#[path = "../guarantees/mod.rs"]
mod guarantees;
mod http;
mod keys;
mod log;
mod permissions;
mod proxy;
mod rotation;
mod services;
#[path = "../simulation/mod.rs"]
#[expect(dead_code, reason = "other tests use other sizes")]
mod simulation;
mod sns;
mod store;
#[path = "../test_app/mod.rs"]
#[expect(dead_code, reason = "these tests use a part of it")]
mod test_app;
