//! Functions that no HTTP request calls.

pub mod job;
pub mod pause_sms;
pub mod rotate_keys;

pub use job::Job;

/// Every job that is deployed.
pub const JOBS: &[Job] = &[pause_sms::JOB, rotate_keys::JOB];
