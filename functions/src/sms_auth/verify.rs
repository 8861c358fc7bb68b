//! Verifies the code of an SMS session.
//!
//! An attempt is counted before its code is compared: concurrent attempts cannot exceed the limits.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, Table};
use shared::app::App;
use shared::store::AttemptOutcome;
use shared::values::{AuthCode, FieldErrors, Phone, SmsSessionId};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-verify",
    routes: &[("POST", "/api/v1/users/sms-auth/verify")],
    authentication: Authentication::None,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::SmsSessionNotFound,
        ErrorCode::SmsAuthCodeTimeout,
        ErrorCode::SmsAuthCodeNotMatched,
        ErrorCode::SmsTooManyAttempts,
    ],
    access: Access {
        tables: &[(Table::SmsSessions, &[Action::GetItem, Action::UpdateItem])],
        // It reads the session while it counts the attempt.
        connections: 2,
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// The request.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
pub struct VerifyRequest {
    /// The id of the SMS session.
    session_id: SmsSessionId,
    /// The phone number that the code was sent to.
    phone: Phone,
    /// The code.
    auth_code: AuthCode,
}

/// The response.
#[derive(Debug, Serialize)]
pub struct VerifyResponse {
    /// Always true.
    is_verified: bool,
}

/// Compares the code and marks the SMS session verified.
///
/// # Errors
/// 422; 404 if the SMS session does not exist; 401 if the code has expired or is wrong, or if the phone
/// number is not the session's; 429 if the attempts are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let VerifyRequest { session_id, phone, auth_code } = request.read(app.config.default_region)?;

    let (key, now, limits) = (session_id.key(), app.clock.now(), app.config.attempt_limits());
    let (purpose, code_mac) = match app.store.record_attempt(&key, &phone, &limits, now).await? {
        AttemptOutcome::Recorded { purpose, code_mac } => (purpose, code_mac),
        AttemptOutcome::NotFound => return Err(ApiError::SmsSessionNotFound),
        AttemptOutcome::CodeExpired => return Err(ApiError::CodeExpired),
        AttemptOutcome::WrongPhone => return Err(ApiError::CodeNotMatched),
        AttemptOutcome::RateLimited { retry_after } => return Err(ApiError::TooManyAttempts { retry_after }),
    };
    if !session_id.code_matches(&phone, purpose, &auth_code, &code_mac) {
        return Err(ApiError::CodeNotMatched);
    }
    let verified_until = now + app.config.verified_seconds;
    if !app.store.mark_verified(&key, &phone, verified_until, &limits.per_phone, now).await? {
        return Err(ApiError::SmsSessionNotFound);
    }
    Response::ok(&VerifyResponse { is_verified: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{Response, TestApp, json_request};
    use crate::users::{password, signup};

    async fn verify(app: &TestApp, session_id: &str, phone: &str, code: &str) -> Response {
        let body = format!(r#"{{"session_id":"{session_id}","phone":"{phone}","auth_code":"{code}"}}"#);
        app.call(ENDPOINT, json_request(&body)).await
    }

    #[tokio::test]
    async fn the_right_code_verifies_repeatedly() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        for _ in 0..2 {
            assert_eq!(verify(&app, &session, "+82 10 1234 5678", &code).await.ok(), r#"{"is_verified":true}"#);
        }
    }

    #[tokio::test]
    async fn a_wrong_code_or_phone_does_not_verify() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        verify(&app, &session, "01012345678", &app.other_than(&code))
            .await
            .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&app, &session, "01087654321", &code).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&app, &session, "01012345678", &code).await.ok();
    }

    #[tokio::test]
    async fn an_unknown_sms_session_is_not_found() {
        let app = TestApp::new();
        verify(&app, "unknown", "01012345678", "123456").await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn a_code_expires_before_its_sms_session() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        app.clock.advance(300);
        verify(&app, &session, "01012345678", &code).await.assert_error(401, "SMS__AUTH_CODE_TIMEOUT");
        app.clock.advance(300);
        verify(&app, &session, "01012345678", &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn the_sixth_attempt_is_not_compared() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        for _ in 0..4 {
            verify(&app, &session, "01012345678", &app.other_than(&code))
                .await
                .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        }
        verify(&app, &session, "01087654321", &code).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&app, &session, "01012345678", &code).await.assert_retry_after(429, "SMS__TOO_MANY_ATTEMPTS", 600);
    }

    #[tokio::test]
    async fn a_resend_does_not_reset_the_limit_of_the_phone() {
        let app = TestApp::new();
        for _ in 0..4 {
            let (session, code) = app.send("01012345678", None).await;
            for _ in 0..5 {
                verify(&app, &session, "01012345678", &app.other_than(&code))
                    .await
                    .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
            }
            app.clock.advance(60);
        }
        let (session, code) = app.send("01012345678", None).await;
        verify(&app, &session, "01012345678", &code).await.assert_retry_after(
            429,
            "SMS__TOO_MANY_ATTEMPTS",
            86_400 - 240,
        );
        let (session, code) = app.send("01087654321", None).await;
        verify(&app, &session, "01087654321", &code).await.ok();
    }

    #[tokio::test]
    async fn all_invalid_fields_are_reported() {
        let app = TestApp::new();
        app.call(ENDPOINT, json_request(r#"{"auth_code":"12345"}"#)).await.assert_invalid(&[
            "auth_code",
            "session_id",
            "phone",
        ]);
    }

    #[tokio::test]
    async fn an_sms_session_is_bound_to_its_purpose() {
        let app = TestApp::new();
        let session = app.verified_sms_session("01012345678", Some("password_reset")).await;
        app.call(signup::ENDPOINT, TestApp::signup_request("minji@example.com", "01012345678", &session))
            .await
            .assert_error(401, "USER__PHONE_NOT_VERIFIED");
        let session = app.verified_sms_session("01087654321", Some("signup")).await;
        let body = format!(r#"{{"session_id":"{session}","password":"correct horse battery"}}"#);
        app.call(password::ENDPOINT, json_request(&body)).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }
}
