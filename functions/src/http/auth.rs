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
    Ok(app.keyring.verify_access(token, &issuer, audience, app.clock.now()).await?)
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
