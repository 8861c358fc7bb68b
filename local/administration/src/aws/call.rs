//! Calls that failed.

use std::error::Error;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// A failed call. Without the service's message, which may repeat a value of the request.
#[derive(Debug, thiserror::Error)]
#[error("{call} {reason}")]
pub(super) struct CallError {
    /// The call, as IAM names it.
    pub(super) call: &'static str,
    reason: String,
    /// Whether the credentials do not permit the call.
    pub(super) is_denied: bool,
    /// Whether the service does not find what the call names.
    pub(super) is_not_found: bool,
    /// Whether a parameter of the call is invalid.
    pub(super) is_invalid: bool,
}

/// Returns the result of `call`.
pub(super) fn called<T, E: ProvideErrorMetadata + Error + 'static>(
    call: &'static str,
    result: Result<T, SdkError<E>>,
) -> Result<T, CallError> {
    let error = match result {
        Ok(output) => return Ok(output),
        Err(error) => error,
    };
    let code = error.code().unwrap_or_default();
    let reason = match &error {
        SdkError::ServiceError(_) => format!("was refused with {code}"),
        // The cause contains no value of the request.
        error => {
            let causes = causes(error);
            let hint = "check --profile and the variables of AWS, or run: aws sso login";
            let is_about_credentials = causes.contains("credential") || causes.contains("SSO");
            if is_about_credentials {
                format!("failed without credentials: {hint} ({causes})")
            } else {
                format!("failed: {causes}")
            }
        }
    };
    let is_denied = ["AccessDenied", "AuthorizationError", "NotAuthorized", "UnauthorizedOperation"];
    Err(CallError {
        call,
        is_denied: is_denied.iter().any(|denied| code.starts_with(denied)),
        is_not_found: code.contains("NotFound"),
        is_invalid: code == "ValidationError",
        reason,
    })
}

/// Returns an error and its causes.
fn causes(error: &dyn Error) -> String {
    let (mut causes, mut source) = (error.to_string(), error.source());
    while let Some(cause) = source {
        causes.push_str(": ");
        causes.push_str(&cause.to_string());
        source = cause.source();
    }
    causes
}
