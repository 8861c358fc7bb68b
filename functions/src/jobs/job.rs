//! The description of a job, as data.

use shared::access::Access;

/// A function that an event of AWS calls.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The name of the function, and of its bin.
    pub name: &'static str,
    /// Everything that the function uses.
    pub access: Access,
}
