//! A function's keys: loaded in init, reloaded without a restart, with a cache of verified tokens on top.

use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::error::TokenError;
use super::jwt::{self, Device, MAX_BYTES, RefreshGrant, TokenClaims, TokenSettings, Tokens};
use super::key_set::KeySet;
use crate::error::BoxError;
use crate::store::{Caller, Session};
use crate::values::{Claims, DeviceToken, RefreshToken, UserId};

/// The age at which a loaded key set is loaded again, in seconds.
const RELOAD_SECONDS: i64 = 5 * 60;
/// The same, if a token names a key that the set does not contain.
const RELOAD_SECONDS_FOR_UNKNOWN_KEY: i64 = 60;
/// The number of verified access tokens that a function remembers, about a kilobyte each.
const REMEMBERED_TOKENS: usize = 256;

/// The place where a key set is stored.
#[async_trait]
pub trait KeySource: Send + Sync {
    /// Loads the current set, as JSON for [`KeySet::from_stored`].
    ///
    /// # Errors
    /// Any reason why it cannot be loaded. Contains nothing of the set.
    async fn load(&self) -> Result<SecretString, BoxError>;
}

/// A function's keys. Loaded in init and, so that a rotation needs no restart, again when they are five
/// minutes old; or one minute old, for a token that names an unknown key. Reloading also forgets the
/// tokens that the keys verified.
#[derive(Default)]
pub struct Keyring {
    source: Option<Box<dyn KeySource>>,
    cached: Mutex<Cached>,
}

#[derive(Default)]
struct Cached {
    set: Arc<KeySet>,
    loaded_at: i64,
    /// The access tokens that the set verified, and their claims, by a keyed hash of the token.
    verified: HashMap<u64, (SecretString, Arc<TokenClaims>)>,
}

impl Keyring {
    /// Loads the keys.
    ///
    /// # Errors
    /// If they cannot be loaded, or there are none.
    pub async fn load(source: Box<dyn KeySource>, now: i64) -> Result<Self, BoxError> {
        let set = Arc::new(KeySet::from_stored(source.load().await?.expose_secret())?);
        Ok(Self { source: Some(source), cached: Mutex::new(Cached { set, loaded_at: now, ..Cached::default() }) })
    }

    /// Issues the pair of tokens of a session's generation, for a user with `claims`.
    ///
    /// # Errors
    /// [`TokenError::NotIssued`] if no signing key exists.
    pub async fn issue(
        &self,
        session: &Session,
        claims: &Claims,
        issuer: &str,
        settings: &TokenSettings,
        now: i64,
    ) -> Result<Tokens, TokenError> {
        jwt::issue(&*self.current(now).await, session, claims, issuer, settings, now)
    }

    /// Issues a device token of a user.
    ///
    /// # Errors
    /// [`TokenError::NotIssued`] if no signing key exists.
    pub async fn issue_device(&self, user_id: UserId, issuer: &str, now: i64) -> Result<SecretString, TokenError> {
        jwt::issue_device(&*self.current(now).await, user_id, issuer, now)
    }

    /// Returns the device of a valid device token of `issuer`, or `None` for anything else. Whether the device is
    /// known to the account depends on [`Device::user_id`] and [`Device::issued_at`].
    pub async fn verify_device(&self, token: &DeviceToken, issuer: &str, now: i64) -> Option<Device> {
        let token = token.0.as_ref()?.expose_secret();
        if token.len() > MAX_BYTES {
            return None;
        }
        let kid = jwt::key_id(token).ok()?;
        jwt::verify_device(&*self.containing(&kid, now).await, &kid, token, issuer, now)
    }

    /// Returns the caller of an access token of `issuer`. The store determines whether the session and the token
    /// version are current.
    ///
    /// # Errors
    /// [`TokenError::Expired`], or [`TokenError::Invalid`] for any other reason.
    pub async fn verify_access(
        &self,
        token: &str,
        issuer: &str,
        audience: &str,
        now: i64,
    ) -> Result<Caller, TokenError> {
        self.verify(token, now).await?.caller(issuer, audience, now)
    }

    /// Returns the session and generation of a refresh token of `issuer`. It may have expired
    /// ([`Session::expires_at`]), been used or been revoked.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub async fn verify_refresh(
        &self,
        token: &RefreshToken,
        issuer: &str,
        now: i64,
    ) -> Result<RefreshGrant, TokenError> {
        self.verify(token.0.expose_secret(), now).await?.refresh_grant(issuer, now)
    }

    /// Returns the claims of a token with a valid signature.
    ///
    /// Clients present an access token repeatedly, and verifying its signature takes half as many
    /// instructions as the rest of a request. The signature is therefore verified once, and the claims
    /// are checked each time.
    async fn verify(&self, token: &str, now: i64) -> Result<Arc<TokenClaims>, TokenError> {
        if token.len() > MAX_BYTES {
            return Err(TokenError::Invalid);
        }
        if let Some(claims) = self.remembered(token, now).await {
            return Ok(claims);
        }
        let kid = jwt::key_id(token)?;
        let keys = self.containing(&kid, now).await;
        let claims: Arc<TokenClaims> = Arc::new(jwt::verify_signature(&keys, &kid, token)?);
        if claims.is_reusable() {
            self.remember(&keys, token, claims.clone());
        }
        Ok(claims)
    }

    /// Returns the keys at `now`.
    pub async fn current(&self, now: i64) -> Arc<KeySet> {
        self.not_older_than(RELOAD_SECONDS, now).await
    }

    /// Returns the keys at `now`, reloaded earlier if they do not contain `kid`.
    async fn containing(&self, kid: &str, now: i64) -> Arc<KeySet> {
        let set = self.current(now).await;
        if set.find(kid).is_some() { set } else { self.not_older_than(RELOAD_SECONDS_FOR_UNKNOWN_KEY, now).await }
    }

    /// Returns the claims of a token that the keys at `now` have already verified.
    async fn remembered(&self, token: &str, now: i64) -> Option<Arc<TokenClaims>> {
        self.current(now).await;
        let verified = &self.cached().verified;
        let (remembered, claims) = verified.get(&verified.hasher().hash_one(token))?;
        (remembered.expose_secret() == token).then(|| claims.clone())
    }

    /// Remembers the claims of a token that `keys` verified, unless other keys are in use by now.
    fn remember(&self, keys: &Arc<KeySet>, token: &str, claims: Arc<TokenClaims>) {
        let cached = &mut self.cached();
        if !Arc::ptr_eq(&cached.set, keys) {
            return;
        }
        let verified = &mut cached.verified;
        if verified.len() >= REMEMBERED_TOKENS {
            verified.clear();
        }
        let hash = verified.hasher().hash_one(token);
        verified.insert(hash, (token.into(), claims));
    }

    async fn not_older_than(&self, seconds: i64, now: i64) -> Arc<KeySet> {
        let Some(source) = &self.source else { return self.cached().set.clone() };
        {
            let mut cached = self.cached();
            if now < cached.loaded_at + seconds {
                return cached.set.clone();
            }
            // Set before loading, so that not every request loads from an unavailable source.
            cached.loaded_at = now;
        }
        match source.load().await.and_then(|json| Ok(KeySet::from_stored(json.expose_secret())?)) {
            Ok(set) => *self.cached() = Cached { set: Arc::new(set), loaded_at: now, ..Cached::default() },
            // The keys in use stay valid until they retire.
            Err(cause) => tracing::error!(%cause, "the keys could not be reloaded"),
        }
        self.cached().set.clone()
    }

    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys that are never reloaded.
impl From<KeySet> for Keyring {
    fn from(set: KeySet) -> Self {
        Self { source: None, cached: Mutex::new(Cached { set: Arc::new(set), ..Cached::default() }) }
    }
}

#[cfg(test)]
mod tests;
