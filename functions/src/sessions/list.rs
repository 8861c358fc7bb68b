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
    /// The `User-Agent` of the client that logged in, at most 200 printable ASCII characters; empty if it sent none.
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
    let mut sessions = app.store.list_sessions(&caller, app.clock.now()).await?;
    sessions.sort_by_key(|session| (session.id != caller.session_id, -session.last_used_at, session.id));
    sessions.truncate(MAX_SESSIONS);
    let sessions = sessions.iter().map(|session| {
        let ListedSession { id, created_at, last_used_at, ref user_agent } = *session;
        SessionResponse { id, created_at, last_used_at, user_agent, is_current: id == caller.session_id }
    });
    Response::ok(&SessionsResponse { sessions: sessions.collect() })
}
