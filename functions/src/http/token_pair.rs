//! The pair of tokens that a refresh or a change of the credentials returns.

use secrecy::ExposeSecret as _;
use serde::Serialize;
use shared::tokens::Tokens;

/// A new pair of tokens, which replaces the client's.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "access_token": "eyJ...", "refresh_token": "eyJ..." })))]
pub struct TokenPair<'a> {
    /// The access token.
    access_token: &'a str,
    /// The refresh token.
    refresh_token: &'a str,
}

impl<'a> From<&'a Tokens> for TokenPair<'a> {
    fn from(tokens: &'a Tokens) -> Self {
        Self { access_token: tokens.access_token.expose_secret(), refresh_token: tokens.refresh_token.expose_secret() }
    }
}
