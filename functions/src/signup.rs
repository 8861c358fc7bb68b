//! `POST /api/v1/users/signup`, also spelled `singup`, with `{"email", "nickname", "phone",
//! "password", "name", "session_id"}` answers 201 `{"access_token", "refresh_token"}`.
//!
//! The session must be verified for this phone; it is consumed in the transaction that makes the
//! user. A 409 leaves it usable.

use shared::email::Email;
use shared::error::{ApiError, FieldError};
use shared::name::{Name, Nickname};
use shared::password::Password;
use shared::phone::Phone;
use shared::sms_auth::{Purpose, SessionId};
use shared::store::SignUp;
use shared::token::Family;
use shared::user::{NewUser, UserId};
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "signup",
    routes: &[("POST", "/api/v1/users/singup"), ("POST", "/api/v1/users/signup")],
    needs: Needs { keys: true, table: Some(Table::SmsSessions), phones: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Makes the user.
///
/// # Errors
/// 422; 401 if the session is not verified for this; 409 if the e-mail or the phone is taken; and
/// what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(&app.config)?;
    let mut fields = request.fields(&app.config)?;
    let (email, nickname, phone) =
        (fields.read::<Email>("email"), fields.read::<Nickname>("nickname"), fields.read::<Phone>("phone"));
    let (password, name) = (fields.read::<Password>("password"), fields.read::<Name>("name"));
    if let Some(Err(personal)) = password.as_ref().map(|password| {
        password.is_not_personal(email.as_ref().map(Email::as_str), phone.as_ref(), name.as_ref().map(Name::as_str))
    }) {
        fields.refuse("password", personal);
    }
    let session_id = fields.read::<SessionId>("session_id");
    let (Some(email), Some(nickname), Some(phone), Some(password), Some(name), Some(session_id), true) =
        (email, nickname, phone, password, name, session_id, fields.are_valid())
    else {
        return Err(fields.invalid());
    };

    // Before the password is hashed, so that garbage costs no CPU; the transaction decides.
    let (key, now) = (session_id.key(), app.clock.now());
    let session = app.store.verified_session(&key, now).await?;
    if !session.is_some_and(|session| session.is_for(Purpose::Signup) && session.phone == phone) {
        return Err(ApiError::PhoneNotVerified);
    }

    let id = UserId::generate(app.clock.now_millis());
    let user = NewUser { id, name, nickname, email, phone, password_hash: password.hash(app.config.bcrypt_cost)? };
    // Before there is a user, so that a fault here leaves none.
    let family = Family::start(id, 0, &app.config, now);
    let tokens = app.keys.issue(&family, &issuer, &app.config, now).await?;
    match app.store.sign_up(&user, &family, &key, now).await? {
        SignUp::Done => Response::created(&tokens),
        SignUp::NotVerified => Err(ApiError::PhoneNotVerified),
        SignUp::Taken { email, phone } => {
            let taken = |field| FieldError { field, message: "is taken" };
            Err(ApiError::AlreadyExist(
                [email.then(|| taken("email")), phone.then(|| taken("phone"))].into_iter().flatten().collect(),
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, json};

    #[tokio::test]
    async fn makes_a_user_and_consumes_the_session() {
        let world = World::new();
        let session = world.verified("01012345678", None).await;
        let answer = world.call(ENDPOINT, World::signup("Minji@example.com", "010-1234-5678", &session)).await;
        answer.is_status(201);
        let profile = world.profile(&answer.field("access_token")).await;
        assert_eq!(
            profile.ok(),
            r#"{"name":"Kim Minji","email":"Minji@example.com","phone":"+821012345678","nickname":"minji"}"#
        );
        world
            .call(ENDPOINT, World::signup("other@example.com", "01012345678", &session))
            .await
            .is(401, "USER__PHONE_NOT_VERIFIED");
    }

    #[tokio::test]
    async fn a_409_says_what_is_taken_and_leaves_the_session_usable() {
        let world = World::new();
        world.sign_up("minji@example.com", "01012345678").await;

        let session = world.verified("01087654321", Some("signup")).await;
        let answer = world.call(ENDPOINT, World::signup("MINJI@example.com", "01087654321", &session)).await;
        answer.is(409, "USER__ALREADY_EXIST").names(&["email"]);
        world.call(ENDPOINT, World::signup("other@example.com", "01087654321", &session)).await.is_status(201);

        world.clock.advance(60);
        let session = world.verified("01012345678", None).await;
        let answer = world.call(ENDPOINT, World::signup("minji@example.com", "01012345678", &session)).await;
        answer.is(409, "USER__ALREADY_EXIST").names(&["email", "phone"]);
    }

    #[tokio::test]
    async fn a_session_must_be_verified_for_this_phone_and_not_expired() {
        let world = World::new();
        let not_verified = |session: String| {
            let world = &world;
            async move {
                let answer = world.call(ENDPOINT, World::signup("minji@example.com", "01012345678", &session)).await;
                answer.is(401, "USER__PHONE_NOT_VERIFIED");
            }
        };
        not_verified("unknown".to_owned()).await;
        not_verified(world.send("01012345678", None).await.0).await;
        not_verified(world.verified("01087654321", None).await).await;
        world.clock.advance(60);
        let session = world.verified("01012345678", None).await;
        world.clock.advance(600);
        not_verified(session).await;
    }

    #[tokio::test]
    async fn all_bad_fields_are_reported_at_once() {
        let world = World::new();
        world.call(ENDPOINT, json("{}")).await.is_invalid(&[
            "email",
            "nickname",
            "phone",
            "password",
            "name",
            "session_id",
        ]);
        let body = r#"{"email":"minji","nickname":"","phone":"12","password":"short","name":"\u0000","session_id":""}"#;
        world.call(ENDPOINT, json(body)).await.is_invalid(&[
            "email",
            "nickname",
            "phone",
            "password",
            "name",
            "session_id",
        ]);
        let body = r#"{"email":"minji@example.com","nickname":"","phone":"01012345678","password":"hello Kim Minji","name":"Kim Minji","session_id":"x"}"#;
        world.call(ENDPOINT, json(body)).await.is_invalid(&["nickname", "password"]);
        for password in ["password1", "minji@example.com", "010-1234-5678"] {
            let body = format!(
                r#"{{"email":"minji@example.com","nickname":"m","phone":"01012345678","password":"{password}","name":"K","session_id":"x"}}"#
            );
            world.call(ENDPOINT, json(&body)).await.is_invalid(&["password"]);
        }
    }

    #[tokio::test]
    async fn nothing_is_hashed_for_garbage() {
        // There is no such cost: a hash would be an error.
        let mut world = World::new();
        world.app.config.bcrypt_cost = 0;
        world
            .call(ENDPOINT, World::signup("minji@example.com", "01012345678", "unknown"))
            .await
            .is(401, "USER__PHONE_NOT_VERIFIED");
    }
}
