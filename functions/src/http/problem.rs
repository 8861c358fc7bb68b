//! The errors of the API, and their form in HTTP (RFC 9457).

use std::borrow::Cow;

use serde::Serialize;
use shared::error::BoxError;
use shared::events::{Event, Outcome};
use shared::sms::SmsError;
use shared::store::{CallerError, StoreError};
use shared::tokens::TokenError;
use shared::values::{FieldError, FieldErrors, InvalidField};

use super::error_code::ErrorCode;

/// The reason why a request is rejected, or fails. `Display` is the `detail` that the client
/// receives; the source is only logged.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The body is not a JSON object.
    #[error("the body must be a JSON object")]
    Malformed,
    /// The body is too large.
    #[error("the body must have at most 16 KiB")]
    TooLarge,
    /// Fields are missing or invalid. Contains all of them.
    #[error("fields are missing or invalid")]
    InvalidFields(FieldErrors),
    /// The SMS session does not exist, has expired, or is for another purpose.
    #[error("no SMS session of this purpose exists: request a new code")]
    SmsSessionNotFound,
    /// The code has expired.
    #[error("the code has expired: request a new one")]
    CodeExpired,
    /// The code is wrong, or the phone number is not the SMS session's.
    #[error("the code or the phone number does not match")]
    CodeNotMatched,
    /// The attempts of the SMS session are exhausted.
    #[error("too many attempts: request a new code")]
    TooManyAttempts {
        /// The seconds until the SMS session has expired.
        retry_after: i64,
    },
    /// The SMS that the phone number, the client, the device or the deployment is allowed are exhausted.
    #[error("too many SMS were requested: retry after the time in Retry-After")]
    TooManySends {
        /// The seconds until the next SMS is allowed.
        retry_after: i64,
    },
    /// The operator paused all SMS.
    #[error("SMS are paused: try again later")]
    SmsPaused,
    /// The country of the phone number gets no SMS.
    #[error("phone numbers of this country get no SMS")]
    CountryNotAllowed,
    /// The SMS provider failed.
    #[error("the SMS could not be sent: try again")]
    SmsNotSent(#[source] SmsError),
    /// The SMS session is not verified, or belongs to another phone number or purpose.
    #[error("the phone number is not verified for this purpose")]
    PhoneNotVerified,
    /// The email or the phone number is taken. Contains which of them.
    #[error("an account with this email or phone number already exists")]
    AlreadyExists(FieldErrors),
    /// The user is unknown or the password is wrong.
    #[error("the user or the password does not match")]
    UserNotMatched,
    /// The password attempts of the account or of the device are exhausted.
    #[error("too many wrong passwords: retry after the time in Retry-After, log in by code, or reset the password")]
    TooManyPasswords {
        /// The seconds until the next attempt is allowed.
        retry_after: i64,
    },
    /// Too many wrong passwords in a row: only a verified code opens the account again.
    #[error("too many wrong passwords: log in by code, or reset the password")]
    VerificationRequired,
    /// The requests of the client's address are exhausted.
    #[error("too many requests from this address: retry after the time in Retry-After")]
    TooManyRequests {
        /// The seconds until the next request is allowed.
        retry_after: i64,
    },
    /// A web page of another site sent the request.
    #[error("web pages of other sites must not send this request")]
    CrossSite,
    /// The client did not use the name or the address of this computer.
    #[error("this endpoint responds to localhost, 127.0.0.1 and [::1] only")]
    NotLocalhost,
    /// The site of local runs has no such page or file.
    #[error("no such page exists: start at /")]
    PageNotFound,
    /// No account has this phone number.
    #[error("no account has this phone number")]
    UserNotFound,
    /// The operator disabled the user.
    #[error("this account is disabled")]
    UserDisabled,
    /// The request has no bearer token.
    #[error("an access token is required")]
    TokenMissing,
    /// The token was not issued by this service, or not for this use.
    #[error("the token is not valid here")]
    TokenInvalid,
    /// The token has expired.
    #[error("the token has expired")]
    TokenExpired,
    /// The refresh token was used before. Its session is revoked, because the token may have been stolen.
    #[error("the refresh token was used before: log in again")]
    TokenReused,
    /// The session of the token is revoked.
    #[error("the session is revoked: log in again")]
    TokenRevoked,
    /// The login of the access token is not recent enough for this request.
    #[error("this request requires a recent login: log in again, and use the new tokens")]
    LoginTooOld {
        /// The seconds after a login for which the request is accepted.
        max_age: i64,
    },
    /// The caller has no session with this id.
    #[error("no session with this id exists")]
    SessionNotFound,
    /// The store throttles or is unavailable.
    #[error("the service is busy: try again")]
    Busy(#[source] StoreError),
    /// Any other failure.
    #[error("an internal error occurred")]
    Internal(#[source] BoxError),
}

/// The body of an error: `application/problem+json`.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    /// Always `about:blank`: `error_code` identifies the problem.
    pub r#type: &'static str,
    /// The status in words (RFC 9110, 15).
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The problem in words.
    pub detail: String,
    /// The problem's name, for programs. Never renamed.
    pub error_code: &'static str,
    /// The fields that are the problem, if any.
    #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
    pub errors: &'a [FieldError],
}

impl ApiError {
    /// Returns the error's name.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Malformed => ErrorCode::RequestMalformed,
            Self::TooLarge => ErrorCode::RequestTooLarge,
            Self::InvalidFields(_) => ErrorCode::RequestInvalid,
            Self::SmsSessionNotFound => ErrorCode::SmsSessionNotFound,
            Self::CodeExpired => ErrorCode::SmsAuthCodeTimeout,
            Self::CodeNotMatched => ErrorCode::SmsAuthCodeNotMatched,
            Self::TooManyAttempts { .. } => ErrorCode::SmsTooManyAttempts,
            Self::TooManySends { .. } => ErrorCode::SmsTooManyRequests,
            Self::SmsPaused => ErrorCode::SmsPaused,
            Self::CountryNotAllowed => ErrorCode::SmsCountryNotAllowed,
            Self::SmsNotSent(_) => ErrorCode::SmsNotSent,
            Self::PhoneNotVerified => ErrorCode::UserPhoneNotVerified,
            Self::AlreadyExists(_) => ErrorCode::UserAlreadyExist,
            Self::UserNotMatched => ErrorCode::UserNotMatched,
            Self::TooManyPasswords { .. } => ErrorCode::UserTooManyAttempts,
            Self::VerificationRequired => ErrorCode::UserVerificationRequired,
            Self::TooManyRequests { .. } => ErrorCode::RequestTooMany,
            Self::CrossSite | Self::NotLocalhost => ErrorCode::RequestCrossSite,
            Self::PageNotFound => ErrorCode::LocalPageNotFound,
            Self::UserNotFound => ErrorCode::UserNotFound,
            Self::UserDisabled => ErrorCode::UserDisabled,
            Self::TokenMissing => ErrorCode::TokenMissing,
            Self::TokenInvalid => ErrorCode::TokenInvalid,
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::TokenReused => ErrorCode::TokenReused,
            Self::TokenRevoked => ErrorCode::TokenRevoked,
            Self::LoginTooOld { .. } => ErrorCode::TokenLoginTooOld,
            Self::SessionNotFound => ErrorCode::SessionNotFound,
            Self::Busy(_) => ErrorCode::ServerBusy,
            Self::Internal(_) => ErrorCode::ServerError,
        }
    }

    /// Returns the error of fields whose values other accounts have.
    #[must_use]
    pub fn taken(fields: &[&str]) -> Self {
        let taken = fields.iter().map(|field| FieldError::new(field, InvalidField("is taken")));
        Self::AlreadyExists(FieldErrors(taken.collect()))
    }

    /// Returns the body of the response.
    #[must_use]
    pub fn problem(&self) -> Problem<'_> {
        let code = self.code();
        let (status, title, error_code) = (code.status(), code.title(), code.as_str());
        let errors: &[FieldError] = match self {
            Self::InvalidFields(errors) | Self::AlreadyExists(errors) => &errors.0,
            _ => &[],
        };
        Problem { r#type: "about:blank", title, status, detail: self.to_string(), error_code, errors }
    }

    /// Adds the outcome to an event. No cause contains a value of the request or of the store.
    pub fn describe(&self, event: &mut Event) {
        event.error_code = Some(self.code().as_str());
        event.cause = std::error::Error::source(self).map(ToString::to_string);
        event.outcome = match self {
            Self::SmsNotSent(_) => Outcome::SmsFailed,
            // While the operator pauses SMS, nothing fails.
            Self::SmsPaused => Outcome::Refused,
            _ if self.code().status() >= 500 => Outcome::Failed,
            _ => Outcome::Refused,
        };
    }

    /// Returns the value of `Retry-After`, in seconds (RFC 9110, 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<i64> {
        match self {
            Self::TooManyAttempts { retry_after }
            | Self::TooManySends { retry_after }
            | Self::TooManyPasswords { retry_after }
            | Self::TooManyRequests { retry_after } => Some((*retry_after).max(1)),
            // Until the operator resumes.
            Self::SmsPaused => Some(600),
            Self::Busy(_) => Some(1),
            _ => None,
        }
    }

    /// Returns the value of `WWW-Authenticate` (RFC 6750, 3; RFC 9470, 3).
    #[must_use]
    pub fn www_authenticate(&self) -> Option<Cow<'static, str>> {
        let challenge = match self {
            Self::TokenMissing => "Bearer",
            Self::TokenInvalid => r#"Bearer error="invalid_token""#,
            Self::TokenExpired => r#"Bearer error="invalid_token", error_description="expired""#,
            Self::TokenReused => r#"Bearer error="invalid_token", error_description="used before""#,
            Self::TokenRevoked => r#"Bearer error="invalid_token", error_description="revoked""#,
            Self::LoginTooOld { max_age } => {
                return Some(format!(r#"Bearer error="insufficient_user_authentication", max_age="{max_age}""#).into());
            }
            _ => return None,
        };
        Some(challenge.into())
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

impl From<CallerError> for ApiError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Revoked => Self::TokenRevoked,
            CallerError::UserDisabled => Self::UserDisabled,
            // The token is valid, but its user no longer exists.
            CallerError::UserNotFound => Self::TokenInvalid,
            CallerError::Store(error) => error.into(),
        }
    }
}

impl From<TokenError> for ApiError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Invalid => Self::TokenInvalid,
            TokenError::Expired => Self::TokenExpired,
            TokenError::NotIssued(cause) => Self::Internal(cause),
        }
    }
}

impl From<BoxError> for ApiError {
    fn from(error: BoxError) -> Self {
        Self::Internal(error)
    }
}
