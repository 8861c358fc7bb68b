//! The guarantees of the store on SQLite, with several connections to one file, as functions have.

#![expect(clippy::unwrap_used, reason = "a test that cannot continue fails")]

mod guarantees;

use std::sync::Arc;

use guarantees::{FullStore, TestStore, guarantees};
use local::SqliteStore;

guarantees!(crate::open);

async fn open() -> TestStore {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ably.db");
    let connect = || Arc::new(SqliteStore::open(&file).unwrap()) as Arc<dyn FullStore>;
    let connections = (0..8).map(|_| connect()).collect();
    let operator = rusqlite::Connection::open(&file).unwrap();
    let pause = move |is_paused: bool| {
        let set = "INSERT INTO sms_of_day VALUES (1, 0, 0, ?1) ON CONFLICT (id) DO UPDATE SET is_paused = ?1";
        operator.execute(set, [is_paused]).unwrap();
    };
    TestStore { connections, pause: Box::new(pause), _folder: Some(folder) }
}
