//! Returns the address of the public keys (OpenID Connect Discovery 1.0, 3), with the members that
//! verifiers need or require. Ably is not an OpenID provider.

use serde::Serialize;
use shared::access::Access;
use shared::app::App;

use super::jwks;
use crate::http::{ApiError, Authentication, Endpoint, Request, Response};

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "openid-configuration",
    routes: &[("GET", "/.well-known/openid-configuration")],
    authentication: Authentication::None,
    is_read_only: true,
    own_errors: &[],
    access: Access::NONE,
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Returns the address of the public keys")
            .response::<OpenidConfigurationResponse>(200)
    },
};

/// The seconds for which the response may be cached. It changes when the API gets another domain.
const MAX_AGE_SECONDS: u32 = 300;

/// The response.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({
    "issuer": "https://accounts.example.com",
    "jwks_uri": "https://accounts.example.com/.well-known/jwks.json",
    "id_token_signing_alg_values_supported": ["RS256"],
    "subject_types_supported": ["public"],
    "response_types_supported": ["id_token"],
})))]
pub struct OpenidConfigurationResponse {
    /// The issuer of the tokens.
    issuer: String,
    /// The address of the public keys.
    jwks_uri: String,
    /// The algorithm of the tokens.
    id_token_signing_alg_values_supported: [&'static str; 1],
    /// Required by OpenID Connect Discovery.
    subject_types_supported: [&'static str; 1],
    /// Required by OpenID Connect Discovery.
    response_types_supported: [&'static str; 1],
}

/// Returns the address of the keys.
///
/// # Errors
/// Only an internal one.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let issuer = request.issuer(app.config.token_issuer.as_deref())?;
    let response = OpenidConfigurationResponse {
        jwks_uri: format!("{issuer}{}", jwks::PATH),
        issuer,
        id_token_signing_alg_values_supported: ["RS256"],
        subject_types_supported: ["public"],
        response_types_supported: ["id_token"],
    };
    Response::public(&response, MAX_AGE_SECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_app::TestApp;

    #[tokio::test]
    async fn the_issuer_is_the_domain_of_the_request() {
        let mut app = TestApp::new();
        app.inner.config.token_issuer = None;
        for domain in ["a1b2c3d4e5.execute-api.ap-northeast-2.amazonaws.com", "accounts.example.com"] {
            let request = Request { domain: Some(domain.to_owned()), ..Request::default() };
            let response: serde_json::Value = serde_json::from_str(app.call(ENDPOINT, request).await.ok()).unwrap();
            assert_eq!(
                response,
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
