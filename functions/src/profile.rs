//! `GET /api/v1/users/profile` with `Authorization: Bearer <access token>` answers `{"name",
//! "email", "phone", "nickname"}`.

use shared::error::ApiError;
use shared::{App, Needs, Table};

use crate::{Endpoint, Request, Response};

/// How it is reached.
pub const ENDPOINT: Endpoint = Endpoint {
    name: "profile",
    routes: &[("GET", "/api/v1/users/profile")],
    needs: Needs { keys: true, table: Some(Table::Users), ..Needs::NOTHING },
    handle: |app, request| Box::pin(handle(app, request)),
};

/// Shows the user's profile.
///
/// # Errors
/// 401 if the access token is missing, not valid, expired, or of before all the user's logins were
/// ended; and what a store can come to.
pub async fn handle(app: &App, request: Request) -> Result<Response, ApiError> {
    let (token, issuer) = (request.bearer_token()?, request.issuer(&app.config)?);
    let access = app.keys.verify_access(token, &issuer, &app.config, app.clock.now()).await?;
    // A token of ours for a user who is gone.
    let profile = app.store.profile(access.user).await?.ok_or(ApiError::TokenInvalid)?;
    // Other services take it until it expires; here it costs nothing to see that its login was ended.
    if profile.epoch != access.epoch {
        return Err(ApiError::TokenRevoked);
    }
    Response::ok(&profile)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{Algorithm, EncodingKey, Header};
    use serde_json::Value as Json;
    use shared::clock::Clock as _;
    use shared::keys::KeySet;

    use super::*;
    use crate::testing::{World, keys};

    #[tokio::test]
    async fn shows_the_profile_until_the_token_expires() {
        let world = World::new();
        let (access, _) = world.sign_up("minji@example.com", "01012345678").await;
        world.clock.advance(899);
        assert_eq!(
            world.profile(&access).await.ok(),
            r#"{"name":"Kim Minji","email":"minji@example.com","phone":"+821012345678","nickname":"minji"}"#
        );
        world.clock.advance(1);
        world
            .profile(&access)
            .await
            .is(401, "TOKEN__EXPIRED")
            .challenges(r#"Bearer error="invalid_token", error_description="expired""#);
    }

    #[tokio::test]
    async fn a_token_is_required() {
        let world = World::new();
        world.call(ENDPOINT, Request::default()).await.is(401, "TOKEN__MISSING").challenges("Bearer");
    }

    #[tokio::test]
    async fn a_reset_refuses_tokens_of_before_at_once() {
        let world = World::new();
        let (access, _) = world.sign_up("minji@example.com", "01012345678").await;
        world.reset("01012345678", "a newer horse battery").await;
        // Without a second in between.
        let new = world.login("minji@example.com", "a newer horse battery").await.field("access_token");
        world
            .profile(&access)
            .await
            .is(401, "TOKEN__REVOKED")
            .challenges(r#"Bearer error="invalid_token", error_description="revoked""#);
        world.profile(&new).await.ok();
    }

    /// Everything that a token can be signed with, and everything that it can say.
    struct Forge {
        header: Header,
        claims: Json,
        rsa: EncodingKey,
        /// What is published of it.
        jwk: Json,
    }

    impl Forge {
        /// One that would make good tokens.
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

        /// The attack on verifiers that let the token choose: the public key as a shared secret.
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
    async fn what_is_no_access_token_of_ours_is_refused() {
        let world = World::new();
        let (access, refresh) = world.sign_up("minji@example.com", "01012345678").await;
        let forge = Forge::like(&access, keys());
        world.profile(&forge.sign()).await.ok();
        world.profile(&forge.with_claim("nbf", Json::from(world.clock.now() + 5))).await.ok();

        let part = |n: usize| access.split('.').nth(n).unwrap();
        let header = |alg: &str| serde_json::json!({ "alg": alg, "typ": "JWT", "kid": forge.header.kid });
        let stranger = Forge::like(&access, &KeySet::generate(0).unwrap());
        let n = URL_SAFE_NO_PAD.decode(forge.jwk["n"].as_str().unwrap()).unwrap();
        let flipped = if part(2).starts_with('A') { 'B' } else { 'A' };
        let corpus = [
            ("nothing of the kind", "nonsense".to_owned()),
            ("three parts of nothing", "a.b.c".to_owned()),
            ("no parts", "..".to_owned()),
            ("alg none", raw(&header("none"), &forge.claims, "")),
            ("alg None", raw(&header("None"), &forge.claims, part(2))),
            ("alg none, with the signature of another", raw(&header("none"), &forge.claims, part(2))),
            ("HS256, by the public key's modulus", forge.hmac(&n)),
            ("HS256, by the public key as JSON", forge.hmac(forge.jwk.to_string().as_bytes())),
            ("HS256, by the public key as PEM", forge.hmac(pem(&spki(&n), "PUBLIC KEY").as_bytes())),
            ("HS256, by the public key as DER", forge.hmac(&spki(&n))),
            ("HS256, by nothing", forge.hmac(b"")),
            ("RS384 by our key", forge.with_header(|header| header.alg = Algorithm::RS384)),
            ("PS256 by our key", forge.with_header(|header| header.alg = Algorithm::PS256)),
            ("by another's key, with our kid", stranger.sign()),
            ("by another's key, with its own kid", {
                stranger.with_header(|header| header.kid = stranger.jwk["kid"].as_str().map(str::to_owned))
            }),
            ("by our key, with an unknown kid", forge.with_header(|header| header.kid = Some("unknown".to_owned()))),
            ("by our key, without a kid", forge.with_header(|header| header.kid = None)),
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
            ("not yet valid", forge.with_claim("nbf", Json::from(world.clock.now() + 6))),
            ("for somebody else", forge.with_claim("aud", Json::from("somebody else"))),
            ("for nobody", forge.without_claim("aud")),
            ("of somebody else", forge.with_claim("iss", Json::from("https://accounts.example.org"))),
            ("of nobody", forge.without_claim("iss")),
            ("of no end", forge.without_claim("exp")),
            ("of no user", forge.without_claim("sub")),
            ("of a user that can't be", forge.with_claim("sub", Json::from("minji"))),
            ("of no epoch", forge.without_claim("epoch")),
            ("for no use", forge.without_claim("token_use")),
            ("for another use", forge.with_claim("token_use", Json::from("refresh"))),
            ("a refresh token", refresh.clone()),
            ("a refresh token that says it is an access token", {
                Forge::like(&refresh, keys()).with_claim("token_use", Json::from("access"))
            }),
            ("truncated", access.get(..access.len() - 5).unwrap().to_owned()),
            ("without a signature", format!("{}.{}.", part(0), part(1))),
            ("of two parts", format!("{}.{}", part(0), part(1))),
            ("of four parts", format!("{access}.{}", part(2))),
            ("with another signature", format!("{}.{}.{flipped}{}", part(0), part(1), part(2).get(1..).unwrap())),
            ("with other claims", format!("{}.{}.{}", part(0), refresh.split('.').nth(1).unwrap(), part(2))),
            ("1 MB long", forge.with_claim("padding", Json::from("x".repeat(1024 * 1024)))),
            ("1 MB of nothing", "x".repeat(1024 * 1024)),
        ];
        for (what, token) in corpus {
            let answer = world.profile(&token).await;
            assert_eq!(answer.error_code(), "TOKEN__INVALID", "{what}");
            answer.is(401, "TOKEN__INVALID").challenges(r#"Bearer error="invalid_token""#);
        }
        let expired = forge.with_claim("exp", Json::from(world.clock.now()));
        world.profile(&expired).await.is(401, "TOKEN__EXPIRED");
    }
}
