//! `GET /api/v1/users/profile` with `Authorization: Bearer <access token>` answers `{"name",
//! "email", "phone", "nickname"}`.

use shared::App;
use shared::error::ApiError;

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "profile",
    routes: &[("GET", "/api/v1/users/profile")],
    handles_tokens: true,
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Shows the user's profile.
///
/// # Errors
/// 401 if the access token is missing, not valid or expired; and what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let user = app.keys.verify_access(request.bearer_token()?, &app.config, app.clock.now())?;
    // A token of ours for a user who is gone.
    let profile = app.store.profile(user).await?.ok_or(ApiError::TokenInvalid)?;
    Response::ok(&profile)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn shows_the_profile_until_the_token_expires() {
        let world = World::new();
        let (access, _) = world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(899);
        assert_eq!(
            world.profile(&access).await.ok(),
            r#"{"name":"Kim Minji","email":"minji@example.com","phone":"+821012345678","nickname":"minji"}"#
        );
        world.clock.advance(1);
        world
            .profile(&access)
            .await
            .is(401, "TOKEN__EXPIRED")
            .challenges(r#"Bearer error="invalid_token", error_description="expired""#);
    }

    #[tokio::test]
    async fn a_token_is_required() {
        let world = World::new();
        world.call(ENDPOINT, Request::default()).await.is(401, "TOKEN__MISSING").challenges("Bearer");
    }

    #[tokio::test]
    async fn what_is_no_access_token_of_ours_is_refused() {
        let mut world = World::new();
        let (access, refresh) = world.sign_up("minji@example.com", "01012345678").await;
        let part = |n: usize| access.split('.').nth(n).unwrap();
        // {"alg":"none"} and {"alg":"HS256"}, both naming no key.
        let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", part(1));
        let hmac = format!("eyJhbGciOiJIUzI1NiJ9.{}.{}", part(1), part(2));
        let truncated = access.get(..access.len() - 5).unwrap();
        let swapped = format!("{}.{}.{}", part(0), refresh.split('.').nth(1).unwrap(), part(2));
        for token in ["a.b.c", "nonsense", &unsigned, &hmac, truncated, &swapped, &refresh] {
            world.profile(token).await.is(401, "TOKEN__INVALID").challenges(r#"Bearer error="invalid_token""#);
        }
        world.app.config.token_audience = "somebody else".to_owned();
        world.profile(&access).await.is(401, "TOKEN__INVALID");
        world.app.config.token_audience = "ably".to_owned();
        world.app.config.token_issuer = "somebody else".to_owned();
        world.profile(&access).await.is(401, "TOKEN__INVALID");
        world.app.config.token_issuer = "ably".to_owned();
        world.profile(&access).await.ok();
    }
}
