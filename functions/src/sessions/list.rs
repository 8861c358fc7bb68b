//! Lists the sessions of the caller.

use serde::Serialize;
use shared::access::{Access, Action, CALLER, CALLER_SESSION, KeyAccess, Table, USER};
use shared::app::App;
use shared::store::ListedSession;
use uuid::Uuid;

use crate::http::{ApiError, Authentication, Endpoint, Request, Response, auth};

/// The largest number of sessions in a response.
const MAX_SESSIONS: usize = 50;

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sessions",
    routes: &[("GET", "/api/v1/users/sessions")],
    authentication: Authentication::AccessToken,
    is_read_only: true,
    own_errors: &[],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Sessions.with(&[Action::Query]).items(&[USER]).attributes(&[
                "pk",
                "sk",
                "created_at",
                "rotated_at",
                "user_agent",
                "token_version",
                "expires_at",
            ]),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Lists the sessions of the caller").response::<SessionsResponse<'_>>(200)
    },
};

/// The response.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "sessions": [{ "id": "01890000-0000-7000-8000-000000000000", "created_at": 1_790_000_000, "last_used_at": 1_790_003_600, "user_agent": "Mozilla/5.0 (iPhone)", "is_current": true }] })))]
pub struct SessionsResponse<'a> {
    /// At most 50 sessions: that of the access token, then those that were used most recently. Revoked and expired
    /// ones are not listed.
    #[cfg_attr(feature = "openapi", schema(max_items = 50))]
    sessions: Vec<SessionResponse<'a>>,
}

/// A session.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionResponse<'a> {
    /// The id, for revoking the session.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    id: Uuid,
    /// The time of the login, in Unix time.
    created_at: i64,
    /// The time of the most recent refresh, or of the login, in Unix time. Requests with an access token do not count.
    last_used_at: i64,
    /// The `User-Agent` of the client when the session started, at most 200 printable ASCII characters; empty if it sent
    /// none.
    user_agent: &'a str,
    /// Whether the access token of the request belongs to this session.
    is_current: bool,
}

/// Lists the sessions.
///
/// # Errors
/// 401 if the access token is missing, invalid, expired or revoked; 403 if the user is disabled; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::caller(app, &request).await?;
    let mut sessions = app.accounts()?.list_sessions(&caller, app.clock.now()).await?;
    sessions.sort_by_key(|session| (session.id != caller.session_id, -session.last_used_at, session.id));
    sessions.truncate(MAX_SESSIONS);
    let sessions = sessions.iter().map(|session| {
        let ListedSession { id, created_at, last_used_at, ref user_agent } = *session;
        SessionResponse { id, created_at, last_used_at, user_agent, is_current: id == caller.session_id }
    });
    Response::ok(&SessionsResponse { sessions: sessions.collect() })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::test_app::{NOW, PASSWORD, TestApp, bearer_request};
    use crate::users::login;

    /// Logs in with a browser of this name. Returns the access and the refresh token.
    async fn log_in(app: &TestApp, browser: &str) -> (String, String) {
        let body = json!({ "email": "minji@example.com", "password": PASSWORD }).to_string();
        let request = Request { user_agent: Some(browser.to_owned()), ..crate::test_app::json_request(&body) };
        app.call(login::ENDPOINT, request).await.pair()
    }

    async fn list(app: &TestApp, access: &str) -> Vec<Json> {
        let response = app.call(ENDPOINT, bearer_request(access)).await;
        response.assert_status(200);
        response.json()["sessions"].as_array().unwrap().clone()
    }

    #[tokio::test]
    async fn the_current_session_is_first_and_then_the_most_recently_used() {
        let app = TestApp::new();
        let (first, first_refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(10);
        let (second, _) = log_in(&app, "Firefox").await;
        app.clock.advance(10);
        let (_, third_refresh) = log_in(&app, "Safari").await;
        app.clock.advance(10);
        app.refresh(&first_refresh).await.ok();
        // Reading the profile is not a use.
        app.profile(&second).await.ok();
        let sessions = list(&app, &second).await;
        let shown: Vec<_> = sessions
            .iter()
            .map(|session| {
                let seconds = |name: &str| session[name].as_i64().unwrap() - NOW;
                let user_agent = session["user_agent"].as_str().unwrap();
                (user_agent, seconds("created_at"), seconds("last_used_at"), session["is_current"] == true)
            })
            .collect();
        assert_eq!(shown, [("Firefox", 10, 10, true), ("", 0, 30, false), ("Safari", 20, 20, false)]);
        app.logout(&third_refresh, false).await.assert_no_content();
        assert_eq!(list(&app, &first).await.len(), 2);
    }

    #[tokio::test]
    async fn at_most_50_sessions_are_listed_and_the_current_one_among_them() {
        let app = TestApp::new();
        let (first, _) = app.sign_up("minji@example.com", "01012345678").await;
        for nth in 0..60 {
            app.clock.advance(1);
            log_in(&app, &format!("browser {nth}")).await;
        }
        let sessions = list(&app, &first).await;
        assert_eq!((sessions.len(), &sessions[0]["is_current"]), (50, &Json::from(true)));
        assert_eq!(
            (&sessions[1]["user_agent"], &sessions[49]["user_agent"]),
            (&"browser 59".into(), &"browser 11".into())
        );
    }

    #[tokio::test]
    async fn revoked_and_expired_sessions_are_not_listed() {
        let mut app = TestApp::new();
        app.inner.config.tokens.access_token_seconds = 86_400;
        app.sign_up("minji@example.com", "01012345678").await;
        app.reset("01012345678", "a newer horse battery").await;
        let second = app.login("minji@example.com", "a newer horse battery").await.field("refresh_token");
        app.clock.advance(29 * 86_400);
        let third = app.refresh(&second).await.field("access_token");
        app.login("minji@example.com", "a newer horse battery").await.ok();
        assert_eq!(list(&app, &third).await.len(), 2);
        app.clock.advance(86_400);
        let access = app.login("minji@example.com", "a newer horse battery").await.field("access_token");
        app.clock.advance(29 * 86_400);
        let response = app.call(ENDPOINT, bearer_request(&access)).await;
        response.assert_error(401, "TOKEN__EXPIRED");
        let access = app.login("minji@example.com", "a newer horse battery").await.field("access_token");
        assert_eq!(list(&app, &access).await.len(), 2, "the new session, and the one of 29 days ago");
    }

    #[tokio::test]
    async fn a_revoked_session_lists_nothing() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.logout(&refresh, false).await.assert_no_content();
        app.call(ENDPOINT, bearer_request(&access)).await.assert_error(401, "TOKEN__REVOKED");
    }
}
