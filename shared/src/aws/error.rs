//! The errors of calls to AWS.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::RequestId;

use crate::store::StoreError;

/// A failed call, as it is logged. Without the service's message, which may repeat a value of the request.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {kind} {code} (request {request_id})")]
pub(crate) struct CallError {
    call: &'static str,
    kind: &'static str,
    code: String,
    request_id: String,
    is_transient: bool,
    /// Whether the service may have executed the call.
    pub(super) is_unknown: bool,
}

impl CallError {
    /// Describes the failure of `call`, which is named as IAM names it.
    pub(super) fn new<E: ProvideErrorMetadata>(call: &'static str, error: &SdkError<E>) -> Self {
        let (kind, is_transient) = match error {
            SdkError::TimeoutError(_) => ("timed out", true),
            SdkError::DispatchFailure(_) => ("could not be sent", true),
            SdkError::ResponseError(_) => ("returned an unreadable response", true),
            SdkError::ServiceError(response) => {
                ("was refused with", is_transient(error.code()) || response.raw().status().is_server_error())
            }
            _ => ("could not be built", false),
        };
        let is_unknown = match error {
            SdkError::ServiceError(response) => response.raw().status().is_server_error(),
            SdkError::ConstructionFailure(_) => false,
            _ => true,
        };
        Self {
            call,
            kind,
            code: error.code().unwrap_or_default().to_owned(),
            request_id: error.request_id().unwrap_or("unknown").to_owned(),
            is_transient,
            is_unknown,
        }
    }

    /// Returns the same error as one that can be retried.
    pub(super) fn into_transient(self) -> Self {
        Self { is_transient: true, ..self }
    }
}

/// Returns the result of `call`, with its error as it is logged.
pub(super) fn called<T, E: ProvideErrorMetadata>(
    call: &'static str,
    result: Result<T, SdkError<E>>,
) -> Result<T, CallError> {
    result.map_err(|error| CallError::new(call, &error))
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        if error.is_transient { Self::Busy(error.into()) } else { Self::Failed(error.into()) }
    }
}

/// Whether a call that failed with this code can be retried.
pub(super) fn is_transient(code: Option<&str>) -> bool {
    matches!(
        code,
        Some(
            "ProvisionedThroughputExceededException"
                | "ProvisionedThroughputExceeded"
                | "RequestLimitExceeded"
                | "ThrottlingException"
                | "ThrottlingError"
                | "InternalServerError"
                | "ServiceUnavailable"
                | "TransactionInProgressException"
                | "TransactionConflictException"
        )
    )
}
