//! `POST /api/v1/users/sms-auth/send` `{"phone", "purpose"}`, and `GET` with the same in the query,
//! send a code by SMS and answer `{"session_id", "expires_in", "resend_after"}`, in seconds.
//!
//! `purpose` is `signup` or `password_reset`; without it the session may be used for either.
//! Whether the phone has an account makes no difference.

use serde::Serialize;
use shared::error::ApiError;
use shared::phone::Phone;
use shared::sms_auth::{self, Purpose, SessionId};
use shared::store::{Opened, Session};
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-send",
    routes: &[("GET", "/api/v1/users/sms-auth/send"), ("POST", "/api/v1/users/sms-auth/send")],
    needs: Needs { table: Some(Table::SmsSessions), phones: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer<'a> {
    session_id: &'a str,
    expires_in: i64,
    resend_after: i64,
}

/// Opens a session and sends its code.
///
/// # Errors
/// 422; 429 if the phone's budget is spent; 504 if the SMS was not sent, and then nothing counts;
/// and what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let (Some(phone), Some(purpose)) = (fields.read::<Phone>("phone"), fields.read_optional::<Purpose>("purpose"))
    else {
        return Err(fields.invalid());
    };

    let (session_id, code, now) = (SessionId::generate(), (app.new_code)(), app.clock.now());
    let code_hash = session_id.code_hash(&phone, purpose, &code);
    let session = Session { key: session_id.key(), phone, purpose, code_hash, sent_at: now };
    match app.store.open_session(&session, &app.config, now).await {
        Ok(Opened::Yes) => {}
        Ok(Opened::TooSoon { retry_after }) => return Err(ApiError::TooManyRequests { retry_after }),
        Err(error) => {
            // It may be open all the same, and its client does not know the id.
            undo(app, &session).await;
            return Err(error.into());
        }
    }

    let text = sms_auth::text(&session.phone, purpose, &code, &app.config);
    if let Err(not_sent) = app.sms.send(&session.phone, &text).await {
        undo(app, &session).await;
        return Err(ApiError::NotSent(not_sent));
    }
    Response::ok(&Answer {
        session_id: session_id.reveal(),
        expires_in: app.config.code_seconds,
        resend_after: app.config.seconds_between_sends,
    })
}

/// Undoes a session whose SMS was not sent. If that fails too, the phone waits its cool-down.
async fn undo(app: &App, session: &Session) {
    if let Err(error) = app.store.cancel_session(session, &app.config).await {
        tracing::error!(cause = %error, "a session whose SMS was not sent could not be undone");
    }
}

#[cfg(test)]
mod tests {
    use shared::sms::{Sms, SmsError};

    use super::*;
    use crate::testing::{World, get, json};

    #[tokio::test]
    async fn sends_a_code_by_post_and_by_get() {
        let world = World::new();
        let sent = world.call(ENDPOINT, json(r#"{"phone":"010-1234-5678"}"#)).await;
        let session_id = sent.field("session_id");
        assert_eq!(sent.ok(), format!(r#"{{"session_id":"{session_id}","expires_in":300,"resend_after":60}}"#));
        assert_eq!(world.texts("01012345678").len(), 1);

        world.call(ENDPOINT, get(&[("phone", "01087654321"), ("purpose", "signup")])).await.ok();
        assert!(world.texts("01087654321")[0].contains("회원가입"));
    }

    #[tokio::test]
    async fn a_phone_has_a_cool_down_and_a_quota() {
        let world = World::new();
        let send = async || world.call(ENDPOINT, json(r#"{"phone":"01012345678"}"#)).await;
        send().await.ok();
        send().await.is_retry_after(429, "SMS__TOO_MANY_REQUESTS", 60);
        world.clock.advance(59);
        send().await.is_retry_after(429, "SMS__TOO_MANY_REQUESTS", 1);
        for _ in 0..4 {
            world.clock.advance(60);
            send().await.ok();
        }
        world.clock.advance(60);
        // The first of five was 359 seconds ago.
        send().await.is_retry_after(429, "SMS__TOO_MANY_REQUESTS", 3600 - 359);
        world.clock.advance(3600);
        for _ in 0..5 {
            world.clock.advance(60);
            send().await.ok();
        }
        world.clock.advance(3600);
        let first_of_ten_was = 359 + 3600 + 300 + 3600;
        send().await.is_retry_after(429, "SMS__TOO_MANY_REQUESTS", 86_400 - first_of_ten_was);
        assert_eq!(world.texts("01012345678").len(), 10, "what was refused was not sent");
        world.call(ENDPOINT, json(r#"{"phone":"01087654321"}"#)).await.ok();
    }

    #[tokio::test]
    async fn all_bad_fields_are_reported() {
        let world = World::new();
        world
            .call(ENDPOINT, json(r#"{"phone":"02-312-3456","purpose":"login"}"#))
            .await
            .is_invalid(&["phone", "purpose"]);
        world.call(ENDPOINT, json(r#"{"phone":1012345678}"#)).await.is_invalid(&["phone"]);
        world.call(ENDPOINT, json("[]")).await.is(400, "REQUEST__MALFORMED");
    }

    #[tokio::test]
    async fn when_the_sms_is_not_sent_nothing_counts() {
        struct Away;
        #[async_trait::async_trait]
        impl Sms for Away {
            async fn send(&self, _: &Phone, _: &str) -> Result<(), SmsError> {
                Err(SmsError("away".into()))
            }
        }
        let mut world = World::new();
        let outbox = std::mem::replace(&mut world.app.sms, Box::new(Away));
        for _ in 0..20 {
            world.call(ENDPOINT, json(r#"{"phone":"01012345678"}"#)).await.is(504, "SMS__NOT_SENT");
        }
        world.app.sms = outbox;
        world.call(ENDPOINT, json(r#"{"phone":"01012345678"}"#)).await.ok();
    }
}
