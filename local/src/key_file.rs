//! The file of the keys, in place of the secret on AWS.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use shared::error::BoxError;
use shared::random;
use shared::tokens::{KeySource, rotation};

/// A file that contains a key set.
#[derive(Debug)]
pub(crate) struct KeyFile(PathBuf);

impl KeyFile {
    /// Opens the file, and creates it with a first key if it does not exist. Functions that start
    /// concurrently use the same key: a hard link is created only where no file exists.
    pub(crate) fn open(file: PathBuf, now: i64) -> Result<Self, BoxError> {
        if !file.exists() {
            let own = file.with_extension(format!("{:x}", u64::from_ne_bytes(random::bytes())));
            fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&own)?
                .write_all(rotation::create(now)?.expose_secret().as_bytes())?;
            let linked = fs::hard_link(&own, &file);
            fs::remove_file(&own)?;
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
    async fn load(&self) -> Result<SecretString, BoxError> {
        Ok(fs::read_to_string(&self.0)?.into())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use shared::tokens::KeySet;

    use super::*;

    #[test]
    fn functions_that_start_concurrently_use_one_key() {
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
        assert!(seen.iter().all(|keys| *keys == seen[0] && KeySet::from_stored(keys).is_ok()));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no other file is left");
        fs::remove_dir_all(folder).unwrap();
    }
}
