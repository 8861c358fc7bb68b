//! A key set in use: it signs, verifies and is published. [`super::rotation`] has the rules by which its
//! keys come and go.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::KeyError;
use super::stored_keys::{SECONDS_BEFORE_SIGNING, StoredKey, StoredKeySet, retirements};

/// The bytes that PKCS#8 puts before an RSA-2048 key in PKCS#1 (RFC 5958, 2; RFC 8017, A.1.2), which is
/// the form that jsonwebtoken accepts: two lengths, a version and an algorithm.
const PKCS8_HEADER_BYTES: usize = 26;

/// A key set, newest key first.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// An RSA key. Without its private key it only verifies. Wiped on drop.
#[derive(Clone)]
pub(super) struct Key {
    kid: String,
    created_at: i64,
    is_pending: bool,
    n: String,
    e: String,
    signing: Option<EncodingKey>,
    pub(super) verifying: DecodingKey,
}

/// A JSON Web Key Set (RFC 7517), for services that verify the tokens.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(example = json!({ "keys": [{
    "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "6VtmXC_7GPy_i50PbEK1IDAxE1DIVJwqsTBaa_OUM7Y", "n": "1-Yj4Up6wMwR…",
    "e": "AQAB",
}] })))]
pub struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Jwk<'a> {
    kty: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: &'a str,
    n: &'a str,
    e: &'a str,
}

impl Jwks<'_> {
    /// Returns the ids of the keys.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.kid)
    }
}

impl KeySet {
    /// Returns the key set in stored JSON.
    ///
    /// # Errors
    /// [`KeyError`] if the text is not a key set, is empty, or contains a key that is not an RSA key.
    pub fn from_stored(json: &str) -> Result<Self, KeyError> {
        let stored = StoredKeySet::parse(json)?;
        if stored.keys.is_empty() {
            return Err(KeyError::InvalidKeySet);
        }
        stored.keys.into_iter().map(Key::from_stored).collect::<Result<_, _>>().map(Self)
    }

    /// Returns the time at which the newest key was created, in Unix time.
    #[must_use]
    pub fn newest_created_at(&self) -> Option<i64> {
        self.0.first().map(|key| key.created_at)
    }

    /// Checks that `published` verifies what each key of this set signs.
    ///
    /// # Errors
    /// [`KeyError::MismatchedPair`] if it does not.
    pub fn check_published(&self, published: &Self) -> Result<(), KeyError> {
        const MESSAGE: &[u8] = b"a message";
        for key in &self.0 {
            let Some(signing) = &key.signing else { continue };
            let public = published.find(&key.kid).ok_or(KeyError::MismatchedPair)?;
            let signature =
                jsonwebtoken::crypto::sign(MESSAGE, signing, Algorithm::RS256).map_err(|_| KeyError::InvalidKey)?;
            let verifies =
                jsonwebtoken::crypto::verify(&signature, MESSAGE, &public.verifying, Algorithm::RS256).unwrap_or(false);
            if !verifies {
                return Err(KeyError::MismatchedPair);
            }
        }
        Ok(())
    }

    /// Returns the public keys that verifiers need at `now`, if access tokens are valid for this long.
    #[must_use]
    pub fn jwks(&self, access_token_seconds: i64, now: i64) -> Jwks<'_> {
        let keys = self.0.iter().zip(retirements(self.0.iter().map(|key| (key.created_at, key.is_pending))));
        // A key is published up to the second in which its last access token expires.
        let published = keys.filter(|(_, retires_at)| retires_at.saturating_add(access_token_seconds) > now);
        Jwks {
            keys: published
                .map(|(key, _)| Jwk { kty: "RSA", r#use: "sig", alg: "RS256", kid: &key.kid, n: &key.n, e: &key.e })
                .collect(),
        }
    }

    /// Returns the key that signs at `now`: the newest one that was published for long enough, or
    /// otherwise the oldest one. `None` if its private key is missing.
    pub(super) fn signing(&self, now: i64) -> Option<(&str, &EncodingKey)> {
        let is_known = |key: &&Key| key.created_at + SECONDS_BEFORE_SIGNING <= now;
        let key = self.0.iter().find(is_known).or(self.0.last())?;
        Some((&key.kid, key.signing.as_ref()?))
    }

    /// Returns the key with this id.
    pub(super) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.kid == kid)
    }
}

impl Key {
    fn from_stored(stored: StoredKey) -> Result<Self, KeyError> {
        let signing = stored.private_key.map(|key| {
            let pkcs8 = STANDARD.decode(key.expose_secret()).map_err(|_| KeyError::InvalidKey)?;
            let pkcs8 = Zeroizing::new(pkcs8);
            let pkcs1 = pkcs8.get(PKCS8_HEADER_BYTES..).ok_or(KeyError::InvalidKey)?;
            Ok(EncodingKey::from_rsa_der(pkcs1))
        });
        Ok(Self {
            verifying: DecodingKey::from_rsa_components(&stored.n, &stored.e).map_err(|_| KeyError::InvalidKey)?,
            signing: signing.transpose()?,
            kid: stored.kid,
            created_at: stored.created_at,
            is_pending: stored.is_pending,
            n: stored.n,
            e: stored.e,
        })
    }
}

/// Shows the id alone.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::rotation;

    const NOW: i64 = 1_800_000_000;

    fn key_set() -> KeySet {
        KeySet::from_stored(rotation::create(NOW).unwrap().expose_secret()).unwrap()
    }

    #[test]
    fn a_set_is_checked_against_the_published_one() {
        let json = rotation::create(NOW).unwrap();
        let one = KeySet::from_stored(json.expose_secret()).unwrap();
        let public = KeySet::from_stored(&rotation::public_keys(json.expose_secret()).unwrap()).unwrap();
        let other = key_set();
        assert!(one.check_published(&public).is_ok());
        assert!(one.check_published(&other).is_err());
        let mut impostor = other;
        impostor.0[0].kid.clone_from(&one.0[0].kid);
        assert!(one.check_published(&impostor).is_err());
    }

    #[test]
    fn text_that_is_not_a_key_set_is_rejected_and_not_shown() {
        let bad_key = r#"{"keys":[{"kid":"a","created_at":0,"n":"AQAB","e":"AQAB","private_key":"secret"}]}"#;
        for json in ["", "secret", r#"{"keys":[]}"#, r#"{"keys":[{"kid":"secret"}]}"#, bad_key] {
            let error = KeySet::from_stored(json).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        let set = key_set();
        assert_eq!(format!("{set:?}"), format!("KeySet([Key({})])", set.0[0].kid));
    }
}
