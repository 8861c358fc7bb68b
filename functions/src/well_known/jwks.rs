//! Returns the public keys that verify access tokens, as a JSON Web Key Set (RFC 7517).

use shared::access::{Access, KeyAccess};
use shared::app::App;
use shared::tokens::Jwks;

use crate::http::{ApiError, Authentication, Endpoint, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "jwks",
    routes: &[("GET", PATH)],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[],
    access: Access { keys: KeyAccess::Verify, ..Access::NONE },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || crate::http::operation::Operation::new("Returns the public keys").response::<JwksResponse<'_>>(200),
};

/// The path below the issuer.
pub const PATH: &str = "/.well-known/jwks.json";
/// The seconds for which the response may be cached. A new key is published a day before it signs.
const MAX_AGE_SECONDS: u32 = 300;

/// The response.
pub type JwksResponse<'a> = Jwks<'a>;

/// Returns the public keys.
///
/// # Errors
/// Only an internal one.
pub async fn handle(app: &App, _: Request) -> Result<Response, ApiError> {
    let now = app.clock.now();
    let keys = app.keyring.current(now).await;
    let jwks: JwksResponse<'_> = keys.jwks(app.config.tokens.access_token_seconds, now);
    Response::public(&jwks, MAX_AGE_SECONDS)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;
    use serde_json::Value as Json;
    use shared::clock::Clock as _;
    use shared::tokens::{KeySet, rotation};

    use super::*;
    use crate::test_app::{TestApp, keys};

    const DAY: i64 = 24 * 60 * 60;

    fn kids(response: &str) -> Vec<String> {
        let jwks: Json = serde_json::from_str(response).unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_new_key_is_published_before_it_signs_and_an_old_one_while_its_tokens_are_valid() {
        let mut app = TestApp::new();
        let old = kids(app.call(ENDPOINT, Request::default()).await.ok());
        let rotated = rotation::rotate(keys(), app.clock.now()).unwrap();
        app.inner.keyring = KeySet::from_stored(rotated.expose_secret()).unwrap().into();
        let both = kids(app.call(ENDPOINT, Request::default()).await.ok());
        assert_eq!((both.len(), &both[1]), (2, &old[0]));
        app.clock.advance(DAY + 899);
        assert_eq!(kids(app.call(ENDPOINT, Request::default()).await.ok()), both);
        app.clock.advance(1);
        assert_eq!(kids(app.call(ENDPOINT, Request::default()).await.ok()), both[..1]);
    }

    #[tokio::test]
    async fn only_public_keys_are_returned() {
        let app = TestApp::new();
        let response: Json = serde_json::from_str(app.call(ENDPOINT, Request::default()).await.ok()).unwrap();
        let key = &response["keys"][0];
        assert_eq!(
            response,
            serde_json::json!({ "keys": [{
                "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key["kid"], "n": key["n"], "e": "AQAB",
            }] })
        );
    }
}
