//! Checks whether a user has an email.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, CHECK_LIMITS, EMAIL, Table};
use shared::app::App;
use shared::store::{Limit, Subject};
use shared::values::{Email, FieldErrors};

use crate::http::limits::RequestLimits;
use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "email-duplicate-check",
    routes: &[("GET", "/api/v1/users/email/duplicate-check")],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::RequestTooMany],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::GetItem]).items(&[EMAIL]),
            Table::Limits.with(&[Action::UpdateItem]).items(&[CHECK_LIMITS]),
        ],
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Returns whether a user has an email")
            .request::<EmailDuplicateCheckRequest>()
            .response::<EmailDuplicateCheckResponse>(200)
    },
};

/// The query.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct EmailDuplicateCheckRequest {
    /// The email.
    email: Email,
}

/// The response.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "is_duplicated": false })))]
pub struct EmailDuplicateCheckResponse {
    /// Whether a user has the email.
    is_duplicated: bool,
}

/// Returns whether a user has this email.
///
/// # Errors
/// 422; 429 if the requests of the client's address are exhausted; or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let EmailDuplicateCheckRequest { email } = request.read(app.config.default_region)?;
    let limit = Limit::new(Subject::checks_from_ip(request.ip()), app.config.limits.checks_per_ip);
    let limits = RequestLimits::default().and(limit, |retry_after| ApiError::TooManyRequests { retry_after });
    limits.count(app, app.clock.now()).await?;
    Response::ok(&EmailDuplicateCheckResponse { is_duplicated: app.store.is_email_taken(&email).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::{TestApp, query_request};

    #[tokio::test]
    async fn an_email_is_taken_in_any_case() {
        let app = TestApp::new();
        let check = async |email| app.call(ENDPOINT, query_request(&[("email", email)])).await;
        assert_eq!(check("minji@example.com").await.ok(), r#"{"is_duplicated":false}"#);
        app.sign_up("minji@example.com", "01012345678").await;
        assert_eq!(check("MINJI@example.COM").await.ok(), r#"{"is_duplicated":true}"#);
        assert_eq!(check("other@example.com").await.ok(), r#"{"is_duplicated":false}"#);
    }

    #[tokio::test]
    async fn an_invalid_email_is_rejected() {
        let app = TestApp::new();
        app.call(ENDPOINT, query_request(&[("email", "minji")])).await.assert_invalid(&["email"]);
        app.call(ENDPOINT, query_request(&[])).await.assert_invalid(&["email"]);
    }

    #[tokio::test]
    async fn checks_are_limited_per_address() {
        let app = TestApp::new();
        let check = async |ip: &str| {
            let request = query_request(&[("email", "minji@example.com")]);
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
