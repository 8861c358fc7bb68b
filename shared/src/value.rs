//! How a value is read from the text of a request.

use crate::config::Config;

/// A value that is read from one field of a request. What exists is valid: there is no other way to
/// make one.
pub trait Value: Sized {
    /// Reads `text`, which is what the client sent.
    ///
    /// # Errors
    /// [`Invalid`], with what the value must be.
    fn parse(text: &str, config: &Config) -> Result<Self, Invalid>;
}

/// What is wrong with a field, in words for the client. Static, so that it can never repeat what
/// was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid(pub &'static str);
