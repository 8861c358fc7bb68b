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
    own_errors: &[ErrorCode::RequestInvalid],
    access: Access::NONE,
    handle: |app, request| Box::pin(handle(app, request)),
};

/// The query.
#[derive(Debug, Deserr)]
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
/// # Errors
/// 422, or 500 if SQLite fails.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let OutboxRequest { phone } = request.read(app.config.default_region)?;
    let messages = local::outbox(app.clock.clone()).and_then(|outbox| Ok(outbox.messages(&phone)?))?;
    Response::ok(&OutboxResponse { messages })
}
