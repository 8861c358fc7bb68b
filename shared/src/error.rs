//! The error of everything that fails outside the program.

/// Any error. Its text contains no secret and no personal data.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
