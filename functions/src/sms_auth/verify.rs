//! Verifies the code of an SMS session.
//!
//! An attempt is counted before its code is compared: concurrent attempts cannot exceed the limit of the SMS
//! session.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, SMS_LIMITS_OF_IPS, SMS_SESSION, Table};
use shared::app::App;
use shared::events::SharedEvent;
use shared::store::{AttemptOutcome, Limit, SentCode, Subject, VerificationOutcome};
use shared::values::{AuthCode, FieldErrors, Phone, Purpose, SmsSessionId};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, limits};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-verify",
    routes: &[("POST", "/api/v1/users/sms-auth/verify")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::SmsSessionNotFound,
        ErrorCode::SmsAuthCodeTimeout,
        ErrorCode::SmsAuthCodeNotMatched,
        ErrorCode::SmsTooManyAttempts,
    ],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::UpdateItem]).items(&[SMS_SESSION]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_LIMITS_OF_IPS]),
        ],
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Verifies a code")
            .request::<VerifyRequest>()
            .response::<VerifyResponse>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct VerifyRequest {
    /// The id of the SMS session.
    session_id: SmsSessionId,
    /// The phone number that the code was sent to.
    phone: Phone,
    /// The code, of six or eight digits.
    auth_code: AuthCode,
}

/// The response.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "is_verified": true })))]
pub struct VerifyResponse {
    /// Always true.
    is_verified: bool,
}

/// Compares the code and marks the SMS session verified.
///
/// # Errors
/// 422; 404 if the SMS session does not exist, or is for a login; 401 if the code has expired or is wrong, or if the phone
/// number is not the session's; 429 if the session's attempts are exhausted; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let VerifyRequest { session_id, phone, auth_code } = request.read(app.config.default_region)?;

    request.event.phone(&phone);
    let now = app.clock.now();
    let sent =
        compare_code(app, &request.event, &session_id, &phone, &auth_code, Purpose::is_verified_first, now).await?;
    match app.store.mark_verified(&session_id.key(), now + app.config.verified_seconds, now).await? {
        VerificationOutcome::Verified => {
            refund_send(app, &sent, now).await;
            record_verification(app, &request.event, &phone, now);
        }
        // Repeated by a client that did not receive the response.
        VerificationOutcome::AlreadyVerified => {}
        VerificationOutcome::NotFound => return Err(ApiError::SmsSessionNotFound),
    }
    Response::ok(&VerifyResponse { is_verified: true })
}

/// Counts an attempt on the SMS session, then compares its code.
///
/// # Errors
/// 404 if the SMS session does not exist, or `is_purpose` returns false for its purpose; 401 if the code has expired
/// or is wrong, or if the phone number is not the session's; 429 if the session's attempts are exhausted; or any
/// [`shared::store::StoreError`].
pub async fn compare_code(
    app: &App,
    event: &SharedEvent,
    session_id: &SmsSessionId,
    phone: &Phone,
    code: &AuthCode,
    is_purpose: impl Fn(Purpose) -> bool,
    now: i64,
) -> Result<SentCode, ApiError> {
    let sent = match app.store.record_attempt(&session_id.key(), app.config.code_seconds, now).await? {
        AttemptOutcome::Recorded(sent) => sent,
        AttemptOutcome::NotFound => return Err(ApiError::SmsSessionNotFound),
        AttemptOutcome::CodeExpired => return Err(ApiError::CodeExpired),
        AttemptOutcome::RateLimited { retry_after } => return Err(ApiError::TooManyAttempts { retry_after }),
    };
    event.lock().purpose = Some(sent.purpose);
    if !is_purpose(sent.purpose) {
        return Err(ApiError::SmsSessionNotFound);
    }
    if !session_id.code_matches(phone, sent.purpose, code, &sent.code_mac) {
        return Err(ApiError::CodeNotMatched);
    }
    let of_number = app.config.test_phones.iter().find(|test_phone| test_phone.has_number(phone));
    if let Some(test_phone) = of_number.filter(|test_phone| test_phone.has_code(code)) {
        // Its code may have been requested before its last day ended.
        if !test_phone.is(phone, now) {
            return Err(ApiError::CodeNotMatched);
        }
        tracing::warn!(?phone, "the code of a test phone was accepted");
    }
    Ok(sent)
}

/// Adds the verification of a code to the event, for the conversion by country. Those of test phones do not count.
pub fn record_verification(app: &App, event: &SharedEvent, phone: &Phone, now: i64) {
    let mut event = event.lock();
    event.country = phone.country_among(&app.config.sms_countries);
    event.is_code_verified = app.test_phone(phone, now).is_none();
}

/// Refunds a send whose code was verified to the limit of the address: clients that verify their codes do not exhaust
/// the limit of an address that they share.
pub async fn refund_send(app: &App, sent: &SentCode, now: i64) {
    let of_address = app.config.limits.sms_per_ip;
    // A send that the limit may have forgotten is not refunded: that would allow one send more.
    if let Some(ip) = sent.ip.filter(|_| sent.sent_at + of_address.every > now) {
        limits::refund(app, &Limit::new(Subject::sms_from_ip(ip), of_address), now).await;
    }
}

#[cfg(test)]
mod tests {
    use shared::limits::Bucket;

    use super::*;
    use crate::test_app::{TestApp, json_request};
    use crate::users::{password, signup};

    #[tokio::test]
    async fn a_send_that_no_longer_counts_is_not_refunded() {
        let mut app = TestApp::new();
        app.inner.config.limits.sms_per_ip = Bucket::new(1, 30);
        let (session, code) = app.send("01012345678", Some("signup")).await;
        app.clock.advance(100);
        app.send("01087654321", Some("signup")).await;
        app.verify(&session, "01012345678", &code).await.ok();
        let body = r#"{"phone":"01055554444","purpose":"signup"}"#;
        app.call_by_name("sms-auth-send", json_request(body)).await.assert_retry_after(
            429,
            "SMS__TOO_MANY_REQUESTS",
            30,
        );
    }

    #[tokio::test]
    async fn the_right_code_verifies_repeatedly() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        for _ in 0..2 {
            assert_eq!(app.verify(&session, "+82 10 1234 5678", &code).await.ok(), r#"{"is_verified":true}"#);
        }
    }

    #[tokio::test]
    async fn a_wrong_code_or_phone_does_not_verify() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        app.verify(&session, "01012345678", &app.other_than(&code))
            .await
            .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        app.verify(&session, "01087654321", &code).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        app.verify(&session, "01012345678", &code).await.ok();
    }

    #[tokio::test]
    async fn an_unknown_sms_session_is_not_found() {
        let app = TestApp::new();
        app.verify("unknown", "01012345678", "123456").await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn a_code_expires_before_its_sms_session() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        app.clock.advance(300);
        app.verify(&session, "01012345678", &code).await.assert_error(401, "SMS__AUTH_CODE_TIMEOUT");
        app.clock.advance(300);
        app.verify(&session, "01012345678", &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn the_sixth_attempt_is_not_compared() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", None).await;
        for _ in 0..4 {
            app.verify(&session, "01012345678", &app.other_than(&code))
                .await
                .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        }
        app.verify(&session, "01087654321", &code).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        app.verify(&session, "01012345678", &code).await.assert_retry_after(429, "SMS__TOO_MANY_ATTEMPTS", 600);
    }

    #[tokio::test]
    async fn wrong_codes_in_other_sessions_do_not_reject_a_right_one() {
        let app = TestApp::new();
        for _ in 0..4 {
            let (session, code) = app.send("01012345678", None).await;
            for _ in 0..5 {
                app.verify(&session, "01012345678", &app.other_than(&code))
                    .await
                    .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
            }
            app.clock.advance(60);
        }
        let (session, code) = app.send("01012345678", None).await;
        app.verify(&session, "01012345678", &code).await.ok();
    }

    #[tokio::test]
    async fn a_repeated_verification_does_not_extend_the_session() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", Some("signup")).await;
        app.verify(&session, "01012345678", &code).await.ok();
        app.clock.advance(299);
        app.verify(&session, "01012345678", &code).await.ok();
        app.clock.advance(301);
        app.call(signup::ENDPOINT, TestApp::signup_request("minji@example.com", "01012345678", &session))
            .await
            .assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn a_code_of_another_length_does_not_match() {
        let app = TestApp::new();
        let (session, code) = app.send("01012345678", Some("password_reset")).await;
        let (six, _) = code.split_at(6);
        app.verify(&session, "01012345678", six).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        app.verify(&session, "01012345678", &code).await.ok();
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
