//! What a handler answers, free of Lambda.

use serde::Serialize;
use shared::error::ApiError;
use zeroize::Zeroizing;

const CACHE_CONTROL: &str = "cache-control";

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
        Self::with(200, body)
    }

    /// 200 with `body`, which anybody may cache for so many `seconds`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn public(body: &impl Serialize, seconds: u32) -> Result<Self, ApiError> {
        let mut response = Self::with(200, body)?;
        response.headers.retain(|(name, _)| *name != CACHE_CONTROL);
        response.headers.push((CACHE_CONTROL, format!("public, max-age={seconds}")));
        Ok(response)
    }

    /// 204.
    #[must_use]
    pub fn no_content() -> Self {
        Self { status: 204, headers: vec![(CACHE_CONTROL, "no-store".to_owned())], body: Zeroizing::default() }
    }

    /// 201 with `body`.
    ///
    /// # Errors
    /// As [`Response::ok`].
    pub fn created(body: &impl Serialize) -> Result<Self, ApiError> {
        Self::with(201, body)
    }

    fn with(status: u16, body: &impl Serialize) -> Result<Self, ApiError> {
        let body = serde_json::to_string(body).map_err(|error| ApiError::Internal(error.into()))?;
        Ok(Self { status, headers: headers("application/json"), body: Zeroizing::new(body) })
    }
}

/// Tells the client of an error.
impl From<&ApiError> for Response {
    fn from(error: &ApiError) -> Self {
        let problem = error.problem();
        let mut headers = headers("application/problem+json");
        headers.extend(error.retry_after().map(|seconds| ("retry-after", seconds.to_string())));
        headers.extend(error.www_authenticate().map(|challenge| ("www-authenticate", challenge.to_owned())));
        // A problem is numbers and strings: there is nothing in it that JSON can't say.
        let body = serde_json::to_string(&problem).unwrap_or_default();
        Self { status: problem.status, headers, body: Zeroizing::new(body) }
    }
}

/// No answer may be cached unless it says so: nearly all hold a session, a token or personal data.
fn headers(content_type: &str) -> Vec<(&'static str, String)> {
    vec![("content-type", content_type.to_owned()), (CACHE_CONTROL, "no-store".to_owned())]
}
