//! The values, rules and seams of Ably.
//!
//! A handler (crate `functions`) reads values ([`phone`], [`email`], [`password`], [`name`],
//! [`sms_auth`]), asks the [`store`] and the [`sms`] provider through their traits, and answers
//! with [`token`]s, signed with the [`keys`], or an [`error`]. The traits, of which the third says
//! where the keys are kept, have two backends: `aws` here, behind the feature of that name, and the
//! crate `local` for a laptop. Nothing here knows Lambda or SQLite.
//!
//! To add a value: a newtype with [`value::Value`], whose `Debug` masks it. To add a step that must
//! be atomic: one method of [`store::Store`], whose comment promises it, in both backends, and a
//! test of the promise in the contract suite.

pub mod app;
#[cfg(feature = "aws")]
pub mod aws;
pub mod clock;
pub mod config;
pub mod email;
pub mod error;
pub mod keys;
pub mod name;
pub mod password;
pub mod phone;
pub mod random;
pub mod sms;
pub mod sms_auth;
pub mod store;
pub mod token;
pub mod user;
pub mod value;

pub use app::{App, Needs, Table};
