//! Authentication by an access token.

use secrecy::ExposeSecret as _;
use shared::app::App;
use shared::store::Caller;

use super::problem::ApiError;
use super::request::Request;

/// Returns the caller of a request, according to its access token. The store determines whether the session and
/// the token version are current.
///
/// # Errors
/// [`ApiError::TokenMissing`], [`ApiError::TokenInvalid`] or [`ApiError::TokenExpired`].
pub async fn caller(app: &App, request: &Request) -> Result<Caller, ApiError> {
    let (token, issuer) = (bearer_token(request)?, request.issuer(app.config.token_issuer.as_deref())?);
    let audience = &app.config.tokens.audience;
    let caller = app.keyring.verify_access(token, &issuer, audience, app.clock.now()).await?;
    request.event.user(caller.user_id);
    Ok(caller)
}

/// Returns the caller of a request, if the login of its access token is recent (RFC 9470).
///
/// # Errors
/// As [`caller`], or [`ApiError::LoginTooOld`].
pub async fn recent_caller(app: &App, request: &Request) -> Result<Caller, ApiError> {
    let (caller, max_age) = (caller(app, request).await?, app.config.recent_login_seconds);
    let is_recent = app.clock.now() - caller.started_at <= max_age;
    if is_recent { Ok(caller) } else { Err(ApiError::LoginTooOld { max_age }) }
}

/// Returns the bearer token (RFC 6750, 2.1). The scheme's case is ignored.
fn bearer_token(request: &Request) -> Result<&str, ApiError> {
    let value = request.authorization.as_ref().ok_or(ApiError::TokenMissing)?.expose_secret();
    match value.trim().split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(ApiError::TokenMissing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ENDPOINTS;
    use crate::http::{Authentication, Endpoint};
    use crate::test_app::{Response, TestApp, bearer_request};

    /// Calls an endpoint with a request that has a body if the method has one.
    async fn call(app: &TestApp, endpoint: Endpoint, request: Request) -> Response {
        let has_body = endpoint.routes.iter().all(|(method, _)| Request::has_body(method));
        app.call(endpoint, Request { body: has_body.then(|| b"{}".to_vec()), ..request }).await
    }

    #[tokio::test]
    async fn each_endpoint_requires_the_declared_authentication() {
        let app = TestApp::new();
        for &endpoint in ENDPOINTS {
            let response = call(&app, endpoint, Request::default()).await;
            let requires_token = response.status == 401 && response.error_code() == "TOKEN__MISSING";
            assert_eq!(requires_token, endpoint.authentication != Authentication::None, "{}", endpoint.name);
        }
    }

    #[tokio::test]
    async fn each_endpoint_requires_a_recent_login_if_it_declares_that() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(301);
        let mut recent = Vec::new();
        for &endpoint in ENDPOINTS {
            let response = call(&app, endpoint, bearer_request(&access)).await;
            let is_rejected = response.status == 401 && response.error_code() == "TOKEN__LOGIN_TOO_OLD";
            assert_eq!(is_rejected, endpoint.authentication == Authentication::RecentLogin, "{}", endpoint.name);
            recent.extend(is_rejected.then_some(endpoint.name));
        }
        // Spelled out, so that none is forgotten.
        assert_eq!(recent, ["phone-change", "email-change", "account-delete", "session-revoke"]);
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let token = |value: &str| {
            let request = Request { authorization: Some(value.into()), ..Request::default() };
            bearer_token(&request).map(ToOwned::to_owned).ok()
        };
        assert_eq!(token("bearer a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(token("BEARER  a.b.c ").as_deref(), Some("a.b.c"));
        for value in ["", "Bearer", "Bearer ", "Basic a.b.c", "a.b.c"] {
            assert_eq!(token(value), None, "{value}");
        }
    }
}
