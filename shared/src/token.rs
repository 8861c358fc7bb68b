//! Access and refresh tokens: JWTs signed with RS256 (RFC 7519, RFC 7518).

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::Config;
use crate::error::ApiError;
use crate::random;
use crate::user::UserId;

/// The keys that sign and verify: the first signs, every one verifies.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// An RSA key. Wiped on drop.
#[derive(Clone)]
struct Key {
    kid: String,
    signing: EncodingKey,
    verifying: DecodingKey,
}

/// A key set as it is kept: in a secret on AWS, in a file on a laptop.
#[derive(Serialize, Deserialize)]
struct StoredKeySet {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    kid: String,
    /// PKCS#8, DER, in base64.
    private_key: Zeroizing<String>,
}

/// The key set can't be read or made. Says nothing of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not a key set in JSON, or it has no key.
    #[error("the signing keys are no JSON key set")]
    NoKeySet,
    /// A key of it is no RSA key.
    #[error("a signing key is no RSA key in PKCS#8")]
    NoKey,
    /// The system made no key.
    #[error("no key could be made")]
    NotMade,
}

/// The pair of tokens that sign-up and login answer. Wiped on drop.
#[derive(Serialize)]
pub struct Tokens {
    access_token: Zeroizing<String>,
    refresh_token: Zeroizing<String>,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    user_id: String,
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: Uuid,
    token_use: TokenUse,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum TokenUse {
    Access,
    Refresh,
}

impl KeySet {
    /// A new set of one new RSA-2048 key, as it is kept: JSON for [`KeySet::read`].
    ///
    /// # Errors
    /// [`KeyError::NotMade`], if the system makes no key.
    pub fn generate() -> Result<Zeroizing<String>, KeyError> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::NotMade)?;
        let key = StoredKey { kid: kid(&pair), private_key: Zeroizing::new(STANDARD.encode(der.as_ref())) };
        serde_json::to_string(&StoredKeySet { keys: vec![key] }).map(Zeroizing::new).map_err(|_| KeyError::NotMade)
    }

    /// Reads a set as it is kept.
    ///
    /// # Errors
    /// [`KeyError`], if it is no key set, is empty, or holds what is no RSA key.
    pub fn read(json: &str) -> Result<Self, KeyError> {
        let stored: StoredKeySet = serde_json::from_str(json).map_err(|_| KeyError::NoKeySet)?;
        if stored.keys.is_empty() {
            return Err(KeyError::NoKeySet);
        }
        stored.keys.into_iter().map(Key::read).collect::<Result<_, _>>().map(Self)
    }

    /// Issues tokens for `user`.
    ///
    /// # Errors
    /// [`ApiError::Internal`], if there is no key to sign with.
    pub fn issue(&self, user: UserId, config: &Config, now: i64) -> Result<Tokens, ApiError> {
        let key = self.0.first().ok_or_else(|| ApiError::Internal("there is no signing key".into()))?;
        let sign = |token_use, seconds| {
            let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::RS256) };
            let claims = Claims {
                user_id: user.to_string(),
                sub: user.to_string(),
                iss: config.token_issuer.clone(),
                aud: config.token_audience.clone(),
                iat: now,
                exp: now + seconds,
                jti: uuid::Builder::from_random_bytes(random::bytes()).into_uuid(),
                token_use,
            };
            jsonwebtoken::encode(&header, &claims, &key.signing)
                .map(Zeroizing::new)
                .map_err(|error| ApiError::Internal(error.into()))
        };
        Ok(Tokens {
            access_token: sign(TokenUse::Access, config.access_token_seconds)?,
            refresh_token: sign(TokenUse::Refresh, config.refresh_token_seconds)?,
        })
    }

    /// Whose access token this is.
    ///
    /// # Errors
    /// [`ApiError::TokenExpired`], and for everything else that is wrong with it
    /// [`ApiError::TokenInvalid`].
    pub fn verify_access(&self, token: &str, config: &Config, now: i64) -> Result<UserId, ApiError> {
        let claims = self.verified_claims(token, config).ok_or(ApiError::TokenInvalid)?;
        if claims.token_use != TokenUse::Access {
            return Err(ApiError::TokenInvalid);
        }
        if claims.exp <= now {
            return Err(ApiError::TokenExpired);
        }
        UserId::read(&claims.sub).ok_or(ApiError::TokenInvalid)
    }

    fn verified_claims(&self, token: &str, config: &Config) -> Option<Claims> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.0.iter().find(|key| key.kid == kid)?;
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_issuer(&[&config.token_issuer]);
        validation.set_audience(&[&config.token_audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // By the system's clock; ours is compared in `verify_access`.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation).ok().map(|data| data.claims)
    }
}

impl Key {
    fn read(stored: StoredKey) -> Result<Self, KeyError> {
        let der = STANDARD.decode(stored.private_key.as_bytes()).map(Zeroizing::new).map_err(|_| KeyError::NoKey)?;
        let pair = rsa::KeyPair::from_pkcs8(&der).map_err(|_| KeyError::NoKey)?;
        let pem = Zeroizing::new(format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            stored.private_key.as_str()
        ));
        let public = pair.public_key();
        Ok(Self {
            kid: stored.kid,
            signing: EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| KeyError::NoKey)?,
            verifying: DecodingKey::from_rsa_raw_components(
                public.modulus().big_endian_without_leading_zero(),
                public.exponent().big_endian_without_leading_zero(),
            ),
        })
    }
}

/// The key's thumbprint (RFC 7638).
fn kid(pair: &rsa::KeyPair) -> String {
    let public = pair.public_key();
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let jwk = format!(
        r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#,
        encode(public.exponent().big_endian_without_leading_zero()),
        encode(public.modulus().big_endian_without_leading_zero())
    );
    encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, jwk.as_bytes()).as_ref())
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kid)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
}
