//! Logs a user in by email or phone number.
//!
//! An unknown user and a wrong password get the same response, after the same work and the same requests. An
//! attempt is counted before its password is compared, and refunded if it was right: for a known device on limits
//! that nobody else can exhaust, otherwise on those of the client's address and of all strangers together.

use deserr::Deserr;
use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::access::{Access, Action, EMAIL, KeyAccess, PASSWORD_LIMITS, PHONE, Table, USER};
use shared::app::App;
use shared::config::Config;
use shared::store::{Credentials, Limit, LoginIdentifier, Session, Subject};
use shared::tokens::Device;
use shared::values::{
    DeviceToken, Email, FieldError, FieldErrors, InvalidField, Lenient, PasswordAttempt, Phone, SourceIp, UserAgent,
};

use crate::http::limits::{RequestLimits, known_device};
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "login",
    routes: &[("POST", "/api/v1/users/login")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::RequestTooMany,
        ErrorCode::UserNotMatched,
        ErrorCode::UserTooManyAttempts,
        ErrorCode::UserVerificationRequired,
        ErrorCode::UserDisabled,
    ],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::GetItem]).items(&[EMAIL, PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[USER]).attributes(&[
                "pk",
                "password_hash",
                "token_version",
                "is_disabled",
                "password_reset_at",
                "claims",
            ]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[PASSWORD_LIMITS]),
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
        crate::http::operation::Operation::new("Logs in with a password")
            .request::<LoginRequest>()
            .exactly_one_of(&["email", "phone"])
            .response::<LoginResponse<'_>>(200)
    },
};

/// The request: a password, and either an email or a phone number.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// The device token of an earlier login, sign-up or reset.
    #[deserr(default)]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    device_token: DeviceToken,
}

/// The response: the tokens of a new session.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "access_token": "eyJ...", "refresh_token": "eyJ...", "device_token": "eyJ..." })))]
pub struct LoginResponse<'a> {
    /// The access token.
    access_token: &'a str,
    /// The refresh token.
    refresh_token: &'a str,
    /// The device token, which gives the client limits of its own.
    device_token: &'a str,
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
    fn check(&self, _: &Config) -> Option<FieldError> {
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
/// 422; 401 if the user is unknown or the password is wrong; 403 if the user is disabled, or if too many
/// passwords in a row were wrong; 429 if the attempts are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let LoginRequest { email, phone, password, device_token } =
        request.read_checked::<_, OneIdentifier>(&app.config)?;
    if let Some(phone) = &phone {
        request.event.phone(phone);
    }
    let identifier = email.map(LoginIdentifier::Email).or(phone.map(LoginIdentifier::Phone));
    let identifier = identifier.ok_or_else(|| ApiError::Internal("the request has no identifier".into()))?;

    let now = app.clock.now();
    let device = app.keyring.verify_device(&device_token, &issuer, now).await;
    let credentials = app.store.credentials(&identifier).await?;
    if let Some(credentials) = &credentials {
        request.event.user(credentials.user_id);
    }
    let limits = limits(app, &identifier, credentials.as_ref(), device, request.ip());
    limits.count(app, now).await?;
    let hash = credentials.as_ref().map(|credentials| &credentials.password_hash);
    match ((app.hasher.matches)(&password, hash, app.config.bcrypt_cost), credentials) {
        (true, Some(Credentials { user_id, token_version, is_disabled, claims, .. })) => {
            limits.refund(app, now).await;
            if is_disabled {
                return Err(ApiError::UserDisabled);
            }
            let session = Session::new(user_id, token_version, app.config.tokens.lifetime, now);
            let tokens = app.keyring.issue(&session, &claims, &issuer, &app.config.tokens, now).await?;
            let device_token = app.keyring.issue_device(user_id, &issuer, now).await?;
            let user_agent = UserAgent::from_header(request.user_agent.as_deref());
            app.store.start_session(&session, &user_agent).await?;
            request.event.lock().is_login = true;
            Response::ok(&LoginResponse {
                access_token: tokens.access_token.expose_secret(),
                refresh_token: tokens.refresh_token.expose_secret(),
                device_token: device_token.expose_secret(),
            })
        }
        _ => Err(ApiError::UserNotMatched),
    }
}

/// Returns the limits that an attempt counts on.
fn limits(
    app: &App,
    identifier: &LoginIdentifier,
    credentials: Option<&Credentials>,
    device: Option<Device>,
    ip: SourceIp,
) -> RequestLimits {
    let settings = &app.config.limits;
    let exhausted = |retry_after| ApiError::TooManyPasswords { retry_after };
    let device = credentials.and_then(|found| known_device(device, found.user_id, found.password_reset_at));
    if let Some(device) = device {
        let own = Limit::new(Subject::passwords_from_device(device.id), settings.passwords_per_device);
        return RequestLimits::default().and(own, exhausted);
    }
    let account = credentials.map(|found| Subject::passwords_of_account(found.user_id));
    let of_account = Limit {
        in_a_row: Some(settings.passwords_in_a_row),
        // The count of an account is kept until a code is verified.
        is_kept: account.is_some(),
        ..Limit::new(
            account.unwrap_or_else(|| Subject::passwords_of_identifier(identifier)),
            settings.passwords_per_account,
        )
    };
    RequestLimits::default()
        .and(Limit::new(Subject::passwords_from_ip(ip), settings.passwords_per_ip), |retry_after| {
            ApiError::TooManyRequests { retry_after }
        })
        .and(of_account, exhausted)
}

#[cfg(test)]
mod tests;
