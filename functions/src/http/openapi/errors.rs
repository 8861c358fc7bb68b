//! The errors in the OpenAPI document.

use serde_json::{Value as Json, json};
use shared::values::{FieldError, FieldErrors, InvalidField};

use crate::http::error_code::ErrorCode;
use crate::http::problem::ApiError;

/// Returns the schema of every error.
pub(super) fn problem_schema() -> Json {
    let text = |description: &str| json!({ "type": "string", "description": description });
    json!({
        "type": "object",
        "description": "An error (RFC 9457)",
        "required": ["type", "title", "status", "detail", "error_code"],
        "properties": {
            "type": { "type": "string", "const": "about:blank", "description": "`error_code` identifies the problem" },
            "title": text("The status in words"),
            "status": { "type": "integer", "description": "The HTTP status" },
            "detail": text("The problem in words"),
            "error_code": {
                "type": "string", "description": "The problem, for programs. Never renamed",
                "enum": ErrorCode::ALL.map(ErrorCode::as_str),
            },
            "errors": {
                "type": "array",
                "description": "The fields that are the problem",
                "items": {
                    "type": "object",
                    "required": ["field", "message"],
                    "properties": { "field": text("The field"), "message": text("The reason") },
                },
            },
        },
    })
}

/// Returns an error with this code, as an example.
pub(super) fn example(code: ErrorCode) -> ApiError {
    let retry_after = 60;
    let field = |field, message| FieldErrors(vec![FieldError::new(field, InvalidField(message))]);
    match code {
        ErrorCode::RequestMalformed => ApiError::Malformed,
        ErrorCode::RequestTooLarge => ApiError::TooLarge,
        ErrorCode::RequestInvalid => ApiError::InvalidFields(field("phone", "is required")),
        ErrorCode::RequestTooMany => ApiError::TooManyRequests { retry_after },
        ErrorCode::RequestCrossSite => ApiError::CrossSite,
        ErrorCode::SmsSessionNotFound => ApiError::SmsSessionNotFound,
        ErrorCode::SmsAuthCodeTimeout => ApiError::CodeExpired,
        ErrorCode::SmsAuthCodeNotMatched => ApiError::CodeNotMatched,
        ErrorCode::SmsTooManyAttempts => ApiError::TooManyAttempts { retry_after },
        ErrorCode::SmsTooManyRequests => ApiError::TooManySends { retry_after },
        ErrorCode::SmsCountryNotAllowed => ApiError::CountryNotAllowed,
        ErrorCode::SmsPaused => ApiError::SmsPaused,
        ErrorCode::SmsNotSent => ApiError::SmsNotSent(shared::sms::SmsError::Refused("an example".into())),
        ErrorCode::UserPhoneNotVerified => ApiError::PhoneNotVerified,
        ErrorCode::UserAlreadyExist => ApiError::AlreadyExists(field("email", "is taken")),
        ErrorCode::UserNotMatched => ApiError::UserNotMatched,
        ErrorCode::UserTooManyAttempts => ApiError::TooManyPasswords { retry_after },
        ErrorCode::UserVerificationRequired => ApiError::VerificationRequired,
        ErrorCode::UserNotFound => ApiError::UserNotFound,
        ErrorCode::UserDisabled => ApiError::UserDisabled,
        ErrorCode::TokenMissing => ApiError::TokenMissing,
        ErrorCode::TokenInvalid => ApiError::TokenInvalid,
        ErrorCode::TokenExpired => ApiError::TokenExpired,
        ErrorCode::TokenReused => ApiError::TokenReused,
        ErrorCode::TokenRevoked => ApiError::TokenRevoked,
        ErrorCode::TokenLoginTooOld => ApiError::LoginTooOld { max_age: 300 },
        ErrorCode::SessionNotFound => ApiError::SessionNotFound,
        ErrorCode::ServerBusy => ApiError::Busy(shared::store::StoreError::Busy("an example".into())),
        ErrorCode::ServerError => ApiError::Internal("an example".into()),
        ErrorCode::LocalPageNotFound => ApiError::PageNotFound,
    }
}
