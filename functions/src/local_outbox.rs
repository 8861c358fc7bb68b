//! Returns the messages that would have been sent to a phone number, newest first. In local runs only.

use deserr::Deserr;
use local::Message;
use serde::Serialize;
use shared::access::Access;
use shared::app::App;
use shared::values::{FieldErrors, Phone};

use crate::http::{ApiError, Authentication, Endpoint, ErrorCode, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "local-outbox",
    routes: &[("GET", "/local/outbox")],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[ErrorCode::RequestInvalid, ErrorCode::RequestCrossSite],
    access: Access::NONE,
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Returns the messages to a phone number").request::<OutboxRequest>()
    },
};

/// The query.
#[derive(Debug, Deserr)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[deserr(error = FieldErrors)]
pub struct OutboxRequest {
    /// The phone number.
    phone: Phone,
}

/// The response.
#[derive(Debug, Serialize)]
pub struct OutboxResponse {
    /// The messages, newest first.
    messages: Vec<Message>,
}

/// Returns the messages to a phone number.
///
/// A web page whose domain resolves to 127.0.0.1 (DNS rebinding) could otherwise read the codes.
///
/// # Errors
/// 422; 403 if the client used another host than localhost; or 500 if SQLite fails.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    if !request.is_for_localhost() {
        return Err(ApiError::NotLocalhost);
    }
    let OutboxRequest { phone } = request.read(app.config.default_region)?;
    let messages = local::outbox(app.clock.clone()).and_then(|outbox| Ok(outbox.messages(&phone)?))?;
    Response::ok(&OutboxResponse { messages })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::TestApp;

    #[tokio::test]
    async fn other_hosts_than_localhost_are_rejected() {
        let app = TestApp::new();
        let hosts = [
            "evil.example",
            "evil.example:9000",
            "localhost.evil.example",
            "192.168.0.7:9000",
            "127.0.0.1.evil.example",
            "",
        ];
        for host in hosts.map(Some).into_iter().chain([None]) {
            let request = Request { host: host.map(str::to_owned), ..Request::default() };
            app.call(ENDPOINT, request).await.assert_error(403, "REQUEST__CROSS_SITE");
        }
        for host in ["localhost", "localhost:9000", "LOCALHOST:9000", "127.0.0.1:9000", "[::1]:9000", "[::1]"] {
            let request = Request { host: Some(host.to_owned()), ..Request::default() };
            app.call(ENDPOINT, request).await.assert_invalid(&["phone"]);
        }
    }
}
