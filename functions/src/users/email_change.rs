//! Changes the email.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, CHECK_LIMITS, EMAIL, KeyAccess, Table, USER};
use shared::app::App;
use shared::store::{EmailChangeOutcome, Limit, Session, Subject};
use shared::values::{Email, FieldErrors, UserAgent};

use crate::http::limits::RequestLimits;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, TokenPair, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "email-change",
    routes: &[("PUT", "/api/v1/users/email")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::RequestTooMany, ErrorCode::UserAlreadyExist],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "email",
                "token_version",
                "is_disabled",
                "claims",
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
            Table::Limits.with(&[Action::UpdateItem]).items(&[CHECK_LIMITS]),
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

/// Replaces the email and the caller's session, and revokes all other sessions of the user. Counts as a duplicate check,
/// because its error for a taken email returns the same.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired, revoked or of an old login; 403 if the user is disabled;
/// 429 if the duplicate checks of the client's address are exhausted; 409 if the email is taken; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let EmailChangeRequest { email } = request.read(app.config.default_region)?;

    let now = app.clock.now();
    let limit = Limit::new(Subject::checks_from_ip(request.ip()), app.config.limits.checks_per_ip);
    let limits = RequestLimits::default().and(limit, |retry_after| ApiError::TooManyRequests { retry_after });
    limits.count(app, now).await?;

    let session = Session::replacing(&caller, caller.started_at, app.config.tokens.lifetime, now);
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    match app.accounts()?.change_email(&caller, &email, &session, &user_agent, now).await? {
        EmailChangeOutcome::Changed { claims } => {
            let tokens = app.keyring.issue(&session, &claims, &issuer, &app.config.tokens, now).await?;
            Response::ok(&TokenPair::from(&tokens))
        }
        EmailChangeOutcome::Taken => Err(ApiError::taken(&["email"])),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::test_app::{PASSWORD, Response, TestApp, bearer_json_request, query_request};

    async fn change(app: &TestApp, token: &str, email: &str) -> Response {
        app.call(ENDPOINT, bearer_json_request(token, &json!({ "email": email }))).await
    }

    #[tokio::test]
    async fn a_change_moves_the_email_and_revokes_all_other_sessions() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await;
        let (new_access, new_refresh) = change(&app, &access, "New@Example.com").await.pair();
        for revoked in [&access, &other.field("access_token")] {
            app.profile(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        for revoked in [&refresh, &other.field("refresh_token")] {
            app.refresh(revoked).await.assert_error(401, "TOKEN__REVOKED");
        }
        assert_eq!(app.profile(&new_access).await.field("email"), "New@example.com");
        app.refresh(&new_refresh).await.ok();
        app.login("new@example.com", PASSWORD).await.ok();
        app.login("minji@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
        app.sign_up("minji@example.com", "01087654321").await;
    }

    #[tokio::test]
    async fn the_spelling_can_be_changed() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let (access, _) = change(&app, &access, "Minji@example.com").await.pair();
        assert_eq!(app.profile(&access).await.field("email"), "Minji@example.com");
        app.login("minji@example.com", PASSWORD).await.ok();
    }

    #[tokio::test]
    async fn a_taken_email_is_a_409_and_changes_nothing() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.sign_up("other@example.com", "01087654321").await;
        change(&app, &access, "OTHER@example.com")
            .await
            .assert_error(409, "USER__ALREADY_EXIST")
            .assert_fields(&["email"]);
        app.profile(&access).await.ok();
        app.refresh(&refresh).await.ok();
    }

    #[tokio::test]
    async fn changes_are_limited_with_the_duplicate_checks_of_the_address() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.sign_up("other@example.com", "01087654321").await;
        let request = |request| Request { source_ip: Some("203.0.113.7".to_owned()), ..request };
        for _ in 0..59 {
            let check = query_request(&[("email", "other@example.com")]);
            app.call_by_name("email-duplicate-check", request(check)).await.ok();
        }
        let taken = bearer_json_request(&access, &json!({ "email": "other@example.com" }));
        app.call(ENDPOINT, request(taken)).await.assert_error(409, "USER__ALREADY_EXIST");
        let free = || request(bearer_json_request(&access, &json!({ "email": "new@example.com" })));
        app.call(ENDPOINT, free()).await.assert_retry_after(429, "REQUEST__TOO_MANY", 30);
        assert_eq!(app.profile(&access).await.field("email"), "minji@example.com");
        app.clock.advance(30);
        app.call(ENDPOINT, free()).await.ok();
    }

    #[tokio::test]
    async fn a_recent_login_is_required_and_stays_the_one_of_the_session() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(200);
        let (access, _) = change(&app, &access, "new@example.com").await.pair();
        app.refresh(&refresh).await.assert_error(401, "TOKEN__REVOKED");
        app.clock.advance(100);
        let (access, refresh) = change(&app, &access, "newer@example.com").await.pair();
        app.clock.advance(1);
        change(&app, &access, "newest@example.com").await.assert_login_too_old();
        // A refresh is not a login.
        let refreshed = app.refresh(&refresh).await.field("access_token");
        change(&app, &refreshed, "newest@example.com").await.assert_login_too_old();
        let access = app.login("newer@example.com", PASSWORD).await.field("access_token");
        change(&app, &access, "newest@example.com").await.ok();
    }

    #[tokio::test]
    async fn an_invalid_email_is_rejected() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        change(&app, &access, "minji").await.assert_invalid(&["email"]);
        app.call(ENDPOINT, bearer_json_request(&access, &json!({}))).await.assert_invalid(&["email"]);
    }
}
