//! The keys that sign and verify tokens: how they live, how they are kept, and when they are read.
//!
//! A new key is published at once, signs [`SECONDS_BEFORE_SIGNING`] later, and retires when the next
//! one begins to sign. From then on nobody needs its private half, which the next rotation drops. Its
//! public half is published until the last access token that it signed has expired, and kept until
//! the last refresh token has. The first key signs at once: there is no other.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::digest::{self, SHA256};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::config::{Config, MAX_REFRESH_TOKEN_SECONDS};
use crate::token::Claims;

/// How long a key is published before it signs, in seconds: a day. Whoever verifies may cache a JWKS;
/// [API Gateway does for two hours](https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html).
pub const SECONDS_BEFORE_SIGNING: i64 = 24 * 60 * 60;
/// How long a rotation may take, in seconds. It takes some; if it has failed and is tried again, the
/// day of [`SECONDS_BEFORE_SIGNING`] has begun when the key was made.
const ROTATION_SECONDS: i64 = 10 * 60;
/// For how long the keys that were read are good enough, in seconds.
const FRESH_SECONDS: i64 = 5 * 60;
/// The same, when a token names a key that is not among them.
const FRESH_SECONDS_FOR_UNKNOWN: i64 = 60;
/// What PKCS#8 puts before an RSA key of 2048 bits in PKCS#1 (RFC 5958, 2; RFC 8017, A.1.2), which is what
/// jsonwebtoken takes: two lengths, a version and an algorithm, in bytes.
const PKCS8_HEADER_BYTES: usize = 26;
/// How many verified tokens a function remembers, at about a kilobyte each.
const REMEMBERED_TOKENS: usize = 256;

/// A key set, newest first.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// An RSA key; without its private half it only verifies. Wiped on drop.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) kid: String,
    created_at: i64,
    is_announced: bool,
    n: String,
    e: String,
    pub(crate) signing: Option<EncodingKey>,
    pub(crate) verifying: DecodingKey,
}

/// A key set as it is kept: in secrets on AWS, in a file on a laptop.
#[derive(Serialize, Deserialize)]
struct StoredKeySet {
    keys: Vec<StoredKey>,
}

#[derive(Serialize, Deserialize)]
struct StoredKey {
    kid: String,
    /// When it was made, in seconds since the Unix epoch.
    created_at: i64,
    /// It is published, and it is not certain yet that it will sign: no other retires for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_announced: bool,
    /// As in a JWK (RFC 7518, 6.3.1).
    n: String,
    e: String,
    /// PKCS#8, DER, in base64. None in the set for those who only verify, and once the key retired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    private_key: Option<Zeroizing<String>>,
}

/// The key set can't be read or made. Says nothing of what it holds.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not a key set in JSON, or it has no key.
    #[error("the keys are no JSON key set")]
    NoKeySet,
    /// A key of it is no RSA key.
    #[error("a key is no RSA key")]
    NoKey,
    /// The system made no key.
    #[error("no key could be made")]
    NotMade,
    /// A private half and the public half of its name are not of one key.
    #[error("a signing key and its published half do not belong together")]
    NotAPair,
}

/// A JSON Web Key Set (RFC 7517), for whoever verifies our tokens.
#[derive(Debug, Serialize)]
pub struct Jwks<'a> {
    keys: Vec<Jwk<'a>>,
}

#[derive(Debug, Serialize)]
struct Jwk<'a> {
    kty: &'static str,
    r#use: &'static str,
    alg: &'static str,
    kid: &'a str,
    n: &'a str,
    e: &'a str,
}

impl KeySet {
    /// A set of one new key, as it is kept: JSON for [`KeySet::read`].
    ///
    /// # Errors
    /// [`KeyError::NotMade`], if the system makes no key.
    pub fn generate(now: i64) -> Result<Zeroizing<String>, KeyError> {
        Self::rotate(r#"{"keys":[]}"#, now)
    }

    /// The set `json` with a new RSA-2048 key, without the private halves of the keys that retired,
    /// and without the keys that no token can name any more.
    ///
    /// # Errors
    /// [`KeyError`], if `json` is no key set, or the system makes no key.
    pub fn rotate(json: &str, now: i64) -> Result<Zeroizing<String>, KeyError> {
        let StoredKeySet { keys } = serde_json::from_str(json).map_err(|_| KeyError::NoKeySet)?;
        let retired_at: Vec<i64> = retirements(keys.iter().map(|key| (key.created_at, key.is_announced))).collect();
        let mut set = StoredKeySet { keys: vec![StoredKey::generate(now)?] };
        for (mut key, retired_at) in keys.into_iter().zip(retired_at) {
            if retired_at <= now {
                key.private_key = None;
            }
            if retired_at.saturating_add(MAX_REFRESH_TOKEN_SECONDS) > now {
                set.keys.push(key);
            }
        }
        serde_json::to_string(&set).map(Zeroizing::new).map_err(|_| KeyError::NotMade)
    }

    /// Whether the set `new` may still take the place of `current`: it is that set, rotated, and so
    /// recently that its new key will be published for a day before it signs. The first key may come
    /// late, for it signs at once anyway.
    ///
    /// # Errors
    /// [`KeyError::NoKeySet`], if one of them is none.
    pub fn is_next(new: &str, current: &str, now: i64) -> Result<bool, KeyError> {
        let [new, current] = [new, current].map(serde_json::from_str::<StoredKeySet>);
        let (Ok(new), Ok(current)) = (new, current) else { return Err(KeyError::NoKeySet) };
        let Some((first, rest)) = new.keys.split_first() else { return Ok(false) };
        let is_late = !rest.is_empty() && first.created_at + ROTATION_SECONDS < now;
        let is_rotated = rest.len() <= current.keys.len()
            && rest.iter().zip(&current.keys).all(|(kept, key)| kept.kid == key.kid)
            && rest.is_empty() == current.keys.is_empty();
        Ok(is_rotated && !is_late)
    }

    /// The set `json` without any private half: for whoever only verifies.
    ///
    /// # Errors
    /// [`KeyError::NoKeySet`], if it is none.
    pub fn public(json: &str) -> Result<String, KeyError> {
        Self::published(json, false)
    }

    /// As [`KeySet::public`], for as long as the rotation that made its newest key may still fail: that
    /// key is published, and the one that signs does not retire for it.
    ///
    /// # Errors
    /// [`KeyError::NoKeySet`], if it is none.
    pub fn announced(json: &str) -> Result<String, KeyError> {
        Self::published(json, true)
    }

    fn published(json: &str, is_announced: bool) -> Result<String, KeyError> {
        let mut set: StoredKeySet = serde_json::from_str(json).map_err(|_| KeyError::NoKeySet)?;
        for (nth, key) in set.keys.iter_mut().enumerate() {
            key.private_key = None;
            key.is_announced = is_announced && nth == 0;
        }
        serde_json::to_string(&set).map_err(|_| KeyError::NoKeySet)
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

    /// Makes sure that `published` verifies what each key of this set signs.
    ///
    /// # Errors
    /// [`KeyError::NotAPair`].
    pub fn check(&self, published: &Self) -> Result<(), KeyError> {
        const MESSAGE: &[u8] = b"a message";
        for key in &self.0 {
            let Some(signing) = &key.signing else { continue };
            let public = published.find(&key.kid).ok_or(KeyError::NotAPair)?;
            let signature =
                jsonwebtoken::crypto::sign(MESSAGE, signing, Algorithm::RS256).map_err(|_| KeyError::NoKey)?;
            let verifies =
                jsonwebtoken::crypto::verify(&signature, MESSAGE, &public.verifying, Algorithm::RS256).unwrap_or(false);
            if !verifies {
                return Err(KeyError::NotAPair);
            }
        }
        Ok(())
    }

    /// The public halves that whoever verifies access tokens needs at `now`.
    #[must_use]
    pub fn jwks(&self, config: &Config, now: i64) -> Jwks<'_> {
        let keys = self.0.iter().zip(retirements(self.0.iter().map(|key| (key.created_at, key.is_announced))));
        // To the second at which its last access token expires.
        let published = keys.filter(|(_, retired_at)| retired_at.saturating_add(config.access_token_seconds) > now);
        Jwks {
            keys: published
                .map(|(key, _)| Jwk { kty: "RSA", r#use: "sig", alg: "RS256", kid: &key.kid, n: &key.n, e: &key.e })
                .collect(),
        }
    }

    /// The key that signs at `now`: the newest that was published for long enough, or else the oldest.
    pub(crate) fn signing(&self, now: i64) -> Option<(&str, &EncodingKey)> {
        let is_known = |key: &&Key| key.created_at + SECONDS_BEFORE_SIGNING <= now;
        let key = self.0.iter().find(is_known).or(self.0.last())?;
        Some((&key.kid, key.signing.as_ref()?))
    }

    pub(crate) fn find(&self, kid: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.kid == kid)
    }
}

/// When keys retire that were made then, newest first: each when the next newer one begins to sign,
/// unless that one is only announced.
fn retirements(keys: impl Iterator<Item = (i64, bool)>) -> impl Iterator<Item = i64> {
    let begins_to_sign = |(created_at, is_announced)| {
        if is_announced { i64::MAX } else { created_at + SECONDS_BEFORE_SIGNING }
    };
    std::iter::once(i64::MAX).chain(keys.map(begins_to_sign))
}

impl StoredKey {
    fn generate(now: i64) -> Result<Self, KeyError> {
        let pair = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::NotMade)?;
        let public = pair.public_key();
        let n = URL_SAFE_NO_PAD.encode(public.modulus().big_endian_without_leading_zero());
        let e = URL_SAFE_NO_PAD.encode(public.exponent().big_endian_without_leading_zero());
        // The key's thumbprint (RFC 7638).
        let jwk = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, jwk.as_bytes()));
        let private_key = Some(Zeroizing::new(STANDARD.encode(der.as_ref())));
        Ok(Self { kid, created_at: now, is_announced: false, n, e, private_key })
    }
}

impl Key {
    fn read(stored: StoredKey) -> Result<Self, KeyError> {
        let signing = stored.private_key.map(|key| {
            let pkcs8 = Zeroizing::new(STANDARD.decode(key.as_bytes()).map_err(|_| KeyError::NoKey)?);
            let pkcs1 = pkcs8.get(PKCS8_HEADER_BYTES..).ok_or(KeyError::NoKey)?;
            Ok(EncodingKey::from_rsa_der(pkcs1))
        });
        Ok(Self {
            verifying: DecodingKey::from_rsa_components(&stored.n, &stored.e).map_err(|_| KeyError::NoKey)?,
            signing: signing.transpose()?,
            kid: stored.kid,
            created_at: stored.created_at,
            is_announced: stored.is_announced,
            n: stored.n,
            e: stored.e,
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.kid)
    }
}

/// Where a key set is kept.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// The set as it is now: JSON for [`KeySet::read`].
    ///
    /// # Errors
    /// Whatever keeps it from being read. Tells nothing of what it holds.
    async fn read(&self) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>>;
}

/// A function's keys. They are read in init and, so that a rotation needs no restart, again when they
/// are five minutes old; or one minute old, for a token that names an unknown key. With them goes what
/// they verified.
#[derive(Default)]
pub struct Keys {
    source: Option<Box<dyn KeySource>>,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    set: Arc<KeySet>,
    read_at: i64,
    /// Tokens that the set verified, and what they say; by a keyed hash of them.
    verified: HashMap<u64, (Zeroizing<String>, Arc<Claims>)>,
}

impl Keys {
    /// Reads the keys.
    ///
    /// # Errors
    /// If they can't be read, or there are none.
    pub async fn read(source: Box<dyn KeySource>, now: i64) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let set = Arc::new(KeySet::read(&source.read().await?)?);
        Ok(Self { source: Some(source), cached: Mutex::new(Cached { set, read_at: now, ..Cached::default() }) })
    }

    /// The keys at `now`.
    pub async fn current(&self, now: i64) -> Arc<KeySet> {
        self.not_older_than(FRESH_SECONDS, now).await
    }

    /// The keys at `now`, to find `kid` among them.
    pub(crate) async fn with(&self, kid: &str, now: i64) -> Arc<KeySet> {
        let set = self.current(now).await;
        if set.find(kid).is_some() { set } else { self.not_older_than(FRESH_SECONDS_FOR_UNKNOWN, now).await }
    }

    /// What `token` says, if the keys at `now` have verified it.
    pub(crate) async fn remembered(&self, token: &str, now: i64) -> Option<Arc<Claims>> {
        self.current(now).await;
        let verified = &self.cached().verified;
        let (of, claims) = verified.get(&verified.hasher().hash_one(token))?;
        (of.as_str() == token).then(|| claims.clone())
    }

    /// Remembers what a token says whose signature these keys verified; not if others are in use now.
    pub(crate) fn remember(&self, keys: &Arc<KeySet>, token: &str, claims: Arc<Claims>) {
        let cached = &mut self.cached();
        if !Arc::ptr_eq(&cached.set, keys) {
            return;
        }
        let verified = &mut cached.verified;
        if verified.len() >= REMEMBERED_TOKENS {
            verified.clear();
        }
        let hash = verified.hasher().hash_one(token);
        verified.insert(hash, (Zeroizing::new(token.to_owned()), claims));
    }

    async fn not_older_than(&self, seconds: i64, now: i64) -> Arc<KeySet> {
        let Some(source) = &self.source else { return self.cached().set.clone() };
        {
            let mut cached = self.cached();
            if now < cached.read_at + seconds {
                return cached.set.clone();
            }
            // Before it is read, so that a source that is away is not asked by every request.
            cached.read_at = now;
        }
        match source.read().await.and_then(|json| Ok(KeySet::read(&json)?)) {
            Ok(set) => *self.cached() = Cached { set: Arc::new(set), read_at: now, ..Cached::default() },
            // Those that it has are good until they retire.
            Err(cause) => tracing::error!(%cause, "the keys could not be read again"),
        }
        self.cached().set.clone()
    }

    fn cached(&self) -> std::sync::MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys that are never read again.
impl From<KeySet> for Keys {
    fn from(set: KeySet) -> Self {
        Self { source: None, cached: Mutex::new(Cached { set: Arc::new(set), ..Cached::default() }) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;
    const NOW: i64 = 1_800_000_000;

    fn signs(json: &str, now: i64) -> String {
        KeySet::read(json).unwrap().signing(now).unwrap().0.to_owned()
    }

    fn published(json: &str, now: i64) -> Vec<String> {
        let set = KeySet::read(json).unwrap();
        set.jwks(&Config::default(), now).keys.iter().map(|key| key.kid.to_owned()).collect()
    }

    fn kids(json: &str) -> Vec<String> {
        KeySet::read(json).unwrap().0.into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn the_first_key_signs_at_once_and_the_next_a_day_after_it_is_published() {
        let first = KeySet::generate(NOW).unwrap();
        assert_eq!(vec![signs(&first, NOW)], published(&first, NOW));
        let rotated_at = NOW + 30 * DAY;
        let second = KeySet::rotate(&first, rotated_at).unwrap();
        let [new, old] = kids(&second).try_into().unwrap();
        assert_eq!(published(&second, rotated_at), [new.as_str(), old.as_str()]);
        assert_eq!(signs(&second, rotated_at + DAY - 1), old);
        assert_eq!(signs(&second, rotated_at + DAY), new);
    }

    #[test]
    fn a_retired_key_is_published_until_its_last_access_token_has_expired() {
        let second = KeySet::rotate(&KeySet::generate(NOW).unwrap(), NOW + 30 * DAY).unwrap();
        let retired_at = NOW + 31 * DAY;
        let [new, old] = kids(&second).try_into().unwrap();
        // It signed until one second before.
        assert_eq!(published(&second, retired_at + 899), [new.as_str(), old.as_str()]);
        assert_eq!(published(&second, retired_at + 900), [new]);
    }

    #[test]
    fn no_key_retires_for_one_that_is_only_announced() {
        let second = KeySet::rotate(&KeySet::generate(NOW).unwrap(), NOW + 30 * DAY).unwrap();
        let announced = KeySet::announced(&second).unwrap();
        assert!(!announced.contains("private"));
        for day in [30, 31, 60, 1000] {
            assert_eq!(published(&announced, NOW + day * DAY), kids(&second), "day {day}");
        }
        let third = KeySet::rotate(&second, NOW + 60 * DAY).unwrap();
        let announced = KeySet::announced(&third).unwrap();
        assert_eq!(published(&announced, NOW + 70 * DAY), kids(&third)[..2], "of before, they do");
    }

    #[test]
    fn keys_that_are_made_at_short_intervals_all_get_their_turn() {
        let mut json = KeySet::generate(NOW).unwrap();
        for hour in 1..=2 {
            json = KeySet::rotate(&json, NOW + hour * HOUR).unwrap();
        }
        let [third, second, first] = kids(&json).try_into().unwrap();
        assert_eq!(signs(&json, NOW + 25 * HOUR - 1), first);
        assert_eq!(signs(&json, NOW + 25 * HOUR), second);
        assert_eq!(signs(&json, NOW + 26 * HOUR), third);
    }

    #[test]
    fn a_rotation_drops_private_halves_that_sign_no_more_and_keys_that_no_token_names() {
        let mut json = KeySet::generate(NOW).unwrap();
        let first = kids(&json).swap_remove(0);
        for month in 1..=4 {
            let now = NOW + month * 30 * DAY;
            json = KeySet::rotate(&json, now).unwrap();
            let stored: StoredKeySet = serde_json::from_str(&json).unwrap();
            let private = stored.keys.iter().map(|key| key.private_key.is_some()).collect::<Vec<_>>();
            assert_eq!(private.iter().filter(|&&is_there| is_there).count(), 2, "the next and the present one");
            assert!(private.starts_with(&[true, true]) && kids(&json).contains(&first));
        }
        // It retired 31 days after it was made, and its last refresh token lives for 90 at most.
        let json = KeySet::rotate(&json, NOW + 121 * DAY).unwrap();
        assert!(!kids(&json).contains(&first));
    }

    #[test]
    fn a_set_takes_the_place_of_the_one_that_it_was_rotated_from_and_soon() {
        let empty = r#"{"keys":[]}"#;
        let first = KeySet::generate(NOW).unwrap();
        let second = KeySet::rotate(&first, NOW + 30 * DAY).unwrap();
        let is_next = |new: &str, current: &str, now| KeySet::is_next(new, current, now).unwrap();
        assert!(is_next(&first, empty, NOW + 30 * DAY), "the first one may be late");
        assert!(is_next(&second, &first, NOW + 30 * DAY + 600));
        assert!(!is_next(&second, &first, NOW + 30 * DAY + 601));
        for (new, current) in
            [(second.as_str(), empty), (&first, &second), (&second, &second), (&first, &first), (empty, &first)]
        {
            assert!(!is_next(new, current, NOW + 30 * DAY));
        }
        let other = KeySet::generate(NOW).unwrap();
        assert!(!is_next(&second, &other, NOW + 30 * DAY) && !is_next(&other, &first, NOW));
        // A rotation that drops a key is still one of the set.
        let mut json = first.clone();
        for month in 1..=4 {
            json = KeySet::rotate(&json, NOW + month * 30 * DAY).unwrap();
        }
        let dropped = KeySet::rotate(&json, NOW + 150 * DAY).unwrap();
        assert!(kids(&dropped).len() <= kids(&json).len() && is_next(&dropped, &json, NOW + 150 * DAY));
        assert!(KeySet::is_next("secret", empty, NOW).is_err());
    }

    #[test]
    fn those_who_only_verify_get_no_private_half() {
        let json = KeySet::rotate(&KeySet::generate(NOW).unwrap(), NOW).unwrap();
        let public = KeySet::public(&json).unwrap();
        assert!(json.contains("private") && !public.contains("private"));
        assert_eq!(kids(&public), kids(&json));
        assert!(KeySet::read(&public).unwrap().signing(NOW).is_none());
        let jwks = serde_json::to_value(KeySet::read(&public).unwrap().jwks(&Config::default(), NOW)).unwrap();
        for key in jwks["keys"].as_array().unwrap() {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
            assert_eq!(key["e"], "AQAB");
            assert_eq!(key["kid"].as_str().unwrap().len(), 43, "a SHA-256");
        }
    }

    #[test]
    fn a_set_is_checked_against_what_is_published() {
        let (one, other) = (KeySet::generate(NOW).unwrap(), KeySet::generate(NOW).unwrap());
        let [one, public, other] = [one.to_string(), KeySet::public(&one).unwrap(), other.to_string()]
            .map(|json| KeySet::read(&json).unwrap());
        assert!(one.check(&public).is_ok());
        assert!(one.check(&other).is_err());
        let mut impostor = other;
        impostor.0[0].kid.clone_from(&one.0[0].kid);
        assert!(one.check(&impostor).is_err());
    }

    #[test]
    fn what_is_no_key_set_is_refused_and_not_shown() {
        let bad_key = r#"{"keys":[{"kid":"a","created_at":0,"n":"AQAB","e":"AQAB","private_key":"secret"}]}"#;
        for json in ["", "secret", r#"{"keys":[]}"#, r#"{"keys":[{"kid":"secret"}]}"#, bad_key] {
            let error = KeySet::read(json).unwrap_err();
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        let set = KeySet::read(&KeySet::generate(NOW).unwrap()).unwrap();
        assert_eq!(format!("{set:?}"), format!("KeySet([Key({})])", set.0[0].kid));
    }

    /// A source that counts how often it is read, and that can be away.
    #[derive(Clone, Default)]
    struct Counted(Arc<(AtomicUsize, Mutex<Option<String>>)>);

    impl Counted {
        fn reads(&self) -> usize {
            self.0.0.load(Ordering::SeqCst)
        }

        fn holds(&self, json: Option<&str>) {
            *self.0.1.lock().unwrap() = json.map(str::to_owned);
        }
    }

    #[async_trait]
    impl KeySource for Counted {
        async fn read(&self) -> Result<Zeroizing<String>, Box<dyn Error + Send + Sync>> {
            self.0.0.fetch_add(1, Ordering::SeqCst);
            self.0.1.lock().unwrap().clone().map(Zeroizing::new).ok_or_else(|| "away".into())
        }
    }

    async fn counted() -> (Counted, Keys, String) {
        let (source, json) = (Counted::default(), KeySet::generate(NOW).unwrap());
        source.holds(Some(&json));
        let keys = Keys::read(Box::new(source.clone()), NOW).await.unwrap();
        let kid = kids(&json).swap_remove(0);
        (source, keys, kid)
    }

    #[tokio::test]
    async fn keys_are_read_again_when_they_are_five_minutes_old() {
        let (source, keys, kid) = counted().await;
        let rotated = KeySet::rotate(&KeySet::generate(NOW).unwrap(), NOW).unwrap();
        source.holds(Some(&rotated));
        for _ in 0..10 {
            assert_eq!(keys.current(NOW + 299).await.0.len(), 1);
            keys.with(&kid, NOW + 299).await;
        }
        assert_eq!(source.reads(), 1);
        for _ in 0..10 {
            assert_eq!(keys.current(NOW + 300).await.0.len(), 2);
        }
        assert_eq!(source.reads(), 2);
    }

    #[tokio::test]
    async fn with_the_keys_goes_what_they_verified() {
        let (source, keys, _) = counted().await;
        let config = Config::default();
        let family = crate::token::Family::start(crate::user::UserId::generate(NOW * 1000), 0, &config, NOW);
        let tokens = serde_json::to_value(keys.issue(&family, "https://a", &config, NOW).await.unwrap()).unwrap();
        let token = tokens["access_token"].as_str().unwrap();
        source.holds(Some(&KeySet::generate(NOW).unwrap()));
        for (now, is_good) in [(NOW, true), (NOW + 299, true), (NOW + 300, false)] {
            assert_eq!(keys.verify_access(token, "https://a", &config, now).await.is_ok(), is_good, "{now}");
        }
    }

    #[tokio::test]
    async fn no_more_tokens_are_remembered_than_fit() {
        let keys = Keys::from(KeySet::read(&KeySet::generate(NOW).unwrap()).unwrap());
        let config = Config::default();
        let family = crate::token::Family::start(crate::user::UserId::generate(NOW * 1000), 0, &config, NOW);
        let tokens = serde_json::to_value(keys.issue(&family, "https://a", &config, NOW).await.unwrap()).unwrap();
        keys.verify_access(tokens["access_token"].as_str().unwrap(), "https://a", &config, NOW).await.unwrap();
        let (_, claims) = keys.cached().verified.values().next().unwrap().clone();
        for nth in 0..10 * REMEMBERED_TOKENS {
            keys.remember(&keys.current(NOW).await, &nth.to_string(), claims.clone());
            assert!(keys.remembered(&nth.to_string(), NOW).await.is_some());
            assert!(keys.cached().verified.len() <= REMEMBERED_TOKENS);
        }
    }

    #[tokio::test]
    async fn for_an_unknown_key_they_are_read_once_a_minute() {
        let (source, keys, _) = counted().await;
        for second in 0..180 {
            assert!(keys.with("unknown", NOW + second).await.find("unknown").is_none());
        }
        assert_eq!(source.reads(), 3, "in init, and after one and two minutes");
        let new = KeySet::generate(NOW).unwrap();
        source.holds(Some(&new));
        let kid = kids(&new).swap_remove(0);
        assert!(keys.with(&kid, NOW + 179).await.find(&kid).is_none());
        assert!(keys.with(&kid, NOW + 180).await.find(&kid).is_some());
    }

    #[tokio::test]
    async fn a_source_that_is_away_takes_no_keys_away_and_is_not_asked_by_every_request() {
        let (source, keys, kid) = counted().await;
        for broken in [None, Some("no key set"), Some(r#"{"keys":[]}"#)] {
            source.holds(broken);
            let (now, reads) = (NOW + 300 * i64::try_from(source.reads()).unwrap(), source.reads());
            for _ in 0..10 {
                assert!(keys.current(now).await.find(&kid).is_some());
            }
            assert_eq!(source.reads(), reads + 1);
        }
    }

    #[tokio::test]
    async fn a_function_without_keys_does_not_start() {
        let source = Counted::default();
        for json in [None, Some(r#"{"keys":[]}"#)] {
            source.holds(json);
            assert!(Keys::read(Box::new(source.clone()), NOW).await.is_err());
        }
    }
}
