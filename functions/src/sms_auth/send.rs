//! Sends a code by SMS.
//!
//! The verified SMS session can be used for one purpose only. Without a `purpose`, a phone number with an
//! account gets a password reset, any other one a sign-up.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{ACCOUNT, Access, Action, KeyAccess, PHONE, SMS_LIMITS, SMS_SESSION, Table, USER};
use shared::app::App;
use shared::config::{Config, LimitSettings};
use shared::events::SharedEvent;
use shared::limits::Bucket;
use shared::sms::SmsError;
use shared::sms_text::{self, LastLine};
use shared::store::limits::{INTERVAL, UNNAMED_RESETS};
use shared::store::{Limit, SmsSession, Subject};
use shared::tokens::Device;
use shared::values::{
    AppHash, AuthCode, CodeLength, DeviceToken, FieldError, FieldErrors, InvalidField, Language, Lenient, Phone,
    Purpose, SmsSessionId,
};
use zeroize::Zeroizing;

use crate::http::limits::{RequestLimits, count_sms_of_day, known_device, refund_sms_of_day};
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response, Rule};

/// The endpoint. Prefer `POST`, which keeps the phone number out of URLs.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "sms-auth-send",
    routes: &[("GET", "/api/v1/users/sms-auth/send"), ("POST", "/api/v1/users/sms-auth/send")],
    authentication: Authentication::None,
    is_read_only: false,
    own_errors: &[
        ErrorCode::RequestInvalid,
        ErrorCode::SmsTooManyRequests,
        ErrorCode::SmsCountryNotAllowed,
        ErrorCode::SmsPaused,
        ErrorCode::SmsNotSent,
    ],
    access: Access {
        tables: &[
            Table::SmsSessions.with(&[Action::PutItem, Action::DeleteItem]).items(&[SMS_SESSION]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[SMS_LIMITS]),
            Table::Users.with(&[Action::GetItem]).items(&[PHONE]),
            Table::Users.with(&[Action::GetItem]).items(&[USER]).attributes(ACCOUNT),
        ],
        keys: KeyAccess::Verify,
        sms: true,
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Sends a code by SMS")
            .request::<SendRequest>()
            .response::<SendResponse<'_>>(200)
    },
};

/// The request.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct SendRequest {
    /// The phone number.
    phone: Phone,
    /// The purpose of the SMS session. Required with `REQUIRE_PURPOSE`.
    #[deserr(default)]
    purpose: Option<Purpose>,
    /// The device token of a login, sign-up or reset. Ignored in a query.
    #[deserr(default)]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    device_token: DeviceToken,
    /// The hash of the Android app that reads the code, for the end of the SMS. Ignored unless it is in
    /// `SMS_APP_HASHES`.
    #[deserr(default)]
    app_hash: Option<AppHash>,
}

/// Requires a purpose, with `REQUIRE_PURPOSE`.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
struct RequiredPurpose {
    #[deserr(default)]
    purpose: Lenient<Purpose>,
}

impl Rule for RequiredPurpose {
    fn check(&self, config: &Config) -> Option<FieldError> {
        let is_missing = config.require_purpose && matches!(self.purpose, Lenient::Missing);
        is_missing.then(|| FieldError::new("purpose", InvalidField("is required")))
    }
}

/// The response.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "session_id": "q8Xh0rJb2zT5n1Lk7VfYcA", "expires_in": 300, "resend_after": 60, "code_length": 6 })))]
pub struct SendResponse<'a> {
    /// The id of the SMS session, a secret of the client.
    session_id: &'a str,
    /// The seconds for which the code is valid.
    expires_in: i64,
    /// The seconds after which the next code can be requested at the earliest; another limit may reject it for longer.
    resend_after: i64,
    /// The number of digits of the code.
    code_length: usize,
}

/// Opens an SMS session and sends its code.
///
/// The send counts on the limits of the client and of the phone number before it counts on the total of the day:
/// a rejected client never touches what all share. If the code was not sent, the counts are refunded. If that is
/// unknown, because the SMS provider did not respond, they are not, and the client gets the SMS session.
///
/// A test phone gets no SMS and has a code of its own. Its sends count on all limits but the total, and its country
/// does not matter.
///
/// # Errors
/// 422; 403 if the country gets no SMS; 429 if a limit is exhausted; 503 if SMS are paused; 504 if the SMS provider
/// refuses the SMS; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let SendRequest { phone, purpose: named, device_token, app_hash } =
        request.read_checked::<_, RequiredPurpose>(&app.config)?;
    let country = phone.country();
    {
        let mut event = request.event.lock();
        (event.phone, event.country) = (Some(phone.clone()), country);
    }
    let now = app.clock.now();
    let test_phone = app.test_phone(&phone, now);
    if test_phone.is_none() && app.config.test_phones.iter().any(|test_phone| test_phone.has_number(&phone)) {
        tracing::warn!(?phone, "a test phone is outside its 90 days: it is treated like any other number");
    }
    if test_phone.is_none() && !country.is_some_and(|country| app.config.sms_countries.contains(&country)) {
        return Err(ApiError::CountryNotAllowed);
    }

    // A token in a query would be in URLs and logs.
    let device = match request.body {
        Some(_) => app.keyring.verify_device(&device_token, &issuer, now).await,
        None => None,
    };
    let account = if device.is_some() { app.store.account(&phone).await? } else { None };
    let device = account.and_then(|account| known_device(device, account.user_id, account.password_reset_at));
    if let Some(device) = &device {
        request.event.user(device.user_id);
    }
    let purpose = match named {
        Some(purpose) => purpose,
        None if app.store.is_phone_taken(&phone).await? => Purpose::PasswordReset,
        None => Purpose::Signup,
    };
    request.event.lock().purpose = Some(purpose);
    let (code_length, max_attempts) = strength(purpose, named.is_some(), &app.config.limits);
    let code = test_phone.map_or_else(|| (app.new_code)(code_length), |test_phone| test_phone.code.clone());
    let session_id = SmsSessionId::random();
    let session = SmsSession {
        key: session_id.key(),
        code_mac: session_id.code_mac(&phone, purpose, &code),
        purpose,
        max_attempts,
        ip: device.is_none().then(|| request.ip()),
        sent_at: now,
        // Twice as long as the code is valid, so that a late client learns that the code has expired.
        expires_at: now + 2 * app.config.code_seconds,
        phone,
    };

    let limits = Counted::count(app, &request.event, &session, device, named.is_some(), test_phone.is_some()).await?;
    let sent = match app.store.open_sms_session(&session).await {
        Ok(()) if test_phone.is_some() => {
            tracing::warn!(phone = ?session.phone, "a test phone requested its code");
            Ok(())
        }
        Ok(()) => {
            let text = text(app, &request, app_hash.as_ref(), &session, &code);
            let sent = app.sms.send(&session.phone, &text).await;
            if !matches!(sent, Err(SmsError::Refused(_))) {
                let mut event = request.event.lock();
                event.is_code_sent = true;
                event.sms_usd = Some(app.config.sms_usd(country, sms_text::segments(&text)));
            }
            sent.map_err(ApiError::SmsNotSent)
        }
        Err(error) => Err(error.into()),
    };
    match sent {
        Ok(()) => {}
        // The SMS may arrive: the send counts, and the client gets the SMS session.
        Err(ApiError::SmsNotSent(error @ SmsError::Unknown(_))) => {
            tracing::error!(cause = %error, "an SMS may not have been sent");
        }
        Err(error) => {
            limits.cancel(app, &session).await;
            return Err(error);
        }
    }
    Response::ok(&SendResponse {
        session_id: session_id.expose_secret(),
        expires_in: app.config.code_seconds,
        resend_after: app.config.limits.seconds_between_sends,
        code_length: code.digits(),
    })
}

/// Returns the text of the SMS, in the language that the client prefers or otherwise that of the phone's country.
fn text(
    app: &App,
    request: &Request,
    app_hash: Option<&AppHash>,
    session: &SmsSession,
    code: &AuthCode,
) -> Zeroizing<String> {
    let language = Language::from_header(request.accept_language.as_deref());
    let language = language.unwrap_or_else(|| Language::for_phone(&session.phone));
    let is_allowed = |hash: &&AppHash| {
        let is_allowed = app.config.sms_app_hashes.contains(hash);
        if !is_allowed {
            tracing::info!(hash = hash.as_str(), "the hash of an app is not in SMS_APP_HASHES");
        }
        is_allowed
    };
    let last_line = match (app_hash.filter(is_allowed), &app.config.sms_domain) {
        (Some(hash), _) => LastLine::AppHash(hash),
        (None, Some(domain)) => LastLine::Domain(domain),
        (None, None) => LastLine::None,
    };
    let (service_name, code_seconds) = (&app.config.service_name, app.config.code_seconds);
    sms_text::code(language, session.purpose, code, service_name, code_seconds, last_line)
}

/// The limits that counted a send.
struct Counted {
    /// The limits of the client's address, which a failure of the SMS provider does not refund.
    of_address: RequestLimits,
    /// The limits of the phone number, or of the device and its account.
    own: RequestLimits,
    /// Whether the total of the day counted it.
    of_day: bool,
}

impl Counted {
    /// Counts a send.
    async fn count(
        app: &App,
        event: &SharedEvent,
        session: &SmsSession,
        device: Option<Device>,
        is_named: bool,
        is_test: bool,
    ) -> Result<Self, ApiError> {
        let (settings, now) = (&app.config.limits, session.sent_at);
        let exhausted = |retry_after| ApiError::TooManySends { retry_after };
        let interval = Bucket::new(1, settings.seconds_between_sends);
        let mut counted =
            Self { of_address: RequestLimits::default(), own: RequestLimits::default(), of_day: !is_test };
        let max = match device {
            Some(device) => {
                let of_device = Limit::new(Subject::sms_from_device(device.id), settings.sms_per_device);
                let of_account = Limit::new(Subject::sms_to_account(device.user_id), settings.sms_per_account);
                counted.own = counted.own.and(of_device.and(INTERVAL, interval), exhausted);
                counted.own = counted.own.and(of_account, exhausted);
                settings.sms_per_day
            }
            None => {
                let of_address = session.ip.map(|ip| Limit::new(Subject::sms_from_ip(ip), settings.sms_per_ip));
                if let Some(of_address) = of_address {
                    counted.of_address = counted.of_address.and(of_address, exhausted);
                }
                let of_phone = Limit::new(Subject::sms_to_phone(&session.phone), settings.sms_per_phone);
                let unnamed_reset = settings.sms_per_phone_for_unnamed_reset;
                let mut of_phone = of_phone.and(INTERVAL, interval).beside(unnamed_reset);
                if session.purpose == Purpose::PasswordReset && !is_named {
                    of_phone = of_phone.and(UNNAMED_RESETS, unnamed_reset);
                }
                counted.own = counted.own.and(of_phone, exhausted);
                settings.sms_per_day_for_strangers()
            }
        };
        counted.of_address.count(app, now).await?;
        counted.own.count_on_all(app, now).await?;
        if counted.of_day
            && let Err(rejected) = count_sms_of_day(app, event, max, now).await
        {
            counted.of_address.refund(app, now).await;
            counted.own.refund(app, now).await;
            return Err(rejected);
        }
        Ok(counted)
    }

    /// Cancels a send whose SMS was not sent: refunds it and deletes its session. A count whose refund fails stays.
    async fn cancel(&self, app: &App, session: &SmsSession) {
        let now = session.sent_at;
        self.own.refund(app, now).await;
        if self.of_day {
            refund_sms_of_day(app, now).await;
        }
        if let Err(error) = app.store.cancel_sms_session(&session.key).await {
            tracing::error!(cause = %error, "an SMS session whose SMS was not sent could not be cancelled");
        }
    }
}

/// Returns the length of the code and the number of attempts of an SMS session.
///
/// A guessed code of a login or a reset takes the account over: these codes are longer. A client that does not name
/// the purpose expects six digits, so that its reset has fewer attempts instead.
#[must_use]
pub fn strength(purpose: Purpose, is_named: bool, settings: &LimitSettings) -> (CodeLength, u32) {
    match (purpose, is_named) {
        (Purpose::PasswordReset, true) => (CodeLength::Eight, settings.attempts_per_sms_session),
        (Purpose::PasswordReset, false) => (CodeLength::Six, settings.attempts_per_unnamed_reset),
        (Purpose::Login, _) => (CodeLength::Eight, settings.attempts_per_sms_session),
        (Purpose::Signup | Purpose::PhoneChange, _) => (CodeLength::Six, settings.attempts_per_sms_session),
    }
}

#[cfg(test)]
mod sms_tests;
#[cfg(test)]
mod tests;
