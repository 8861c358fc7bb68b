//! Revokes the session of a refresh token, or all of the user's sessions. Also succeeds if they are already
//! revoked.

use deserr::Deserr;
use shared::access::{Access, Action, KeyAccess, Table, USER};
use shared::app::App;
use shared::values::{FieldErrors, RefreshToken};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "logout",
    routes: &[("POST", "/api/v1/users/logout")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::TokenInvalid, ErrorCode::TokenExpired],
    access: Access {
        tables: &[
            Table::Sessions.with(&[Action::DeleteItem]).items(&[USER]),
            Table::Users
                .with(&[Action::UpdateItem, Action::GetItem])
                .items(&[USER])
                .attributes(&["pk", "token_version"]),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Revokes a session, or all of them").request::<LogoutRequest>()
    },
};

/// The request. The response is 204, without a body.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct LogoutRequest {
    /// A refresh token of the session.
    refresh_token: RefreshToken,
    /// Whether to revoke all of the user's sessions.
    #[deserr(default)]
    everywhere: Option<bool>,
}

/// Revokes one session, or all sessions of the user.
///
/// # Errors
/// 422; 401 if the token is invalid, or has expired and would revoke other sessions; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let LogoutRequest { refresh_token, everywhere } = request.read(app.config.default_region)?;

    let now = app.clock.now();
    let session = app.keyring.verify_refresh(&refresh_token, &issuer, now).await?.session;
    request.event.user(session.user_id);
    match everywhere.unwrap_or_default() {
        // A token revokes its own session even after it has expired or was used.
        false => app.store.revoke_session(&session).await?,
        true if session.expires_at <= now => return Err(ApiError::TokenExpired),
        true => app.store.revoke_all_sessions(&session).await?,
    }
    Ok(Response::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{PASSWORD, TestApp, json_request};

    const DAY: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn logout_revokes_only_its_own_session_repeatedly() {
        let app = TestApp::new();
        let (access, first) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        for _ in 0..2 {
            app.logout(&first, false).await.assert_no_content();
        }
        app.refresh(&first).await.assert_error(401, "TOKEN__REVOKED");
        app.refresh(&other).await.ok();
        // Other services accept the access token until it expires; this one does not.
        app.profile(&access).await.assert_error(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn everywhere_revokes_all_sessions_and_their_access_tokens() {
        let app = TestApp::new();
        let (access, first) = app.sign_up("minji@example.com", "01012345678").await;
        let second = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        app.logout(&first, true).await.assert_no_content();
        for revoked in [&first, &second] {
            app.refresh(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        app.profile(&access).await.assert_error(401, "TOKEN__REVOKED");

        let new = app.login("minji@example.com", PASSWORD).await;
        for revoked in [&first, &second] {
            app.logout(revoked, true).await.assert_no_content();
        }
        app.profile(&new.field("access_token")).await.ok();
        app.refresh(&new.field("refresh_token")).await.ok();
    }

    #[tokio::test]
    async fn logging_out_of_a_revoked_session_succeeds() {
        let app = TestApp::new();
        let (_, first) = app.sign_up("minji@example.com", "01012345678").await;
        let second = app.refresh(&first).await.field("refresh_token");
        app.clock.advance(31);
        app.refresh(&first).await.assert_error(401, "TOKEN__REUSED");
        app.logout(&second, false).await.assert_no_content();

        let third = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        app.reset("01012345678", "a newer horse battery").await;
        for everywhere in [false, true] {
            app.logout(&third, everywhere).await.assert_no_content();
        }
        let fourth = app.login("minji@example.com", "a newer horse battery").await.field("refresh_token");
        app.clock.advance(30 * DAY);
        app.logout(&fourth, false).await.assert_no_content();
    }

    #[tokio::test]
    async fn a_used_token_still_revokes_its_session() {
        let app = TestApp::new();
        let (_, first) = app.sign_up("minji@example.com", "01012345678").await;
        let second = app.refresh(&first).await.field("refresh_token");
        app.clock.advance(31);
        app.logout(&first, false).await.assert_no_content();
        app.refresh(&second).await.assert_error(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn only_an_issued_refresh_token_is_accepted() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        for token in ["nonsense", &access] {
            app.logout(token, false)
                .await
                .assert_error(401, "TOKEN__INVALID")
                .assert_challenge(r#"Bearer error="invalid_token""#);
        }
        app.call(ENDPOINT, json_request(r#"{"everywhere":"yes"}"#))
            .await
            .assert_invalid(&["everywhere", "refresh_token"]);
        app.refresh(&refresh).await.ok();
        app.clock.advance(30 * DAY);
        app.logout(&refresh, true).await.assert_error(401, "TOKEN__EXPIRED");
    }
}
