//! The backend on AWS, with the services that `local/test` starts: DynamoDB Local and moto. Without them
//! these tests fail, and `cargo test` alone does not build them.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

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
mod sns;
mod store;
#[path = "../test_app/mod.rs"]
#[expect(dead_code, reason = "these tests use a part of it")]
mod test_app;
