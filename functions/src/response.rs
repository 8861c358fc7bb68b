//! What a handler answers, free of Lambda.

use serde::Serialize;
use shared::error::ApiError;
use zeroize::Zeroizing;

/// No answer may be cached unless it says so: nearly all hold a session, a token or personal data.
const NO_STORE: &str = "no-store";

/// A response. Its `Debug` would show what must not be seen, so it has none.
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body, JSON. Wiped on drop.
    pub body: Zeroizing<String>,
}

impl Response {
    /// 200 with `body`.
    ///
    /// # Errors
    /// [`ApiError::Internal`], if `body` can't be written as JSON.
    pub fn ok(body: &impl Serialize) -> Result<Self, ApiError> {
        Self::with(200, NO_STORE, body)
    }

    /// 200 with `body`, which anybody may cache for so many `seconds`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn public(body: &impl Serialize, seconds: u32) -> Result<Self, ApiError> {
        Self::with(200, &format!("public, max-age={seconds}"), body)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, headers: vec![caching(NO_STORE)], body: Zeroizing::default() }
    }

    /// 201 with `body`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn created(body: &impl Serialize) -> Result<Self, ApiError> {
        Self::with(201, NO_STORE, body)
    }

    fn with(status: u16, cache_control: &str, body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_string(body).map_err(|error| ApiError::Internal(error.into()))?;
        let headers = vec![content("application/json"), caching(cache_control)];
        Ok(Self { status, headers, body: Zeroizing::new(body) })
    }
}

/// Tells the client of an error.
impl From<&ApiError> for Response {
    fn from(error: &ApiError) -> Self {
        let problem = error.problem();
        let mut headers = vec![content("application/problem+json"), caching(NO_STORE)];
        headers.extend(error.retry_after().map(|seconds| ("retry-after", seconds.to_string())));
        headers.extend(error.www_authenticate().map(|challenge| ("www-authenticate", challenge.to_owned())));
        // A problem is numbers and strings: there is nothing in it that JSON can't say.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.status, headers, body: Zeroizing::new(body) }
    }
}

fn content(r#type: &str) -> (&'static str, String) {
    ("content-type", r#type.to_owned())
}

fn caching(cache_control: &str) -> (&'static str, String) {
    ("cache-control", cache_control.to_owned())
}
