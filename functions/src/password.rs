//! `PUT /api/v1/users/password` `{"session_id", "password"}` answers `{"is_password_reset": true}`.
//!
//! The session must be verified; it is consumed in the transaction that replaces the hash.

use serde::Serialize;
use shared::error::ApiError;
use shared::password::Password;
use shared::sms_auth::{Purpose, SessionId};
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "password",
    routes: &[("PUT", "/api/v1/users/password")],
    needs: Needs { table: Some(Table::SmsSessions), ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer {
    is_password_reset: bool,
}

/// Replaces the password of the user whose phone the session verified.
///
/// # Errors
/// 422; 401 if the session is not verified for this; 404 if the phone has no account; and what a
/// store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let (Some(session_id), Some(password)) =
        (fields.read::<SessionId>("session_id"), fields.read::<Password>("password"))
    else {
        return Err(fields.invalid());
    };

    let (key, now) = (session_id.key(), app.clock.now());
    let session = app.store.verified_session(&key, now).await?;
    let session = session.filter(|session| session.is_for(Purpose::PasswordReset)).ok_or(ApiError::PhoneNotVerified)?;
    let account = app.store.account(&session.phone).await?.ok_or(ApiError::UserNotFound)?;
    if let Err(personal) = password.is_not_personal(Some(&account.email), Some(&session.phone), Some(&account.name)) {
        fields.refuse("password", personal);
        return Err(fields.invalid());
    }

    let hash = password.hash(app.config.bcrypt_cost)?;
    if !app.store.reset_password(account.user_id, &hash, &session.phone, &key, now).await? {
        return Err(ApiError::PhoneNotVerified);
    }
    Response::ok(&Answer { is_password_reset: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, Response, World, json};

    async fn reset(world: &World, session: &str, password: &str) -> Response {
        world.call(ENDPOINT, json(&format!(r#"{{"session_id":"{session}","password":"{password}"}}"#))).await
    }

    #[tokio::test]
    async fn replaces_the_password_and_consumes_the_session() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(60);
        let session = world.verified("01012345678", Some("password_reset")).await;
        assert_eq!(reset(&world, &session, "a newer horse battery").await.ok(), r#"{"is_password_reset":true}"#);
        world.login("minji@example.com", "a newer horse battery").await.is_status(200);
        world.login("minji@example.com", PASSWORD).await.is(401, "USER__NOT_MATCHED");
        reset(&world, &session, "an even newer horse").await.is(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn a_phone_without_an_account_is_not_found() {
        let world = World::new();
        let session = world.verified("01012345678", None).await;
        reset(&world, &session, "a newer horse battery").await.is(404, "USER__NOT_FOUND");
    }

    #[tokio::test]
    async fn an_unverified_session_resets_nothing() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(60);
        let (session, _) = world.send("01012345678", None).await;
        reset(&world, &session, "a newer horse battery").await.is(401, "USER__PHONE_NOT_VERIFIED");
        reset(&world, "unknown", "a newer horse battery").await.is(401, "USER__PHONE_NOT_VERIFIED");
        world.login("minji@example.com", PASSWORD).await.is_status(200);
    }

    #[tokio::test]
    async fn a_bad_password_is_refused_and_leaves_the_session_usable() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(60);
        let session = world.verified("01012345678", None).await;
        for password in ["short", "password1", "hello Kim Minji", "minji@example.com", "010-1234-5678"] {
            reset(&world, &session, password).await.is_invalid(&["password"]);
        }
        world.call(ENDPOINT, json("{}")).await.is_invalid(&["session_id", "password"]);
        reset(&world, &session, "a newer horse battery").await.ok();
    }
}
