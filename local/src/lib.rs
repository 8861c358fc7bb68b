//! The backend for a laptop: users and sessions in SQLite, an outbox in place of SMS, and the keys in a
//! file. All of it is stored in one folder; delete the folder to start over.
//!
//! The folder is `LOCAL_DIR`, by default `target/local` of the workspace: `cargo lambda watch` restarts
//! the functions whenever a file changes that git does not ignore.

mod key_file;
mod outbox;
mod sqlite;

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::access::{Access, KeyAccess};
use shared::app::{AccountsIn, App};
use shared::clock::{Clock, SystemClock};
use shared::config::Config;
use shared::error::BoxError;
use shared::tokens::Keyring;
use shared::values::Region;

use key_file::KeyFile;
pub use outbox::{Message, Outbox};
pub use sqlite::{OpenError, SqliteStore};

/// The name of the database in the folder.
pub const DATABASE: &str = "ably.db";
/// The name of the file of the keys in the folder.
pub const KEYS: &str = "keys.json";

/// The store of this backend.
pub type BackendStore = SqliteStore;

/// Connects a local function. Every local function has the outbox. Calls `prepare` with the default region, and `accounts`
/// with the store.
///
/// # Errors
/// If a variable is invalid or the folder cannot be used; and on AWS, where no local build may run.
pub async fn connect(access: Access, prepare: fn(Region), accounts: AccountsIn<BackendStore>) -> Result<App, BoxError> {
    // Lambda sets this variable, `cargo lambda watch` does not.
    if std::env::var_os("LAMBDA_TASK_ROOT").is_some() {
        return Err(
            "this is a local build, which stores accounts on the function's own disk: deploy with `sam build`".into()
        );
    }
    let (folder, store) = (folder(), Arc::new(open_store()?));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let accounts = accounts(&store);
    let sms = outbox(clock.clone())?.in_the_terminal();
    let keyring = if access.keys == KeyAccess::None {
        Keyring::default()
    } else {
        let now = clock.now();
        Keyring::load(Box::new(KeyFile::open(folder.join(KEYS), now)?), now).await?
    };
    let config = Config::from_env()?;
    prepare(config.default_region);
    Ok(App::new(config, store, sms, clock).with_accounts(accounts).with_keyring(keyring))
}

/// Does the same as [`connect`], which connects every local function to the outbox.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_sms(
    access: Access,
    prepare: fn(Region),
    accounts: AccountsIn<BackendStore>,
) -> Result<App, BoxError> {
    connect(access, prepare, accounts).await
}

/// Opens the store of local runs, which is created if it does not exist.
///
/// # Errors
/// If the folder cannot be used, or another version created the store.
pub fn open_store() -> Result<SqliteStore, BoxError> {
    let folder = folder();
    // Only its owner may read phone numbers and codes.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let file = folder.join(DATABASE);
    SqliteStore::open(&file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Opens the outbox of the local run.
///
/// # Errors
/// If the folder cannot be used.
pub fn outbox(clock: Arc<dyn Clock>) -> Result<Outbox, BoxError> {
    Ok(Outbox::open(&folder().join("outbox.db"), clock)?)
}

/// Returns the folder of local runs.
#[must_use]
pub fn folder() -> PathBuf {
    std::env::var_os("LOCAL_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/local"), PathBuf::from)
}
