//! Changes the name, the nickname, or both.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, KeyAccess, Table, USER};
use shared::app::App;
use shared::config::Config;
use shared::values::{FieldError, FieldErrors, InvalidField, Lenient, Name, Nickname};

use super::profile::{PROFILE, ProfileResponse};
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "profile-update",
    routes: &[("PATCH", "/api/v1/users/profile")],
    authentication: Authentication::AccessToken,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(PROFILE),
            Table::Sessions
                .with(&[Action::BatchGetItem, Action::ConditionCheckItem])
                .items(&[USER])
                .attributes(CALLER_SESSION),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "name",
                "nickname",
                "updated_at",
                "token_version",
                "is_disabled",
            ]),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Changes the name, the nickname, or both")
            .request::<ProfileUpdateRequest>()
            .at_least_one_of(&["name", "nickname"])
            .without_unknown_fields()
            .response::<ProfileResponse<'_>>(200)
    },
};

/// The request. Unknown fields are rejected: the email, for example, is changed by another request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors, deny_unknown_fields)]
pub struct ProfileUpdateRequest {
    /// The new name.
    #[deserr(default)]
    name: Option<Name>,
    /// The new nickname.
    #[deserr(default)]
    nickname: Option<Nickname>,
}

/// Requires at least one field.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct AnyField {
    #[deserr(default)]
    name: Lenient<Name>,
    #[deserr(default)]
    nickname: Lenient<Nickname>,
}

impl Rule for AnyField {
    fn check(&self, _: &Config) -> Option<FieldError> {
        let is_empty = matches!((&self.name, &self.nickname), (Lenient::Missing, Lenient::Missing));
        is_empty.then(|| FieldError::new("name", InvalidField("either name or nickname is required")))
    }
}

/// Changes the profile and returns it.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired or revoked; 403 if the user is disabled; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::caller(app, &request).await?;
    let ProfileUpdateRequest { name, nickname } = request.read_checked::<_, AnyField>(&app.config)?;
    let profile = app.store.update_profile(&caller, name.as_ref(), nickname.as_ref(), app.clock.now()).await?;
    Response::ok(&ProfileResponse::from(&profile))
}
