//! Key sets as they are stored: in a secret and an item on AWS, in a file on a laptop.

use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use super::error::KeyError;

/// The seconds for which a key is published before it signs: one day. Verifiers may cache the key set;
/// [API Gateway caches it for two hours](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html).
pub const SECONDS_BEFORE_SIGNING: i64 = 24 * 60 * 60;

/// A key set, newest key first.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredKeySet {
    pub(super) keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub(super) kid: String,
    /// The time at which the key was created, in Unix time.
    pub(super) created_at: i64,
    /// Whether the rotation that created the key may still fail: no other key retires for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) is_pending: bool,
    /// The modulus and the exponent, as in a JWK (RFC 7518, 6.3.1).
    pub(super) n: String,
    pub(super) e: String,
    /// PKCS#8, DER, in base64. Missing in the set of functions that only verify, and once the key retired.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "expose_key")]
    pub(super) private_key: Option<SecretString>,
}

fn expose_key<S: Serializer>(key: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    key.as_ref().map(|key| key.expose_secret()).serialize(serializer)
}

impl StoredKeySet {
    pub(super) fn parse(json: &str) -> Result<Self, KeyError> {
        serde_json::from_str(json).map_err(|_| KeyError::InvalidKeySet)
    }

    pub(super) fn to_json(&self) -> Result<SecretString, KeyError> {
        serde_json::to_string(self).map(SecretString::from).map_err(|_| KeyError::InvalidKeySet)
    }

    /// Returns the time at which each key retires.
    pub(super) fn retirements(&self) -> Vec<i64> {
        retirements(self.keys.iter().map(|key| (key.created_at, key.is_pending))).collect()
    }
}

/// Returns the times at which keys retire that were created at these times, newest first: each when the
/// next newer one starts to sign, unless that one is pending.
pub(super) fn retirements(keys: impl Iterator<Item = (i64, bool)>) -> impl Iterator<Item = i64> {
    let starts_to_sign =
        |(created_at, is_pending)| if is_pending { i64::MAX } else { created_at + SECONDS_BEFORE_SIGNING };
    std::iter::once(i64::MAX).chain(keys.map(starts_to_sign))
}

impl StoredKey {
    /// Creates an RSA-2048 key.
    pub(super) fn new(now: i64) -> Result<Self, KeyError> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyError::NotCreated)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::NotCreated)?;
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        // The key's thumbprint (RFC 7638).
        let jwk = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, jwk.as_bytes()));
        let private_key = Some(STANDARD.encode(der.as_ref()).into());
        Ok(Self { kid, created_at: now, is_pending: false, n, e, private_key })
    }
}
