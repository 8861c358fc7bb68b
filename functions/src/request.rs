//! What a handler is asked, free of Lambda.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};
use shared::config::Config;
use shared::error::{ApiError, FieldError};
use shared::value::{Invalid, Value};
use zeroize::Zeroizing;

/// The largest body, in bytes.
const MAX_BODY: usize = 16 * 1024;

/// A request. Its `Debug` would show what must not be seen, so it has none.
#[derive(Default)]
pub struct Request {
    /// The query parameters, decoded.
    pub query: HashMap<String, String>,
    /// The value of `Authorization`.
    pub authorization: Option<Zeroizing<String>>,
    /// The domain name that it came to, which API Gateway knows to be this API's.
    pub domain: Option<String>,
    /// The body; `None` in a request that can't have one, GET.
    pub body: Option<Vec<u8>>,
}

/// The fields of a request. Each is read on its own, so that all bad ones are reported at once.
pub struct Fields<'a> {
    config: &'a Config,
    values: Map<String, Json>,
    errors: Vec<FieldError>,
}

impl Request {
    /// The fields: of the body's JSON object or, without a body, of the query.
    ///
    /// # Errors
    /// [`ApiError::TooLarge`] or [`ApiError::Malformed`].
    pub fn fields<'a>(self, config: &'a Config) -> Result<Fields<'a>, ApiError> {
        let values = match self.body {
            Some(body) if body.len() > MAX_BODY => return Err(ApiError::TooLarge),
            Some(body) => serde_json::from_slice(&body).map_err(|_| ApiError::Malformed)?,
            None => self.query.into_iter().map(|(name, value)| (name, Json::String(unescaped_plus(value)))).collect(),
        };
        Ok(Fields { config, values, errors: Vec::new() })
    }

    /// The issuer of the tokens, a URL: as configured, or else where the request came to.
    ///
    /// # Errors
    /// [`ApiError::Internal`], if there is neither.
    pub fn issuer(&self, config: &Config) -> Result<String, ApiError> {
        let own = || self.domain.as_ref().map(|domain| format!("https://{domain}"));
        config.token_issuer.clone().or_else(own).ok_or_else(|| ApiError::Internal("the issuer is not known".into()))
    }

    /// The bearer token (RFC 6750, 2.1); the scheme's case does not matter.
    ///
    /// # Errors
    /// [`ApiError::TokenMissing`].
    pub fn bearer_token(&self) -> Result<&str, ApiError> {
        let value = self.authorization.as_deref().ok_or(ApiError::TokenMissing)?;
        match value.trim().split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Ok(token.trim())
            }
            _ => Err(ApiError::TokenMissing),
        }
    }
}

/// A `+` in a query means a space, though people write `?phone=+8210…` and `?email=a+b@…`. No phone
/// begins with a space, and no e-mail holds one: there it was a `+`.
fn unescaped_plus(value: String) -> String {
    match value.strip_prefix(' ') {
        _ if value.contains('@') => value.trim().replace(' ', "+"),
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
        _ => value,
    }
}

impl Fields<'_> {
    /// Reads a field. `None` means that it is bad or missing, and that [`Fields::invalid`] will say so.
    pub fn read<T: Value>(&mut self, field: &'static str) -> Option<T> {
        let read = self.read_optional(field)?;
        if read.is_none() {
            self.refuse(field, Invalid("is required"));
        }
        read
    }

    /// Reads a flag, which is off if it is missing. `None` means that it is bad.
    pub fn read_flag(&mut self, field: &'static str) -> Option<bool> {
        match self.values.get(field) {
            None | Some(Json::Null) => Some(false),
            Some(Json::Bool(flag)) => Some(*flag),
            Some(_) => {
                self.refuse(field, Invalid("must be true or false"));
                None
            }
        }
    }

    /// Reads a field that may be missing: `Some(None)`. `None` means that it is bad.
    pub fn read_optional<T: Value>(&mut self, field: &'static str) -> Option<Option<T>> {
        let read = match self.values.get(field) {
            None | Some(Json::Null) => return Some(None),
            Some(Json::String(text)) => T::parse(text, self.config),
            Some(_) => Err(Invalid("must be a string")),
        };
        read.map_err(|invalid| self.refuse(field, invalid)).ok().map(Some)
    }

    /// Notes that a field is bad.
    pub fn refuse(&mut self, field: &'static str, Invalid(message): Invalid) {
        self.errors.push(FieldError { field, message });
    }

    /// Whether no field was bad so far.
    #[must_use]
    pub fn are_valid(&self) -> bool {
        self.errors.is_empty()
    }

    /// The answer that names every bad field.
    #[must_use]
    pub fn invalid(self) -> ApiError {
        ApiError::Invalid(self.errors)
    }
}

#[cfg(test)]
mod tests {
    use shared::email::Email;
    use shared::phone::Phone;

    use super::*;

    fn get(name: &str, value: &str) -> Request {
        Request { query: HashMap::from([(name.to_owned(), value.to_owned())]), ..Request::default() }
    }

    #[test]
    fn a_plus_that_was_not_escaped_is_understood() {
        let config = Config::default();
        let phone: Option<Phone> = get("phone", " 821012345678").fields(&config).unwrap().read("phone");
        assert_eq!(phone.unwrap().e164(), "+821012345678");
        for text in ["a b@example.com", " a+b@example.com "] {
            let email: Option<Email> = get("email", text).fields(&config).unwrap().read("email");
            assert_eq!(email.unwrap().as_str(), "a+b@example.com");
        }
    }

    #[test]
    fn only_an_object_of_at_most_16_kib_is_read() {
        let config = Config::default();
        let code = |body: &[u8]| {
            let request = Request { body: Some(body.to_vec()), ..Request::default() };
            request.fields(&config).err().map(|error| error.code().2)
        };
        for body in [&b""[..], b"{", b"[]", b"null", b"\"text\"", b"{\"a\":\"\xff\"}", b"{} {}"] {
            assert_eq!(code(body), Some("REQUEST__MALFORMED"));
        }
        let of = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert_eq!(code(of(16 * 1024).as_bytes()), None);
        assert_eq!(code(of(16 * 1024 + 1).as_bytes()), Some("REQUEST__TOO_LARGE"));
        assert_eq!(code("[".repeat(10_000).as_bytes()), Some("REQUEST__MALFORMED"));
    }

    #[test]
    fn the_issuer_is_where_the_request_came_to_unless_it_is_configured() {
        let request = Request { domain: Some("a1b2c3d4e5.execute-api.example.com".to_owned()), ..Request::default() };
        let own = Config::default();
        let configured = Config { token_issuer: Some("https://accounts.example.com".to_owned()), ..Config::default() };
        assert_eq!(request.issuer(&own).unwrap(), "https://a1b2c3d4e5.execute-api.example.com");
        assert_eq!(request.issuer(&configured).unwrap(), "https://accounts.example.com");
        assert!(Request::default().issuer(&own).is_err());
    }

    #[test]
    fn the_scheme_is_bearer_in_any_case() {
        let token = |value: &str| {
            let request = Request { authorization: Some(Zeroizing::new(value.to_owned())), ..Request::default() };
            request.bearer_token().map(ToOwned::to_owned).ok()
        };
        assert_eq!(token("bearer a.b.c").as_deref(), Some("a.b.c"));
        assert_eq!(token("BEARER  a.b.c ").as_deref(), Some("a.b.c"));
        for value in ["", "Bearer", "Bearer ", "Basic a.b.c", "a.b.c"] {
            assert_eq!(token(value), None, "{value}");
        }
    }
}
