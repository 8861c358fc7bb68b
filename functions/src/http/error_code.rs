//! The names of the errors, with their statuses.

/// The name of an error, for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the documentation of `ApiError` describes each of them")]
pub enum ErrorCode {
    RequestMalformed,
    RequestTooLarge,
    RequestInvalid,
    RequestTooMany,
    RequestCrossSite,
    SmsSessionNotFound,
    SmsAuthCodeTimeout,
    SmsAuthCodeNotMatched,
    SmsTooManyAttempts,
    SmsTooManyRequests,
    SmsCountryNotAllowed,
    SmsPaused,
    SmsNotSent,
    UserPhoneNotVerified,
    UserAlreadyExist,
    UserNotMatched,
    UserTooManyAttempts,
    UserVerificationRequired,
    UserNotFound,
    UserDisabled,
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    TokenReused,
    TokenRevoked,
    TokenLoginTooOld,
    SessionNotFound,
    ServerBusy,
    ServerError,
    LocalPageNotFound,
}

impl ErrorCode {
    /// Every error code of the deployed endpoints, in the order of the documentation.
    pub const ALL: [Self; 29] = [
        Self::RequestMalformed,
        Self::RequestTooLarge,
        Self::RequestInvalid,
        Self::RequestTooMany,
        Self::RequestCrossSite,
        Self::SmsSessionNotFound,
        Self::SmsAuthCodeTimeout,
        Self::SmsAuthCodeNotMatched,
        Self::SmsTooManyAttempts,
        Self::SmsTooManyRequests,
        Self::SmsCountryNotAllowed,
        Self::SmsPaused,
        Self::SmsNotSent,
        Self::UserPhoneNotVerified,
        Self::UserAlreadyExist,
        Self::UserNotMatched,
        Self::UserTooManyAttempts,
        Self::UserVerificationRequired,
        Self::UserNotFound,
        Self::UserDisabled,
        Self::TokenMissing,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenReused,
        Self::TokenRevoked,
        Self::TokenLoginTooOld,
        Self::SessionNotFound,
        Self::ServerBusy,
        Self::ServerError,
    ];

    /// Returns the value of `error_code`, which is never renamed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.parts().1
    }

    /// Returns the HTTP status.
    #[must_use]
    pub fn status(self) -> u16 {
        self.parts().0
    }

    /// Returns the status in words (RFC 9110, 15).
    pub(super) fn title(self) -> &'static str {
        match self.status() {
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            409 => "Conflict",
            413 => "Content Too Large",
            422 => "Unprocessable Content",
            429 => "Too Many Requests",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "Internal Server Error",
        }
    }

    fn parts(self) -> (u16, &'static str) {
        match self {
            Self::RequestMalformed => (400, "REQUEST__MALFORMED"),
            Self::RequestTooLarge => (413, "REQUEST__TOO_LARGE"),
            Self::RequestInvalid => (422, "REQUEST__INVALID"),
            Self::RequestTooMany => (429, "REQUEST__TOO_MANY"),
            Self::RequestCrossSite => (403, "REQUEST__CROSS_SITE"),
            Self::SmsSessionNotFound => (404, "SMS__SESSION_NOT_FOUND"),
            Self::SmsAuthCodeTimeout => (401, "SMS__AUTH_CODE_TIMEOUT"),
            Self::SmsAuthCodeNotMatched => (401, "SMS__AUTH_CODE_NOT_MATCHED"),
            Self::SmsTooManyAttempts => (429, "SMS__TOO_MANY_ATTEMPTS"),
            Self::SmsTooManyRequests => (429, "SMS__TOO_MANY_REQUESTS"),
            Self::SmsCountryNotAllowed => (403, "SMS__COUNTRY_NOT_ALLOWED"),
            Self::SmsPaused => (503, "SMS__PAUSED"),
            Self::SmsNotSent => (504, "SMS__NOT_SENT"),
            Self::UserPhoneNotVerified => (401, "USER__PHONE_NOT_VERIFIED"),
            Self::UserAlreadyExist => (409, "USER__ALREADY_EXIST"),
            Self::UserNotMatched => (401, "USER__NOT_MATCHED"),
            Self::UserTooManyAttempts => (429, "USER__TOO_MANY_ATTEMPTS"),
            Self::UserVerificationRequired => (403, "USER__VERIFICATION_REQUIRED"),
            Self::UserNotFound => (404, "USER__NOT_FOUND"),
            Self::UserDisabled => (403, "USER__DISABLED"),
            Self::TokenMissing => (401, "TOKEN__MISSING"),
            Self::TokenInvalid => (401, "TOKEN__INVALID"),
            Self::TokenExpired => (401, "TOKEN__EXPIRED"),
            Self::TokenReused => (401, "TOKEN__REUSED"),
            Self::TokenRevoked => (401, "TOKEN__REVOKED"),
            Self::TokenLoginTooOld => (401, "TOKEN__LOGIN_TOO_OLD"),
            Self::SessionNotFound => (404, "SESSION__NOT_FOUND"),
            Self::ServerBusy => (503, "SERVER__BUSY"),
            Self::ServerError => (500, "SERVER__ERROR"),
            Self::LocalPageNotFound => (404, "LOCAL__PAGE_NOT_FOUND"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_status_has_its_title() {
        for code in ErrorCode::ALL {
            assert_eq!(code.title() == "Internal Server Error", code.status() == 500, "{}", code.as_str());
        }
    }
}
