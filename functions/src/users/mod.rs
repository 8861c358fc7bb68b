//! Accounts.

pub mod email_duplicate_check;
pub mod login;
pub mod login_code;
pub mod password;
pub mod phone_duplicate_check;
pub mod profile;
pub mod signup;
