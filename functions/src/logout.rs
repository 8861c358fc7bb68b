//! `POST /api/v1/users/logout` `{"refresh_token"}` ends the login that the token came of;
//! `{"refresh_token", "everywhere": true}` ends all the user's. 204, also when it was ended before.

use shared::error::ApiError;
use shared::token::RefreshToken;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "logout",
    routes: &[("POST", "/api/v1/users/logout")],
    needs: Needs { keys: true, table: Some(Table::TokenFamilies), ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Ends logins.
///
/// # Errors
/// 422; 401 if the token is not valid, or has expired and was to end other logins; and what a store
/// can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(&app.config)?;
    let mut fields = request.fields(&app.config)?;
    let (Some(token), Some(everywhere)) =
        (fields.read::<RefreshToken>("refresh_token"), fields.read_flag("everywhere"))
    else {
        return Err(fields.invalid());
    };

    let now = app.clock.now();
    let family = app.keys.verify_refresh(&token, &issuer, now).await?;
    match everywhere {
        // Whoever had the token once may end its own login, also when it has expired or was used.
        false => app.store.end_family(&family).await?,
        true if family.expires_at <= now => return Err(ApiError::TokenExpired),
        true => app.store.end_all_families(&family).await?,
    }
    Ok(Response::no_content())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{PASSWORD, World, json};

    const DAY: i64 = 24 * 60 * 60;

    #[tokio::test]
    async fn ends_its_login_and_no_other_however_often() {
        let world = World::new();
        let (access, first) = world.sign_up("minji@example.com", "01012345678").await;
        let other = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        for _ in 0..2 {
            world.logout(&first, false).await.is_empty();
        }
        world.refresh(&first).await.is(401, "TOKEN__REVOKED");
        world.refresh(&other).await.ok();
        // Any service takes it until it expires.
        world.profile(&access).await.ok();
    }

    #[tokio::test]
    async fn everywhere_ends_all_logins_and_their_access_tokens_here() {
        let world = World::new();
        let (access, first) = world.sign_up("minji@example.com", "01012345678").await;
        let second = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        world.logout(&first, true).await.is_empty();
        for ended in [&first, &second] {
            world.refresh(ended).await.is(401, "TOKEN__REVOKED");
        }
        world.profile(&access).await.is(401, "TOKEN__REVOKED");

        let new = world.login("minji@example.com", PASSWORD).await;
        for ended in [&first, &second] {
            world.logout(ended, true).await.is_empty();
        }
        world.profile(&new.field("access_token")).await.ok();
        world.refresh(&new.field("refresh_token")).await.ok();
    }

    #[tokio::test]
    async fn a_login_that_was_ended_in_any_other_way_is_ended() {
        let world = World::new();
        let (_, first) = world.sign_up("minji@example.com", "01012345678").await;
        let second = world.refresh(&first).await.field("refresh_token");
        world.clock.advance(31);
        world.refresh(&first).await.is(401, "TOKEN__REUSED");
        world.logout(&second, false).await.is_empty();

        let third = world.login("minji@example.com", PASSWORD).await.field("refresh_token");
        world.reset("01012345678", "a newer horse battery").await;
        for everywhere in [false, true] {
            world.logout(&third, everywhere).await.is_empty();
        }
        let fourth = world.login("minji@example.com", "a newer horse battery").await.field("refresh_token");
        world.clock.advance(30 * DAY);
        world.logout(&fourth, false).await.is_empty();
    }

    #[tokio::test]
    async fn a_token_that_was_used_before_still_ends_its_login() {
        let world = World::new();
        let (_, first) = world.sign_up("minji@example.com", "01012345678").await;
        let second = world.refresh(&first).await.field("refresh_token");
        world.clock.advance(31);
        world.logout(&first, false).await.is_empty();
        world.refresh(&second).await.is(401, "TOKEN__REVOKED");
    }

    #[tokio::test]
    async fn only_a_refresh_token_of_ours_is_taken() {
        let world = World::new();
        let (access, refresh) = world.sign_up("minji@example.com", "01012345678").await;
        for token in ["nonsense", &access] {
            world.logout(token, false).await.is(401, "TOKEN__INVALID").challenges(r#"Bearer error="invalid_token""#);
        }
        world.call(ENDPOINT, json(r#"{"everywhere":"yes"}"#)).await.is_invalid(&["refresh_token", "everywhere"]);
        world.refresh(&refresh).await.ok();
        world.clock.advance(30 * DAY);
        world.logout(&refresh, true).await.is(401, "TOKEN__EXPIRED");
    }
}
