//! Access and refresh tokens: JWTs signed with RS256 (RFC 7519, RFC 7518).
//!
//! An access token identifies its user to any service. A refresh token is only for the refresh endpoint,
//! which is its audience: a service that checks only issuer and audience rejects it.

use jsonwebtoken::{Algorithm, Header, Validation};
use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::error::TokenError;
use super::key_set::KeySet;
use super::rotation::MAX_TOKEN_SECONDS;
use crate::random;
use crate::store::{Caller, Session, SessionLifetime};
use crate::values::{Claims, UserId};

/// The longest token that is parsed, in bytes; several times as long as any that is issued.
pub(super) const MAX_BYTES: usize = 4096;
/// The seconds by which the issuer's clock may be ahead, where a token has `nbf`.
const LEEWAY_SECONDS: i64 = 5;
/// The path of the refresh endpoint below the issuer.
const REFRESH_PATH: &str = "/api/v1/users/token/refresh";
/// The audience of device tokens, below the issuer: no service and no endpoint.
const DEVICE_PATH: &str = "/device";
/// The lifetime of a device token: as long as public keys are kept.
const DEVICE_TOKEN_SECONDS: i64 = MAX_TOKEN_SECONDS;

/// The settings of tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// The `aud` of access tokens.
    pub audience: String,
    /// The lifetime of an access token, in seconds.
    pub access_token_seconds: i64,
    /// The lifetime of sessions.
    pub lifetime: SessionLifetime,
}

/// A pair of tokens, as sign-up, login and refresh return it. Wiped on drop.
#[derive(Debug)]
pub struct Tokens {
    /// The access token.
    pub access_token: SecretString,
    /// The refresh token.
    pub refresh_token: SecretString,
}

/// The claims of a token.
#[derive(Serialize, Deserialize)]
pub(super) struct TokenClaims {
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
    /// The session's id.
    sid: Uuid,
    /// The time of the login (OpenID Connect Core 1.0, 2).
    auth_time: i64,
    token_version: u32,
    /// Only in a refresh token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<u32>,
    /// The user's claims when the token was issued. Only in a refresh token: a refresh compares them with those that
    /// are stored, in place of reading them.
    #[serde(default, skip_serializing_if = "Claims::is_empty")]
    claims: Claims,
    /// The user's claims, by their names, which are never those of another field. Only in an access token.
    #[serde(flatten, skip_deserializing)]
    of_user: Claims,
}

/// The session of a refresh token that was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshGrant {
    /// The session, and its generation.
    pub session: Session,
    /// The user's claims when the token was issued.
    pub claims: Claims,
}

/// The claims of a device token.
#[derive(Serialize, Deserialize)]
struct DeviceClaims {
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    token_use: TokenUse,
}

/// A device on which a user signed up, logged in or reset the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// The id of the device's token.
    pub id: Uuid,
    /// The user.
    pub user_id: UserId,
    /// The time at which the token was issued, in Unix time.
    pub issued_at: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenUse {
    Access,
    Refresh,
    Device,
}

/// Issues the pair of tokens of a session's generation, for a user with `claims`.
pub(super) fn issue(
    keys: &KeySet,
    session: &Session,
    claims: &Claims,
    issuer: &str,
    settings: &TokenSettings,
    now: i64,
) -> Result<Tokens, TokenError> {
    let claims_of = |token_use, aud, exp| TokenClaims {
        user_id: session.user_id.to_string(),
        sub: session.user_id.to_string(),
        iss: issuer.to_owned(),
        aud,
        iat: now,
        nbf: None,
        exp,
        jti: uuid::Builder::from_random_bytes(random::bytes()).into_uuid(),
        token_use,
        sid: session.id,
        auth_time: session.started_at,
        token_version: session.token_version,
        generation: None,
        claims: Claims::NONE,
        of_user: Claims::NONE,
    };
    // No access token outlives its session.
    let access_expires_at = session.expires_at.min(now + settings.access_token_seconds);
    let access = TokenClaims {
        of_user: claims.clone(),
        ..claims_of(TokenUse::Access, settings.audience.clone(), access_expires_at)
    };
    let refresh = TokenClaims {
        generation: Some(session.generation),
        claims: claims.clone(),
        ..claims_of(TokenUse::Refresh, refresh_audience(issuer), session.expires_at)
    };
    Ok(Tokens { access_token: sign(keys, &access, now)?, refresh_token: sign(keys, &refresh, now)? })
}

/// Issues a device token of a user.
pub(super) fn issue_device(keys: &KeySet, user_id: UserId, issuer: &str, now: i64) -> Result<SecretString, TokenError> {
    let claims = DeviceClaims {
        sub: user_id.to_string(),
        iss: issuer.to_owned(),
        aud: format!("{issuer}{DEVICE_PATH}"),
        iat: now,
        exp: now + DEVICE_TOKEN_SECONDS,
        jti: uuid::Builder::from_random_bytes(random::bytes()).into_uuid(),
        token_use: TokenUse::Device,
    };
    sign(keys, &claims, now)
}

fn sign(keys: &KeySet, claims: &impl Serialize, now: i64) -> Result<SecretString, TokenError> {
    let (kid, key) = keys.signing(now).ok_or_else(|| TokenError::NotIssued("no signing key exists".into()))?;
    let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::RS256) };
    let token = jsonwebtoken::encode(&header, claims, key);
    token.map(SecretString::from).map_err(|error| TokenError::NotIssued(error.into()))
}

/// Returns the device of a token that the key `kid` of `keys` signed, if it is valid.
pub(super) fn verify_device(keys: &KeySet, kid: &str, token: &str, issuer: &str, now: i64) -> Option<Device> {
    let claims: DeviceClaims = verify_signature(keys, kid, token).ok()?;
    let is_valid = claims.token_use == TokenUse::Device
        && claims.iss == issuer
        && claims.aud == format!("{issuer}{DEVICE_PATH}")
        && claims.exp > now;
    let user_id = UserId::from_stored(&claims.sub)?;
    is_valid.then_some(Device { id: claims.jti, user_id, issued_at: claims.iat })
}

/// Returns the id of the key that signed a token, according to the token. Anything else that a
/// header contains about keys is ignored.
pub(super) fn key_id(token: &str) -> Result<String, TokenError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| TokenError::Invalid)?;
    match (header.crit, header.kid) {
        (None, Some(kid)) => Ok(kid),
        // Critical extensions must be understood (RFC 7515, 4.1.11), and none is.
        _ => Err(TokenError::Invalid),
    }
}

/// Returns the claims of a token if the key `kid` of `keys` signed it. Whether the token is good for a
/// use is checked by the [`TokenClaims`], each time that the token is used.
pub(super) fn verify_signature<T: DeserializeOwned>(keys: &KeySet, kid: &str, token: &str) -> Result<T, TokenError> {
    let key = keys.find(kid).ok_or(TokenError::Invalid)?;
    let mut validation = Validation::new(Algorithm::RS256);
    // jsonwebtoken would compare the expiry with the system's clock.
    (validation.validate_exp, validation.validate_aud) = (false, false);
    let decoded = jsonwebtoken::decode::<T>(token, &key.verifying, &validation);
    Ok(decoded.map_err(|_| TokenError::Invalid)?.claims)
}

impl TokenClaims {
    /// Whether the token may be presented repeatedly: a refresh token is used once.
    pub(super) fn is_reusable(&self) -> bool {
        self.token_use == TokenUse::Access
    }

    /// Returns the caller of an access token. The store determines whether the session and the token version
    /// are current.
    pub(super) fn caller(&self, issuer: &str, audience: &str, now: i64) -> Result<Caller, TokenError> {
        self.check(TokenUse::Access, issuer, audience, now)?;
        if self.exp <= now {
            return Err(TokenError::Expired);
        }
        let user_id = UserId::from_stored(&self.sub).ok_or(TokenError::Invalid)?;
        Ok(Caller { user_id, session_id: self.sid, token_version: self.token_version, started_at: self.auth_time })
    }

    /// Returns the session and generation of a refresh token. It may have expired
    /// ([`Session::expires_at`]), been used or been revoked.
    pub(super) fn refresh_grant(&self, issuer: &str, now: i64) -> Result<RefreshGrant, TokenError> {
        self.check(TokenUse::Refresh, issuer, &refresh_audience(issuer), now)?;
        let (Some(user_id), Some(generation)) = (UserId::from_stored(&self.sub), self.generation) else {
            return Err(TokenError::Invalid);
        };
        let session = Session {
            id: self.sid,
            user_id,
            token_version: self.token_version,
            started_at: self.auth_time,
            generation,
            expires_at: self.exp,
        };
        Ok(RefreshGrant { session, claims: self.claims.clone() })
    }

    /// Checks everything but the expiry.
    fn check(&self, token_use: TokenUse, issuer: &str, audience: &str, now: i64) -> Result<(), TokenError> {
        let is_early = self.nbf.is_some_and(|nbf| nbf > now + LEEWAY_SECONDS);
        let is_for_this_use = self.token_use == token_use && self.iss == issuer && self.aud == audience;
        if is_early || !is_for_this_use { Err(TokenError::Invalid) } else { Ok(()) }
    }
}

fn refresh_audience(issuer: &str) -> String {
    format!("{issuer}{REFRESH_PATH}")
}
