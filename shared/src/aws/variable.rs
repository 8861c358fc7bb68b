//! The environment variables that the template and Lambda set.

use crate::config::ConfigError;

/// Returns a variable.
///
/// # Errors
/// [`ConfigError`] if it is missing or empty.
pub(super) fn variable(variable: &'static str) -> Result<String, ConfigError> {
    optional_variable(variable).ok_or(ConfigError { variable, must: "is required".into() })
}

/// Returns a variable, unless it is missing or empty.
pub(super) fn optional_variable(variable: &str) -> Option<String> {
    std::env::var(variable).ok().filter(|value| !value.is_empty())
}
