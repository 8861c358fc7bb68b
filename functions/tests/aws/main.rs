//! The backend on AWS, against what `local/test` starts: DynamoDB Local and moto. Without them these
//! tests fail, and `cargo test` alone does not build them.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "../contract/mod.rs"]
mod contract;
mod faults;
mod functions;
mod http;
mod keys;
mod sns;
mod stand_ins;
mod store;
