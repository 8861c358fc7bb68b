//! Changes the email.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, EMAIL, KeyAccess, Table, USER};
use shared::app::App;
use shared::store::{EmailChangeOutcome, Session};
use shared::values::{Email, FieldErrors, UserAgent};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, TokenPair, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "email-change",
    routes: &[("PUT", "/api/v1/users/email")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::UserAlreadyExist],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "email",
                "token_version",
                "is_disabled",
            ]),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "email",
                "updated_at",
                "token_version",
                "is_disabled",
            ]),
            Table::Users.with(&[Action::PutItem, Action::DeleteItem]).items(&[EMAIL]).attributes(&["pk", "user_id"]),
            Table::Sessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[USER]),
        ],
        keys: KeyAccess::Sign,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Changes the email")
            .request::<EmailChangeRequest>()
            .response::<TokenPair<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct EmailChangeRequest {
    /// The new email, unique. It may be the current one in another spelling.
    email: Email,
}

/// Replaces the email and the caller's session, and revokes all other sessions of the user.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired, revoked or of an old login; 403 if the user is disabled;
/// 409 if the email is taken; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let EmailChangeRequest { email } = request.read(app.config.default_region)?;

    let now = app.clock.now();
    let session = Session::replacing(&caller, app.config.tokens.lifetime, now);
    // Before the email is replaced, so that a failure here replaces none.
    let tokens = app.keyring.issue(&session, &issuer, &app.config.tokens, now).await?;
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    match app.store.change_email(&caller, &email, &session, &user_agent, now).await? {
        EmailChangeOutcome::Changed => Response::ok(&TokenPair::from(&tokens)),
        EmailChangeOutcome::Taken => Err(ApiError::taken(&["email"])),
    }
}
