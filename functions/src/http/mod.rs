//! HTTP without Lambda: endpoints, requests, responses and errors.

pub mod auth;
pub mod endpoint;
pub mod error_code;
pub mod fields;
pub mod limits;
pub mod notice;
#[cfg(feature = "openapi")]
pub mod openapi;
#[cfg(feature = "openapi")]
pub mod operation;
pub mod problem;
pub mod request;
pub mod response;
pub mod token_pair;

pub use endpoint::{Authentication, Endpoint};
pub use error_code::ErrorCode;
pub use problem::ApiError;
pub use request::{Request, Rule};
pub use response::Response;
pub use token_pair::TokenPair;
