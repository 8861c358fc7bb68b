//! Accounts.

pub mod account_delete;
pub mod email_change;
pub mod email_duplicate_check;
pub mod login;
pub mod login_code;
pub mod password;
pub mod password_change;
pub mod phone_change;
pub mod phone_duplicate_check;
pub mod profile;
pub mod profile_update;
pub mod signup;
