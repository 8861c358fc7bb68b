//! Deletes the account of the caller.

use shared::access::{
    Access, Action, CALLER, CALLER_SESSION, EMAIL, KeyAccess, PASSWORD_LIMITS_OF_ACCOUNTS, PHONE,
    SMS_LIMITS_OF_ACCOUNTS, Table, USER,
};
use shared::app::App;

use crate::http::{ApiError, Authentication, Endpoint, Request, Response, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "account-delete",
    routes: &[("DELETE", "/api/v1/users/profile")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "email",
                "phone",
                "token_version",
                "is_disabled",
            ]),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Users.with(&[Action::DeleteItem]).items(&[USER]).attributes(CALLER),
            Table::Users.with(&[Action::DeleteItem]).items(&[EMAIL, PHONE]).attributes(&["pk", "user_id"]),
            Table::Sessions.with(&[Action::DeleteItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Sessions.with(&[Action::Query]).items(&[USER]).attributes(&["pk", "sk"]),
            Table::Limits
                .with(&[Action::DeleteItem])
                .items(&[PASSWORD_LIMITS_OF_ACCOUNTS, SMS_LIMITS_OF_ACCOUNTS])
                .attributes(&["pk"]),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || crate::http::operation::Operation::new("Deletes the account"),
};

/// Deletes the user, whose email and phone number are then free, and the user's sessions and counts.
///
/// # Errors
/// 401 if the access token is missing, invalid, expired, revoked or of an old login, or if the account is already
/// deleted; 403 if the user is disabled; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    app.store.delete_account(&caller, app.clock.now()).await?;
    // Without their user, the sessions are revoked. Those that remain expire.
    if let Err(error) = app.store.delete_sessions(caller.user_id).await {
        tracing::warn!(cause = %error, "sessions of a deleted account remain until they expire");
    }
    Ok(Response::no_content())
}
