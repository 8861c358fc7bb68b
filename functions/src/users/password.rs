//! Resets the password of the user whose phone number an SMS session verified.
//!
//! The transaction that replaces the password consumes the SMS session.

use deserr::Deserr;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::access::{
    ACCOUNT, Access, Action, KeyAccess, PASSWORD_LIMITS, PHONE, SMS_OF_DAY, SMS_SESSION, Table, USER,
};
use shared::app::App;
use shared::sms_text;
use shared::values::{FieldError, FieldErrors, Language, Password, Purpose, SmsSessionId};

use crate::http::notice::send_notice;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "password",
    routes: &[("PUT", "/api/v1/users/password")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::UserPhoneNotVerified,
        ErrorCode::UserNotFound,
        ErrorCode::UserDisabled,
    ],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::GetItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Users.with(&[Action::GetItem]).items(&[PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[USER]).attributes(ACCOUNT),
            Table::Limits.with(&[Action::DeleteItem]).items(&[PASSWORD_LIMITS]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_OF_DAY]),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "phone",
                "password_hash",
                "updated_at",
                "password_reset_at",
                "token_version",
                "is_disabled",
            ]),
        ],
        keys: KeyAccess::Sign,
        sms: true,
        hashing: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Resets the password")
            .request::<PasswordRequest>()
            .response::<PasswordResponse<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct PasswordRequest {
    /// The id of the verified SMS session.
    session_id: SmsSessionId,
    /// The new password, which must not contain the user's email, phone number or name.
    password: Password,
}

/// The response.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "is_password_reset": true, "device_token": "eyJ..." })))]
pub struct PasswordResponse<'a> {
    /// Always true.
    is_password_reset: bool,
    /// The device token, which gives the client limits of its own.
    device_token: &'a str,
}

/// Replaces the password, revokes all of the user's sessions and the device tokens of before, and clears the count
/// of wrong passwords. Then sends an SMS about the reset to the phone number, as far as possible.
///
/// # Errors
/// 422; 401 if the SMS session is not verified for this purpose; 404 if the phone number has no account;
/// 403 if the user is disabled; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let PasswordRequest { session_id, password } = request.read(app.config.default_region)?;

    let (key, now) = (session_id.key(), app.clock.now());
    let phone = app.store.verified_phone(&key, Purpose::PasswordReset, now).await?;
    let phone = phone.ok_or(ApiError::PhoneNotVerified)?;
    request.event.phone(&phone);
    let account = app.store.account(&phone).await?.ok_or(ApiError::UserNotFound)?;
    request.event.user(account.user_id);
    if account.is_disabled {
        return Err(ApiError::UserDisabled);
    }
    password
        .check_not_personal(Some(&account.email.0), Some(&phone), Some(&account.name.0))
        .and_then(|()| password.check_not_of_service(&app.config.service_name))
        .map_err(|invalid| ApiError::InvalidFields(FieldErrors(vec![FieldError::new("password", invalid)])))?;

    let hash = (app.hasher.hash)(&password, app.config.bcrypt_cost)?;
    // Before the password is replaced, so that a failure here replaces none.
    let device_token = app.keyring.issue_device(account.user_id, &issuer, now).await?;
    if !app.store.reset_password(account.user_id, &hash, &phone, &key, now).await? {
        // The user or the SMS session changed meanwhile.
        let account = app.store.account(&phone).await?.ok_or(ApiError::UserNotFound)?;
        return Err(if account.is_disabled { ApiError::UserDisabled } else { ApiError::PhoneNotVerified });
    }
    if app.config.sms_after_reset {
        // In the language of the phone's country: the owner of the phone may not have sent this request.
        let text = sms_text::password_was_reset(Language::for_phone(&phone), &app.config.service_name);
        // A stranger may have requested the reset: its SMS must not take those of known devices.
        send_notice(app, &request.event, &phone, &text, app.config.limits.sms_per_day_for_strangers(), now).await;
    }
    Response::ok(&PasswordResponse { is_password_reset: true, device_token: device_token.expose_secret() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{FailingSms, PASSWORD, Response, TestApp, json_request};
    use shared::limits::Bucket;
    use shared::sms::SmsError;

    async fn reset(app: &TestApp, session: &str, password: &str) -> Response {
        app.call(ENDPOINT, json_request(&format!(r#"{{"session_id":"{session}","password":"{password}"}}"#))).await
    }

    #[tokio::test]
    async fn a_reset_replaces_the_password_and_consumes_the_sms_session() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let session = app.verified_sms_session("01012345678", Some("password_reset")).await;
        let response = reset(&app, &session, "a newer horse battery").await;
        let device_token = response.field("device_token");
        assert_eq!(response.ok(), format!(r#"{{"is_password_reset":true,"device_token":"{device_token}"}}"#));
        app.login("minji@example.com", "a newer horse battery").await.assert_status(200);
        app.login("minji@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
        reset(&app, &session, "an even newer horse").await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn a_reset_sends_an_sms_in_the_language_of_the_country() {
        let mut app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.reset("01012345678", "a newer horse battery").await;
        let texts = app.texts("01012345678");
        assert_eq!(
            texts[0],
            "[Ably] 비밀번호가 재설정되었습니다. 본인이 하지 않았다면 즉시 비밀번호를 다시 설정하세요."
        );
        // The request cannot choose a language that the owner of the phone may not read.
        app.clock.advance(60);
        let session = app.verified_sms_session("01012345678", Some("password_reset")).await;
        let body = format!(r#"{{"session_id":"{session}","password":"an even newer horse"}}"#);
        let request = Request { accept_language: Some("ja".to_owned()), ..json_request(&body) };
        app.call(ENDPOINT, request).await.ok();
        assert_eq!(app.texts("01012345678")[0], texts[0]);

        app.inner.config.sms_after_reset = false;
        app.reset("01012345678", "the newest horse battery").await;
        assert!(app.texts("01012345678")[0].contains("인증번호"), "the latest SMS is that of the code");
    }

    #[tokio::test]
    async fn the_sms_after_a_reset_counts_on_the_total_of_the_day_only() {
        let mut app = TestApp::new();
        app.inner.config.limits.sms_per_ip = Bucket::new(100, 600);
        app.inner.config.limits.sms_per_day = 4;
        app.inner.config.limits.sms_percent_for_strangers = 100;
        // Two codes and one SMS after the reset.
        app.sign_up("minji@example.com", "01012345678").await;
        app.reset("01012345678", "a newer horse battery").await;
        app.send("01087654321", Some("signup")).await;
        let body = r#"{"phone":"01055554444","purpose":"signup"}"#;
        app.call_by_name("sms-auth-send", json_request(body)).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
        // It was not counted on the limits of the phone number, which allow the third code now.
        app.inner.config.limits.sms_per_day = 100;
        app.clock.advance(60);
        app.send("01012345678", Some("login")).await;
    }

    #[tokio::test]
    async fn a_reset_succeeds_if_its_sms_cannot_be_sent() {
        let mut app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        for (password, failing) in [
            ("a newer horse battery", Some(SmsError::Refused as fn(_) -> _)),
            ("an even newer horse", Some(SmsError::Unknown)),
            ("the newest horse battery", None),
        ] {
            app.clock.advance(60);
            let session = app.verified_sms_session("01012345678", Some("password_reset")).await;
            match failing {
                Some(error) => {
                    let outbox = std::mem::replace(&mut app.inner.sms, Box::new(FailingSms(error)));
                    reset(&app, &session, password).await.ok();
                    app.inner.sms = outbox;
                }
                None => {
                    app.inner.config.limits.sms_per_day = 1;
                    reset(&app, &session, password).await.ok();
                }
            }
            app.login("minji@example.com", password).await.ok();
            assert!(app.texts("01012345678")[0].contains("인증번호"), "the latest SMS is that of the code");
        }
        // The sign-up, three codes, and the SMS whose outcome is unknown were counted.
        app.inner.config.limits.sms_per_day = 6;
        app.inner.config.limits.sms_percent_for_strangers = 100;
        app.send("01087654321", Some("signup")).await;
        let body = r#"{"phone":"01055554444","purpose":"signup"}"#;
        app.call_by_name("sms-auth-send", json_request(body)).await.assert_error(429, "SMS__TOO_MANY_REQUESTS");
    }

    #[tokio::test]
    async fn a_phone_without_an_account_is_not_found() {
        let app = TestApp::new();
        let session = app.verified_sms_session("01012345678", Some("password_reset")).await;
        reset(&app, &session, "a newer horse battery").await.assert_error(404, "USER__NOT_FOUND");
    }

    #[tokio::test]
    async fn a_reset_works_while_the_account_is_limited_and_opens_it() {
        let mut app = TestApp::new();
        app.inner.config.limits.passwords_in_a_row = 3;
        app.sign_up("minji@example.com", "01012345678").await;
        for _ in 0..3 {
            app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        }
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        app.reset("01012345678", "a newer horse battery").await;
        app.login("minji@example.com", "a newer horse battery").await.ok();
    }

    #[tokio::test]
    async fn the_password_of_a_disabled_user_cannot_be_reset() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let session = app.verified_sms_session("01012345678", None).await;
        app.set_disabled("01012345678", true).await;
        reset(&app, &session, "a newer horse battery").await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.login("minji@example.com", PASSWORD).await.ok();
        reset(&app, &session, "a newer horse battery").await.ok();
    }

    #[tokio::test]
    async fn an_unverified_sms_session_resets_nothing() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let (session, _) = app.send("01012345678", None).await;
        reset(&app, &session, "a newer horse battery").await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        reset(&app, "unknown", "a newer horse battery").await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
        app.login("minji@example.com", PASSWORD).await.assert_status(200);
    }

    #[tokio::test]
    async fn an_invalid_password_is_rejected_and_leaves_the_sms_session_usable() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let session = app.verified_sms_session("01012345678", None).await;
        for password in
            ["short", "password1", "hello Kim Minji", "minji@example.com", "010-1234-5678", "ably 2026!", "xyzxyzxyz"]
        {
            reset(&app, &session, password).await.assert_invalid(&["password"]);
        }
        app.call(ENDPOINT, json_request("{}")).await.assert_invalid(&["session_id", "password"]);
        reset(&app, &session, "a newer horse battery").await.ok();
    }
}
