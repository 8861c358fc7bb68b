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
    match app.store.revoke_listed_session(&caller, id, app.clock.now()).await? {
        true => Ok(Response::no_content()),
        false => Err(ApiError::SessionNotFound),
    }
}
