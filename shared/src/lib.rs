//! The values, rules and interfaces of Ably.
//!
//! Imports run one way, from the bottom of this list to the top:
//!
//! - [`values`] and [`limits`]: parsed input, and rate limits as arithmetic;
//! - [`store`]: the records and the interface to the database, one trait per resource;
//! - [`tokens`]: signing keys, JWTs, and the cache on top of both;
//! - [`config`]: the settings, in one table;
//! - [`app`]: everything that a handler receives besides the request;
//! - `aws`: the backend on DynamoDB, SNS and Secrets Manager, behind the feature of that name.
//!
//! The crate `local` is the backend for a laptop; the crate `functions` contains the endpoints. Nothing
//! here depends on Lambda or SQLite.

pub mod access;
pub mod app;
#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod limits;
pub mod random;
pub mod secret;
pub mod sms;
pub mod sms_text;
pub mod store;
pub mod tokens;
pub mod values;
