//! Logs in with a code sent by SMS, in place of a password.
//!
//! One request verifies the code and starts the session, so that the id of an SMS session opens nothing without its
//! code.

use deserr::Deserr;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::access::{
    ACCOUNT, Access, Action, KeyAccess, PASSWORD_LIMITS, PHONE, SMS_LIMITS_OF_IPS, SMS_SESSION, Table, USER,
};
use shared::app::App;
use shared::store::Session;
use shared::values::{AuthCode, FieldErrors, Phone, Purpose, SmsSessionId, UserAgent};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};
use crate::sms_auth::verify::{compare_code, record_verification, refund_send};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "login-code",
    routes: &[("POST", "/api/v1/users/login/code")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::SmsSessionNotFound,
        ErrorCode::SmsAuthCodeTimeout,
        ErrorCode::SmsAuthCodeNotMatched,
        ErrorCode::SmsTooManyAttempts,
        ErrorCode::UserNotFound,
        ErrorCode::UserDisabled,
    ],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::UpdateItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Users.with(&[Action::GetItem]).items(&[PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[USER]).attributes(ACCOUNT),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_LIMITS_OF_IPS]),
            Table::Limits.with(&[Action::DeleteItem]).items(&[PASSWORD_LIMITS]),
            Table::Sessions.with(&[Action::PutItem]).items(&[USER]),
        ],
        keys: KeyAccess::Sign,
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Logs in with a code")
            .request::<LoginCodeRequest>()
            .response::<LoginCodeResponse<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct LoginCodeRequest {
    /// The id of the SMS session, whose purpose is `login`.
    session_id: SmsSessionId,
    /// The phone number that the code was sent to.
    phone: Phone,
    /// The code, of eight digits.
    auth_code: AuthCode,
}

/// The response: the tokens of a new session.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "access_token": "eyJ...", "refresh_token": "eyJ...", "device_token": "eyJ..." })))]
pub struct LoginCodeResponse<'a> {
    /// The access token.
    access_token: &'a str,
    /// The refresh token.
    refresh_token: &'a str,
    /// The device token, which gives the client limits of its own.
    device_token: &'a str,
}

/// Starts a session of the user with this phone number, consumes the SMS session, and clears the count of wrong
/// passwords.
///
/// # Errors
/// 422; 404 if the SMS session does not exist or has another purpose, or if the phone number has no account; 401 if
/// the code has expired or is wrong, or if the phone number is not the session's; 403 if the user is disabled; 429 if
/// the session's attempts are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let LoginCodeRequest { session_id, phone, auth_code } = request.read(app.config.default_region)?;

    request.event.phone(&phone);
    let now = app.clock.now();
    let is_login = |purpose| purpose == Purpose::Login;
    let sent = compare_code(app, &request.event, &session_id, &phone, &auth_code, is_login, now).await?;
    let account = app.store.account(&phone).await?.ok_or(ApiError::UserNotFound)?;
    request.event.user(account.user_id);
    if account.is_disabled {
        return Err(ApiError::UserDisabled);
    }
    // Before the SMS session is consumed, so that a failure here leaves it usable.
    let session = Session::new(account.user_id, account.token_version, app.config.tokens.lifetime, now);
    let tokens = app.keyring.issue(&session, &account.claims, &issuer, &app.config.tokens, now).await?;
    let device_token = app.keyring.issue_device(account.user_id, &issuer, now).await?;
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    if !app.store.start_session_by_code(&session, &user_agent, &phone, &session_id.key(), now).await? {
        // Another request with the same code succeeded meanwhile.
        return Err(ApiError::SmsSessionNotFound);
    }
    refund_send(app, &sent, now).await;
    record_verification(app, &request.event, &phone, now);
    request.event.lock().is_login = true;
    Response::ok(&LoginCodeResponse {
        access_token: tokens.access_token.expose_secret(),
        refresh_token: tokens.refresh_token.expose_secret(),
        device_token: device_token.expose_secret(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_app::{PASSWORD, Response, TestApp, json_request};
    use crate::users::{password, signup};

    const PHONE: &str = "01012345678";

    async fn log_in(app: &TestApp, session_id: &str, phone: &str, code: &str) -> Response {
        let body = json!({ "session_id": session_id, "phone": phone, "auth_code": code }).to_string();
        app.call(ENDPOINT, json_request(&body)).await
    }

    /// Signs up, and waits until the phone number can get the next code.
    async fn signed_up() -> TestApp {
        let app = TestApp::new();
        app.sign_up("minji@example.com", PHONE).await;
        app.clock.advance(60);
        app
    }

    #[tokio::test]
    async fn the_code_logs_in_once() {
        let app = signed_up().await;
        let (session, code) = app.send(PHONE, Some("login")).await;
        assert_eq!(code.len(), 8);
        let response = log_in(&app, &session, "+82 10 1234 5678", &code).await;
        response.ok();
        app.profile(&response.field("access_token")).await.ok();
        app.refresh(&response.field("refresh_token")).await.ok();
        log_in(&app, &session, PHONE, &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn the_device_token_gives_the_client_limits_of_its_own() {
        let mut app = signed_up().await;
        let (session, code) = app.send(PHONE, Some("login")).await;
        let device_token = log_in(&app, &session, PHONE, &code).await.field("device_token");
        app.inner.config.limits.passwords_in_a_row = 1;
        app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        app.login_from(&device_token, "minji@example.com", PASSWORD).await.ok();
    }

    #[tokio::test]
    async fn the_id_of_the_sms_session_opens_nothing_without_the_code() {
        let app = signed_up().await;
        let (session, code) = app.send(PHONE, Some("login")).await;
        // Neither verifying the code elsewhere nor another use of the session opens the account.
        app.verify(&session, PHONE, &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
        let body = json!({ "session_id": session, "password": "a newer horse battery" }).to_string();
        app.call(password::ENDPOINT, json_request(&body)).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        app.call(signup::ENDPOINT, TestApp::signup_request("other@example.com", PHONE, &session))
            .await
            .assert_error(401, "USER__PHONE_NOT_VERIFIED");
        let wrong = app.other_than(&code);
        log_in(&app, &session, PHONE, &wrong).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        log_in(&app, &session, "01087654321", &code).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        log_in(&app, &session, PHONE, &code).await.ok();
    }

    #[tokio::test]
    async fn an_sms_session_for_another_purpose_does_not_log_in() {
        let app = signed_up().await;
        for purpose in ["signup", "password_reset"] {
            let (session, code) = app.send(PHONE, Some(purpose)).await;
            log_in(&app, &session, PHONE, &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
            app.verify(&session, PHONE, &code).await.ok();
            log_in(&app, &session, PHONE, &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
            app.clock.advance(60);
        }
    }

    #[tokio::test]
    async fn attempts_are_limited_and_codes_expire() {
        let app = signed_up().await;
        let (session, code) = app.send(PHONE, Some("login")).await;
        for _ in 0..5 {
            let wrong = app.other_than(&code);
            log_in(&app, &session, PHONE, &wrong).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        }
        let response = log_in(&app, &session, PHONE, &code).await;
        response.assert_retry_after(429, "SMS__TOO_MANY_ATTEMPTS", 600);
        app.clock.advance(60);
        let (session, code) = app.send(PHONE, Some("login")).await;
        app.clock.advance(300);
        log_in(&app, &session, PHONE, &code).await.assert_error(401, "SMS__AUTH_CODE_TIMEOUT");
        app.clock.advance(300);
        log_in(&app, &session, PHONE, &code).await.assert_error(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn a_login_by_code_clears_the_wrong_passwords_in_a_row() {
        let mut app = signed_up().await;
        app.inner.config.limits.passwords_in_a_row = 3;
        for _ in 0..3 {
            app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        }
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        let (session, code) = app.send(PHONE, Some("login")).await;
        let wrong = app.other_than(&code);
        log_in(&app, &session, PHONE, &wrong).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        log_in(&app, &session, PHONE, &code).await.ok();
        app.login("minji@example.com", PASSWORD).await.ok();
    }

    #[tokio::test]
    async fn a_login_refunds_its_send_to_the_address() {
        let mut app = signed_up().await;
        app.inner.config.limits.sms_per_ip = shared::limits::Bucket::new(1, 600);
        let (session, code) = app.send(PHONE, Some("login")).await;
        let other = json!({ "phone": "01087654321", "purpose": "login" }).to_string();
        let send = async || app.call_by_name("sms-auth-send", json_request(&other)).await;
        send().await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
        log_in(&app, &session, PHONE, &code).await.ok();
        send().await.ok();
    }

    #[tokio::test]
    async fn a_phone_without_an_account_is_not_found() {
        let app = TestApp::new();
        let (session, code) = app.send(PHONE, Some("login")).await;
        let wrong = app.other_than(&code);
        log_in(&app, &session, PHONE, &wrong).await.assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
        log_in(&app, &session, PHONE, &code).await.assert_error(404, "USER__NOT_FOUND");
    }

    #[tokio::test]
    async fn a_disabled_user_is_rejected_and_the_code_stays_valid() {
        let app = signed_up().await;
        let (session, code) = app.send(PHONE, Some("login")).await;
        app.set_disabled(PHONE, true).await;
        log_in(&app, &session, PHONE, &code).await.assert_error(403, "USER__DISABLED");
        app.set_disabled(PHONE, false).await;
        log_in(&app, &session, PHONE, &code).await.ok();
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
}
