//! Logs a user in by email or phone number.
//!
//! An unknown user and a wrong password get the same response, after the same work.

use deserr::Deserr;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::access::{Access, Action, EMAIL, KeyAccess, PHONE, Table, USER};
use shared::app::App;
use shared::store::{Credentials, LoginIdentifier, Session};
use shared::values::{Email, FieldError, FieldErrors, InvalidField, Lenient, PasswordAttempt, Phone, UserAgent};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "login",
    routes: &[("POST", "/api/v1/users/login")],
    authentication: Authentication::None,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::UserNotMatched, ErrorCode::UserDisabled],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::GetItem]).items(&[EMAIL, PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[USER]).attributes(&[
                "pk",
                "password_hash",
                "token_version",
                "is_disabled",
            ]),
            Table::Sessions.with(&[Action::PutItem]).items(&[USER]),
        ],
        keys: KeyAccess::Sign,
        phone_metadata: true,
        hashing: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// The request: a password, and either an email or a phone number.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
pub struct LoginRequest {
    /// The email.
    #[deserr(default)]
    email: Option<Email>,
    /// The phone number.
    #[deserr(default)]
    phone: Option<Phone>,
    /// The password.
    password: PasswordAttempt,
}

/// The response: the tokens of a new session.
#[derive(Serialize)]
pub struct LoginResponse<'a> {
    /// The access token.
    access_token: &'a str,
    /// The refresh token.
    refresh_token: &'a str,
}

/// Requires exactly one of email and phone number.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct OneIdentifier {
    #[deserr(default)]
    email: Lenient<Email>,
    #[deserr(default)]
    phone: Lenient<Phone>,
}

impl Rule for OneIdentifier {
    fn check(&self) -> Option<FieldError> {
        match (&self.email, &self.phone) {
            (Lenient::Missing, Lenient::Missing) => {
                Some(FieldError::new("email", InvalidField("either email or phone is required")))
            }
            (Lenient::Valid(_), Lenient::Valid(_)) => {
                Some(FieldError::new("phone", InvalidField("must not be sent together with email")))
            }
            _ => None,
        }
    }
}

/// Starts a session of the user.
///
/// # Errors
/// 422; 401 if the user is unknown or the password is wrong; 403 if the user is disabled; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let LoginRequest { email, phone, password } =
        request.read_checked::<_, OneIdentifier>(app.config.default_region)?;
    let identifier = email.map(LoginIdentifier::Email).or(phone.map(LoginIdentifier::Phone));
    let identifier = identifier.ok_or_else(|| ApiError::Internal("the request has no identifier".into()))?;

    let credentials = app.store.credentials(&identifier).await?;
    let hash = credentials.as_ref().map(|credentials| &credentials.password_hash);
    match (password.matches(hash, app.config.bcrypt_cost), credentials) {
        (true, Some(Credentials { is_disabled: true, .. })) => Err(ApiError::UserDisabled),
        (true, Some(Credentials { user_id, token_version, .. })) => {
            let now = app.clock.now();
            let session = Session::new(user_id, token_version, app.config.tokens.lifetime, now);
            let tokens = app.keyring.issue(&session, &issuer, &app.config.tokens, now).await?;
            let user_agent = UserAgent::from_header(request.user_agent.as_deref());
            app.store.start_session(&session, &user_agent).await?;
            Response::ok(&LoginResponse {
                access_token: tokens.access_token.expose_secret(),
                refresh_token: tokens.refresh_token.expose_secret(),
            })
        }
        _ => Err(ApiError::UserNotMatched),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{PASSWORD, TestApp, json_request};

    #[tokio::test]
    async fn logs_in_by_email_or_phone_in_any_spelling() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        for login in [r#""email":"MINJI@Example.com""#, r#""phone":"+82 10-1234-5678""#] {
            let response = app.call(ENDPOINT, json_request(&format!(r#"{{{login},"password":"{PASSWORD}"}}"#))).await;
            response.assert_status(200);
            assert_ne!(response.field("access_token"), response.field("refresh_token"));
            app.profile(&response.field("access_token")).await.ok();
        }
    }

    #[tokio::test]
    async fn an_unknown_user_and_a_wrong_password_get_the_same_response() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        let login = async |email: &str, password: &str| {
            app.call(ENDPOINT, json_request(&format!(r#"{{"email":"{email}","password":"{password}"}}"#))).await
        };
        let wrong = login("minji@example.com", "wrong horse battery").await;
        wrong.assert_error(401, "USER__NOT_MATCHED");
        let too_long = "x".repeat(100);
        for (email, password) in
            [("nobody@example.com", PASSWORD), ("minji@example.com", too_long.as_str()), ("minji@example.com", "x")]
        {
            assert_eq!(login(email, password).await, wrong);
        }
    }

    #[tokio::test]
    async fn a_disabled_user_cannot_log_in_and_is_not_disclosed() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        app.set_disabled("01012345678", true).await;
        app.login("minji@example.com", "wrong horse battery").await.assert_error(401, "USER__NOT_MATCHED");
        app.login("minji@example.com", PASSWORD).await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.login("minji@example.com", PASSWORD).await.ok();
    }

    #[tokio::test]
    async fn exactly_one_of_email_and_phone_is_required() {
        let app = TestApp::new();
        app.call(ENDPOINT, json_request("{}")).await.assert_invalid(&["password", "email"]);
        app.call(ENDPOINT, json_request(r#"{"email":"a@example.com","phone":"01012345678","password":"x"}"#))
            .await
            .assert_invalid(&["phone"]);
        app.call(ENDPOINT, json_request(r#"{"email":"minji","password":""}"#))
            .await
            .assert_invalid(&["email", "password"]);
    }
}
