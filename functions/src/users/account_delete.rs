//! Deletes the account of the caller.

use shared::access::{
    Access, Action, CALLER_SESSION, EMAIL, KeyAccess, PASSWORD_LIMITS_OF_ACCOUNTS, PHONE, SMS_LIMITS_OF_ACCOUNTS,
    Table, USER,
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
            Table::Users.with(&[Action::DeleteItem]).items(&[USER, EMAIL, PHONE]).attributes(&[
                "pk",
                "user_id",
                "token_version",
                "is_disabled",
            ]),
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
    app.accounts()?.delete_account(&caller, app.clock.now()).await?;
    // Without their user, the sessions are revoked. Those that remain expire.
    if let Err(error) = app.accounts()?.delete_sessions(caller.user_id).await {
        tracing::warn!(cause = %error, "sessions of a deleted account remain until they expire");
    }
    Ok(Response::no_content())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shared::limits::Bucket;

    use super::*;
    use crate::test_app::{PASSWORD, TestApp, bearer_request, json_request};

    #[tokio::test]
    async fn a_deleted_account_is_gone_and_its_email_and_phone_are_free() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let other = app.login("minji@example.com", PASSWORD).await;
        app.call(ENDPOINT, bearer_request(&access)).await.assert_no_content();
        for revoked in [&access, &other.field("access_token")] {
            app.profile(revoked).await.assert_error(401, "TOKEN__INVALID");
            app.call(ENDPOINT, bearer_request(revoked)).await.assert_error(401, "TOKEN__INVALID");
        }
        for revoked in [&refresh, &other.field("refresh_token")] {
            app.refresh(revoked).await.assert_error(401, "TOKEN__REVOKED");
            app.logout(revoked, true).await.assert_no_content();
        }
        app.login("minji@example.com", PASSWORD).await.assert_error(401, "USER__NOT_MATCHED");
        app.clock.advance(60);
        let (new, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.profile(&new).await.ok();
        app.profile(&access).await.assert_error(401, "TOKEN__INVALID");
    }

    #[tokio::test]
    async fn deleting_the_account_requires_a_recent_login() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(301);
        app.call(ENDPOINT, bearer_request(&access)).await.assert_login_too_old();
        app.profile(&access).await.ok();
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        app.call(ENDPOINT, bearer_request(&access)).await.assert_no_content();
    }

    #[tokio::test]
    async fn the_counts_of_a_deleted_account_are_not_those_of_the_next_one() {
        let mut app = TestApp::new();
        app.inner.config.limits.passwords_per_account = Bucket::new(1, 86_400);
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        app.login("minji@example.com", PASSWORD).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
        app.call(ENDPOINT, bearer_request(&access)).await.assert_no_content();
        app.clock.advance(60);
        app.sign_up("minji@example.com", "01012345678").await;
        app.login("minji@example.com", PASSWORD).await.ok();
    }

    #[tokio::test]
    async fn a_device_token_of_a_deleted_account_is_void() {
        let mut app = TestApp::new();
        let device_token = app.sign_up_on_a_device("minji@example.com", "01012345678").await;
        let access = app.login("minji@example.com", PASSWORD).await.field("access_token");
        app.call(ENDPOINT, bearer_request(&access)).await.assert_no_content();
        app.clock.advance(60);
        app.sign_up("minji@example.com", "01012345678").await;
        app.inner.config.limits.passwords_per_account = Bucket::new(1, 300);
        app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        app.login_from(&device_token, "minji@example.com", PASSWORD).await.assert_error(429, "USER__TOO_MANY_ATTEMPTS");
    }

    #[tokio::test]
    async fn codes_of_a_deleted_account_open_nothing() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(60);
        let reset = app.verified_sms_session("01012345678", Some("password_reset")).await;
        app.clock.advance(60);
        let (login, code) = app.send("01012345678", Some("login")).await;
        app.call(ENDPOINT, bearer_request(&access)).await.assert_no_content();
        let body = json!({ "session_id": reset, "password": "a newer horse battery" }).to_string();
        app.call_by_name("password", json_request(&body)).await.assert_error(404, "USER__NOT_FOUND");
        let body = json!({ "session_id": login, "phone": "01012345678", "auth_code": code }).to_string();
        app.call_by_name("login-code", json_request(&body)).await.assert_error(404, "USER__NOT_FOUND");
    }

    #[tokio::test]
    async fn a_disabled_user_cannot_delete_the_account() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.set_disabled("01012345678", true).await;
        app.call(ENDPOINT, bearer_request(&access)).await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.profile(&access).await.ok();
    }
}
