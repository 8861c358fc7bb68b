//! Access and refresh tokens: JWTs signed with RS256 (RFC 7519, RFC 7518).
//!
//! An access token shows any service who its user is. A refresh token is for the refresh endpoint
//! alone, which is its audience: a service that checks no more than issuer and audience refuses it.

use std::fmt;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::ApiError;
use crate::keys::Keys;
use crate::random;
use crate::user::UserId;
use crate::value::{Invalid, Value};

/// No token of ours comes near it, in bytes.
const MAX_TOKEN: usize = 4096;
/// By how much the clock of who issued a token may be ahead of ours, where it says `nbf`, in seconds.
const LEEWAY_SECONDS: i64 = 5;
/// Where refresh tokens are taken, below the issuer.
const REFRESH_PATH: &str = "/api/v1/users/token/refresh";

/// The pair of tokens that sign-up, login and refresh answer. Wiped on drop.
#[derive(Serialize)]
pub struct Tokens {
    access_token: Zeroizing<String>,
    refresh_token: Zeroizing<String>,
}

/// A refresh token that a client sent, not verified yet. Wiped on drop.
pub struct RefreshToken(Zeroizing<String>);

/// What an access token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Whose it is.
    pub user: UserId,
    /// The user's [epoch](Family::epoch) when it was issued.
    pub epoch: u32,
}

/// A login and its refresh tokens, which come one after the other: each is used once, for the next.
/// Its tokens say all of it; the store knows which generation is the latest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its id.
    pub id: Uuid,
    /// Who logged in.
    pub user: UserId,
    /// How many times all the user's families had been ended before this one began. Once it is more,
    /// this family is ended, and so are its access tokens. A count, because the time can't tell what
    /// was first within a second, or on two machines.
    pub epoch: u32,
    /// When the user logged in, in seconds since the Unix epoch.
    pub started_at: i64,
    /// How many times it was refreshed.
    pub generation: u32,
    /// When it ends unless it is refreshed again, in seconds since the Unix epoch.
    pub expires_at: i64,
}

/// What a token says.
#[derive(Serialize, Deserialize)]
pub(crate) struct Claims {
    user_id: String,
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    #[serde(default, skip_serializing)]
    nbf: Option<i64>,
    exp: i64,
    jti: Uuid,
    token_use: TokenUse,
    epoch: u32,
    #[serde(flatten)]
    family: Option<FamilyClaims>,
}

/// What a refresh token says besides.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct FamilyClaims {
    family: Uuid,
    generation: u32,
    /// As in OpenID Connect Core 1.0, 2.
    auth_time: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenUse {
    Access,
    Refresh,
}

impl Family {
    /// A new one, of a user who logs in.
    #[must_use]
    pub fn start(user: UserId, epoch: u32, config: &Config, now: i64) -> Self {
        Self { id: random_uuid(), user, epoch, started_at: now, generation: 0, expires_at: now }.until(config, now)
    }

    /// Its next generation.
    #[must_use]
    pub fn next(self, config: &Config, now: i64) -> Self {
        Self { generation: self.generation.saturating_add(1), ..self }.until(config, now)
    }

    /// At most so long after this use, and at most so long after the login.
    fn until(self, config: &Config, now: i64) -> Self {
        let (idle, absolute) = (now + config.refresh_token_seconds, self.started_at + config.login_seconds);
        Self { expires_at: idle.min(absolute), ..self }
    }
}

impl Keys {
    /// Issues the pair of tokens of a family's generation.
    ///
    /// # Errors
    /// [`ApiError::Internal`], if there is no key to sign with.
    pub async fn issue(&self, family: &Family, issuer: &str, config: &Config, now: i64) -> Result<Tokens, ApiError> {
        let keys = self.current(now).await;
        let (kid, key) = keys.signing(now).ok_or_else(|| ApiError::Internal("there is no signing key".into()))?;
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
        let sign = |token_use, aud, exp, family_claims| {
            let claims = Claims {
                user_id: family.user.to_string(),
                sub: family.user.to_string(),
                iss: issuer.to_owned(),
                aud,
                iat: now,
                nbf: None,
                exp,
                jti: random_uuid(),
                token_use,
                epoch: family.epoch,
                family: family_claims,
            };
            jsonwebtoken::encode(&header, &claims, key)
                .map(Zeroizing::new)
                .map_err(|error| ApiError::Internal(error.into()))
        };
        let family_claims =
            FamilyClaims { family: family.id, generation: family.generation, auth_time: family.started_at };
        let access_token_expires_at = now + config.access_token_seconds;
        Ok(Tokens {
            access_token: sign(TokenUse::Access, config.token_audience.clone(), access_token_expires_at, None)?,
            refresh_token: sign(
                TokenUse::Refresh,
                format!("{issuer}{REFRESH_PATH}"),
                family.expires_at,
                Some(family_claims),
            )?,
        })
    }

    /// What an access token of `issuer` says. Whether its user's epoch is still the same, only the
    /// store knows.
    ///
    /// # Errors
    /// [`ApiError::TokenExpired`], and for everything else that is wrong with it
    /// [`ApiError::TokenInvalid`].
    pub async fn verify_access(
        &self,
        token: &str,
        issuer: &str,
        config: &Config,
        now: i64,
    ) -> Result<Access, ApiError> {
        let claims = self.verify(token, TokenUse::Access, issuer, &config.token_audience, now).await?;
        if claims.exp <= now {
            return Err(ApiError::TokenExpired);
        }
        let user = UserId::read(&claims.sub).ok_or(ApiError::TokenInvalid)?;
        Ok(Access { user, epoch: claims.epoch })
    }

    /// The family and generation of a refresh token of `issuer`. It may have expired
    /// ([`Family::expires_at`]), been used or been ended.
    ///
    /// # Errors
    /// [`ApiError::TokenInvalid`].
    pub async fn verify_refresh(&self, token: &RefreshToken, issuer: &str, now: i64) -> Result<Family, ApiError> {
        let audience = format!("{issuer}{REFRESH_PATH}");
        let claims = self.verify(&token.0, TokenUse::Refresh, issuer, &audience, now).await?;
        let (Some(user), Some(family)) = (UserId::read(&claims.sub), claims.family) else {
            return Err(ApiError::TokenInvalid);
        };
        Ok(Family {
            id: family.family,
            user,
            epoch: claims.epoch,
            started_at: family.auth_time,
            generation: family.generation,
            expires_at: claims.exp,
        })
    }

    /// Verifies all but the expiry, for this use.
    async fn verify(
        &self,
        token: &str,
        token_use: TokenUse,
        issuer: &str,
        audience: &str,
        now: i64,
    ) -> Result<Arc<Claims>, ApiError> {
        if token.len() > MAX_TOKEN {
            return Err(ApiError::TokenInvalid);
        }
        // A client sends the same token many times, and an RSA signature takes half as many instructions
        // as all the rest of a request: what was signed is remembered, what is good for this use is
        // decided each time.
        let claims = match self.remembered(token, now).await {
            Some(claims) => claims,
            None => self.verify_signature(token, now).await?,
        };
        let is_early = claims.nbf.is_some_and(|nbf| nbf > now + LEEWAY_SECONDS);
        let is_for_this = claims.token_use == token_use && claims.iss == issuer && claims.aud == audience;
        if is_early || !is_for_this { Err(ApiError::TokenInvalid) } else { Ok(claims) }
    }

    /// What a token says that one of our keys signed. Which of them, its `kid` says; what else a header
    /// may say of keys is not looked at.
    async fn verify_signature(&self, token: &str, now: i64) -> Result<Arc<Claims>, ApiError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| ApiError::TokenInvalid)?;
        // Extensions that must be understood, and are not (RFC 7515, 4.1.11).
        let (None, Some(kid)) = (header.crit, header.kid) else { return Err(ApiError::TokenInvalid) };
        let keys = self.with(&kid, now).await;
        let key = keys.find(&kid).ok_or(ApiError::TokenInvalid)?;

        let mut validation = Validation::new(Algorithm::RS256);
        // By the caller: the expiry would be by the system's clock here, and what is remembered is judged
        // again for each use.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation);
        let claims = Arc::new(decoded.map_err(|_| ApiError::TokenInvalid)?.claims);
        // A refresh token is used once.
        if claims.token_use == TokenUse::Access {
            self.remember(&keys, token, claims.clone());
        }
        Ok(claims)
    }
}

impl Value for RefreshToken {
    fn parse(text: &str, _: &Config) -> Result<Self, Invalid> {
        if text.is_empty() { Err(Invalid("is required")) } else { Ok(Self(Zeroizing::new(text.to_owned()))) }
    }
}

fn random_uuid() -> Uuid {
    uuid::Builder::from_random_bytes(random::bytes()).into_uuid()
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(***)")
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;
    use crate::keys::KeySet;

    const ISSUER: &str = "https://accounts.example.com";

    #[test]
    fn a_family_ends_when_it_is_idle_or_old() {
        let (config, day) = (Config::default(), 24 * 60 * 60);
        let first = Family::start(UserId::generate(0), 3, &config, 0);
        assert_eq!((first.generation, first.epoch, first.expires_at), (0, 3, 30 * day));
        let second = first.next(&config, 29 * day);
        assert_eq!((second.generation, second.expires_at), (1, 59 * day));
        let third = second.next(&config, 58 * day).next(&config, 87 * day);
        assert_eq!((third.generation, third.started_at, third.expires_at), (3, 0, 90 * day));
    }

    #[tokio::test]
    async fn tokens_hold_the_claims_of_the_contract() {
        let config = Config::default();
        let keys = Keys::from(KeySet::read(&KeySet::generate(0).unwrap()).unwrap());
        let family = Family { generation: 7, epoch: 2, ..Family::start(UserId::generate(0), 0, &config, 1000) };
        let tokens = keys.issue(&family, ISSUER, &config, 1000).await.unwrap();
        for (token, token_use, aud, exp) in [
            (&tokens.access_token, "access", "ably", 1900),
            (&tokens.refresh_token, "refresh", "https://accounts.example.com/api/v1/users/token/refresh", 2_593_000),
        ] {
            let part = |n| URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
            let header: serde_json::Value = serde_json::from_slice(&part(0)).unwrap();
            assert_eq!((header["alg"].as_str(), header["kid"].as_str().map(str::len)), (Some("RS256"), Some(43)));
            let mut claims: serde_json::Value = serde_json::from_slice(&part(1)).unwrap();
            assert!(claims.as_object_mut().unwrap().remove("jti").is_some());
            let user = family.user.to_string();
            let mut expected = serde_json::json!({
                "user_id": user, "sub": user, "iss": ISSUER, "aud": aud, "iat": 1000, "exp": exp,
                "token_use": token_use, "epoch": 2,
            });
            if token_use == "refresh" {
                expected["family"] = family.id.to_string().into();
                expected["generation"] = 7.into();
                expected["auth_time"] = 1000.into();
            }
            assert_eq!(claims, expected);
        }
        let refresh = RefreshToken(tokens.refresh_token.clone());
        assert_eq!(keys.verify_refresh(&refresh, ISSUER, 1000).await.unwrap(), family);
        let access = keys.verify_access(&tokens.access_token, ISSUER, &config, 1899).await.unwrap();
        assert_eq!(access, Access { user: family.user, epoch: 2 });
        assert_eq!(format!("{tokens:?} {refresh:?}"), "Tokens(***) RefreshToken(***)");
    }

    #[tokio::test]
    async fn a_token_that_was_verified_before_is_judged_anew() {
        let config = Config::default();
        let keys = Keys::from(KeySet::read(&KeySet::generate(0).unwrap()).unwrap());
        let family = Family::start(UserId::generate(0), 2, &config, 1000);
        let Tokens { access_token: token, refresh_token } = keys.issue(&family, ISSUER, &config, 1000).await.unwrap();
        let elsewhere = Config { token_audience: "elsewhere".to_owned(), ..Config::default() };
        for _ in 0..3 {
            let access = keys.verify_access(&token, ISSUER, &config, 1899).await.unwrap();
            assert_eq!(access, Access { user: family.user, epoch: 2 });
            for (issuer, config, now, expected) in [
                (ISSUER, &config, 1900, "TOKEN__EXPIRED"),
                ("https://elsewhere.example.com", &config, 1000, "TOKEN__INVALID"),
                (ISSUER, &elsewhere, 1000, "TOKEN__INVALID"),
            ] {
                let error = keys.verify_access(&token, issuer, config, now).await.unwrap_err();
                assert_eq!(error.code().2, expected);
            }
            assert!(keys.verify_refresh(&RefreshToken(token.clone()), ISSUER, 1000).await.is_err());
            assert!(keys.verify_access(&refresh_token, ISSUER, &config, 1000).await.is_err());
            assert!(keys.verify_refresh(&RefreshToken(refresh_token.clone()), ISSUER, 1000).await.is_ok());
            let mut forged = token.to_string();
            forged.pop();
            assert!(keys.verify_access(&forged, ISSUER, &config, 1000).await.is_err());
        }
    }

    #[tokio::test]
    async fn tokens_of_a_retired_key_are_good_until_they_expire() {
        let (config, day) = (Config::default(), 24 * 60 * 60);
        let first = KeySet::generate(0).unwrap();
        let issue = async |json: &str, now| {
            let keys = Keys::from(KeySet::read(json).unwrap());
            let family = Family::start(UserId::generate(0), 0, &config, now);
            keys.issue(&family, ISSUER, &config, now).await.unwrap()
        };
        let second = KeySet::rotate(&first, 30 * day).unwrap();
        let last = issue(&second, 31 * day - 1).await;
        let mut json = second;
        for month in 2..=4 {
            json = KeySet::rotate(&json, month * 30 * day).unwrap();
        }
        // Who only verifies verifies the same.
        for json in [json.to_string(), KeySet::public(&json).unwrap()] {
            let keys = Keys::from(KeySet::read(&json).unwrap());
            assert!(keys.verify_access(&last.access_token, ISSUER, &config, 31 * day).await.is_ok());
            let refresh = RefreshToken(last.refresh_token.clone());
            assert!(keys.verify_refresh(&refresh, ISSUER, 121 * day - 2).await.is_ok());
        }
        let verifier = Keys::from(KeySet::read(&KeySet::public(&json).unwrap()).unwrap());
        let family = Family::start(UserId::generate(0), 0, &config, 0);
        assert!(verifier.issue(&family, ISSUER, &config, 0).await.is_err(), "who only verifies can't sign");
    }
}
