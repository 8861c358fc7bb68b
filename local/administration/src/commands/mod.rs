//! The commands that are short.

pub(crate) mod doctor;
pub(crate) mod limits;
pub(crate) mod sms;
pub(crate) mod users;
