//! Returns the profile of the caller.

use serde::Serialize;
use shared::access::{Access, Action, CALLER_SESSION, KeyAccess, Table, USER};
use shared::app::App;
use shared::store::Profile;

use crate::http::{ApiError, Authentication, Endpoint, Request, Response, auth};

/// The attributes of a user that a profile is read from.
pub(super) const PROFILE: &[&str] = &["pk", "name", "email", "phone", "nickname", "token_version", "is_disabled"];

/// The endpoint.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "profile",
    routes: &[("GET", "/api/v1/users/profile")],
    authentication: Authentication::AccessToken,
    is_read_only: true,
    own_errors: &[],
    access: Access {
        tables: &[
            Table::Users.with(&[Action::BatchGetItem]).items(&[USER]).attributes(PROFILE),
            Table::Sessions.with(&[Action::BatchGetItem]).items(&[USER]).attributes(CALLER_SESSION),
        ],
        keys: KeyAccess::Verify,
        ..Access::NONE
    },
    handle: |app, request| Box::pin(handle(app, request)),
    #[cfg(feature = "openapi")]
    operation: || {
        crate::http::operation::Operation::new("Returns the profile of the caller").response::<ProfileResponse<'_>>(200)
    },
};

/// The response.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "name": "Kim Minji", "email": "minji@example.com", "phone": "+821012345678", "nickname": "minji" })))]
pub struct ProfileResponse<'a> {
    /// The name.
    name: &'a str,
    /// The email, in the user's spelling.
    email: &'a str,
    /// The phone number in E.164.
    phone: &'a str,
    /// The nickname.
    nickname: &'a str,
}

impl<'a> From<&'a Profile> for ProfileResponse<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self { name: &profile.name.0, email: &profile.email.0, phone: &profile.phone.0, nickname: &profile.nickname.0 }
    }
}

/// Returns the caller's profile.
///
/// # Errors
/// 401 if the access token is missing, invalid, expired or revoked; 403 if the user is disabled; or any
/// [`shared::store::StoreError`].
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let caller = auth::caller(app, &request).await?;
    let profile = app.accounts()?.profile(&caller, app.clock.now()).await?;
    Response::ok(&ProfileResponse::from(&profile))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use secrecy::ExposeSecret as _;
    use serde_json::Value as Json;
    use shared::clock::Clock as _;
    use shared::tokens::rotation;

    use super::*;
    use crate::test_app::{TestApp, keys};

    #[tokio::test]
    async fn the_profile_is_returned_until_the_token_expires() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.clock.advance(899);
        assert_eq!(
            app.profile(&access).await.ok(),
            r#"{"name":"Kim Minji","email":"minji@example.com","phone":"+821012345678","nickname":"minji"}"#
        );
        app.clock.advance(1);
        app.profile(&access)
            .await
            .assert_error(401, "TOKEN__EXPIRED")
            .assert_challenge(r#"Bearer error="invalid_token", error_description="expired""#);
    }

    #[tokio::test]
    async fn a_token_is_required() {
        let app = TestApp::new();
        app.call(ENDPOINT, Request::default()).await.assert_error(401, "TOKEN__MISSING").assert_challenge("Bearer");
    }

    #[tokio::test]
    async fn a_reset_revokes_older_tokens_immediately() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.reset("01012345678", "a newer horse battery").await;
        // The clock does not move between the two.
        let new = app.login("minji@example.com", "a newer horse battery").await.field("access_token");
        app.profile(&access)
            .await
            .assert_error(401, "TOKEN__REVOKED")
            .assert_challenge(r#"Bearer error="invalid_token", error_description="revoked""#);
        app.profile(&new).await.ok();
    }

    #[tokio::test]
    async fn the_token_of_a_disabled_user_is_rejected() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        app.set_disabled("01012345678", true).await;
        app.profile(&access).await.assert_error(403, "USER__DISABLED");
        app.set_disabled("01012345678", false).await;
        app.profile(&access).await.ok();
    }

    #[tokio::test]
    async fn the_token_of_another_session_is_rejected() {
        let app = TestApp::new();
        let (access, _) = app.sign_up("minji@example.com", "01012345678").await;
        let forge = Forge::like(&access, keys());
        let other = forge.with_claim("sid", Json::from("01890000-0000-7000-8000-000000000000"));
        app.profile(&other).await.assert_error(401, "TOKEN__REVOKED");
        let newer = forge.with_claim("token_version", Json::from(1));
        app.profile(&newer).await.assert_error(401, "TOKEN__REVOKED");
    }

    /// Creates tokens with any header, claims and signature.
    struct Forge {
        header: Header,
        claims: Json,
        rsa: EncodingKey,
        /// The published part of the key.
        jwk: Json,
    }

    impl Forge {
        /// Starts from the contents of a valid token.
        fn like(access: &str, keys: &str) -> Self {
            let part = |n| URL_SAFE_NO_PAD.decode(access.split('.').nth(n).unwrap()).unwrap();
            let stored: Json = serde_json::from_str(keys).unwrap();
            let der = STANDARD.decode(stored["keys"][0]["private_key"].as_str().unwrap()).unwrap();
            let pem = pem(&der, "PRIVATE KEY");
            Self {
                header: serde_json::from_slice(&part(0)).unwrap(),
                claims: serde_json::from_slice(&part(1)).unwrap(),
                rsa: EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
                jwk: stored["keys"][0].clone(),
            }
        }

        fn sign(&self) -> String {
            jsonwebtoken::encode(&self.header, &self.claims, &self.rsa).unwrap()
        }

        fn with_header(&self, change: impl FnOnce(&mut Header)) -> String {
            let mut header = self.header.clone();
            change(&mut header);
            jsonwebtoken::encode(&header, &self.claims, &self.rsa).unwrap()
        }

        fn with_claim(&self, name: &str, value: Json) -> String {
            let mut claims = self.claims.clone();
            claims[name] = value;
            jsonwebtoken::encode(&self.header, &claims, &self.rsa).unwrap()
        }

        fn without_claim(&self, name: &str) -> String {
            let mut claims = self.claims.clone();
            claims.as_object_mut().unwrap().remove(name).unwrap();
            jsonwebtoken::encode(&self.header, &claims, &self.rsa).unwrap()
        }

        /// Signs with a public key as a shared secret: an attack on verifiers that accept the token's algorithm.
        fn hmac(&self, secret: &[u8]) -> String {
            let header = Header { alg: Algorithm::HS256, ..self.header.clone() };
            jsonwebtoken::encode(&header, &self.claims, &EncodingKey::from_secret(secret)).unwrap()
        }
    }

    fn pem(der: &[u8], what: &str) -> String {
        format!("-----BEGIN {what}-----\n{}\n-----END {what}-----\n", STANDARD.encode(der))
    }

    /// The DER of an RSA-2048 public key with the exponent 65537 (RFC 5280, 4.1.2.7).
    fn spki(n: &[u8]) -> Vec<u8> {
        let rsa_encryption = b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
        let two_numbers = b"\x03\x82\x01\x0f\x00\x30\x82\x01\x0a\x02\x82\x01\x01\x00";
        [&rsa_encryption[..], two_numbers, n, b"\x02\x03\x01\x00\x01"].concat()
    }

    fn raw(header: &Json, claims: &Json, signature: &str) -> String {
        let encode = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        format!("{}.{}.{signature}", encode(header), encode(claims))
    }

    #[tokio::test]
    async fn forged_tokens_are_rejected() {
        let app = TestApp::new();
        let (access, refresh) = app.sign_up("minji@example.com", "01012345678").await;
        let forge = Forge::like(&access, keys());
        app.profile(&forge.sign()).await.ok();
        app.profile(&forge.with_claim("nbf", Json::from(app.clock.now() + 5))).await.ok();

        let part = |n: usize| access.split('.').nth(n).unwrap();
        let header = |alg: &str| serde_json::json!({ "alg": alg, "typ": "JWT", "kid": forge.header.kid });
        let stranger = Forge::like(&access, rotation::create(0).unwrap().expose_secret());
        let n = URL_SAFE_NO_PAD.decode(forge.jwk["n"].as_str().unwrap()).unwrap();
        let flipped = if part(2).starts_with('A') { 'B' } else { 'A' };
        let corpus = [
            ("not a token", "nonsense".to_owned()),
            ("three empty parts", "a.b.c".to_owned()),
            ("no parts", "..".to_owned()),
            ("alg none", raw(&header("none"), &forge.claims, "")),
            ("alg None", raw(&header("None"), &forge.claims, part(2))),
            ("alg none, with the signature of another token", raw(&header("none"), &forge.claims, part(2))),
            ("HS256, by the public key's modulus", forge.hmac(&n)),
            ("HS256, by the public key as JSON", forge.hmac(forge.jwk.to_string().as_bytes())),
            ("HS256, by the public key as PEM", forge.hmac(pem(&spki(&n), "PUBLIC KEY").as_bytes())),
            ("HS256, by the public key as DER", forge.hmac(&spki(&n))),
            ("HS256, by an empty secret", forge.hmac(b"")),
            ("RS384 by the right key", forge.with_header(|header| header.alg = Algorithm::RS384)),
            ("PS256 by the right key", forge.with_header(|header| header.alg = Algorithm::PS256)),
            ("by a foreign key, with the right kid", stranger.sign()),
            ("by a foreign key, with its own kid", {
                stranger.with_header(|header| header.kid = stranger.jwk["kid"].as_str().map(str::to_owned))
            }),
            (
                "by the right key, with an unknown kid",
                forge.with_header(|header| header.kid = Some("unknown".to_owned())),
            ),
            ("by the right key, without a kid", forge.with_header(|header| header.kid = None)),
            ("with its own key in the header", {
                stranger.with_header(|header| {
                    let jwk = serde_json::json!({ "kty": "RSA", "n": stranger.jwk["n"], "e": stranger.jwk["e"] });
                    header.jwk = Some(serde_json::from_value(jwk).unwrap());
                })
            }),
            ("with a URL of its keys in the header", {
                stranger.with_header(|header| header.jku = Some("https://example.com/jwks.json".to_owned()))
            }),
            ("with a URL of its certificate in the header", {
                stranger.with_header(|header| header.x5u = Some("https://example.com/x5u".to_owned()))
            }),
            ("with a critical extension", forge.with_header(|header| header.crit = Some(vec!["exp".to_owned()]))),
            ("not yet valid", forge.with_claim("nbf", Json::from(app.clock.now() + 6))),
            ("with another audience", forge.with_claim("aud", Json::from("somebody else"))),
            ("without an audience", forge.without_claim("aud")),
            ("with another issuer", forge.with_claim("iss", Json::from("https://accounts.example.org"))),
            ("without an issuer", forge.without_claim("iss")),
            ("without an expiry", forge.without_claim("exp")),
            ("without a user", forge.without_claim("sub")),
            ("with an impossible user", forge.with_claim("sub", Json::from("minji"))),
            ("without a token version", forge.without_claim("token_version")),
            ("without a session", forge.without_claim("sid")),
            ("without the time of the login", forge.without_claim("auth_time")),
            ("without a use", forge.without_claim("token_use")),
            ("with another use", forge.with_claim("token_use", Json::from("refresh"))),
            ("a refresh token", refresh.clone()),
            ("a refresh token that claims to be an access token", {
                Forge::like(&refresh, keys()).with_claim("token_use", Json::from("access"))
            }),
            ("truncated", access.get(..access.len() - 5).unwrap().to_owned()),
            ("without a signature", format!("{}.{}.", part(0), part(1))),
            ("of two parts", format!("{}.{}", part(0), part(1))),
            ("of four parts", format!("{access}.{}", part(2))),
            ("with another signature", format!("{}.{}.{flipped}{}", part(0), part(1), part(2).get(1..).unwrap())),
            ("with other claims", format!("{}.{}.{}", part(0), refresh.split('.').nth(1).unwrap(), part(2))),
            ("1 MB long", forge.with_claim("padding", Json::from("x".repeat(1024 * 1024)))),
            ("1 MB long, and not a token", "x".repeat(1024 * 1024)),
        ];
        for (name, token) in corpus {
            let response = app.profile(&token).await;
            assert_eq!(response.error_code(), "TOKEN__INVALID", "{name}");
            response.assert_error(401, "TOKEN__INVALID").assert_challenge(r#"Bearer error="invalid_token""#);
        }
        let expired = forge.with_claim("exp", Json::from(app.clock.now()));
        app.profile(&expired).await.assert_error(401, "TOKEN__EXPIRED");
    }
}
