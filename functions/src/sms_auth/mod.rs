//! Verification of a phone number by SMS.

pub mod send;
pub mod verify;
