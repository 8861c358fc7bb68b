//! The promises of `Store` on DynamoDB Local, with several clients, as functions have.

use std::sync::Arc;

use crate::contract::{Stores, promises};
use crate::stand_ins::{Tables, url};
use shared::store::Store;

promises!(open);

async fn open() -> Stores {
    let tables = Tables::create();
    let mut connections = Vec::new();
    for _ in 0..8 {
        connections.push(Arc::new(tables.store_at(&url("DYNAMODB_LOCAL_URL")).await) as Arc<dyn Store>);
    }
    Stores { connections, _folder: None }
}
