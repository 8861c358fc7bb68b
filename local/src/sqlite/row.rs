//! The values of rows of `users`. An unknown value is an error.

use rusqlite::Row;
use shared::values::{Claims, Phone, UserId};

use super::stored;

pub(super) fn user_id(row: &Row<'_>) -> rusqlite::Result<UserId> {
    stored(UserId::from_stored(&row.get::<_, String>("user_id")?))
}

pub(super) fn phone(row: &Row<'_>) -> rusqlite::Result<Phone> {
    stored(Phone::from_stored(&row.get::<_, String>("phone")?))
}

pub(super) fn claims(row: &Row<'_>) -> rusqlite::Result<Claims> {
    stored(Claims::from_stored_json(&row.get::<_, String>("claims")?))
}
