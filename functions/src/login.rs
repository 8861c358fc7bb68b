//! `POST /api/v1/users/login` `{"email" or "phone", "password"}` answers `{"access_token",
//! "refresh_token"}`.
//!
//! An unknown user and a wrong password get the same answer for the same work.

use shared::email::Email;
use shared::error::ApiError;
use shared::password::Attempt;
use shared::phone::Phone;
use shared::store::Login;
use shared::token::Family;
use shared::user::Credentials;
use shared::value::Invalid;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "login",
    routes: &[("POST", "/api/v1/users/login")],
    needs: Needs { keys: true, table: Some(Table::Users), phones: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Logs a user in.
///
/// # Errors
/// 422; 401 if there is no such user or the password is wrong; and what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(&app.config)?;
    let mut fields = request.fields(&app.config)?;
    let (email, phone) = (fields.read_optional::<Email>("email"), fields.read_optional::<Phone>("phone"));
    let login = match (email, phone) {
        (Some(Some(email)), Some(None)) => Some(Login::Email(email)),
        (Some(None), Some(Some(phone))) => Some(Login::Phone(phone)),
        (Some(None), Some(None)) => {
            fields.refuse("email", Invalid("is required, or phone is"));
            None
        }
        (Some(Some(_)), Some(Some(_))) => {
            fields.refuse("phone", Invalid("must not be given together with email"));
            None
        }
        _ => None,
    };
    let (Some(password), Some(login)) = (fields.read::<Attempt>("password"), login) else {
        return Err(fields.invalid());
    };

    let credentials = app.store.credentials(&login).await?;
    let hash = credentials.as_ref().map(|credentials| &credentials.password_hash);
    match (password.matches(hash, app.config.bcrypt_cost), credentials) {
        (true, Some(Credentials { user_id, epoch, .. })) => {
            let now = app.clock.now();
            let family = Family::start(user_id, epoch, &app.config, now);
            let tokens = app.keys.issue(&family, &issuer, &app.config, now).await?;
            app.store.start_family(&family).await?;
            Response::ok(&tokens)
        }
        _ => Err(ApiError::NotMatched),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, World, json};

    #[tokio::test]
    async fn logs_in_by_email_or_phone_in_any_spelling() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;
        for login in [r#""email":"MINJI@Example.com""#, r#""phone":"+82 10-1234-5678""#] {
            let answer = world.call(ENDPOINT, json(&format!(r#"{{{login},"password":"{PASSWORD}"}}"#))).await;
            answer.is_status(200);
            assert_ne!(answer.field("access_token"), answer.field("refresh_token"));
            world.profile(&answer.field("access_token")).await.ok();
        }
    }

    #[tokio::test]
    async fn unknown_user_and_wrong_password_are_one_answer() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;
        let login = async |email: &str, password: &str| {
            world.call(ENDPOINT, json(&format!(r#"{{"email":"{email}","password":"{password}"}}"#))).await
        };
        let wrong = login("minji@example.com", "wrong horse battery").await;
        wrong.is(401, "USER__NOT_MATCHED");
        let too_long = "x".repeat(100);
        for (email, password) in
            [("nobody@example.com", PASSWORD), ("minji@example.com", too_long.as_str()), ("minji@example.com", "x")]
        {
            assert_eq!(login(email, password).await, wrong);
        }
    }

    #[tokio::test]
    async fn exactly_one_of_email_and_phone_is_asked_for() {
        let world = World::new();
        world.call(ENDPOINT, json("{}")).await.is_invalid(&["email", "password"]);
        world
            .call(ENDPOINT, json(r#"{"email":"a@example.com","phone":"01012345678","password":"x"}"#))
            .await
            .is_invalid(&["phone"]);
        world.call(ENDPOINT, json(r#"{"email":"minji","password":""}"#)).await.is_invalid(&["email", "password"]);
    }
}
