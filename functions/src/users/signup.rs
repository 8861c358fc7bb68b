//! Creates a user.
//!
//! The SMS session must be verified for this phone number and for sign-up; the transaction that creates the
//! user consumes it. A 409 leaves it usable, for five attempts in all: each costs a hash.

use deserr::Deserr;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::access::{Access, Action, EMAIL, KeyAccess, PHONE, SMS_SESSION, Table, USER};
use shared::app::App;
use shared::config::Config;
use shared::store::{NewUser, Session, SignUpAttemptOutcome, SignUpOutcome};
use shared::values::{
    Claims, Email, FieldError, FieldErrors, Lenient, Name, Nickname, Password, Phone, SmsSessionId, UserAgent, UserId,
};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule};

/// The endpoint. `singup` is the spelling of the first clients.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "signup",
    routes: &[("POST", "/api/v1/users/singup"), ("POST", "/api/v1/users/signup")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::UserPhoneNotVerified, ErrorCode::UserAlreadyExist],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::UpdateItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Users.with(&[Action::GetItem]).items(&[EMAIL, PHONE]),
            Table::Users.with(&[Action::PutItem]).items(&[EMAIL, PHONE, USER]),
            Table::Sessions.with(&[Action::PutItem]).items(&[USER]),
        ],
        keys: KeyAccess::Sign,
        phone_metadata: true,
        hashing: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Creates a user")
            .request::<SignupRequest>()
            .response::<SignupResponse<'_>>(201)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct SignupRequest {
    /// The email, unique.
    email: Email,
    /// The nickname.
    nickname: Nickname,
    /// The phone number that the SMS session verified, unique.
    phone: Phone,
    /// The password, which must not contain the email, the phone number or the name.
    password: Password,
    /// The name.
    name: Name,
    /// The id of the verified SMS session.
    session_id: SmsSessionId,
}

/// The response: the tokens of the new user's first session.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "access_token": "eyJ...", "refresh_token": "eyJ...", "device_token": "eyJ..." })))]
pub struct SignupResponse<'a> {
    /// The access token.
    access_token: &'a str,
    /// The refresh token.
    refresh_token: &'a str,
    /// The device token, which gives the client limits of its own.
    device_token: &'a str,
}

/// Rejects a password that contains the user's email, phone number or name, or little besides the service's name.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct ImpersonalPassword {
    #[deserr(default)]
    email: Lenient<Email>,
    #[deserr(default)]
    phone: Lenient<Phone>,
    #[deserr(default)]
    name: Lenient<Name>,
    #[deserr(default)]
    password: Lenient<Password>,
}

impl Rule for ImpersonalPassword {
    fn check(&self, config: &Config) -> Option<FieldError> {
        let password = self.password.valid()?;
        let (email, name) = (self.email.valid().map(Email::as_str), self.name.valid().map(Name::as_str));
        let checked = password
            .check_not_personal(email, self.phone.valid(), name)
            .and_then(|()| password.check_not_of_service(&config.service_name));
        checked.err().map(|invalid| FieldError::new("password", invalid))
    }
}

/// Creates the user and returns the tokens of a first session.
///
/// # Errors
/// 422; 401 if the SMS session is not verified for this phone number and purpose; 409 if the email or the
/// phone number is taken; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let SignupRequest { email, nickname, phone, password, name, session_id } =
        request.read_checked::<_, ImpersonalPassword>(&app.config)?;

    request.event.phone(&phone);

    // Before the password is hashed, so that invalid requests cost no CPU. The transaction decides.
    let (key, now) = (session_id.key(), app.clock.now());
    let max = app.config.limits.sign_ups_per_sms_session;
    match app.store.record_sign_up_attempt(&key, &phone, max, now).await? {
        SignUpAttemptOutcome::Recorded => {}
        SignUpAttemptOutcome::NotVerified => return Err(ApiError::PhoneNotVerified),
        SignUpAttemptOutcome::OtherPurpose => return Err(other_purpose(app, &email, &phone).await?),
    }

    let id = UserId::new(app.clock.now_millis());
    let user = NewUser {
        id,
        name,
        nickname,
        email,
        phone,
        password_hash: (app.hasher.hash)(&password, app.config.bcrypt_cost)?,
    };
    // Before the user is created, so that a failure here leaves none.
    let session = Session::new(id, 0, app.config.tokens.lifetime, now);
    let tokens = app.keyring.issue(&session, &Claims::NONE, &issuer, &app.config.tokens, now).await?;
    let device_token = app.keyring.issue_device(id, &issuer, now).await?;
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    match app.store.sign_up(&user, &session, &user_agent, &key, now).await? {
        SignUpOutcome::Created => {
            request.event.user(id);
            request.event.lock().is_sign_up = true;
            Response::created(&SignupResponse {
                access_token: tokens.access_token.expose_secret(),
                refresh_token: tokens.refresh_token.expose_secret(),
                device_token: device_token.expose_secret(),
            })
        }
        SignUpOutcome::NotVerified => Err(ApiError::PhoneNotVerified),
        SignUpOutcome::Taken { email, phone } => Err(already_exists(email, phone)),
    }
}

/// Returns the error of an SMS session for a password reset: 409 if the phone number has an account, because a
/// send without a purpose opens such a session then.
async fn other_purpose(app: &App, email: &Email, phone: &Phone) -> Result<ApiError, ApiError> {
    if !app.store.is_phone_taken(phone).await? {
        return Ok(ApiError::PhoneNotVerified);
    }
    Ok(already_exists(app.store.is_email_taken(email).await?, true))
}

/// Returns the error that names the taken fields.
fn already_exists(email: bool, phone: bool) -> ApiError {
    let fields = [email.then_some("email"), phone.then_some("phone")];
    ApiError::taken(&fields.into_iter().flatten().collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{TestApp, json_request};

    #[tokio::test]
    async fn sign_up_creates_a_user_and_consumes_the_sms_session() {
        let app = TestApp::new();
        let session = app.verified_sms_session("01012345678", None).await;
        let response =
            app.call(ENDPOINT, TestApp::signup_request("Minji@example.com", "010-1234-5678", &session)).await;
        response.assert_status(201);
        let profile = app.profile(&response.field("access_token")).await;
        assert_eq!(
            profile.ok(),
            r#"{"name":"Kim Minji","email":"Minji@example.com","phone":"+821012345678","nickname":"minji"}"#
        );
        app.call(ENDPOINT, TestApp::signup_request("other@example.com", "01012345678", &session))
            .await
            .assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn a_409_names_the_taken_fields_and_leaves_the_sms_session_usable() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;

        let session = app.verified_sms_session("01087654321", Some("signup")).await;
        let response = app.call(ENDPOINT, TestApp::signup_request("MINJI@example.com", "01087654321", &session)).await;
        response.assert_error(409, "USER__ALREADY_EXIST").assert_fields(&["email"]);
        app.call(ENDPOINT, TestApp::signup_request("other@example.com", "01087654321", &session))
            .await
            .assert_status(201);

        app.clock.advance(60);
        for purpose in [None, Some("signup")] {
            let session = app.verified_sms_session("01012345678", purpose).await;
            let response =
                app.call(ENDPOINT, TestApp::signup_request("minji@example.com", "01012345678", &session)).await;
            response.assert_error(409, "USER__ALREADY_EXIST").assert_fields(&["email", "phone"]);
            app.clock.advance(60);
        }
    }

    #[tokio::test]
    async fn one_sms_session_accepts_five_sign_ups() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        let session = app.verified_sms_session("01087654321", None).await;
        let sign_up = async |email| app.call(ENDPOINT, TestApp::signup_request(email, "01087654321", &session)).await;
        for _ in 0..4 {
            sign_up("minji@example.com").await.assert_error(409, "USER__ALREADY_EXIST");
        }
        // Invalid fields cost no hash, and are not counted.
        sign_up("minji").await.assert_invalid(&["email"]);
        sign_up("minji@example.com").await.assert_error(409, "USER__ALREADY_EXIST");
        sign_up("other@example.com").await.assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn the_sms_session_must_be_verified_for_this_phone_and_not_expired() {
        let app = TestApp::new();
        let not_verified = |session: String| {
            let app = &app;
            async move {
                let response =
                    app.call(ENDPOINT, TestApp::signup_request("minji@example.com", "01012345678", &session)).await;
                response.assert_error(401, "USER__PHONE_NOT_VERIFIED");
            }
        };
        not_verified("unknown".to_owned()).await;
        not_verified(app.send("01012345678", None).await.0).await;
        not_verified(app.verified_sms_session("01087654321", None).await).await;
        app.clock.advance(60);
        let session = app.verified_sms_session("01012345678", None).await;
        app.clock.advance(600);
        not_verified(session).await;
    }

    #[tokio::test]
    async fn all_invalid_fields_are_reported_together() {
        let app = TestApp::new();
        app.call(ENDPOINT, json_request("{}")).await.assert_invalid(&[
            "email",
            "nickname",
            "phone",
            "password",
            "name",
            "session_id",
        ]);
        let body = r#"{"email":"minji","nickname":"","phone":"12","password":"short","name":"\u0000","session_id":""}"#;
        app.call(ENDPOINT, json_request(body)).await.assert_invalid(&[
            "email",
            "nickname",
            "phone",
            "password",
            "name",
            "session_id",
        ]);
        let body = r#"{"email":"minji@example.com","nickname":"","phone":"01012345678","password":"hello Kim Minji","name":"Kim Minji","session_id":"x"}"#;
        app.call(ENDPOINT, json_request(body)).await.assert_invalid(&["nickname", "password"]);
        for password in ["password1", "minji@example.com", "010-1234-5678", "ably 2026!", "xyzxyzxyz"] {
            let body = format!(
                r#"{{"email":"minji@example.com","nickname":"m","phone":"01012345678","password":"{password}","name":"K","session_id":"x"}}"#
            );
            app.call(ENDPOINT, json_request(&body)).await.assert_invalid(&["password"]);
        }
    }

    #[tokio::test]
    async fn emails_that_only_look_equal_are_different_and_twins_are_not() {
        let app = TestApp::new();
        app.sign_up("minji@example.com", "01012345678").await;
        let sign_up = async |email: &str, phone: &str| {
            let session = app.verified_sms_session(phone, Some("signup")).await;
            app.call(ENDPOINT, TestApp::signup_request(email, phone, &session)).await
        };
        sign_up("ｍｉｎｊｉ@example.com", "01087654321").await.assert_error(409, "USER__ALREADY_EXIST");
        sign_up("mınji@example.com", "01055554444").await.assert_status(201);
        sign_up("mіnji@example.com", "01033332222").await.assert_invalid(&["email"]);
    }

    #[tokio::test]
    async fn nothing_is_hashed_without_a_verified_sms_session() {
        // bcrypt has no such cost: hashing would fail.
        let mut app = TestApp::new();
        app.inner.config.bcrypt_cost = 0;
        app.call(ENDPOINT, TestApp::signup_request("minji@example.com", "01012345678", "unknown"))
            .await
            .assert_error(401, "USER__PHONE_NOT_VERIFIED");
    }
}
