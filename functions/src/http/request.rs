//! A request without Lambda, and how an endpoint reads it.

use std::collections::HashMap;

use deserr::{Deserr, Value, ValuePointerRef};
use secrecy::SecretString;
use shared::config::Config;
use shared::events::SharedEvent;
use shared::values::{FieldError, FieldErrors, Region, SourceIp, phone};

use super::fields::{FieldValue, Fields};
use super::problem::ApiError;

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// A request. Deliberately not `Debug`: it contains credentials and personal data.
#[derive(Default)]
pub struct Request {
    /// The method, as API Gateway sends it: in upper case.
    pub method: String,
    /// The query parameters, decoded, in the order in which they were sent.
    pub query: Vec<(String, String)>,
    /// The parameters in the path, decoded.
    pub path_parameters: HashMap<String, String>,
    /// The value of `Authorization`.
    pub authorization: Option<SecretString>,
    /// The value of `User-Agent`.
    pub user_agent: Option<String>,
    /// The value of `Accept-Language`.
    pub accept_language: Option<String>,
    /// The value of `Host`.
    pub host: Option<String>,
    /// The value of `Origin`.
    pub origin: Option<String>,
    /// The value of `Sec-Fetch-Site`.
    pub sec_fetch_site: Option<String>,
    /// The domain name that the client used, which API Gateway has checked to be this API's.
    pub domain: Option<String>,
    /// The address of the client, as API Gateway saw it. Never taken from a header.
    pub source_ip: Option<String>,
    /// The id that API Gateway gave the request.
    pub request_id: Option<String>,
    /// The event of the request, to which the handler adds the user and others.
    pub event: SharedEvent,
    /// The body; `None` for methods [without a body](Request::has_body).
    pub body: Option<Vec<u8>>,
}

/// A rule about several fields of a request, which it reads as [`shared::values::Lenient`].
pub trait Rule: Deserr<FieldErrors> {
    /// Returns the error of the fields that break the rule.
    fn check(&self, config: &Config) -> Option<FieldError>;
}

impl Request {
    /// Returns whether requests of this method have a body. The body of a DELETE has no meaning (RFC 9110, 9.3.5).
    #[must_use]
    pub fn has_body(method: &str) -> bool {
        !matches!(method, "GET" | "DELETE")
    }

    /// Reads the request struct `T` from the JSON object in the body or, without a body, from the query.
    /// National phone numbers are numbers of `region`.
    ///
    /// # Errors
    /// [`ApiError::TooLarge`], [`ApiError::Malformed`], or [`ApiError::InvalidFields`] with every field
    /// that is missing or invalid.
    pub fn read<T: Deserr<FieldErrors>>(&self, region: Region) -> Result<T, ApiError> {
        read_fields(self.fields()?, region).map_err(ApiError::InvalidFields)
    }

    /// Reads the request struct `T` and checks the rule `R`. Reports the fields that break the rule
    /// together with those that are missing or invalid.
    ///
    /// # Errors
    /// As [`Request::read`].
    pub fn read_checked<T: Deserr<FieldErrors>, R: Rule>(&self, config: &Config) -> Result<T, ApiError> {
        let rule: R = self.read(config.default_region)?;
        match (read_fields(self.fields()?, config.default_region), rule.check(config)) {
            (Ok(request), None) => Ok(request),
            (Ok(_), Some(broken)) => Err(ApiError::InvalidFields(FieldErrors(vec![broken]))),
            (Err(mut errors), broken) => {
                errors.0.extend(broken);
                Err(ApiError::InvalidFields(errors))
            }
        }
    }

    /// Returns the address of the client, for rate limits.
    #[must_use]
    pub fn ip(&self) -> SourceIp {
        SourceIp::parse(self.source_ip.as_deref())
    }

    /// Whether a browser sent the request for a web page of another site, whose origin is not one of `allowed`
    /// (W3C Fetch Metadata). Other clients send no `Sec-Fetch-Site`.
    #[must_use]
    pub fn is_cross_site(&self, allowed: &[String]) -> bool {
        let is_allowed = self.origin.as_ref().is_some_and(|origin| allowed.contains(origin));
        self.sec_fetch_site.as_deref() == Some("cross-site") && !is_allowed
    }

    /// Whether the client used this computer's own name or address, with any port.
    #[must_use]
    pub fn is_for_localhost(&self) -> bool {
        let host = self.host.as_deref().unwrap_or_default();
        let without_port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let name = without_port.map_or(host, |(name, _)| name);
        name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "[::1]")
    }

    fn fields(&self) -> Result<Fields, ApiError> {
        match &self.body {
            Some(body) if body.len() > MAX_BODY_BYTES => Err(ApiError::TooLarge),
            Some(body) => serde_json::from_slice(body).map_err(|_| ApiError::Malformed),
            None => {
                let field = |(name, value): &(String, String)| (name.clone(), FieldValue::Text(unescaped_plus(value)));
                Ok(self.query.iter().map(field).collect())
            }
        }
    }

    /// Returns the issuer of the tokens, a URL: the `configured` one, or otherwise the domain that the
    /// client used.
    ///
    /// # Errors
    /// [`ApiError::Internal`] if neither is known.
    pub fn issuer(&self, configured: Option<&str>) -> Result<String, ApiError> {
        let own = || self.domain.as_ref().map(|domain| format!("https://{domain}"));
        configured.map(str::to_owned).or_else(own).ok_or_else(|| ApiError::Internal("the issuer is unknown".into()))
    }
}

fn read_fields<T: Deserr<FieldErrors>>(fields: Fields, region: Region) -> Result<T, FieldErrors> {
    let read = || T::deserialize_from_value(Value::<FieldValue>::Map(fields), ValuePointerRef::Origin);
    phone::with_default_region(region, read)
}

/// Restores a `+` that was not escaped. In a query it means a space, but people write `?phone=+8210…` and
/// `?email=a+b@…`. No phone number starts with a space, and no email contains one.
fn unescaped_plus(value: &str) -> String {
    match value.strip_prefix(' ') {
        _ if value.contains('@') => value.trim().replace(' ', "+"),
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => format!("+{rest}"),
        _ => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use shared::values::{Email, Phone};

    use super::*;

    #[derive(Deserr)]
    #[deserr(error = FieldErrors)]
    struct EmailOrPhone {
        #[deserr(default)]
        email: Option<Email>,
        #[deserr(default)]
        phone: Option<Phone>,
    }

    fn read(name: &str, value: &str) -> EmailOrPhone {
        let query = vec![(name.to_owned(), value.to_owned())];
        Request { query, ..Request::default() }.read(Region::KR).unwrap()
    }

    #[test]
    fn an_unescaped_plus_is_restored() {
        assert_eq!(read("phone", " 821012345678").phone.unwrap().e164(), "+821012345678");
        for text in ["a b@example.com", " a+b@example.com "] {
            assert_eq!(read("email", text).email.unwrap().as_str(), "a+b@example.com");
        }
    }

    #[test]
    fn repeated_fields_are_rejected() {
        let query = ["email", "other", "phone", "email", "other"].map(|name| (name.to_owned(), "a".to_owned()));
        let body = br#"{"email":"a","other":1,"phone":"a","email":"b","other":2}"#;
        for request in [
            Request { query: query.to_vec(), ..Request::default() },
            Request { body: Some(body.to_vec()), ..Request::default() },
        ] {
            let Err(ApiError::InvalidFields(errors)) = request.read::<EmailOrPhone>(Region::KR) else {
                panic!("accepted")
            };
            let errors: Vec<_> = errors.0.iter().map(|error| (error.field.as_str(), error.message)).collect();
            // Unknown fields are ignored, and are never named in a response.
            assert_eq!(errors[0], ("email", "must not be repeated"));
            assert_eq!(errors.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["email", "phone"]);
        }
    }

    #[test]
    fn a_request_of_another_site_needs_an_allowed_origin() {
        let allowed = ["https://app.example.com".to_owned()];
        let is_cross_site = |site: Option<&str>, origin: Option<&str>| {
            let (sec_fetch_site, origin) = (site.map(str::to_owned), origin.map(str::to_owned));
            Request { sec_fetch_site, origin, ..Request::default() }.is_cross_site(&allowed)
        };
        for origin in [None, Some("null"), Some("https://example.org"), Some("https://app.example.com.example.org")] {
            assert!(is_cross_site(Some("cross-site"), origin), "{origin:?}");
        }
        assert!(!is_cross_site(Some("cross-site"), Some("https://app.example.com")));
        for site in [None, Some("same-origin"), Some("same-site"), Some("none")] {
            assert!(!is_cross_site(site, Some("https://example.org")), "{site:?}");
        }
    }

    #[test]
    fn national_numbers_belong_to_the_region_of_the_call() {
        let request = Request { body: Some(br#"{"phone":"090-1234-5678"}"#.to_vec()), ..Request::default() };
        for (region, e164) in [(Region::JP, Some("+819012345678")), (Region::US, None)] {
            let phone = request.read::<EmailOrPhone>(region).ok().and_then(|fields| fields.phone);
            assert_eq!(phone.as_ref().map(Phone::e164), e164, "{region:?}");
        }
    }

    #[test]
    fn only_an_object_of_at_most_16_kib_is_accepted() {
        let code = |body: &[u8]| {
            let request = Request { body: Some(body.to_vec()), ..Request::default() };
            request.read::<EmailOrPhone>(Region::KR).err().map(|error| error.code().as_str())
        };
        for body in [&b""[..], b"{", b"[]", b"null", b"\"text\"", b"{\"a\":\"\xff\"}", b"{} {}"] {
            assert_eq!(code(body), Some("REQUEST__MALFORMED"));
        }
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(code(nested(100).as_bytes()), None);
        assert_eq!(code(nested(3000).as_bytes()), Some("REQUEST__MALFORMED"));
        assert_eq!(code(br#"{"a":["\ud800"]}"#), Some("REQUEST__MALFORMED"));
        let with_length = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
        assert_eq!(code(with_length(16 * 1024).as_bytes()), None);
        assert_eq!(code(with_length(16 * 1024 + 1).as_bytes()), Some("REQUEST__TOO_LARGE"));
        assert_eq!(code("[".repeat(10_000).as_bytes()), Some("REQUEST__MALFORMED"));
        assert_eq!(code(format!("{{\"a\":{}}}", "[".repeat(10_000)).as_bytes()), Some("REQUEST__MALFORMED"));
        assert_eq!(
            code(br#"{"a":[1,{"b":null}],"c":-1,"d":1.5,"e":{"f":[true]}}"#),
            None,
            "unknown fields are ignored"
        );
    }

    #[test]
    fn errors_repeat_nothing_and_follow_the_order_of_the_request() {
        #[derive(Deserr)]
        #[deserr(error = FieldErrors)]
        struct All {
            _phone: Phone,
            #[deserr(rename = "email")]
            _email: Email,
            #[deserr(rename = "flag")]
            _flag: bool,
            #[deserr(rename = "other")]
            _other: Phone,
        }
        let body = br#"{"flag":"secret","email":{"secret":1},"other":"secret"}"#;
        let request = Request { body: Some(body.to_vec()), ..Request::default() };
        let Err(ApiError::InvalidFields(errors)) = request.read::<All>(Region::KR) else { panic!("accepted") };
        let errors: Vec<_> = errors.0.iter().map(|error| (error.field.as_str(), error.message)).collect();
        assert_eq!(
            errors,
            [
                ("flag", "must be true or false"),
                ("email", "must be a string"),
                ("other", "must be a phone number, such as +82 10 1234 5678"),
                ("_phone", "is required"),
            ]
        );
    }

    #[test]
    fn the_issuer_is_the_configured_one_or_the_domain_of_the_request() {
        let request = Request { domain: Some("a1b2c3d4e5.execute-api.example.com".to_owned()), ..Request::default() };
        assert_eq!(request.issuer(None).unwrap(), "https://a1b2c3d4e5.execute-api.example.com");
        assert_eq!(request.issuer(Some("https://accounts.example.com")).unwrap(), "https://accounts.example.com");
        assert!(Request::default().issuer(None).is_err());
    }
}
