//! `GET /.well-known/jwks.json` answers `{"keys": [...]}`: the public keys of the access tokens, as a
//! JSON Web Key Set (RFC 7517), with which any service can verify them.

use shared::error::ApiError;
use shared::{App, Needs};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "jwks",
    routes: &[("GET", PATH)],
    needs: Needs { keys: true, ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Its path, below the issuer.
pub const PATH: &str = "/.well-known/jwks.json";
/// How long it may be cached, in seconds. A new key is here a day before it signs.
const MAX_AGE: u32 = 300;

/// Shows the keys.
///
/// # Errors
/// None but an internal one.
pub async fn handle(app: &App, _: Request) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let keys = app.keys.current(now).await;
    Response::public(&keys.jwks(&app.config, now), MAX_AGE)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;
    use shared::clock::Clock as _;
    use shared::keys::{KeySet, Keys};

    use super::*;
    use crate::testing::{World, keys};

    const DAY: i64 = 24 * 60 * 60;

    fn kids(answer: &str) -> Vec<String> {
        let jwks: Json = serde_json::from_str(answer).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn shows_a_new_key_before_it_signs_and_an_old_one_while_its_tokens_live() {
        let mut world = World::new();
        let old = kids(world.call(ENDPOINT, Request::default()).await.ok());
        let rotated = KeySet::rotate(keys(), world.clock.now()).unwrap();
        world.app.keys = Keys::from(KeySet::read(&rotated).unwrap());
        let both = kids(world.call(ENDPOINT, Request::default()).await.ok());
        assert_eq!((both.len(), &both[1]), (2, &old[0]));
        world.clock.advance(DAY + 899);
        assert_eq!(kids(world.call(ENDPOINT, Request::default()).await.ok()), both);
        world.clock.advance(1);
        assert_eq!(kids(world.call(ENDPOINT, Request::default()).await.ok()), both[..1]);
    }

    #[tokio::test]
    async fn shows_nothing_but_what_is_public() {
        let world = World::new();
        let answer: Json = serde_json::from_str(world.call(ENDPOINT, Request::default()).await.ok()).unwrap();
        let key = &answer["keys"][0];
        assert_eq!(
            answer,
            serde_json::json!({ "keys": [{
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key["kid"], "n": key["n"], "e": "AQAB",
            }] })
        );
    }
}
