//! Sends a code by SMS.
//!
//! With a `purpose`, the verified SMS session can be used for that purpose only; without one, for any.
//! Whether the phone number has an account makes no difference.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, Table};
use shared::app::App;
use shared::sms_text;
use shared::store::{OpenOutcome, SmsSession};
use shared::values::{FieldErrors, Phone, Purpose, SmsSessionId};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint. Prefer `POST`, which keeps the phone number out of URLs.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-send",
    routes: &[("GET", "/api/v1/users/sms-auth/send"), ("POST", "/api/v1/users/sms-auth/send")],
    authentication: Authentication::None,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::SmsTooManyRequests, ErrorCode::SmsNotSent],
    access: Access {
        tables: &[(Table::SmsSessions, &[Action::PutItem, Action::UpdateItem, Action::DeleteItem])],
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
    /// The purpose of the SMS session.
    #[deserr(default)]
    purpose: Option<Purpose>,
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
}

/// Opens an SMS session and sends its code.
///
/// # Errors
/// 422; 429 if the phone number's limit is exhausted; 504 if the SMS provider fails (the send is then not
/// counted); or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let SendRequest { phone, purpose } = request.read(app.config.default_region)?;

    let (session_id, code, now) = (SmsSessionId::random(), (app.new_code)(), app.clock.now());
    let session = SmsSession {
        key: session_id.key(),
        code_mac: session_id.code_mac(&phone, purpose, &code),
        phone,
        purpose,
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
    })
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
        assert_eq!(sent.ok(), format!(r#"{{"session_id":"{session_id}","expires_in":300,"resend_after":60}}"#));
        assert_eq!(app.texts("01012345678").len(), 1);

        app.call(ENDPOINT, query_request(&[("phone", "01087654321"), ("purpose", "signup")])).await.ok();
        assert!(app.texts("01087654321")[0].contains("회원가입"));
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
