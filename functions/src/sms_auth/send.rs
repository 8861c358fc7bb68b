//! Sends a code by SMS.
//!
//! The verified SMS session can be used for one purpose only. Without a `purpose`, a phone number with an
//! account gets a password reset, any other one a sign-up.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, PHONE, SMS_SESSION, Table};
use shared::app::App;
use shared::secret::Masked;
use shared::sms_text;
use shared::store::{OpenOutcome, SmsSession};
use shared::values::{CodeLength, FieldError, FieldErrors, InvalidField, Lenient, Phone, Purpose, SmsSessionId};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule};

/// The endpoint. Prefer `POST`, which keeps the phone number out of URLs.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-send",
    routes: &[("GET", "/api/v1/users/sms-auth/send"), ("POST", "/api/v1/users/sms-auth/send")],
    authentication: Authentication::None,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::SmsTooManyRequests, ErrorCode::SmsNotSent],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::SmsSessions.with(&[Action::UpdateItem]).items(&[PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[PHONE]),
        ],
        sms: true,
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// The request.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
pub struct SendRequest {
    /// The phone number.
    phone: Phone,
    /// The purpose of the SMS session. Required with `REQUIRE_PURPOSE`.
    #[deserr(default)]
    purpose: Option<Purpose>,
}

/// Requires a purpose, with `REQUIRE_PURPOSE`.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct RequiredPurpose {
    #[deserr(default)]
    purpose: Lenient<Purpose>,
}

impl Rule for RequiredPurpose {
    fn check(&self) -> Option<FieldError> {
        matches!(self.purpose, Lenient::Missing).then(|| FieldError::new("purpose", InvalidField("is required")))
    }
}

/// The response.
#[derive(Serialize)]
pub struct SendResponse<'a> {
    /// The id of the SMS session, a secret of the client.
    session_id: &'a str,
    /// The seconds for which the code is valid.
    expires_in: i64,
    /// The seconds after which the next code can be requested.
    resend_after: i64,
    /// The number of digits of the code.
    code_length: u32,
}

/// The attempts of a password reset whose purpose was not named: its code has only six digits.
const MAX_ATTEMPTS_OF_UNNAMED_RESET: u32 = 3;

/// Opens an SMS session and sends its code.
///
/// # Errors
/// 422; 429 if the phone number's limit is exhausted; 504 if the SMS provider fails (the send is then not
/// counted); or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let region = app.config.default_region;
    let SendRequest { phone, purpose: named } = if app.config.require_purpose {
        request.read_checked::<_, RequiredPurpose>(region)?
    } else {
        request.read(region)?
    };

    let purpose = match named {
        Some(purpose) => purpose,
        None if app.store.is_phone_taken(&phone).await? => Purpose::PasswordReset,
        None => Purpose::Signup,
    };
    let (code_length, max_attempts) = strength(purpose, named.is_some(), app.config.attempts_per_sms_session);
    let (session_id, code, now) = (SmsSessionId::random(), (app.new_code)(code_length), app.clock.now());
    let session = SmsSession {
        key: session_id.key(),
        code_mac: session_id.code_mac(&phone, purpose, &code),
        phone,
        purpose,
        max_attempts,
        ip: request.source_ip.map(Masked),
        sent_at: now,
        // Twice as long as the code is valid, so that a late client learns that the code has expired.
        expires_at: now + 2 * app.config.code_seconds,
    };
    match app.store.open_sms_session(&session, &app.config.send_limit(), now).await {
        Ok(OpenOutcome::Opened) => {}
        Ok(OpenOutcome::RateLimited { retry_after }) => return Err(ApiError::TooManySends { retry_after }),
        Err(error) => {
            // The session may be open although the call failed, and no client knows its id.
            cancel(app, &session).await;
            return Err(error.into());
        }
    }

    let text = sms_text::text(&session.phone, purpose, &code, &app.config.service_name, app.config.code_seconds);
    if let Err(error) = app.sms.send(&session.phone, &text).await {
        cancel(app, &session).await;
        return Err(ApiError::SmsNotSent(error));
    }
    Response::ok(&SendResponse {
        session_id: session_id.expose_secret(),
        expires_in: app.config.code_seconds,
        resend_after: app.config.seconds_between_sends,
        code_length: code_length.digits(),
    })
}

/// Returns the length of the code and the number of attempts of an SMS session.
///
/// A guessed code of a reset takes the account over. Its code is longer if the client named the purpose. Otherwise
/// there are fewer attempts, because older clients expect six digits.
#[must_use]
pub fn strength(purpose: Purpose, is_named: bool, attempts: u32) -> (CodeLength, u32) {
    match (purpose, is_named) {
        (Purpose::PasswordReset, true) => (CodeLength::Eight, attempts),
        (Purpose::PasswordReset, false) => (CodeLength::Six, attempts.min(MAX_ATTEMPTS_OF_UNNAMED_RESET)),
        (Purpose::Signup, _) => (CodeLength::Six, attempts),
    }
}

/// Cancels an SMS session whose SMS was not sent. If that fails too, the send stays counted.
async fn cancel(app: &App, session: &SmsSession) {
    if let Err(error) = app.store.cancel_sms_session(session, &app.config.send_limit()).await {
        tracing::error!(cause = %error, "an SMS session whose SMS was not sent could not be cancelled");
    }
}

#[cfg(test)]
mod tests {
    use shared::sms::{Sms, SmsError};

    use super::*;
    use crate::test_app::{TestApp, json_request, query_request};

    #[tokio::test]
    async fn a_code_is_sent_by_post_and_by_get() {
        let app = TestApp::new();
        let sent = app.call(ENDPOINT, json_request(r#"{"phone":"010-1234-5678"}"#)).await;
        let session_id = sent.field("session_id");
        assert_eq!(
            sent.ok(),
            format!(r#"{{"session_id":"{session_id}","expires_in":300,"resend_after":60,"code_length":6}}"#)
        );
        assert_eq!(app.texts("01012345678").len(), 1);

        app.call(ENDPOINT, query_request(&[("phone", "01087654321"), ("purpose", "signup")])).await.ok();
        assert!(app.texts("01087654321")[0].contains("회원가입"));
    }

    /// Requests a code. Returns the digits that the response states, those in the SMS, and the SMS.
    async fn send(app: &TestApp, phone: &str, purpose: Option<&str>) -> (u64, usize, String) {
        let body = serde_json::json!({ "phone": phone, "purpose": purpose }).to_string();
        let response = app.call(ENDPOINT, json_request(&body)).await;
        let response: serde_json::Value = serde_json::from_str(response.ok()).unwrap();
        let text = app.texts(phone).swap_remove(0);
        let digits = text.split(' ').find(|word| word.parse::<u32>().is_ok()).unwrap().len();
        (response["code_length"].as_u64().unwrap(), digits, text)
    }

    #[tokio::test]
    async fn a_code_has_eight_digits_where_the_client_named_a_reset() {
        let app = TestApp::new();
        for (phone, purpose, length, word) in [
            ("01012345678", Some("password_reset"), 8, "비밀번호 재설정"),
            ("01087654321", Some("signup"), 6, "회원가입"),
            ("01055554444", None, 6, "회원가입"),
        ] {
            let (stated, sent, text) = send(&app, phone, purpose).await;
            assert_eq!((stated, sent), (length, length as usize), "{purpose:?}");
            assert!(text.contains(word), "{text}");
        }
    }

    #[tokio::test]
    async fn without_a_purpose_a_phone_with_an_account_gets_a_reset_with_three_attempts() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let (stated, sent, text) = send(&app, "01012345678", None).await;
        assert_eq!((stated, sent), (6, 6));
        assert!(text.contains("비밀번호 재설정"), "{text}");

        app.clock.advance(60);
        for (purpose, attempts) in [(None, 3), (Some("password_reset"), 5), (Some("signup"), 5)] {
            let (session, code) = app.send("01012345678", purpose).await;
            for _ in 0..attempts {
                app.verify(&session, "01012345678", &app.other_than(&code))
                    .await
                    .assert_error(401, "SMS__AUTH_CODE_NOT_MATCHED");
            }
            app.verify(&session, "01012345678", &code).await.assert_error(429, "SMS__TOO_MANY_ATTEMPTS");
            app.clock.advance(60);
        }
    }

    #[tokio::test]
    async fn a_purpose_can_be_required() {
        let mut app = TestApp::new();
        app.inner.config.require_purpose = true;
        app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await.assert_invalid(&["purpose"]);
        app.call(ENDPOINT, query_request(&[("phone", "01012345678")])).await.assert_invalid(&["purpose"]);
        app.call(ENDPOINT, json_request(r#"{"phone":"02-312-3456"}"#)).await.assert_invalid(&["phone", "purpose"]);
        app.call(ENDPOINT, json_request(r#"{"purpose":"login"}"#)).await.assert_invalid(&["purpose", "phone"]);
        assert!(app.texts("01012345678").is_empty());
        app.call(ENDPOINT, json_request(r#"{"phone":"01012345678","purpose":"signup"}"#)).await.ok();
    }

    #[tokio::test]
    async fn sends_are_limited_per_phone() {
        let app = TestApp::new();
        let send = async || app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await;
        send().await.ok();
        send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
        app.clock.advance(59);
        send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 1);
        for _ in 0..4 {
            app.clock.advance(60);
            send().await.ok();
        }
        app.clock.advance(60);
        // The first of five was 359 seconds ago.
        send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3600 - 359);
        app.clock.advance(3600);
        for _ in 0..5 {
            app.clock.advance(60);
            send().await.ok();
        }
        app.clock.advance(3600);
        let first_of_ten_was = 359 + 3600 + 300 + 3600;
        send().await.assert_retry_after(429, "SMS__TOO_MANY_REQUESTS", 86_400 - first_of_ten_was);
        assert_eq!(app.texts("01012345678").len(), 10, "rejected requests send nothing");
        app.call(ENDPOINT, json_request(r#"{"phone":"01087654321"}"#)).await.ok();
    }

    #[tokio::test]
    async fn all_invalid_fields_are_reported() {
        let app = TestApp::new();
        app.call(ENDPOINT, json_request(r#"{"phone":"02-312-3456","purpose":"login"}"#))
            .await
            .assert_invalid(&["phone", "purpose"]);
        app.call(ENDPOINT, json_request(r#"{"phone":1012345678}"#)).await.assert_invalid(&["phone"]);
        app.call(ENDPOINT, json_request("[]")).await.assert_error(400, "REQUEST__MALFORMED");
    }

    #[tokio::test]
    async fn a_send_is_refunded_if_the_sms_provider_fails() {
        struct UnavailableSms;
        #[async_trait::async_trait]
        impl Sms for UnavailableSms {
            async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
                Err(SmsError("unavailable".into()))
            }
        }
        let mut app = TestApp::new();
        let outbox = std::mem::replace(&mut app.inner.sms, Box::new(UnavailableSms));
        for _ in 0..20 {
            app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await.assert_error(504, "SMS__NOT_SENT");
        }
        app.inner.sms = outbox;
        app.call(ENDPOINT, json_request(r#"{"phone":"01012345678"}"#)).await.ok();
    }
}
