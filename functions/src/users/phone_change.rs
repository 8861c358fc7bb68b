//! Changes the phone number to one that an SMS session verified.
//!
//! The transaction that moves the number consumes the SMS session. A 409 leaves it usable.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, KeyAccess, PHONE, SMS_OF_DAY, SMS_SESSION, Table, USER};
use shared::app::App;
use shared::sms_text;
use shared::store::{CallerError, PhoneChangeOutcome, Session};
use shared::values::{FieldErrors, Language, Purpose, SmsSessionId, UserAgent};

use crate::http::notice::send_notice;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, TokenPair, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "phone-change",
    routes: &[("PUT", "/api/v1/users/phone")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::UserPhoneNotVerified, ErrorCode::UserAlreadyExist],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::GetItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "phone",
                "token_version",
                "is_disabled",
                "claims",
            ]),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "phone",
                "updated_at",
                "token_version",
                "is_disabled",
            ]),
            Table::Users.with(&[Action::PutItem, Action::DeleteItem]).items(&[PHONE]).attributes(&["pk", "user_id"]),
            Table::Sessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[USER]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_OF_DAY]),
        ],
        keys: KeyAccess::Sign,
        sms: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Changes the phone number")
            .request::<PhoneChangeRequest>()
            .response::<TokenPair<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct PhoneChangeRequest {
    /// The id of the SMS session that verified the new phone number, with the purpose `phone_change`.
    session_id: SmsSessionId,
}

/// Replaces the phone number and the caller's session, and revokes all other sessions of the user. Then sends an SMS
/// to the previous phone number, as far as possible. Device tokens stay valid.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired, revoked or of an old login, or if the SMS session is not
/// verified for this purpose; 403 if the user is disabled; 409 if the phone number has an account; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let PhoneChangeRequest { session_id } = request.read(app.config.default_region)?;

    let (key, now) = (session_id.key(), app.clock.now());
    let phone = app.store.verified_phone(&key, Purpose::PhoneChange, now).await?;
    let phone = phone.ok_or(ApiError::PhoneNotVerified)?;
    request.event.phone(&phone);
    let session = Session::replacing(&caller, caller.started_at, app.config.tokens.lifetime, now);
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    let outcome = app.accounts()?.change_phone(&caller, &phone, &key, &session, &user_agent, now).await;
    if let Err(CallerError::Store(error)) = &outcome {
        // If the change has happened, the previous phone number gets no SMS.
        tracing::error!(cause = %error, "the outcome of a change of a phone number is unknown");
    }
    match outcome? {
        PhoneChangeOutcome::Changed { previous, claims } => {
            // In the language of the phone's country: the owner of the phone may not have sent this request.
            let text = sms_text::phone_was_changed(Language::for_phone(&previous), &app.config.service_name);
            // Strangers, who may exhaust their part of the total, must not keep the owner from getting it.
            send_notice(app, &request.event, &previous, &text, app.config.limits.sms_per_day, now).await;
            let tokens = app.keyring.issue(&session, &claims, &issuer, &app.config.tokens, now).await?;
            Response::ok(&TokenPair::from(&tokens))
        }
        PhoneChangeOutcome::NotVerified => Err(ApiError::PhoneNotVerified),
        PhoneChangeOutcome::Taken => Err(ApiError::taken(&["phone"])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::sms::SmsError;

    use super::*;
    use crate::test_app::{FailingSms, PASSWORD, Response, TestApp, bearer_json_request, bearer_request, json_request};

    const OLD: &str = "01012345678";
    const NEW: &str = "01087654321";

    async fn change(app: &TestApp, token: &str, session_id: &str) -> Response {
        app.call(ENDPOINT, bearer_json_request(token, &json!({ "session_id": session_id }))).await
    }

    #[tokio::test]
    async fn a_change_moves_the_number_and_revokes_all_other_sessions() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", OLD).await;
        let other = app.login("minji@example.com", PASSWORD).await;
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        let (new_access, new_refresh) = change(&app, &access, &session_id).await.pair();
        for revoked in [&access, &other.field("access_token")] {
            app.profile(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        for revoked in [&refresh, &other.field("refresh_token")] {
            app.refresh(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        assert_eq!(app.profile(&new_access).await.field("phone"), "+821087654321");
        app.refresh(&new_refresh).await.ok();
        let body = |phone| json!({ "phone": phone, "password": PASSWORD }).to_string();
        let login = async |phone| app.call_by_name("login", json_request(&body(phone))).await;
        login(NEW).await.ok();
        login(OLD).await.assert_error(401, "USER__NOT_MATCHED");
        // The SMS session is consumed, and the old number is free.
        change(&app, &new_access, &session_id).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        app.clock.advance(60);
        app.sign_up("other@example.com", OLD).await;
    }

    #[tokio::test]
    async fn the_old_number_gets_an_sms_in_the_language_of_its_country() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", OLD).await;
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        change(&app, &access, &session_id).await.ok();
        let text = "[Ably] 계정의 전화번호가 변경되었습니다. 본인이 하지 않았다면 즉시 고객센터에 문의하세요.";
        assert_eq!(app.texts(OLD)[0], text);
        assert!(app.texts(NEW)[0].contains("전화번호 변경 인증번호"));
    }

    #[tokio::test]
    async fn a_change_succeeds_if_its_sms_cannot_be_sent() {
        for error in [SmsError::Refused as fn(_) -> _, SmsError::Unknown] {
            let mut app = TestApp::new();
            let (access, _) = app.sign_up("minji@example.com", OLD).await;
            let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
            app.inner.sms = Box::new(FailingSms(error));
            change(&app, &access, &session_id).await.ok();
        }
        let mut app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", OLD).await;
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        app.inner.config.limits.sms_per_day = 2;
        change(&app, &access, &session_id).await.ok();
        assert!(app.texts(OLD)[0].contains("인증번호"), "the latest SMS is that of the code");
    }

    #[tokio::test]
    async fn the_sms_counts_on_the_total_of_the_day() {
        let mut app = TestApp::new();
        app.inner.config.limits.sms_per_day = 4;
        app.inner.config.limits.sms_percent_for_strangers = 100;
        let (access, _) = app.sign_up("minji@example.com", OLD).await;
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        change(&app, &access, &session_id).await.ok();
        app.send("01055554444", Some("signup")).await;
        let body = json_request(r#"{"phone":"01055554445","purpose":"signup"}"#);
        app.call_by_name("sms-auth-send", body).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    }

    #[tokio::test]
    async fn a_known_device_stays_known_with_the_new_number() {
        let mut app = TestApp::new();
        let device_token = app.sign_up_on_a_device("minji@example.com", OLD).await;
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        change(&app, &access, &session_id).await.ok();
        // Strangers exhaust their part of the total.
        app.inner.config.limits.sms_percent_for_strangers = 50;
        app.inner.config.limits.sms_per_day = 6;
        let body = json_request(r#"{"phone":"01055554444","purpose":"signup"}"#);
        app.call_by_name("sms-auth-send", body).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
        app.send_from(&device_token, NEW, "password_reset").await.ok();
        app.send_from(&device_token, OLD, "signup").await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    }

    #[tokio::test]
    async fn a_taken_number_is_a_409_and_leaves_the_sms_session_usable() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", OLD).await;
        app.sign_up("other@example.com", NEW).await;
        app.clock.advance(60);
        let own = app.verified_sms_session(OLD, Some("phone_change")).await;
        let taken = app.verified_sms_session(NEW, Some("phone_change")).await;
        for session_id in [&own, &taken] {
            change(&app, &access, session_id).await.assert_error(409, "USER__ALREADY_EXIST").assert_fields(&["phone"]);
        }
        app.profile(&access).await.ok();
        let other = app.login("other@example.com", PASSWORD).await.field("access_token");
        app.call_by_name("account-delete", bearer_request(&other)).await.assert_no_content();
        change(&app, &access, &taken).await.ok();
    }

    #[tokio::test]
    async fn the_new_number_must_be_verified_for_this_purpose() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", OLD).await;
        let (unverified, code) = app.send(NEW, Some("phone_change")).await;
        assert_eq!(code.len(), 6);
        let other_purpose = app.verified_sms_session("01055554444", Some("signup")).await;
        for session_id in ["unknown", &unverified, &other_purpose] {
            change(&app, &access, session_id).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        }
        app.call(ENDPOINT, bearer_json_request(&access, &json!({}))).await.assert_invalid(&["session_id"]);
        app.verify(&unverified, NEW, &code).await.ok();
        app.clock.advance(301);
        change(&app, &access, &unverified).await.assert_login_too_old();
        // A login is the way through it.
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        change(&app, &access, &unverified).await.ok();
    }

    #[tokio::test]
    async fn the_sms_session_serves_for_nothing_else() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", OLD).await;
        let session_id = app.verified_sms_session(NEW, Some("phone_change")).await;
        let sign_up = TestApp::signup_request("other@example.com", NEW, &session_id);
        app.call_by_name("signup", sign_up).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        let body = json!({ "session_id": session_id, "password": "a newer horse battery" }).to_string();
        let reset = json_request(&body);
        app.call_by_name("password", reset).await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }
}
