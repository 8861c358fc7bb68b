//! Refreshes a session: exchanges a refresh token for a new pair of tokens.
//!
//! A refresh token is used once. A second use means that the token may have been stolen, and revokes the
//! session. Within the reuse interval, however, a client that did not receive the response gets a valid
//! pair again.

use deserr::Deserr;
use shared::access::{Access, Action, KeyAccess, Table, USER};
use shared::app::App;
use shared::store::RefreshOutcome;
use shared::tokens::RefreshGrant;
use shared::values::{FieldErrors, RefreshToken};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, TokenPair};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "token-refresh",
    routes: &[("POST", "/api/v1/users/token/refresh")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::TokenInvalid,
        ErrorCode::TokenExpired,
        ErrorCode::TokenReused,
        ErrorCode::TokenRevoked,
        ErrorCode::UserDisabled,
    ],
    access: Access {
        tables: &[
            Table::Sessions.with(&[Action::UpdateItem, Action::DeleteItem]).items(&[USER]),
            Table::Users.with(&[Action::ConditionCheckItem, Action::GetItem]).items(&[USER]).attributes(&[
                "pk",
                "token_version",
                "is_disabled",
                "claims",
            ]),
        ],
        keys: KeyAccess::Sign,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Exchanges a refresh token for a new pair of tokens")
            .request::<RefreshRequest>()
            .response::<TokenPair<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct RefreshRequest {
    /// The latest refresh token of the session.
    refresh_token: RefreshToken,
}

/// Advances the session to its next generation and returns the tokens of that generation.
///
/// # Errors
/// 422; 401 if the token is invalid, expired or was used before, or if its session is revoked; 403 if the user
/// is disabled; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let RefreshRequest { refresh_token } = request.read(app.config.default_region)?;

    let now = app.clock.now();
    let RefreshGrant { session, claims } = app.keyring.verify_refresh(&refresh_token, &issuer, now).await?;
    request.event.user(session.user_id);
    let next = session.next(app.config.tokens.lifetime, now);
    // `next` has expired too if the lifetime of sessions was shortened after the login.
    if session.expires_at <= now || next.expires_at <= now {
        return Err(ApiError::TokenExpired);
    }
    match app.store.refresh_session(&next, &claims, now).await? {
        RefreshOutcome::Refreshed { claims } => {
            let tokens = app.keyring.issue(&next, &claims, &issuer, &app.config.tokens, now).await?;
            Response::ok(&TokenPair::from(&tokens))
        }
        RefreshOutcome::ReuseDetected => Err(ApiError::TokenReused),
        RefreshOutcome::Revoked => Err(ApiError::TokenRevoked),
        RefreshOutcome::UserDisabled => Err(ApiError::UserDisabled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{ISSUER, PASSWORD, TestApp, json_request};

    const DAY: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn each_refresh_returns_a_new_pair() {
        let app = TestApp::new();
        let (first_access, mut refresh) = app.sign_up("minji@example.com", "01012345678").await;
        for _ in 0..3 {
            app.clock.advance(DAY);
            let response = app.refresh(&refresh).await;
            response.ok();
            assert_ne!(response.field("refresh_token"), refresh);
            refresh = response.field("refresh_token");
            app.profile(&first_access).await.assert_error(401, "TOKEN__EXPIRED");
            app.profile(&response.field("access_token")).await.ok();
        }
    }

    #[tokio::test]
    async fn a_retry_within_the_reuse_interval_returns_a_valid_pair() {
        let app = TestApp::new();
        let (_, first) = app.sign_up("minji@example.com", "01012345678").await;
        let second = app.refresh(&first).await.field("refresh_token");
        for seconds in [0, 10, 20] {
            app.clock.advance(seconds);
            let again = app.refresh(&first).await;
            app.profile(&again.field("access_token")).await.ok();
        }
        // Both belong to the same next generation.
        let again = app.refresh(&first).await.field("refresh_token");
        let third = app.refresh(&again).await.field("refresh_token");
        app.refresh(&second).await.ok();
        app.refresh(&first).await.assert_error(401, "TOKEN__REUSED");
        app.refresh(&third).await.assert_error(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn reuse_of_a_token_revokes_the_session() {
        let app = TestApp::new();
        let (_, first) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        let second = app.refresh(&first).await.field("refresh_token");
        app.clock.advance(31);
        app.refresh(&first)
            .await
            .assert_error(401, "TOKEN__REUSED")
            .assert_challenge(r#"Bearer error="invalid_token", error_description="used before""#);
        app.refresh(&second)
            .await
            .assert_error(401, "TOKEN__REVOKED")
            .assert_challenge(r#"Bearer error="invalid_token", error_description="revoked""#);
        app.refresh(&other).await.ok();
    }

    #[tokio::test]
    async fn a_session_expires_after_30_unused_days_or_90_days() {
        let app = TestApp::new();
        let (_, mut refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let idle = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        for _ in 0..3 {
            app.clock.advance(30 * DAY - 1);
            refresh = app.refresh(&refresh).await.field("refresh_token");
        }
        app.refresh(&idle).await.assert_error(401, "TOKEN__EXPIRED");
        app.clock.advance(2);
        refresh = app.refresh(&refresh).await.field("refresh_token");
        app.clock.advance(1);
        app.refresh(&refresh)
            .await
            .assert_error(401, "TOKEN__EXPIRED")
            .assert_challenge(r#"Bearer error="invalid_token", error_description="expired""#);
    }

    #[tokio::test]
    async fn a_session_older_than_a_shortened_lifetime_has_expired() {
        let mut app = TestApp::new();
        let (_, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(2 * DAY);
        app.inner.config.tokens.lifetime.session_seconds = 2 * DAY;
        app.refresh(&refresh).await.assert_error(401, "TOKEN__EXPIRED");
        app.inner.config.tokens.lifetime.session_seconds = 2 * DAY + 1;
        app.refresh(&refresh).await.ok();
    }

    #[tokio::test]
    async fn a_disabled_user_cannot_refresh() {
        let app = TestApp::new();
        let (_, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.set_disabled("01012345678", true).await;
        app.refresh(&refresh).await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.refresh(&refresh).await.ok();
    }

    #[tokio::test]
    async fn a_reset_revokes_all_sessions() {
        let app = TestApp::new();
        let (_, first) = app.sign_up("minji@example.com", "01012345678").await;
        let second = app.login("minji@example.com", PASSWORD).await.field("refresh_token");
        app.reset("01012345678", "a newer horse battery").await;
        let new = app.login("minji@example.com", "a newer horse battery").await.field("refresh_token");
        for revoked in [first, second] {
            app.refresh(&revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        app.refresh(&new).await.ok();
    }

    #[tokio::test]
    async fn only_an_issued_refresh_token_is_accepted() {
        let mut app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let truncated = refresh.get(..refresh.len() - 5).unwrap();
        for token in ["nonsense", &access, truncated] {
            app.refresh(token)
                .await
                .assert_error(401, "TOKEN__INVALID")
                .assert_challenge(r#"Bearer error="invalid_token""#);
        }
        app.inner.config.token_issuer = Some("https://accounts.example.org".to_owned());
        app.refresh(&refresh).await.assert_error(401, "TOKEN__INVALID");
        app.inner.config.token_issuer = Some(ISSUER.to_owned());
        app.refresh(&refresh).await.ok();
        app.call(ENDPOINT, json_request("{}")).await.assert_invalid(&["refresh_token"]);
        app.call(ENDPOINT, json_request(r#"{"refresh_token":""}"#)).await.assert_invalid(&["refresh_token"]);
        app.call(ENDPOINT, json_request(r#"{"refresh_token":1}"#)).await.assert_invalid(&["refresh_token"]);
        let too_large = serde_json::json!({ "refresh_token": "x".repeat(1024 * 1024) }).to_string();
        app.call(ENDPOINT, json_request(&too_large)).await.assert_error(413, "REQUEST__TOO_LARGE");
    }
}
