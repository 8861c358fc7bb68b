//! A response without Lambda.

use serde::Serialize;
use zeroize::Zeroizing;

use super::problem::ApiError;

/// Browsers use HTTPS alone for two years, and do not guess content types (OWASP Secure Headers).
const SECURITY: [(&str, &str); 2] =
    [("strict-transport-security", "max-age=63072000"), ("x-content-type-options", "nosniff")];
/// Responses must not be cached, because most contain an id, a token or personal data.
const NO_STORE: &str = "no-store";

/// A response. Deliberately not `Debug`: it contains credentials and personal data.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body: JSON, except for [`Response::text`]. Wiped on drop.
    pub body: Zeroizing<String>,
}

impl Response {
    /// Returns 200 with `body`.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if `body` cannot be written as JSON.
    pub fn ok(body: &impl Serialize) -> Result<Self, ApiError> {
        Self::json(200, NO_STORE, body)
    }

    /// Returns 200 with `body`, which anybody may cache for `seconds`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn public(body: &impl Serialize, seconds: u32) -> Result<Self, ApiError> {
        Self::json(200, &format!("public, max-age={seconds}"), body)
    }

    /// Returns 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, headers: headers(NO_STORE), body: Zeroizing::default() }
    }

    /// Returns 201 with `body`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn created(body: &impl Serialize) -> Result<Self, ApiError> {
        Self::json(201, NO_STORE, body)
    }

    /// Returns 200 with a text that is not JSON.
    #[must_use]
    pub fn text(r#type: &str, text: String) -> Self {
        let mut headers = headers(NO_STORE);
        headers.push(content_type(r#type));
        Self { status: 200, headers, body: Zeroizing::new(text) }
    }

    fn json(status: u16, caching: &str, body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_string(body).map_err(|error| ApiError::Internal(error.into()))?;
        let mut headers = headers(caching);
        headers.push(content_type("application/json"));
        Ok(Self { status, headers, body: Zeroizing::new(body) })
    }
}

/// The response to a request that failed.
impl From<&ApiError> for Response {
    fn from(error: &ApiError) -> Self {
        let problem = error.problem();
        let mut headers = headers(NO_STORE);
        headers.push(content_type("application/problem+json"));
        headers.extend(error.retry_after().map(|seconds| ("retry-after", seconds.to_string())));
        headers.extend(error.www_authenticate().map(|challenge| ("www-authenticate", challenge.into_owned())));
        // A problem consists of numbers and strings, which can always be written as JSON.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.status, headers, body: Zeroizing::new(body) }
    }
}

fn content_type(r#type: &str) -> (&'static str, String) {
    ("content-type", r#type.to_owned())
}

/// Returns the headers of every response.
fn headers(caching: &str) -> Vec<(&'static str, String)> {
    let security = SECURITY.map(|(name, value)| (name, value.to_owned()));
    security.into_iter().chain([("cache-control", caching.to_owned())]).collect()
}
