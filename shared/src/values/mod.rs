//! Values that clients send. A value that exists is valid: parsing is the only way to create one.
//!
//! To add one: a newtype with [`Field`] in a file here, which `readable!` makes readable for request
//! structs. Personal data is kept in [`crate::secret::Masked`], secrets in `secrecy::SecretString`: both
//! mask their `Debug` output.

pub mod app_hash;
pub mod claims;
pub mod code;
mod common_passwords;
pub mod device_token;
pub mod email;
pub mod field;
pub mod language;
pub mod name;
pub mod password;
pub mod password_hash;
pub mod phone;
mod phone_metadata;
pub mod purpose;
pub mod refresh_token;
#[cfg(feature = "openapi")]
mod schemas;
pub mod sms_session_id;
pub mod source_ip;
pub mod test_phone;
mod text;
pub mod user_agent;
pub mod user_id;

pub use app_hash::AppHash;
pub use claims::{Claim, Claims};
pub use code::{AuthCode, CodeLength};
pub use device_token::DeviceToken;
pub use email::Email;
pub use field::{Field, FieldError, FieldErrors, InvalidField, Lenient};
pub use language::Language;
pub use name::{Name, Nickname};
pub use password::{Password, PasswordAttempt};
pub use password_hash::PasswordHash;
pub use phone::{Phone, Region};
pub use purpose::Purpose;
pub use refresh_token::RefreshToken;
pub use sms_session_id::{CodeMac, SmsSessionId, SmsSessionKey};
pub use source_ip::SourceIp;
pub use test_phone::TestPhone;
pub use user_agent::UserAgent;
pub use user_id::UserId;
