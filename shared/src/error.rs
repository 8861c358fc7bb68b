//! What a request can come to, and how the client is told (RFC 9457).

use serde::Serialize;

use crate::sms::SmsError;
use crate::store::StoreError;

/// Why a request was not answered as asked. Made in handlers; told to the client as [`Problem`].
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body is not JSON, or no object.
    #[error("the body must be a JSON object")]
    Malformed,
    /// The body is too large.
    #[error("the body must have at most 16 KiB")]
    TooLarge,
    /// Fields are missing or bad; all of them are named.
    #[error("fields are missing or bad")]
    Invalid(Vec<FieldError>),
    /// No such session, or it is gone.
    #[error("there is no such session: ask for a new code")]
    SessionNotFound,
    /// The code is too old.
    #[error("the code is too old: ask for a new one")]
    CodeTimeout,
    /// The code is wrong, or the phone is not the session's.
    #[error("the code or the phone does not match")]
    CodeNotMatched,
    /// The session's or the phone's budget of tries is spent.
    #[error("too many wrong codes: ask for a new one, or wait as Retry-After says")]
    TooManyAttempts {
        /// When to come again, in seconds.
        retry_after: i64,
    },
    /// The phone got a code too recently, or too many.
    #[error("this phone was sent a code too recently or too often")]
    TooManyRequests {
        /// When to come again, in seconds.
        retry_after: i64,
    },
    /// The SMS provider failed.
    #[error("the SMS could not be sent: try again")]
    NotSent(#[source] SmsError),
    /// The session is not verified, or for another phone or purpose.
    #[error("the phone is not verified for this")]
    PhoneNotVerified,
    /// The e-mail or the phone is taken; the fields say which.
    #[error("there is such a user already")]
    AlreadyExist(Vec<FieldError>),
    /// Unknown user or wrong password.
    #[error("the user or the password does not match")]
    NotMatched,
    /// No account has this phone.
    #[error("no account has this phone")]
    UserNotFound,
    /// There is no bearer token.
    #[error("an access token is required")]
    TokenMissing,
    /// The token is not one of ours, or not for this.
    #[error("the token is not valid here")]
    TokenInvalid,
    /// The token has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The refresh token was used before: its login is ended, for somebody may have stolen it.
    #[error("the refresh token was used before: log in again")]
    TokenReused,
    /// The login that the token came of was ended.
    #[error("the login was ended: log in again")]
    TokenRevoked,
    /// The store is throttling or away.
    #[error("the service is busy: try again")]
    Busy(#[source] StoreError),
    /// Anything else.
    #[error("something went wrong on our side")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A field and what is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field's name.
    pub field: &'static str,
    /// What is wrong with it; never what it held.
    pub message: &'static str,
}

/// The body of an error: `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    /// Always `about:blank`: the problem is what the status says; `error_code` tells it apart.
    pub r#type: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The problem in words.
    pub detail: String,
    /// The problem's name, for programs. Never renamed.
    pub error_code: &'static str,
    /// The bad fields, if that is the problem.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    pub errors: &'a [FieldError],
}

impl ApiError {
    /// The HTTP status, its title, and the error code.
    #[must_use]
    pub fn code(&self) -> (u16, &'static str, &'static str) {
        match self {
            Self::Malformed => (400, "Bad Request", "REQUEST__MALFORMED"),
            Self::TooLarge => (413, "Content Too Large", "REQUEST__TOO_LARGE"),
            Self::Invalid(_) => (422, "Unprocessable Content", "REQUEST__INVALID"),
            Self::SessionNotFound => (404, "Not Found", "SMS__SESSION_NOT_FOUND"),
            Self::CodeTimeout => (401, "Unauthorized", "SMS__AUTH_CODE_TIMEOUT"),
            Self::CodeNotMatched => (401, "Unauthorized", "SMS__AUTH_CODE_NOT_MATCHED"),
            Self::TooManyAttempts { .. } => (429, "Too Many Requests", "SMS__TOO_MANY_ATTEMPTS"),
            Self::TooManyRequests { .. } => (429, "Too Many Requests", "SMS__TOO_MANY_REQUESTS"),
            Self::NotSent(_) => (504, "Gateway Timeout", "SMS__NOT_SENT"),
            Self::PhoneNotVerified => (401, "Unauthorized", "USER__PHONE_NOT_VERIFIED"),
            Self::AlreadyExist(_) => (409, "Conflict", "USER__ALREADY_EXIST"),
            Self::NotMatched => (401, "Unauthorized", "USER__NOT_MATCHED"),
            Self::UserNotFound => (404, "Not Found", "USER__NOT_FOUND"),
            Self::TokenMissing => (401, "Unauthorized", "TOKEN__MISSING"),
            Self::TokenInvalid => (401, "Unauthorized", "TOKEN__INVALID"),
            Self::TokenExpired => (401, "Unauthorized", "TOKEN__EXPIRED"),
            Self::TokenReused => (401, "Unauthorized", "TOKEN__REUSED"),
            Self::TokenRevoked => (401, "Unauthorized", "TOKEN__REVOKED"),
            Self::Busy(_) => (503, "Service Unavailable", "SERVER__BUSY"),
            Self::Internal(_) => (500, "Internal Server Error", "SERVER__ERROR"),
        }
    }

    /// What the client is told.
    #[must_use]
    pub fn problem(&self) -> Problem<'_> {
        let (status, title, error_code) = self.code();
        let errors: &[FieldError] = match self {
            Self::Invalid(errors) | Self::AlreadyExist(errors) => errors,
            _ => &[],
        };
        Problem { r#type: "about:blank", title, status, detail: self.to_string(), error_code, errors }
    }

    /// The value of `Retry-After`, in seconds (RFC 9110, 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<i64> {
        match self {
            Self::TooManyAttempts { retry_after } | Self::TooManyRequests { retry_after } => {
                Some((*retry_after).max(1))
            }
            Self::Busy(_) => Some(1),
            _ => None,
        }
    }

    /// The value of `WWW-Authenticate` (RFC 6750, 3).
    #[must_use]
    pub fn www_authenticate(&self) -> Option<&'static str> {
        match self {
            Self::TokenMissing => Some("Bearer"),
            Self::TokenInvalid => Some(r#"Bearer error="invalid_token""#),
            Self::TokenExpired => Some(r#"Bearer error="invalid_token", error_description="expired""#),
            Self::TokenReused => Some(r#"Bearer error="invalid_token", error_description="used before""#),
            Self::TokenRevoked => Some(r#"Bearer error="invalid_token", error_description="revoked""#),
            _ => None,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            busy @ StoreError::Busy(_) => Self::Busy(busy),
            failed @ StoreError::Failed(_) => Self::Internal(failed.into()),
        }
    }
}

impl From<bcrypt::BcryptError> for ApiError {
    fn from(error: bcrypt::BcryptError) -> Self {
        Self::Internal(error.into())
    }
}
