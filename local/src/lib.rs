//! Ably's backend for a laptop: users and sessions in SQLite, SMS in an outbox instead of on the
//! air, and the keys in a file. Everything is kept in one folder; delete it to start afresh.
//!
//! The folder is `LOCAL_DIR`, by default `target/local` of the workspace: `cargo lambda watch`
//! restarts the functions at every write to a file that git does not ignore.

mod outbox;
mod sqlite;

use std::error::Error;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use shared::clock::{Clock, SystemClock};
use shared::config::Config;
use shared::keys::{KeySet, KeySource, Keys};
use shared::random;
use shared::sms_auth::AuthCode;
use shared::{App, Needs};
use zeroize::Zeroizing;

pub use outbox::{Message, Outbox};
pub use sqlite::SqliteStore;

/// Connects a local function.
///
/// # Errors
/// If a variable is bad, or the folder can't be used; and on AWS, where nothing of this may run.
pub async fn connect(needs: Needs) -> Result<App, Box<dyn Error + Send + Sync>> {
    // Lambda sets it, and `cargo lambda watch` does not.
    if std::env::var_os("LAMBDA_TASK_ROOT").is_some() {
        return Err("this is a local build, and no account may live in it: deploy with `sam build`".into());
    }
    let folder = folder();
    // It holds phones and codes: for its owner only.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    Ok(App {
        config: Config::from_env()?,
        store: Box::new(SqliteStore::open(&folder.join("ably.db"))?),
        sms: Box::new(outbox(clock.clone())?.in_the_terminal()),
        keys: if needs.keys {
            let now = clock.now();
            Keys::read(Box::new(KeyFile::open(folder.join("keys.json"), now)?), now).await?
        } else {
            Keys::default()
        },
        clock,
        new_code: AuthCode::generate,
    })
}

/// The same: every local function has the outbox.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with_sms(needs: Needs) -> Result<App, Box<dyn Error + Send + Sync>> {
    connect(needs).await
}

/// The outbox of the local run.
///
/// # Errors
/// If the folder can't be used.
pub fn outbox(clock: Arc<dyn Clock>) -> Result<Outbox, Box<dyn Error + Send + Sync>> {
    Ok(Outbox::open(&folder().join("outbox.db"), clock)?)
}

fn folder() -> PathBuf {
    std::env::var_os("LOCAL_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/local"), PathBuf::from)
}

/// The file that holds the keys, as the secret on AWS does.
struct KeyFile(PathBuf);

impl KeyFile {
    /// Makes the first key on the first run. Functions that start at once agree on one: a link is
    /// made only where there is none.
    fn open(file: PathBuf, now: i64) -> Result<Self, Box<dyn Error + Send + Sync>> {
        if !file.exists() {
            let mine = file.with_extension(format!("{:x}", u64::from_ne_bytes(random::bytes())));
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&mine)?
                .write_all(KeySet::generate(now)?.as_bytes())?;
            let linked = fs::hard_link(&mine, &file);
            fs::remove_file(&mine)?;
            match linked {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Self(file))
    }
}

#[async_trait]
impl KeySource for KeyFile {
    async fn read(&self) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
        Ok(Zeroizing::new(fs::read_to_string(&self.0)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn functions_that_start_at_once_agree_on_one_key() {
        let folder = std::env::temp_dir().join(format!("ably-{:x}", u64::from_ne_bytes(random::bytes())));
        fs::create_dir_all(&folder).unwrap();
        let (file, start) = (folder.join("keys.json"), Barrier::new(8));
        let read = || {
            start.wait();
            KeyFile::open(file.clone(), 0).unwrap();
            fs::read_to_string(&file).unwrap()
        };
        let seen: Vec<String> = thread::scope(|scope| {
            let functions: Vec<_> = (0..8).map(|_| scope.spawn(read)).collect();
            functions.into_iter().map(|function| function.join().unwrap()).collect()
        });
        assert!(seen.iter().all(|keys| *keys == seen[0] && KeySet::read(keys).is_ok()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
