//! Revokes one session of the caller.

use shared::access::{Access, Action, CALLER, CALLER_SESSION, KeyAccess, Table, USER};
use shared::app::App;
use uuid::Uuid;

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, auth};

/// The endpoint. It requires a recent login, so that a stolen access token does not revoke the sessions of its owner.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "session-revoke",
    routes: &[("DELETE", "/api/v1/users/sessions/{id}")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[ErrorCode::SessionNotFound],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem, Action::ConditionCheckItem]).items(&[USER]).attributes(CALLER),
            Table::Sessions
                .with(&[Action::BatchGetItem, Action::ConditionCheckItem])
                .items(&[USER])
                .attributes(CALLER_SESSION),
            Table::Sessions.with(&[Action::DeleteItem]).items(&[USER]).attributes(&[
                "pk",
                "sk",
                "token_version",
                "expires_at",
            ]),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || crate::http::operation::Operation::new("Revokes a session of the caller"),
};

/// Revokes the session with the id in the path, which may be the caller's own.
///
/// # Errors
/// 401 if the access token is missing, invalid, expired, revoked or of an old login; 403 if the user is disabled; 404
/// if the caller has no such session; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    let id = request.path_parameters.get("id").and_then(|id| Uuid::parse_str(id).ok());
    let id = id.ok_or(ApiError::SessionNotFound)?;
    match app.accounts()?.revoke_listed_session(&caller, id, app.clock.now()).await? {
        true => Ok(Response::no_content()),
        false => Err(ApiError::SessionNotFound),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{PASSWORD, Response, TestApp, bearer_request};

    async fn revoke(app: &TestApp, access: &str, id: &str) -> Response {
        let path_parameters = [("id".to_owned(), id.to_owned())].into();
        app.call(ENDPOINT, Request { path_parameters, ..bearer_request(access) }).await
    }

    /// Returns the ids of the sessions, the current one first.
    async fn ids(app: &TestApp, access: &str) -> Vec<String> {
        let response = app.call_by_name("sessions", bearer_request(access)).await.json();
        let sessions = response["sessions"].as_array().unwrap();
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_revoked_session_is_over_immediately() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await;
        let ids = ids(&app, &access).await;
        revoke(&app, &access, &ids[1]).await.assert_no_content();
        app.profile(&other.field("access_token")).await.assert_error(401, "TOKEN__REVOKED");
        app.refresh(&other.field("refresh_token")).await.assert_error(401, "TOKEN__REVOKED");
        app.profile(&access).await.ok();
        revoke(&app, &access, &ids[1]).await.assert_error(404, "SESSION__NOT_FOUND");
        // The caller may revoke its own session.
        revoke(&app, &access, &ids[0]).await.assert_no_content();
        revoke(&app, &access, &ids[0]).await.assert_error(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn the_session_of_another_user_is_not_found() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let (other, _) = app.sign_up("other@example.com", "01087654321").await;
        let others = ids(&app, &other).await;
        for id in [others[0].as_str(), "01890000-0000-7000-8000-000000000000", "minji", ""] {
            revoke(&app, &access, id).await.assert_error(404, "SESSION__NOT_FOUND");
        }
        app.call(ENDPOINT, bearer_request(&access)).await.assert_error(404, "SESSION__NOT_FOUND");
        app.profile(&other).await.ok();
    }

    #[tokio::test]
    async fn revoking_a_session_requires_a_recent_login() {
        let mut app = TestApp::new();
        app.inner.config.recent_login_seconds = 60;
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let ids = ids(&app, &access).await;
        app.clock.advance(61);
        revoke(&app, &access, &ids[0])
            .await
            .assert_error(401, "TOKEN__LOGIN_TOO_OLD")
            .assert_challenge(r#"Bearer error="insufficient_user_authentication", max_age="60""#);
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        revoke(&app, &access, &ids[0]).await.assert_no_content();
    }
}
