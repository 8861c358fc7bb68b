//! The endpoints of Ably. Each is a Lambda function of its own, and one file describes it: its routes,
//! authentication, errors and access, its request and response, its handler and the handler's tests. Only
//! [`lambda`] knows Lambda.
//!
//! To add one: a file here with an `ENDPOINT`, its line in [`ENDPOINTS`], a bin of its name in `src/bin`, a
//! route in the root `Cargo.toml`, a function in `template.yaml` and an event in `local/events`. The tests
//! `lists` and `events` name whatever is missing.

// The handlers' tests and the integration tests share the fixture `tests/test_app`, which imports `functions`.
#[cfg(test)]
extern crate self as functions;

pub mod http;
pub mod jobs;
// Without a backend, only the lists of endpoints and jobs are of use.
#[cfg(any(feature = "aws", feature = "local"))]
pub mod lambda;
#[cfg(feature = "local")]
pub mod local_outbox;
#[cfg(feature = "local")]
pub mod local_site;
pub mod sessions;
pub mod sms_auth;
pub mod users;
pub mod well_known;

#[cfg(test)]
#[path = "../tests/test_app/mod.rs"]
#[expect(dead_code, reason = "the handlers' tests use a part of it")]
mod test_app;

use http::Endpoint;

/// Every endpoint that is deployed.
pub const ENDPOINTS: &[Endpoint] = &[
    sms_auth::send::ENDPOINT,
    sms_auth::verify::ENDPOINT,
    users::email_duplicate_check::ENDPOINT,
    users::phone_duplicate_check::ENDPOINT,
    users::signup::ENDPOINT,
    users::login::ENDPOINT,
    users::login_code::ENDPOINT,
    users::profile::ENDPOINT,
    users::profile_update::ENDPOINT,
    users::password::ENDPOINT,
    users::password_change::ENDPOINT,
    users::phone_change::ENDPOINT,
    users::email_change::ENDPOINT,
    users::account_delete::ENDPOINT,
    sessions::refresh::ENDPOINT,
    sessions::logout::ENDPOINT,
    sessions::list::ENDPOINT,
    sessions::revoke::ENDPOINT,
    well_known::jwks::ENDPOINT,
    well_known::openid_configuration::ENDPOINT,
];
