//! `GET /.well-known/openid-configuration` answers `{"issuer", "jwks_uri", ...}`: where whoever knows
//! the issuer finds its keys (OpenID Connect Discovery 1.0, 3). Of its members it has what a verifier
//! needs, and those without which some refuse to read it; Ably is no OpenID provider.

use serde::Serialize;
use shared::error::ApiError;
use shared::{App, Needs};

use crate::{Endpoint, Request, Response, jwks};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "openid-configuration",
    routes: &[("GET", "/.well-known/openid-configuration")],
    needs: Needs::NOTHING,
    handle: |app, request| Box::pin(handle(app, request)),
};

/// How long it may be cached, in seconds: it changes when the API gets another domain.
const MAX_AGE: u32 = 300;

#[derive(Serialize)]
struct Answer {
    issuer: String,
    jwks_uri: String,
    id_token_signing_alg_values_supported: [&'static str; 1],
    subject_types_supported: [&'static str; 1],
    response_types_supported: [&'static str; 1],
}

/// Shows where the keys are.
///
/// # Errors
/// None but an internal one.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(&app.config)?;
    let answer = Answer {
        jwks_uri: format!("{issuer}{}", jwks::PATH),
        issuer,
        id_token_signing_alg_values_supported: ["RS256"],
        subject_types_supported: ["public"],
        response_types_supported: ["id_token"],
    };
    Response::public(&answer, MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn shows_where_the_keys_are_of_the_domain_that_is_asked() {
        let mut world = World::new();
        world.app.config.token_issuer = None;
        for domain in ["a1b2c3d4e5.execute-api.ap-northeast-2.amazonaws.com", "accounts.example.com"] {
            let request = Request { domain: Some(domain.to_owned()), ..Request::default() };
            let answer: serde_json::Value = serde_json::from_str(world.call(ENDPOINT, request).await.ok()).unwrap();
            assert_eq!(
                answer,
                serde_json::json!({
                    "issuer": format!("https://{domain}"),
                    "jwks_uri": format!("https://{domain}/.well-known/jwks.json"),
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "subject_types_supported": ["public"],
                    "response_types_supported": ["id_token"],
                })
            );
        }
    }
}
