//! `GET /local/outbox?phone=` answers `{"messages": [{"phone", "text", "sent_at"}]}`, newest first.
//! In local runs only.

use local::Message;
use serde::Serialize;
use shared::error::ApiError;
use shared::phone::Phone;
use shared::{App, Needs};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "local-outbox",
    routes: &[("GET", "/local/outbox")],
    needs: Needs::NOTHING,
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer {
    messages: Vec<Message>,
}

/// Shows what would have been sent to a phone.
///
/// # Errors
/// 422; 500 if SQLite fails.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let Some(phone) = fields.read::<Phone>("phone") else { return Err(fields.invalid()) };
    let messages =
        local::outbox(app.clock.clone()).and_then(|outbox| Ok(outbox.messages(&phone)?)).map_err(ApiError::Internal)?;
    Response::ok(&Answer { messages })
}
