//! The operator's command, `./local/admin`: users, sessions, SMS, limits, import, export, and checks of a deployment.
//!
//! - [`cli`]: the arguments and their help;
//! - [`deployment`]: what the commands need of a backend;
//! - `commands`, `import`, `export`: one function per command;
//! - `audit`: the line before and after each act;
//! - `interrupt`, `retry`: how an import or an export ends early, and how it waits;
//! - `local` and `aws`: the backends, each behind the feature of its name.
//!
//! Without features, this crate is empty.
#![cfg(feature = "run")]

pub mod audit;
#[cfg(feature = "aws")]
pub mod aws;
pub mod cli;
mod commands;
pub mod deployment;
mod export;
pub mod finding;
mod import;
mod interrupt;
mod key;
#[cfg(feature = "local")]
pub mod local;
mod record;
pub mod report;
mod retry;
mod run;
mod text;

pub use run::run;
