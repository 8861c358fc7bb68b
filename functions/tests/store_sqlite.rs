//! The guarantees of the store on SQLite, with several connections to one file, as functions have.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod guarantees;

use std::sync::Arc;

use guarantees::{TestStore, guarantees};
use local::SqliteStore;
use shared::store::Store;

guarantees!(crate::open);

async fn open() -> TestStore {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ably.db");
    let connect = || Arc::new(SqliteStore::open(&file).unwrap()) as Arc<dyn Store>;
    TestStore { connections: (0..8).map(|_| connect()).collect(), _folder: Some(folder) }
}
