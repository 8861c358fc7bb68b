//! The claims that an operator adds to a user's access tokens.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::field::InvalidField;

/// The most claims of a user.
const MAX_CLAIMS: usize = 10;
/// The longest name, in characters.
const MAX_NAME: usize = 30;
/// The longest text, in characters.
const MAX_TEXT: usize = 100;
/// The most bytes of all claims as JSON, so that every token fits a header.
const MAX_BYTES: usize = 1000;
/// The largest integer, which every reader of JSON preserves (RFC 7493, 2.2).
const MAX_INTEGER: i64 = (1 << 53) - 1;

/// The names that a claim cannot have: a verifier reads a meaning into them that an operator must not set. The
/// documentation of the API lists them.
pub const RESERVED: &[&[&str]] = &[
    // Those of our tokens (`tokens::jwt`).
    &["aud", "auth_time", "claims", "exp", "generation", "iat", "iss", "jti", "nbf", "sid", "sub", "token_use"],
    &["token_version", "user_id"],
    // Authentication and authorization: RFC 7519, 7800, 8693, 9068 and 9493, OpenID Connect Core 1.0 and its
    // logouts, and the headers of RFC 7515.
    &["acr", "act", "alg", "amr", "at_hash", "azp", "c_hash", "client_id", "cnf", "crit", "cty", "events", "kid"],
    &["may_act", "nonce", "s_hash", "scope", "sub_id", "sub_jwk", "toe", "txn", "typ"],
    // The user's profile (OpenID Connect Core 1.0, 5.1), which would not follow a change of the account.
    &["address", "birthdate", "email", "email_verified", "family_name", "gender", "given_name", "locale"],
    &["middle_name", "name", "nickname", "phone", "phone_number", "phone_number_verified", "picture"],
    &["preferred_username", "profile", "updated_at", "website", "zoneinfo"],
];

/// At most ten claims, by their names. Deliberately not shown by `Debug`: they may contain personal data.
///
/// A name has 1 to 30 lower-case letters, digits and underscores, begins with a letter, and is not [`RESERVED`]. All
/// claims together have at most 1000 bytes as JSON.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Json>")]
pub struct Claims(BTreeMap<String, Claim>);

/// The value of a claim.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Claim {
    /// At most 100 characters, none of them a control character.
    Text(String),
    /// An integer that every reader of JSON preserves: at most 2⁵³ − 1 from zero.
    Integer(i64),
    /// True or false.
    Flag(bool),
}

impl Claims {
    /// No claims.
    pub const NONE: Self = Self(BTreeMap::new());

    /// Parses claims that an operator sent.
    ///
    /// # Errors
    /// [`InvalidField`] with what the claims must be.
    pub fn parse(claims: BTreeMap<String, Json>) -> Result<Self, InvalidField> {
        let claims = claims.into_iter().map(|(name, value)| Ok((name, Claim::parse(value)?)));
        Self::new(claims.collect::<Result<_, InvalidField>>()?)
    }

    /// Returns the claims in a stored map, or `None` if they are not what [`Claims::parse`] accepts: with a reserved
    /// name, a token could identify another user.
    #[must_use]
    pub fn from_stored(claims: BTreeMap<String, Claim>) -> Option<Self> {
        Self::new(claims).ok()
    }

    /// Returns the claims in stored JSON, or `None` if they are not what [`Claims::parse`] accepts.
    #[must_use]
    pub fn from_stored_json(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }

    /// Returns the claims as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Returns the claims, sorted by their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Claim)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn new(claims: BTreeMap<String, Claim>) -> Result<Self, InvalidField> {
        if claims.len() > MAX_CLAIMS {
            return Err(InvalidField("must be at most 10"));
        }
        for (name, value) in &claims {
            check_name(name)?;
            value.check()?;
        }
        let claims = Self(claims);
        if claims.to_json().len() > MAX_BYTES {
            return Err(InvalidField("must have at most 1000 bytes as JSON"));
        }
        Ok(claims)
    }
}

impl Claim {
    fn parse(value: Json) -> Result<Self, InvalidField> {
        match value {
            Json::String(text) => Ok(Self::Text(text)),
            Json::Bool(flag) => Ok(Self::Flag(flag)),
            Json::Number(number) => number.as_i64().map(Self::Integer).ok_or(NOT_AN_INTEGER),
            Json::Null | Json::Array(_) | Json::Object(_) => {
                Err(InvalidField("must have values that are text, integers, true or false"))
            }
        }
    }

    fn check(&self) -> Result<(), InvalidField> {
        match self {
            Self::Text(text) if text.chars().count() > MAX_TEXT || text.chars().any(char::is_control) => {
                Err(InvalidField("must have texts of at most 100 characters, without control characters"))
            }
            Self::Integer(number) if !(-MAX_INTEGER..=MAX_INTEGER).contains(number) => Err(NOT_AN_INTEGER),
            _ => Ok(()),
        }
    }
}

const NOT_AN_INTEGER: InvalidField = InvalidField("must have numbers that are integers of at most 2^53 - 1");

fn check_name(name: &str) -> Result<(), InvalidField> {
    let is_valid = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || name.len() > MAX_NAME || !name.bytes().all(is_valid) {
        let must = "must have names of 1 to 30 lower-case letters, digits and underscores, which begin with a letter";
        return Err(InvalidField(must));
    }
    if RESERVED.iter().any(|names| names.contains(&name)) {
        return Err(InvalidField("must not have a reserved name, as those of the standard claims"));
    }
    Ok(())
}

impl TryFrom<BTreeMap<String, Json>> for Claims {
    type Error = &'static str;

    fn try_from(claims: BTreeMap<String, Json>) -> Result<Self, Self::Error> {
        Self::parse(claims).map_err(|invalid| invalid.0)
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} claims", self.0.len())
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(claims: &Json) -> Result<Claims, &'static str> {
        Claims::parse(serde_json::from_value(claims.clone()).unwrap()).map_err(|invalid| invalid.0)
    }

    /// Returns as many claims, each with this value.
    fn many(number: usize, value: &str) -> Json {
        (0..number).map(|n| (format!("claim_{n}"), Json::from(value))).collect::<serde_json::Map<_, _>>().into()
    }

    #[test]
    fn texts_integers_and_flags_are_claims() {
        let claims = json!({
            "role": "editor", "level": 3, "is_staff": true, "note": "", "low": -9_007_199_254_740_991_i64, "x": "가".repeat(100),
        });
        let parsed = parse(&claims).unwrap();
        assert_eq!(serde_json::to_value(&parsed).unwrap(), claims);
        assert_eq!(Claims::from_stored_json(&parsed.to_json()), Some(parsed));
        assert!(parse(&json!({})).unwrap().is_empty());
    }

    #[test]
    fn other_values_are_rejected() {
        for value in [json!(1.5), json!(1.0), json!(9_007_199_254_740_992_i64), json!(u64::MAX)] {
            assert_eq!(parse(&json!({ "level": value })), Err(NOT_AN_INTEGER.0), "{value}");
        }
        for value in
            [json!(null), json!(["editor"]), json!({ "role": "editor" }), json!("x".repeat(101)), json!("a\nb")]
        {
            assert!(parse(&json!({ "role": value })).is_err(), "{value}");
        }
    }

    #[test]
    fn names_are_short_and_in_lower_case() {
        for name in ["a", "role", "level_2", &"a".repeat(30)] {
            assert!(parse(&json!({ name: 1 })).is_ok(), "{name}");
        }
        for name in ["", "Role", "1st", "_role", "my-role", "https://example.com/role", "역할", &"a".repeat(31)] {
            assert!(parse(&json!({ name: 1 })).is_err(), "{name}");
        }
    }

    #[test]
    fn reserved_names_are_rejected() {
        for name in ["sub", "user_id", "claims", "generation", "scope", "amr", "email_verified", "phone_number", "name"]
        {
            let error = parse(&json!({ name: "minji" })).unwrap_err();
            assert_eq!(error, "must not have a reserved name, as those of the standard claims", "{name}");
        }
    }

    #[test]
    fn the_number_and_the_size_are_limited() {
        assert!(parse(&many(10, "x")).is_ok());
        assert!(parse(&many(11, "x")).is_err());
        assert!(parse(&many(10, &"x".repeat(80))).is_ok());
        assert_eq!(parse(&many(10, &"x".repeat(100))), Err("must have at most 1000 bytes as JSON"));
    }

    #[test]
    fn stored_claims_of_another_shape_are_rejected() {
        for json in ["", "[]", "null", r#"{"role":null}"#, r#"{"sub":"minji"}"#, r#"{"role":1.5}"#] {
            assert_eq!(Claims::from_stored_json(json), None, "{json}");
        }
        assert_eq!(Claims::from_stored([("sub".to_owned(), Claim::Text(String::new()))].into()), None);
        assert_eq!(Claims::from_stored_json("{}"), Some(Claims::NONE));
    }

    #[test]
    fn debug_masks() {
        let claims = parse(&json!({ "role": "editor" })).unwrap();
        assert_eq!(format!("{claims:?} {:?}", claims.iter().collect::<Vec<_>>()), r#"1 claims [("role", ***)]"#);
    }
}
