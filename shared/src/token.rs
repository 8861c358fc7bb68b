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
    /// A set of one new RSA-2048 key, as it is kept: JSON for [`KeySet::read`].
    ///
    /// # Errors
    /// [`KeyError::NotMade`], if the system makes no key.
    pub fn generate() -> Result<Zeroizing<String>, KeyError> {
        Self::rotate(r#"{"keys":[]}"#)
    }

    /// The set `json` with a new key, which signs from now on. The former one still verifies.
    ///
    /// # Errors
    /// [`KeyError`], if `json` is no key set, or the system makes no key.
    pub fn rotate(json: &str) -> Result<Zeroizing<String>, KeyError> {
        let mut set: StoredKeySet = serde_json::from_str(json).map_err(|_| KeyError::NoKeySet)?;
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::NotMade)?;
        set.keys.insert(0, StoredKey { kid: kid(&pair), private_key: Zeroizing::new(STANDARD.encode(der.as_ref())) });
        set.keys.truncate(2);
        serde_json::to_string(&set).map(Zeroizing::new).map_err(|_| KeyError::NotMade)
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

impl Tokens {
    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> &str {
        &self.access_token
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_set_signs_with_the_new_key_and_verifies_with_both() {
        let (config, user) = (Config::default(), UserId::generate(0));
        let first = KeySet::generate().unwrap();
        let second = KeySet::rotate(&first).unwrap();
        let third = KeySet::rotate(&second).unwrap();
        let [first, second, third] = [first, second, third].map(|json| KeySet::read(&json).unwrap());
        let issue = |keys: &KeySet| keys.issue(user, &config, 1000).unwrap().access_token;
        let verifies = |keys: &KeySet, token: &str| keys.verify_access(token, &config, 1000).is_ok_and(|id| id == user);
        assert!(verifies(&second, &issue(&first)) && verifies(&second, &issue(&second)));
        assert!(!verifies(&first, &issue(&second)), "it does not know the key");
        assert!(!verifies(&third, &issue(&first)), "it has forgotten the key");
    }

    #[test]
    fn what_is_no_key_set_is_refused_and_not_shown() {
        for json in ["", "secret", r#"{"keys":[]}"#, r#"{"keys":[{"kid":"a","private_key":"secret"}]}"#] {
            let error = KeySet::read(json).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
    }

    #[test]
    fn tokens_hold_the_claims_of_the_contract() {
        let config = Config::default();
        let (keys, user) = (KeySet::read(&KeySet::generate().unwrap()).unwrap(), UserId::generate(0));
        let tokens = keys.issue(user, &config, 1000).unwrap();
        for (token, token_use, exp) in
            [(&tokens.access_token, "access", 1900), (&tokens.refresh_token, "refresh", 2_593_000)]
        {
            let part = |n| URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap();
            let header: serde_json::Value = serde_json::from_slice(&part(0)).unwrap();
            assert_eq!((header["alg"].as_str(), header["kid"].as_str().map(str::len)), (Some("RS256"), Some(43)));
            let claims: serde_json::Value = serde_json::from_slice(&part(1)).unwrap();
            let jti = claims["jti"].clone();
            let id = user.to_string();
            assert_eq!(
                claims,
                serde_json::json!({
                    "user_id": id, "sub": id, "iss": "ably", "aud": "ably", "iat": 1000, "exp": exp, "jti": jti, "token_use": token_use,
                })
            );
        }
        assert_eq!(format!("{tokens:?}"), "Tokens(***)");
    }
}
