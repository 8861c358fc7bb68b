//! Changes the phone number to one that an SMS session verified.
//!
//! The transaction that moves the number consumes the SMS session. A 409 leaves it usable.

use deserr::Deserr;
use shared::access::{Access, Action, CALLER_SESSION, KeyAccess, PHONE, SMS_OF_DAY, SMS_SESSION, Table, USER};
use shared::app::App;
use shared::sms_text;
use shared::store::{PhoneChangeOutcome, Session};
use shared::values::{FieldErrors, Language, Purpose, SmsSessionId, UserAgent};

use crate::http::notice::send_notice;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, TokenPair, auth};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "phone-change",
    routes: &[("PUT", "/api/v1/users/phone")],
    authentication: Authentication::RecentLogin,
    is_read_only: false,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::UserPhoneNotVerified, ErrorCode::UserAlreadyExist],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::GetItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(&[
                "pk",
                "phone",
                "token_version",
                "is_disabled",
            ]),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
            Table::Users.with(&[Action::UpdateItem]).items(&[USER]).attributes(&[
                "pk",
                "phone",
                "updated_at",
                "token_version",
                "is_disabled",
            ]),
            Table::Users.with(&[Action::PutItem, Action::DeleteItem]).items(&[PHONE]).attributes(&["pk", "user_id"]),
            Table::Sessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[USER]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_OF_DAY]),
        ],
        keys: KeyAccess::Sign,
        sms: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Changes the phone number")
            .request::<PhoneChangeRequest>()
            .response::<TokenPair<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct PhoneChangeRequest {
    /// The id of the SMS session that verified the new phone number, with the purpose `phone_change`.
    session_id: SmsSessionId,
}

/// Replaces the phone number and the caller's session, and revokes all other sessions of the user. Then sends an SMS
/// to the previous phone number, as far as possible. Device tokens stay valid.
///
/// # Errors
/// 422; 401 if the access token is missing, invalid, expired, revoked or of an old login, or if the SMS session is not
/// verified for this purpose; 403 if the user is disabled; 409 if the phone number has an account; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::recent_caller(app, &request).await?;
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let PhoneChangeRequest { session_id } = request.read(app.config.default_region)?;

    let (key, now) = (session_id.key(), app.clock.now());
    let phone = app.store.verified_phone(&key, Purpose::PhoneChange, now).await?;
    let phone = phone.ok_or(ApiError::PhoneNotVerified)?;
    let session = Session::replacing(&caller, app.config.tokens.lifetime, now);
    // Before the phone number is replaced, so that a failure here replaces none.
    let tokens = app.keyring.issue(&session, &issuer, &app.config.tokens, now).await?;
    let user_agent = UserAgent::from_header(request.user_agent.as_deref());
    match app.store.change_phone(&caller, &phone, &key, &session, &user_agent, now).await? {
        PhoneChangeOutcome::Changed { previous } => {
            // In the language of the phone's country: the owner of the phone may not have sent this request.
            let text = sms_text::phone_was_changed(Language::for_phone(&previous), &app.config.service_name);
            send_notice(app, &previous, &text, now).await;
            Response::ok(&TokenPair::from(&tokens))
        }
        PhoneChangeOutcome::NotVerified => Err(ApiError::PhoneNotVerified),
        PhoneChangeOutcome::Taken => Err(ApiError::taken(&["phone"])),
    }
}
