//! `POST /api/v1/users/token/refresh` `{"refresh_token"}` answers `{"access_token",
//! "refresh_token"}`, a new pair.
//!
//! A refresh token is used once. Whoever uses one again may have stolen it, or be the one it was
//! stolen from: the login is ended. But who did not get the answer, and asks again within 30 seconds,
//! gets a valid pair again.

use shared::error::ApiError;
use shared::store::Refreshed;
use shared::token::RefreshToken;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "token-refresh",
    routes: &[("POST", "/api/v1/users/token/refresh")],
    needs: Needs { keys: true, table: Some(Table::TokenFamilies), ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Moves a login on.
///
/// # Errors
/// 422; 401 if the token is not valid, expired, was used before or its login was ended; and what a
/// store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(&app.config)?;
    let mut fields = request.fields(&app.config)?;
    let Some(token) = fields.read::<RefreshToken>("refresh_token") else { return Err(fields.invalid()) };

    let now = app.clock.now();
    let family = app.keys.verify_refresh(&token, &issuer, now).await?;
    let next = family.next(&app.config, now);
    // The second, if the operator has shortened logins since.
    if family.expires_at <= now || next.expires_at <= now {
        return Err(ApiError::TokenExpired);
    }
    match app.store.refresh(&next, now).await? {
        Refreshed::Yes => Response::ok(&app.keys.issue(&next, &issuer, &app.config, now).await?),
        Refreshed::Reused => Err(ApiError::TokenReused),
        Refreshed::Ended => Err(ApiError::TokenRevoked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ISSUER, PASSWORD, World, json};

    const DAY: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn answers_a_new_pair_each_time() {
        let world = World::new();
        let (first_access, mut refresh) = world.sign_up("minji@example.com", "01012345678").await;
        for _ in 0..3 {
            world.clock.advance(DAY);
            let answer = world.refresh(&refresh).await;
            answer.ok();
            assert_ne!(answer.field("refresh_token"), refresh);
            refresh = answer.field("refresh_token");
            world.profile(&first_access).await.is(401, "TOKEN__EXPIRED");
            world.profile(&answer.field("access_token")).await.ok();
        }
    }

    #[tokio::test]
    async fn who_lost_the_answer_gets_a_pair_again() {
        let world = World::new();
        let (_, first) = world.sign_up("minji@example.com", "01012345678").await;
        let second = world.refresh(&first).await.field("refresh_token");
        for seconds in [0, 10, 20] {
            world.clock.advance(seconds);
            let again = world.refresh(&first).await;
            world.profile(&again.field("access_token")).await.ok();
        }
        // Both are of the one next generation.
        let again = world.refresh(&first).await.field("refresh_token");
        let third = world.refresh(&again).await.field("refresh_token");
        world.refresh(&second).await.ok();
        world.refresh(&first).await.is(401, "TOKEN__REUSED");
        world.refresh(&third).await.is(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn a_token_that_was_used_before_ends_the_login() {
        let world = World::new();
        let (_, first) = world.sign_up("minji@example.com", "01012345678").await;
        let other = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        let second = world.refresh(&first).await.field("refresh_token");
        world.clock.advance(31);
        world
            .refresh(&first)
            .await
            .is(401, "TOKEN__REUSED")
            .challenges(r#"Bearer error="invalid_token", error_description="used before""#);
        world
            .refresh(&second)
            .await
            .is(401, "TOKEN__REVOKED")
            .challenges(r#"Bearer error="invalid_token", error_description="revoked""#);
        world.refresh(&other).await.ok();
    }

    #[tokio::test]
    async fn a_login_ends_when_it_is_idle_for_30_days_or_90_days_old() {
        let world = World::new();
        let (_, mut refresh) = world.sign_up("minji@example.com", "01012345678").await;
        let idle = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        for _ in 0..3 {
            world.clock.advance(30 * DAY - 1);
            refresh = world.refresh(&refresh).await.field("refresh_token");
        }
        world.refresh(&idle).await.is(401, "TOKEN__EXPIRED");
        world.clock.advance(2);
        refresh = world.refresh(&refresh).await.field("refresh_token");
        world.clock.advance(1);
        world
            .refresh(&refresh)
            .await
            .is(401, "TOKEN__EXPIRED")
            .challenges(r#"Bearer error="invalid_token", error_description="expired""#);
    }

    #[tokio::test]
    async fn a_login_that_is_older_than_logins_may_now_be_has_expired() {
        let mut world = World::new();
        let (_, refresh) = world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(2 * DAY);
        world.app.config.login_seconds = 2 * DAY;
        world.refresh(&refresh).await.is(401, "TOKEN__EXPIRED");
        world.app.config.login_seconds = 2 * DAY + 1;
        world.refresh(&refresh).await.ok();
    }

    #[tokio::test]
    async fn a_reset_ends_all_logins() {
        let world = World::new();
        let (_, first) = world.sign_up("minji@example.com", "01012345678").await;
        let second = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        world.reset("01012345678", "a newer horse battery").await;
        let new = world.login("minji@example.com", "a newer horse battery").await.field("refresh_token");
        for ended in [first, second] {
            world.refresh(&ended).await.is(401, "TOKEN__REVOKED");
        }
        world.refresh(&new).await.ok();
    }

    #[tokio::test]
    async fn only_a_refresh_token_of_ours_is_taken() {
        let mut world = World::new();
        let (access, refresh) = world.sign_up("minji@example.com", "01012345678").await;
        let truncated = refresh.get(..refresh.len() - 5).unwrap();
        for token in ["nonsense", &access, truncated] {
            world.refresh(token).await.is(401, "TOKEN__INVALID").challenges(r#"Bearer error="invalid_token""#);
        }
        world.app.config.token_issuer = Some("https://accounts.example.org".to_owned());
        world.refresh(&refresh).await.is(401, "TOKEN__INVALID");
        world.app.config.token_issuer = Some(ISSUER.to_owned());
        world.refresh(&refresh).await.ok();
        world.call(ENDPOINT, json("{}")).await.is_invalid(&["refresh_token"]);
        world.call(ENDPOINT, json(r#"{"refresh_token":""}"#)).await.is_invalid(&["refresh_token"]);
        world.call(ENDPOINT, json(r#"{"refresh_token":1}"#)).await.is_invalid(&["refresh_token"]);
        let too_large = serde_json::json!({ "refresh_token": "x".repeat(1024 * 1024) }).to_string();
        world.call(ENDPOINT, json(&too_large)).await.is(413, "REQUEST__TOO_LARGE");
    }
}
