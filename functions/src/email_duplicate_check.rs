//! `GET /api/v1/users/email/duplicate-check?email=` answers `{"is_duplicated": bool}`.

use serde::Serialize;
use shared::email::Email;
use shared::error::ApiError;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "email-duplicate-check",
    routes: &[("GET", "/api/v1/users/email/duplicate-check")],
    needs: Needs { table: Some(Table::Users), ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer {
    is_duplicated: bool,
}

/// Says whether a user has this e-mail.
///
/// # Errors
/// 422, and what a store can come to: 503, 500.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let Some(email) = fields.read::<Email>("email") else { return Err(fields.invalid()) };
    Response::ok(&Answer { is_duplicated: app.store.email_taken(&email).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, get};

    #[tokio::test]
    async fn says_whether_the_email_is_taken_in_any_case() {
        let world = World::new();
        let ask = async |email| world.call(ENDPOINT, get(&[("email", email)])).await;
        assert_eq!(ask("minji@example.com").await.ok(), r#"{"is_duplicated":false}"#);
        world.sign_up("minji@example.com", "01012345678").await;
        assert_eq!(ask("MINJI@example.COM").await.ok(), r#"{"is_duplicated":true}"#);
        assert_eq!(ask("other@example.com").await.ok(), r#"{"is_duplicated":false}"#);
    }

    #[tokio::test]
    async fn a_bad_email_is_refused() {
        let world = World::new();
        world.call(ENDPOINT, get(&[("email", "minji")])).await.is_invalid(&["email"]);
        world.call(ENDPOINT, get(&[])).await.is_invalid(&["email"]);
    }
}
