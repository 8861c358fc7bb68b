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
    let profile = app.accounts()?.update_profile(&caller, name.as_ref(), nickname.as_ref(), app.clock.now()).await?;
    Response::ok(&ProfileResponse::from(&profile))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::test_app::{Response, TestApp, bearer_json_request};

    async fn update(app: &TestApp, token: &str, fields: &Json) -> Response {
        app.call(ENDPOINT, bearer_json_request(token, fields)).await
    }

    #[tokio::test]
    async fn the_given_fields_are_changed() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let profile = |name: &str, nickname: &str| {
            format!(
                r#"{{"name":"{name}","email":"minji@example.com","phone":"+821012345678","nickname":"{nickname}"}}"#
            )
        };
        let renamed = update(&app, &access, &json!({ "name": " Lee Jiwoo", "nickname": null })).await;
        assert_eq!(renamed.ok(), profile("Lee Jiwoo", "minji"));
        update(&app, &access, &json!({ "nickname": "jiwoo" })).await.ok();
        assert_eq!(app.profile(&access).await.ok(), profile("Lee Jiwoo", "jiwoo"));
        let both = update(&app, &access, &json!({ "name": "Kim Minji", "nickname": "minji" })).await;
        assert_eq!(both.ok(), profile("Kim Minji", "minji"));
        // No credentials changed.
        app.refresh(&refresh).await.ok();
    }

    #[tokio::test]
    async fn all_invalid_and_unknown_fields_are_reported() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let fields = json!({ "name": "", "nickname": "a".repeat(31), "email": "other@example.com", "x": [1] });
        update(&app, &access, &fields).await.assert_invalid(&["email", "name", "nickname", "x"]);
        for fields in [json!({}), json!({ "name": null })] {
            update(&app, &access, &fields).await.assert_invalid(&["name"]);
        }
        update(&app, &access, &json!({ "phone": "01087654321" })).await.assert_invalid(&["phone", "name"]);
        update(&app, &access, &json!({ "name": "Lee Jiwoo", "is_disabled": false }))
            .await
            .assert_invalid(&["is_disabled"]);
        let unchanged =
            r#"{"name":"Kim Minji","email":"minji@example.com","phone":"+821012345678","nickname":"minji"}"#;
        assert_eq!(app.profile(&access).await.ok(), unchanged);
    }

    #[tokio::test]
    async fn a_revoked_session_and_a_disabled_user_change_nothing() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.set_disabled("01012345678", true).await;
        let fields = json!({ "name": "Lee Jiwoo" });
        update(&app, &access, &fields).await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.logout(&refresh, false).await.assert_no_content();
        update(&app, &access, &fields).await.assert_error(401, "TOKEN__REVOKED");
    }
}
