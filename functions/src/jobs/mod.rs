//! Functions that no HTTP request calls.

pub mod job;
pub mod rotate_keys;

pub use job::Job;

/// Every job that is deployed.
pub const JOBS: &[Job] = &[rotate_keys::JOB];
