//! `POST /api/v1/users/sms-auth/verify` `{"session_id", "phone", "auth_code"}` answers
//! `{"is_verified": true}`.
//!
//! A try is counted before its code is compared, so that no number of guesses at once gets more of
//! them compared than the budgets allow.

use serde::Serialize;
use shared::error::ApiError;
use shared::phone::Phone;
use shared::sms_auth::{AuthCode, SessionId};
use shared::store::Try;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-verify",
    routes: &[("POST", "/api/v1/users/sms-auth/verify")],
    needs: Needs { table: Some(Table::SmsSessions), phones: true, at_once: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer {
    is_verified: bool,
}

/// Compares the code and marks the session verified.
///
/// # Errors
/// 422; 404 if there is no such session; 401 if the code is too old or wrong, or the phone is not
/// the session's; 429 if the tries are spent; and what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let (Some(session_id), Some(phone), Some(code)) =
        (fields.read::<SessionId>("session_id"), fields.read::<Phone>("phone"), fields.read::<AuthCode>("auth_code"))
    else {
        return Err(fields.invalid());
    };

    let (key, now) = (session_id.key(), app.clock.now());
    let (purpose, code_hash) = match app.store.count_try(&key, &phone, &app.config, now).await? {
        Try::Counted { purpose, code_hash } => (purpose, code_hash),
        Try::NotFound => return Err(ApiError::SessionNotFound),
        Try::TooOld => return Err(ApiError::CodeTimeout),
        Try::WrongPhone => return Err(ApiError::CodeNotMatched),
        Try::Spent { retry_after } => return Err(ApiError::TooManyAttempts { retry_after }),
    };
    if !session_id.code_matches(&phone, purpose, &code, &code_hash) {
        return Err(ApiError::CodeNotMatched);
    }
    if !app.store.mark_verified(&key, &phone, &app.config, now).await? {
        return Err(ApiError::SessionNotFound);
    }
    Response::ok(&Answer { is_verified: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Response, World, json};
    use crate::{password, signup};

    async fn verify(world: &World, session_id: &str, phone: &str, code: &str) -> Response {
        let body = format!(r#"{{"session_id":"{session_id}","phone":"{phone}","auth_code":"{code}"}}"#);
        world.call(ENDPOINT, json(&body)).await
    }

    #[tokio::test]
    async fn the_right_code_verifies_also_when_it_is_sent_again() {
        let world = World::new();
        let (session, code) = world.send("01012345678", None).await;
        for _ in 0..2 {
            assert_eq!(verify(&world, &session, "+82 10 1234 5678", &code).await.ok(), r#"{"is_verified":true}"#);
        }
    }

    #[tokio::test]
    async fn a_wrong_code_or_phone_does_not() {
        let world = World::new();
        let (session, code) = world.send("01012345678", None).await;
        verify(&world, &session, "01012345678", &world.other_than(&code)).await.is(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&world, &session, "01087654321", &code).await.is(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&world, &session, "01012345678", &code).await.ok();
    }

    #[tokio::test]
    async fn an_unknown_session_is_not_found() {
        let world = World::new();
        verify(&world, "unknown", "01012345678", "123456").await.is(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn a_code_gets_too_old_and_then_its_session_is_gone() {
        let world = World::new();
        let (session, code) = world.send("01012345678", None).await;
        world.clock.advance(300);
        verify(&world, &session, "01012345678", &code).await.is(401, "SMS__AUTH_CODE_TIMEOUT");
        world.clock.advance(300);
        verify(&world, &session, "01012345678", &code).await.is(404, "SMS__SESSION_NOT_FOUND");
    }

    #[tokio::test]
    async fn the_sixth_try_is_not_compared() {
        let world = World::new();
        let (session, code) = world.send("01012345678", None).await;
        for _ in 0..4 {
            verify(&world, &session, "01012345678", &world.other_than(&code))
                .await
                .is(401, "SMS__AUTH_CODE_NOT_MATCHED");
        }
        verify(&world, &session, "01087654321", &code).await.is(401, "SMS__AUTH_CODE_NOT_MATCHED");
        verify(&world, &session, "01012345678", &code).await.is_retry_after(429, "SMS__TOO_MANY_ATTEMPTS", 600);
    }

    #[tokio::test]
    async fn a_resend_gives_no_new_budget_to_the_phone() {
        let world = World::new();
        for _ in 0..4 {
            let (session, code) = world.send("01012345678", None).await;
            for _ in 0..5 {
                verify(&world, &session, "01012345678", &world.other_than(&code))
                    .await
                    .is(401, "SMS__AUTH_CODE_NOT_MATCHED");
            }
            world.clock.advance(60);
        }
        let (session, code) = world.send("01012345678", None).await;
        verify(&world, &session, "01012345678", &code).await.is_retry_after(
            429,
            "SMS__TOO_MANY_ATTEMPTS",
            86_400 - 240,
        );
        let (session, code) = world.send("01087654321", None).await;
        verify(&world, &session, "01087654321", &code).await.ok();
    }

    #[tokio::test]
    async fn all_bad_fields_are_reported() {
        let world = World::new();
        world.call(ENDPOINT, json(r#"{"auth_code":"12345"}"#)).await.is_invalid(&["session_id", "phone", "auth_code"]);
    }

    #[tokio::test]
    async fn a_session_is_bound_to_its_purpose() {
        let world = World::new();
        let session = world.verified("01012345678", Some("password_reset")).await;
        world
            .call(signup::ENDPOINT, World::signup("minji@example.com", "01012345678", &session))
            .await
            .is(401, "USER__PHONE_NOT_VERIFIED");
        let session = world.verified("01087654321", Some("signup")).await;
        let body = format!(r#"{{"session_id":"{session}","password":"correct horse battery"}}"#);
        world.call(password::ENDPOINT, json(&body)).await.is(401, "USER__PHONE_NOT_VERIFIED");
    }
}
