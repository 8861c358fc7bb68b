//! Lists that exist in several places are equal in all of them: the endpoints, the router of `cargo lambda
//! watch`, the template, the bins, the events and the documentation. A failing test names what is missing.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot continue fails")]

mod access;
mod deployment;
mod documents;
mod files;
mod monitoring;
mod roles;
mod routes;
mod settings;
