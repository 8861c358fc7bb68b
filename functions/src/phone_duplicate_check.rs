//! `GET /api/v1/users/phone/duplicate-check?phone=` answers `{"is_duplicated": bool}`.

use serde::Serialize;
use shared::error::ApiError;
use shared::phone::Phone;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "phone-duplicate-check",
    routes: &[("GET", "/api/v1/users/phone/duplicate-check")],
    needs: Needs { table: Some(Table::Users), phones: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

#[derive(Serialize)]
struct Answer {
    is_duplicated: bool,
}

/// Says whether a user has this phone.
///
/// # Errors
/// 422, and what a store can come to: 503, 500.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let mut fields = request.fields(&app.config)?;
    let Some(phone) = fields.read::<Phone>("phone") else { return Err(fields.invalid()) };
    Response::ok(&Answer { is_duplicated: app.store.phone_taken(&phone).await? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, get};

    #[tokio::test]
    async fn says_whether_the_phone_is_taken_in_any_spelling() {
        let world = World::new();
        let ask = async |phone| world.call(ENDPOINT, get(&[("phone", phone)])).await;
        assert_eq!(ask("01012345678").await.ok(), r#"{"is_duplicated":false}"#);
        world.sign_up("minji@example.com", "01012345678").await;
        assert_eq!(ask("+82 10-1234-5678").await.ok(), r#"{"is_duplicated":true}"#);
        assert_eq!(ask("01012345679").await.ok(), r#"{"is_duplicated":false}"#);
    }

    #[tokio::test]
    async fn a_phone_that_gets_no_sms_is_refused() {
        let world = World::new();
        world.call(ENDPOINT, get(&[("phone", "02-312-3456")])).await.is_invalid(&["phone"]);
        world.call(ENDPOINT, get(&[])).await.is_invalid(&["phone"]);
    }
}
