//! The errors of opening a database.

/// The reason why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The tables have another shape than this version uses.
    #[error("the database was created by another version of Ably: stop all functions, and delete its files")]
    OtherVersion,
    /// SQLite failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}
