//! The response of a handler, and what tests assert of it.

use serde_json::Value as Json;

/// A response, as the client receives it.
#[derive(Debug, PartialEq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    /// Returns the body.
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Asserts that the request requires a recent login.
    #[track_caller]
    pub(crate) fn assert_login_too_old(&self) {
        self.assert_error(401, "TOKEN__LOGIN_TOO_OLD")
            .assert_challenge(r#"Bearer error="insufficient_user_authentication", max_age="300""#);
    }

    /// Returns the access and the refresh token of a new pair.
    pub(crate) fn pair(&self) -> (String, String) {
        self.assert_status(200);
        (self.field("access_token"), self.field("refresh_token"))
    }

    /// Returns a field of the body that contains text.
    pub(crate) fn field(&self, name: &str) -> String {
        let body: Json = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.body)).to_owned()
    }

    pub(crate) fn error_code(&self) -> String {
        self.field("error_code")
    }

    /// Returns the body of a 200.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        self.assert_status(200);
        &self.body
    }

    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{}", self.body);
    }

    #[track_caller]
    pub(crate) fn assert_no_content(&self) {
        self.assert_status(204);
        assert_eq!((self.body.as_str(), self.header("content-type")), ("", None));
    }

    #[track_caller]
    pub(crate) fn assert_error(&self, status: u16, error_code: &str) -> &Self {
        self.assert_status(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let problem: Json = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["error_code"], error_code);
        assert!(["type", "title", "detail"].iter().all(|member| problem[member].is_string()), "{}", self.body);
        self
    }

    #[track_caller]
    pub(crate) fn assert_retry_after(&self, status: u16, error_code: &str, seconds: i64) {
        assert_eq!(self.assert_error(status, error_code).header("retry-after"), Some(seconds.to_string().as_str()));
    }

    #[track_caller]
    pub(crate) fn assert_challenge(&self, challenge: &str) {
        assert_eq!(self.header("www-authenticate"), Some(challenge));
    }

    /// Asserts that the error names these fields, in this order.
    #[track_caller]
    pub(crate) fn assert_fields(&self, fields: &[&str]) {
        let problem: Json = serde_json::from_str(&self.body).unwrap();
        let errors = problem["errors"].as_array().unwrap();
        assert!(errors.iter().all(|error| error["message"].is_string()));
        assert_eq!(errors.iter().map(|error| error["field"].as_str().unwrap()).collect::<Vec<_>>(), fields);
    }

    #[track_caller]
    pub(crate) fn assert_invalid(&self, fields: &[&str]) {
        self.assert_error(422, "REQUEST__INVALID").assert_fields(fields);
    }
}
