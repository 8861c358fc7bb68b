//! Ably's endpoints. Each is a Lambda function of its own, and its whole story stands in one file:
//! what it is asked, what it answers, how, and its tests. Only [`mod@serve`] knows Lambda.
//!
//! To add one: a file here with an `ENDPOINT`, its `mod` and its line in [`ENDPOINTS`], a bin of its
//! name in `src/bin`, a route in the root `Cargo.toml`, a function in `template.yaml` and an event in
//! `local/events`. The tests `routes` and `events` name what was forgotten.

pub mod email_duplicate_check;
pub mod jwks;
#[cfg(feature = "local")]
pub mod local_outbox;
pub mod login;
pub mod logout;
pub mod openid_configuration;
pub mod password;
pub mod phone_duplicate_check;
pub mod profile;
pub mod request;
pub mod response;
pub mod serve;
pub mod signup;
pub mod sms_auth_send;
pub mod sms_auth_verify;
#[cfg(test)]
mod testing;
pub mod token_refresh;

use std::pin::Pin;

use shared::error::ApiError;
use shared::{App, Needs};

pub use request::Request;
pub use response::Response;
pub use serve::{serve, serve_with_sms};

/// An endpoint: how it is reached, and what answers.
#[derive(Clone, Copy)]
pub struct Endpoint {
    /// The name of the function, and of its bin.
    pub name: &'static str,
    /// Its routes, each a method and a path.
    pub routes: &'static [(&'static str, &'static str)],
    /// What it uses, and init therefore connects to.
    pub needs: Needs,
    /// Its handler.
    pub handle: for<'a> fn(&'a App, Request) -> Answer<'a>,
}

/// What a handler comes to.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send + 'a>>;

/// Every endpoint that is deployed.
pub const ENDPOINTS: &[Endpoint] = &[
    email_duplicate_check::ENDPOINT,
    phone_duplicate_check::ENDPOINT,
    sms_auth_send::ENDPOINT,
    sms_auth_verify::ENDPOINT,
    signup::ENDPOINT,
    login::ENDPOINT,
    profile::ENDPOINT,
    password::ENDPOINT,
    token_refresh::ENDPOINT,
    logout::ENDPOINT,
    jwks::ENDPOINT,
    openid_configuration::ENDPOINT,
];
