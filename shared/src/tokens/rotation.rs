//! The rules by which keys are created and replaced, over stored key sets.
//!
//! A new key is published immediately, signs [`SECONDS_BEFORE_SIGNING`] later, and retires when the next
//! one starts to sign. From then on its private key is not needed, and the next rotation drops it. Its
//! public key is published until the last access token that it signed has expired, and kept until the
//! last token of any kind has. The first key signs immediately, because no other exists.

use secrecy::{ExposeSecret as _, SecretString};

use super::error::KeyError;
use super::stored_keys::{StoredKey, StoredKeySet};

pub use super::stored_keys::SECONDS_BEFORE_SIGNING;

/// The longest lifetime of a token, in seconds: 180 days. Public keys are kept as long.
pub const MAX_TOKEN_SECONDS: i64 = 180 * 24 * 60 * 60;
/// The seconds that a rotation may take. It takes a few seconds; when a failed one is retried later, the
/// day of [`SECONDS_BEFORE_SIGNING`] has already started.
const ROTATION_SECONDS: i64 = 10 * 60;

/// Creates a set of one new key, as JSON for [`super::KeySet::from_stored`].
///
/// # Errors
/// [`KeyError::NotCreated`] if the system creates no key.
pub fn create(now: i64) -> Result<SecretString, KeyError> {
    rotate(r#"{"keys":[]}"#, now)
}

/// Returns the set `json` with a new RSA-2048 key, without the private keys that have retired, and
/// without the keys that no valid token names.
///
/// # Errors
/// [`KeyError`] if `json` is not a key set, or the system creates no key.
pub fn rotate(json: &str, now: i64) -> Result<SecretString, KeyError> {
    let before = StoredKeySet::parse(json)?;
    let retirements = before.retirements();
    let mut set = StoredKeySet { keys: vec![StoredKey::new(now)?] };
    for (mut key, retires_at) in before.keys.into_iter().zip(retirements) {
        if retires_at <= now {
            key.private_key = None;
        }
        if retires_at.saturating_add(MAX_TOKEN_SECONDS) > now {
            set.keys.push(key);
        }
    }
    set.to_json()
}

/// Whether the set `new` may replace `current`: it is that set, rotated, and so recently that its new key
/// will be published for a day before it signs. The first key may be late, because it signs immediately.
///
/// # Errors
/// [`KeyError::InvalidKeySet`] if one of them is not a key set.
pub fn may_replace(new: &str, current: &str, now: i64) -> Result<bool, KeyError> {
    let (new, current) = (StoredKeySet::parse(new)?, StoredKeySet::parse(current)?);
    let Some((first, rest)) = new.keys.split_first() else { return Ok(false) };
    let is_late = !rest.is_empty() && first.created_at + ROTATION_SECONDS < now;
    let is_rotated = rest.len() <= current.keys.len()
        && rest.iter().zip(&current.keys).all(|(kept, key)| kept.kid == key.kid)
        && rest.is_empty() == current.keys.is_empty();
    Ok(is_rotated && !is_late)
}

/// Returns the set `json` without private keys, for functions that only verify.
///
/// # Errors
/// [`KeyError::InvalidKeySet`] if it is not a key set.
pub fn public_keys(json: &str) -> Result<String, KeyError> {
    published(json, false)
}

/// Returns what [`public_keys`] returns, but with the newest key pending: while the rotation that created
/// it may still fail, the key is published, and the signing key does not retire for it.
///
/// # Errors
/// [`KeyError::InvalidKeySet`] if it is not a key set.
pub fn pending_public_keys(json: &str) -> Result<String, KeyError> {
    published(json, true)
}

/// Whether the set `published` contains the newest key of `keys`, or `keys` is empty.
///
/// # Errors
/// [`KeyError::InvalidKeySet`] if one of them is not a key set.
pub fn contains_newest_key(published: &str, keys: &str) -> Result<bool, KeyError> {
    let (published, keys) = (StoredKeySet::parse(published)?, StoredKeySet::parse(keys)?);
    Ok(keys.keys.first().is_none_or(|newest| published.keys.iter().any(|key| key.kid == newest.kid)))
}

fn published(json: &str, is_pending: bool) -> Result<String, KeyError> {
    let mut set = StoredKeySet::parse(json)?;
    for (nth, key) in set.keys.iter_mut().enumerate() {
        key.private_key = None;
        key.is_pending = is_pending && nth == 0;
    }
    Ok(set.to_json()?.expose_secret().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::key_set::KeySet;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;
    const NOW: i64 = 1_800_000_000;
    const ACCESS_TOKEN_SECONDS: i64 = 900;

    fn create(now: i64) -> String {
        super::create(now).unwrap().expose_secret().to_owned()
    }

    fn rotate(json: &str, now: i64) -> String {
        super::rotate(json, now).unwrap().expose_secret().to_owned()
    }

    fn signing_kid(json: &str, now: i64) -> String {
        KeySet::from_stored(json).unwrap().signing(now).unwrap().0.to_owned()
    }

    fn published(json: &str, now: i64) -> Vec<String> {
        let set = KeySet::from_stored(json).unwrap();
        set.jwks(ACCESS_TOKEN_SECONDS, now).kids().map(ToOwned::to_owned).collect()
    }

    fn kids(json: &str) -> Vec<String> {
        StoredKeySet::parse(json).unwrap().keys.into_iter().map(|key| key.kid).collect()
    }

    #[test]
    fn the_first_key_signs_immediately_and_the_next_one_a_day_after_it_is_published() {
        let first = create(NOW);
        assert_eq!(vec![signing_kid(&first, NOW)], published(&first, NOW));
        let rotated_at = NOW + 30 * DAY;
        let second = rotate(&first, rotated_at);
        let [new, old] = kids(&second).try_into().unwrap();
        assert_eq!(published(&second, rotated_at), [new.as_str(), old.as_str()]);
        assert_eq!(signing_kid(&second, rotated_at + DAY - 1), old);
        assert_eq!(signing_kid(&second, rotated_at + DAY), new);
    }

    #[test]
    fn a_retired_key_is_published_until_its_last_access_token_has_expired() {
        let second = rotate(&create(NOW), NOW + 30 * DAY);
        let retired_at = NOW + 31 * DAY;
        let [new, old] = kids(&second).try_into().unwrap();
        // It signed until one second before.
        assert_eq!(published(&second, retired_at + 899), [new.as_str(), old.as_str()]);
        assert_eq!(published(&second, retired_at + 900), [new]);
    }

    #[test]
    fn no_key_retires_for_a_pending_one() {
        let second = rotate(&create(NOW), NOW + 30 * DAY);
        let pending = pending_public_keys(&second).unwrap();
        assert!(!pending.contains("private"));
        for day in [30, 31, 60, 1000] {
            assert_eq!(published(&pending, NOW + day * DAY), kids(&second), "day {day}");
        }
        let third = rotate(&second, NOW + 60 * DAY);
        let pending = pending_public_keys(&third).unwrap();
        assert_eq!(published(&pending, NOW + 70 * DAY), kids(&third)[..2], "older keys do retire");
    }

    #[test]
    fn keys_created_at_short_intervals_sign_one_after_the_other() {
        let mut json = create(NOW);
        for hour in 1..=2 {
            json = rotate(&json, NOW + hour * HOUR);
        }
        let [third, second, first] = kids(&json).try_into().unwrap();
        assert_eq!(signing_kid(&json, NOW + 25 * HOUR - 1), first);
        assert_eq!(signing_kid(&json, NOW + 25 * HOUR), second);
        assert_eq!(signing_kid(&json, NOW + 26 * HOUR), third);
    }

    #[test]
    fn a_rotation_drops_retired_private_keys_and_keys_that_no_token_names() {
        let mut json = create(NOW);
        let first = kids(&json).swap_remove(0);
        for month in 1..=7 {
            let now = NOW + month * 30 * DAY;
            json = rotate(&json, now);
            let stored = StoredKeySet::parse(&json).unwrap();
            let private = stored.keys.iter().map(|key| key.private_key.is_some()).collect::<Vec<_>>();
            assert_eq!(private.iter().filter(|&&has_private_key| has_private_key).count(), 2, "next and current");
            assert!(private.starts_with(&[true, true]) && kids(&json).contains(&first));
        }
        // It retired 31 days after it was created, and its last token lives for 180 at most.
        assert!(kids(&rotate(&json, NOW + 211 * DAY - 1)).contains(&first));
        let json = rotate(&json, NOW + 211 * DAY);
        assert!(!kids(&json).contains(&first));
    }

    #[test]
    fn a_set_replaces_the_one_that_it_was_rotated_from_if_it_is_recent() {
        let empty = r#"{"keys":[]}"#;
        let first = create(NOW);
        let second = rotate(&first, NOW + 30 * DAY);
        let may_replace = |new: &str, current: &str, now| may_replace(new, current, now).unwrap();
        assert!(may_replace(&first, empty, NOW + 30 * DAY), "the first one may be late");
        assert!(may_replace(&second, &first, NOW + 30 * DAY + 600));
        assert!(!may_replace(&second, &first, NOW + 30 * DAY + 601));
        for (new, current) in
            [(second.as_str(), empty), (&first, &second), (&second, &second), (&first, &first), (empty, &first)]
        {
            assert!(!may_replace(new, current, NOW + 30 * DAY));
        }
        let other = create(NOW);
        assert!(!may_replace(&second, &other, NOW + 30 * DAY) && !may_replace(&other, &first, NOW));
        // A rotation that drops a key still descends from the set.
        let mut json = first.clone();
        for month in 1..=7 {
            json = rotate(&json, NOW + month * 30 * DAY);
        }
        let dropped = rotate(&json, NOW + 240 * DAY);
        assert!(kids(&dropped).len() <= kids(&json).len() && may_replace(&dropped, &json, NOW + 240 * DAY));
        assert!(super::may_replace("secret", empty, NOW).is_err());
    }

    #[test]
    fn functions_that_only_verify_receive_no_private_key() {
        let json = rotate(&create(NOW), NOW);
        let public = public_keys(&json).unwrap();
        assert!(json.contains("private") && !public.contains("private"));
        assert_eq!(kids(&public), kids(&json));
        assert!(KeySet::from_stored(&public).unwrap().signing(NOW).is_none());
        let set = KeySet::from_stored(&public).unwrap();
        let jwks = serde_json::to_value(set.jwks(ACCESS_TOKEN_SECONDS, NOW)).unwrap();
        for key in jwks["keys"].as_array().unwrap() {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(members, ["alg", "e", "kid", "kty", "n", "use"]);
            assert_eq!(key["e"], "AQAB");
            assert_eq!(key["kid"].as_str().unwrap().len(), 43, "a SHA-256");
        }
    }
}
