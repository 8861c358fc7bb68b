//! Checks whether a user has a phone number.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, CHECK_LIMITS, PHONE, Table};
use shared::app::App;
use shared::store::{Limit, Subject};
use shared::values::{FieldErrors, Phone};

use crate::http::limits::RequestLimits;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "phone-duplicate-check",
    routes: &[("GET", "/api/v1/users/phone/duplicate-check")],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::RequestTooMany],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::GetItem]).items(&[PHONE]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[CHECK_LIMITS]),
        ],
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Returns whether a user has a phone number")
            .request::<PhoneDuplicateCheckRequest>()
            .response::<PhoneDuplicateCheckResponse>(200)
    },
};

/// The query.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct PhoneDuplicateCheckRequest {
    /// The phone number.
    phone: Phone,
}

/// The response.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "is_duplicated": false })))]
pub struct PhoneDuplicateCheckResponse {
    /// Whether a user has the phone number.
    is_duplicated: bool,
}

/// Returns whether a user has this phone number.
///
/// # Errors
/// 422; 429 if the requests of the client's address are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let PhoneDuplicateCheckRequest { phone } = request.read(app.config.default_region)?;
    request.event.phone(&phone);
    let limit = Limit::new(Subject::checks_from_ip(request.ip()), app.config.limits.checks_per_ip);
    let limits = RequestLimits::default().and(limit, |retry_after| ApiError::TooManyRequests { retry_after });
    limits.count(app, app.clock.now()).await?;
    Response::ok(&PhoneDuplicateCheckResponse { is_duplicated: app.store.is_phone_taken(&phone).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{TestApp, query_request};

    #[tokio::test]
    async fn a_phone_number_is_taken_in_any_spelling() {
        let app = TestApp::new();
        let check = async |phone| app.call(ENDPOINT, query_request(&[("phone", phone)])).await;
        assert_eq!(check("01012345678").await.ok(), r#"{"is_duplicated":false}"#);
        app.sign_up("minji@example.com", "01012345678").await;
        assert_eq!(check("+82 10-1234-5678").await.ok(), r#"{"is_duplicated":true}"#);
        assert_eq!(check("01012345679").await.ok(), r#"{"is_duplicated":false}"#);
    }

    #[tokio::test]
    async fn a_number_that_cannot_receive_sms_is_rejected() {
        let app = TestApp::new();
        app.call(ENDPOINT, query_request(&[("phone", "02-312-3456")])).await.assert_invalid(&["phone"]);
        app.call(ENDPOINT, query_request(&[])).await.assert_invalid(&["phone"]);
    }

    #[tokio::test]
    async fn checks_are_limited_per_address() {
        let app = TestApp::new();
        let check = async |ip: &str| {
            let request = query_request(&[("phone", "01012345678")]);
            app.call(ENDPOINT, Request { source_ip: Some(ip.to_owned()), ..request }).await
        };
        for _ in 0..60 {
            check("203.0.113.7").await.ok();
        }
        check("203.0.113.7").await.assert_retry_after(429, "REQUEST__TOO_MANY", 30);
        check("203.0.113.8").await.ok();
        app.clock.advance(30);
        check("203.0.113.7").await.ok();
        check("203.0.113.7").await.assert_retry_after(429, "REQUEST__TOO_MANY", 30);
    }
}
