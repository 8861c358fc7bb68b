//! Changes the password of a caller who knows the current one.
//!
//! An attempt is counted on the caller's session before the current password is compared, and refunded if it was
//! right: a stranger, who has no session, cannot exhaust it.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, KeyAccess, PASSWORD_LIMITS_OF_SESSIONS, Table, USER};
use shared::app::App;
use shared::config::Config;
use shared::store::{Limit, Session, Subject};
use shared::values::{FieldError, FieldErrors, InvalidField, Lenient, Password, PasswordAttempt, UserAgent};

use crate::http::limits::RequestLimits;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule, TokenPair, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "password-change",
    routes: &[("POST", "/api/v1/users/password/change")],
    authentication: Authentication::AccessToken,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::UserNotMatched,
        ErrorCode::UserTooManyAttempts,
        ErrorCode::UserVerificationRequired,
    ],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "password_hash",
                "email",
                "phone",
                "name",
                "token_version",
                "is_disabled",
                "claims",
            ]),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Limits.with(&[Action::UpdateItem]).items(&[PASSWORD_LIMITS_OF_SESSIONS]),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "password_hash",
                "updated_at",
                "token_version",
                "is_disabled",
            ]),
            Table::Sessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[USER]),
        ],
        keys: KeyAccess::Sign,
        hashing: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Changes the password")
            .request::<PasswordChangeRequest>()
            .response::<TokenPair<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct PasswordChangeRequest {
    /// The current password.
    current_password: PasswordAttempt,
    /// The new password, which must differ from the current one, and must not contain the user's email, phone number
    /// or name.
    password: Password,
}

/// Rejects a new password that is the current one, or that contains little besides the service's name.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct OtherPassword {
    #[deserr(default)]
    current_password: Lenient<PasswordAttempt>,
    #[deserr(default)]
    password: Lenient<Password>,
}

impl Rule for OtherPassword {
    fn check(&self, config: &Config) -> Option<FieldError> {
        let password = self.password.valid()?;
        let is_current = self.current_password.valid().is_some_and(|current| password.is_same_as(current));
        let checked = match is_current {
            true => Err(InvalidField("must differ from the current password")),
            false => password.check_not_of_service(&config.service_name),
        };
        checked.err().map(|invalid| FieldError::new("password", invalid))
    }
}

/// Replaces the password and the caller's session, and revokes all other sessions of the user.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired or revoked, or if the current password is wrong; 403 if
/// the user is disabled, or if too many passwords of the session in a row were wrong; 429 if the attempts of the session
/// are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::caller(app, &request).await?;
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let PasswordChangeRequest { current_password, password } = request.read_checked::<_, OtherPassword>(&app.config)?;

    let now = app.clock.now();
    let own = app.accounts()?.own_credentials(&caller, now).await?;
    password
        .check_not_personal(Some(&own.email.0), Some(&own.phone), Some(&own.name.0))
        .map_err(|invalid| ApiError::InvalidFields(FieldErrors(vec![FieldError::new("password", invalid)])))?;
    let subject = Subject::passwords_from_session(caller.session_id);
    let settings = &app.config.limits;
    let of_session =
        Limit { in_a_row: Some(settings.passwords_in_a_row), ..Limit::new(subject, settings.passwords_per_session) };
    let limits = RequestLimits::default().and(of_session, |retry_after| ApiError::TooManyPasswords { retry_after });
    limits.count(app, now).await?;
    if !(app.hasher.matches)(&current_password, Some(&own.password_hash), app.config.bcrypt_cost) {
        return Err(ApiError::UserNotMatched);
    }
    limits.refund(app, now).await;

    let hash = (app.hasher.hash)(&password, app.config.bcrypt_cost)?;
    // The user proved the password: this is a login.
    let session = Session::replacing(&caller, now, app.config.tokens.lifetime, now);
    // Before the password is replaced, so that a failure here replaces none.
    let tokens = app.keyring.issue(&session, &own.claims, &issuer, &app.config.tokens, now).await?;
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    app.accounts()?.change_password(&caller, &hash, &session, &user_agent, now).await?;
    Response::ok(&TokenPair::from(&tokens))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::limits::Bucket;

    use super::*;
    use crate::test_app::{PASSWORD, Response, TestApp, bearer_json_request};

    const NEW: &str = "a newer horse battery";

    async fn change(app: &TestApp, token: &str, current: &str, new: &str) -> Response {
        let fields = json!({ "current_password": current, "password": new });
        app.call(ENDPOINT, bearer_json_request(token, &fields)).await
    }

    #[tokio::test]
    async fn a_change_replaces_the_password_and_revokes_all_other_sessions() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await;
        // No recent login is required: the current password proves the user.
        app.clock.advance(600);
        let (new_access, new_refresh) = change(&app, &access, PASSWORD, NEW).await.pair();
        for revoked in [&access, &other.field("access_token")] {
            app.profile(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        for revoked in [&refresh, &other.field("refresh_token")] {
            app.refresh(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        app.profile(&new_access).await.ok();
        app.refresh(&new_refresh).await.ok();
        app.login("minji@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
        app.login("minji@example.com", NEW).await.ok();
    }

    #[tokio::test]
    async fn a_change_is_a_recent_login() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(600);
        let (access, _) = change(&app, &access, PASSWORD, NEW).await.pair();
        app.clock.advance(300);
        let body = json!({ "email": "new@example.com" });
        app.call_by_name("email-change", bearer_json_request(&access, &body)).await.ok();
    }

    #[tokio::test]
    async fn a_device_stays_known() {
        let mut app = TestApp::new();
        let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        app.clock.advance(60);
        change(&app, &access, PASSWORD, NEW).await.ok();
        app.inner.config.limits.passwords_per_account = Bucket::new(1, 300);
        app.login("minji@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
        app.login("minji@example.com", NEW).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
        app.login_from(&device_token, "minji@example.com", NEW).await.ok();
    }

    #[tokio::test]
    async fn wrong_passwords_are_limited_for_the_session_alone() {
        let mut app = TestApp::new();
        app.inner.config.limits.passwords_per_session = Bucket::new(3, 300);
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await.field("access_token");
        for _ in 0..3 {
            change(&app, &access, "wrong horse battery", NEW).await.assert_error(401, "USER__NOT_MATCHED");
        }
        change(&app, &access, PASSWORD, NEW).await.assert_retry_after(429, "USER__TOO_MANY_ATTEMPTS", 300);
        // Neither a login nor another session is limited.
        app.login("minji@example.com", PASSWORD).await.ok();
        change(&app, &other, "wrong horse battery", NEW).await.assert_error(401, "USER__NOT_MATCHED");
        app.clock.advance(300);
        change(&app, &access, PASSWORD, NEW).await.ok();
    }

    #[tokio::test]
    async fn after_100_wrong_passwords_in_a_row_the_session_changes_nothing() {
        let mut app = TestApp::new();
        app.inner.config.limits.passwords_in_a_row = 3;
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        for _ in 0..3 {
            change(&app, &access, "wrong horse battery", NEW).await.assert_error(401, "USER__NOT_MATCHED");
        }
        change(&app, &access, PASSWORD, NEW).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        change(&app, &access, PASSWORD, NEW).await.ok();
    }

    #[tokio::test]
    async fn wrong_passwords_of_strangers_do_not_limit_a_change() {
        let mut app = TestApp::new();
        app.inner.config.limits.passwords_in_a_row = 2;
        let (mut access, _) = app.sign_up("minji@example.com", "01012345678").await;
        for _ in 0..2 {
            app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        }
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
        // Right passwords are refunded.
        for (current, new) in [(PASSWORD, NEW), (NEW, PASSWORD)].into_iter().cycle().take(12) {
            (access, _) = change(&app, &access, current, new).await.pair();
        }
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__VERIFICATION_REQUIRED");
    }

    #[tokio::test]
    async fn an_invalid_new_password_is_rejected_and_changes_nothing() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        for new in
            ["short", "password1", "hello Kim Minji", "minji@example.com", "010-1234-5678", "ably 2026!", PASSWORD]
        {
            change(&app, &access, PASSWORD, new).await.assert_invalid(&["password"]);
        }
        let missing = app.call(ENDPOINT, bearer_json_request(&access, &json!({ "password": "short" }))).await;
        missing.assert_invalid(&["password", "current_password"]);
        change(&app, &access, PASSWORD, NEW).await.ok();
    }

    #[tokio::test]
    async fn a_revoked_session_changes_nothing() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.logout(&refresh, false).await.assert_no_content();
        change(&app, &access, PASSWORD, NEW).await.assert_error(401, "TOKEN__REVOKED");
        app.login("minji@example.com", PASSWORD).await.ok();
    }
}
