//! The promises of `Store` on SQLite, with several connections to one file, as functions have.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod contract;

use std::sync::Arc;

use contract::{Stores, promises};
use local::SqliteStore;
use shared::store::Store;

promises!(open);

async fn open() -> Stores {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ably.db");
    let connect = || Arc::new(SqliteStore::open(&file).unwrap()) as Arc<dyn Store>;
    Stores { connections: (0..8).map(|_| connect()).collect(), _folder: Some(folder) }
}
