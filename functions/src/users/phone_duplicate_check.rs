//! Checks whether a user has a phone number.

use deserr::Deserr;
use serde::Serialize;
use shared::access::{Access, Action, PHONE, Table};
use shared::app::App;
use shared::values::{FieldErrors, Phone};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "phone-duplicate-check",
    routes: &[("GET", "/api/v1/users/phone/duplicate-check")],
    authentication: Authentication::None,
    own_errors: &[ErrorCode::RequestInvalid],
    access: Access {
        tables: &[Table::Users.with(&[Action::GetItem]).items(&[PHONE])],
        phone_metadata: true,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// The query.
#[derive(Debug, Deserr)]
#[deserr(error = FieldErrors)]
pub struct PhoneDuplicateCheckRequest {
    /// The phone number.
    phone: Phone,
}

/// The response.
#[derive(Debug, Serialize)]
pub struct PhoneDuplicateCheckResponse {
    /// Whether a user has the phone number.
    is_duplicated: bool,
}

/// Returns whether a user has this phone number.
///
/// # Errors
/// 422, or any [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let PhoneDuplicateCheckRequest { phone } = request.read(app.config.default_region)?;
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
}
