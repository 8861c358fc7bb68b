//! The guarantees of sessions.

use std::collections::HashSet;

use shared::store::ListedSession;
use shared::store::RefreshOutcome::{ReuseDetected, Revoked};
use shared::store::sessions::REUSE_INTERVAL_SECONDS;

use uuid::Uuid;

use super::*;

pub(crate) async fn refresh_advances_by_one_generation(test: TestStore) {
    let store = test.connection();
    let mut session = logged_in(store).await;
    for day in 1..=5 {
        assert_eq!(refresh(store, session, NOW + day * DAY).await, REFRESHED);
        session = next(session, NOW + day * DAY);
    }
    let skipping_one = next(session, NOW + 6 * DAY);
    assert_eq!(refresh(store, skipping_one, NOW + 6 * DAY).await, ReuseDetected);
}

pub(crate) async fn retry_within_reuse_interval_returns_the_same_generation(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    assert_eq!(refresh(store, first, NOW + 100).await, REFRESHED);
    for now in [NOW + 100, NOW + 101, NOW + 100 + REUSE_INTERVAL_SECONDS] {
        assert_eq!(refresh(store, first, now).await, REFRESHED);
    }
    // A retry neither advances the session nor extends the interval.
    let second = next(first, NOW + 100);
    assert_eq!(refresh(store, second, NOW + 131).await, REFRESHED);
    assert_eq!(refresh(store, second, NOW + 131).await, REFRESHED);
    assert_eq!(refresh(store, first, NOW + 131).await, ReuseDetected, "only the latest predecessor is accepted");
}

pub(crate) async fn reusing_a_refresh_token_revokes_its_session(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let other = logged_in_again(store, first.user_id, NOW).await;
    assert_eq!(refresh(store, first, NOW + 100).await, REFRESHED);
    let second = next(first, NOW + 100);
    let late = NOW + 101 + REUSE_INTERVAL_SECONDS;
    assert_eq!(refresh(store, first, late).await, ReuseDetected);
    for revoked in [first, second] {
        assert_eq!(refresh(store, revoked, late).await, Revoked);
    }
    assert_eq!(refresh(store, other, late).await, REFRESHED);
}

pub(crate) async fn concurrent_refreshes_with_one_token_return_one_generation(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let second = next(first, NOW + 100);
    let outcomes =
        test.race(|store, _| async move { store.refresh_session(&second, &Claims::NONE, NOW + 100).await }).await;
    assert!(outcomes.iter().all(|outcome| *outcome == REFRESHED));
    // The second generation is the latest, so that the third follows.
    assert_eq!(refresh(store, second, NOW + 200).await, REFRESHED);
    assert_eq!(refresh(store, first, NOW + 200).await, ReuseDetected);
}

pub(crate) async fn concurrent_refreshes_with_a_used_token_are_rejected(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    assert_eq!(refresh(store, first, NOW).await, REFRESHED);
    let late = NOW + REUSE_INTERVAL_SECONDS + 1;
    let outcomes =
        test.race(|store, _| async move { store.refresh_session(&next(first, late), &Claims::NONE, late).await }).await;
    assert!(outcomes.iter().all(|outcome| *outcome != REFRESHED));
    assert!(outcomes.contains(&ReuseDetected));
    assert_eq!(refresh(store, next(first, NOW), late).await, Revoked);
}

pub(crate) async fn expired_session_is_revoked_before_it_is_deleted(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let other = logged_in_again(store, first.user_id, NOW).await;
    let third = logged_in_again(store, first.user_id, NOW).await;
    assert_eq!(refresh(store, first, first.expires_at).await, Revoked);
    assert_eq!(refresh(store, other, other.expires_at - 1).await, REFRESHED);
    let second = next(other, other.expires_at - 1);
    assert!(second.expires_at > other.expires_at, "a refresh extends the session");
    assert_eq!(refresh(store, second, second.expires_at).await, Revoked);
    // The reuse interval does not outlast the session.
    let short = Session { expires_at: NOW + 110, ..next(third, NOW + 100) };
    assert_eq!(store.refresh_session(&short, &Claims::NONE, NOW + 100).await.unwrap(), REFRESHED);
    assert_eq!(store.refresh_session(&short, &Claims::NONE, NOW + 109).await.unwrap(), REFRESHED);
    assert_eq!(store.refresh_session(&short, &Claims::NONE, NOW + 110).await.unwrap(), Revoked);
}

pub(crate) async fn revoking_a_session_revokes_no_other(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    for _ in 0..2 {
        store.revoke_session(&session).await.unwrap();
        assert_eq!(refresh(store, session, NOW).await, Revoked);
    }
    assert_eq!(refresh(store, other, NOW).await, REFRESHED);
    assert_eq!(token_version_of(store, session.user_id).await, 0);
}

pub(crate) async fn revoking_all_sessions_increments_the_token_version_once(test: TestStore) {
    let store = test.connection();
    let mut session = logged_in(store).await;
    for token_version in 1..=3 {
        let other = logged_in_again(store, session.user_id, NOW).await;
        for revoked in [session, other] {
            store.revoke_all_sessions(&revoked).await.unwrap();
            assert_eq!(token_version_of(store, session.user_id).await, token_version);
        }
        let credentials = store.credentials(&LoginIdentifier::Phone(phone(1))).await.unwrap().unwrap();
        assert_eq!(credentials.token_version, token_version);
        for revoked in [session, other] {
            assert_eq!(refresh(store, revoked, NOW).await, Revoked);
        }
        session = logged_in_again(store, session.user_id, NOW).await;
        assert_eq!(refresh(store, session, NOW).await, REFRESHED);
    }
}

pub(crate) async fn reset_revokes_all_sessions_and_increments_the_token_version(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let user_id = session.user_id;
    let other = logged_in_again(store, user_id, NOW).await;
    for round in 1..=2 {
        let now = NOW + 60 * i64::from(round);
        let key = verified(store, phone(1), PasswordReset, now).await.key;
        let hash = PasswordHash::from_stored(format!("hash {round}"));
        assert!(store.reset_password(user_id, &hash, &phone(1), &key, now).await.unwrap());
        assert_eq!(token_version_of(store, user_id).await, round);
        // A rejected reset does not increment the token version.
        assert!(!store.reset_password(user_id, &hash, &phone(1), &key, now).await.unwrap());
        assert_eq!(token_version_of(store, user_id).await, round);
    }
    let now = NOW + 120;
    for revoked in [session, other] {
        assert_eq!(refresh(store, revoked, now).await, Revoked);
    }
    // A login that read the credentials before the reset starts a session that is already revoked.
    let late = Session::new(user_id, 1, session_lifetime(), now);
    store.start_session(&late, &user_agent()).await.unwrap();
    assert_eq!(refresh(store, late, now).await, Revoked);
    let new = logged_in_again(store, user_id, now).await;
    assert_eq!(refresh(store, new, now).await, REFRESHED);
}

pub(crate) async fn session_of_an_unknown_user_is_revoked(test: TestStore) {
    let store = test.connection();
    let unknown = new_session(UserId::new(NOW), NOW);
    store.start_session(&unknown, &user_agent()).await.unwrap();
    assert_eq!(refresh(store, unknown, NOW).await, Revoked);
    store.revoke_all_sessions(&unknown).await.unwrap();
    assert!(!exists(store, unknown.user_id).await);
    let user_id = logged_in(store).await.user_id;
    let not_started = new_session(user_id, NOW);
    assert_eq!(refresh(store, not_started, NOW).await, Revoked);
    store.revoke_session(&not_started).await.unwrap();
}

pub(crate) async fn concurrent_refreshes_do_not_survive_a_reset(test: TestStore) {
    let store = test.connection();
    let (first, now) = (logged_in(store).await, NOW + 60);
    let key = verified(store, phone(1), PasswordReset, now).await.key;
    let resets = test
        .race(|store, n| {
            let (key, hash) = (key.clone(), PasswordHash::from_stored("the second hash".to_owned()));
            async move {
                if n == CALLS / 2 {
                    store.reset_password(first.user_id, &hash, &phone(1), &key, now).await
                } else {
                    store.refresh_session(&next(first, now), &Claims::NONE, now).await.map(|_| false)
                }
            }
        })
        .await;
    assert_eq!(resets.iter().filter(|&&was_reset| was_reset).count(), 1);
    for session in [first, next(first, now)] {
        assert_eq!(refresh(store, session, now).await, Revoked);
    }
}

/// Returns the ids of the caller's listed sessions.
async fn listed(store: &dyn FullStore, caller: &Caller, now: i64) -> HashSet<Uuid> {
    store.list_sessions(caller, now).await.unwrap().iter().map(|session| session.id).collect()
}

pub(crate) async fn listed_sessions_are_neither_revoked_nor_expired(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    store.revoke_all_sessions(&first).await.unwrap();
    let second = logged_in_again(store, first.user_id, NOW).await;
    let third = logged_in_again(store, first.user_id, NOW + DAY).await;
    let fourth = logged_in_again(store, first.user_id, NOW + DAY).await;
    let other = signed_up(store, "other@example.com", phone(2), NOW).await;
    store.revoke_session(&fourth).await.unwrap();
    assert_eq!(refresh(store, third, NOW + 2 * DAY).await, REFRESHED);

    let mut sessions = store.list_sessions(&caller(&second), NOW + 2 * DAY).await.unwrap();
    sessions.sort_by_key(|session| session.created_at);
    let session = |session: &Session, last_used_at| ListedSession {
        id: session.id,
        created_at: session.started_at,
        last_used_at,
        user_agent: "a test".to_owned(),
    };
    assert_eq!(sessions, [session(&second, NOW), session(&third, NOW + 2 * DAY)]);
    assert_eq!(listed(store, &caller(&third), second.expires_at).await, HashSet::from([third.id]));
    for rejected in [&first, &fourth, &new_session(other.id, NOW)] {
        assert_rejected!(store.list_sessions(&caller(rejected), NOW + 2 * DAY).await, Revoked);
    }
    assert_rejected!(store.list_sessions(&caller(&second), second.expires_at).await, Revoked);
}

pub(crate) async fn listed_session_is_revoked_once_and_by_its_user_only(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let own = caller(&first);
    let second = logged_in_again(store, first.user_id, NOW).await;
    let key = verified(store, phone(2), Signup, NOW).await.key;
    let other = user("other@example.com", phone(2));
    let others = new_session(other.id, NOW);
    store.sign_up(&other, &others, &user_agent(), &key, NOW).await.unwrap();
    assert!(!store.revoke_listed_session(&own, others.id, NOW).await.unwrap());
    assert!(!store.revoke_listed_session(&own, new_session(first.user_id, NOW).id, NOW).await.unwrap());
    assert!(store.revoke_listed_session(&own, second.id, NOW).await.unwrap());
    assert!(!store.revoke_listed_session(&own, second.id, NOW).await.unwrap());
    assert_eq!(refresh(store, second, NOW + 100).await, Revoked);
    assert_eq!(refresh(store, others, NOW + 100).await, REFRESHED);

    // Expired, and of an older token version.
    let third = logged_in_again(store, first.user_id, NOW + 100).await;
    assert!(!store.revoke_listed_session(&caller(&third), first.id, first.expires_at).await.unwrap());
    store.revoke_all_sessions(&first).await.unwrap();
    let fourth = logged_in_again(store, first.user_id, NOW + 100).await;
    assert!(!store.revoke_listed_session(&caller(&fourth), third.id, NOW + 100).await.unwrap());
    assert_rejected!(store.revoke_listed_session(&own, third.id, NOW + 100).await, Revoked);
    // Its own.
    assert!(store.revoke_listed_session(&caller(&fourth), fourth.id, NOW + 100).await.unwrap());
    assert_rejected!(store.revoke_listed_session(&caller(&fourth), fourth.id, NOW + 100).await, Revoked);
}

pub(crate) async fn deleted_sessions_of_a_user_are_those_of_no_other(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let second = logged_in_again(store, first.user_id, NOW).await;
    let others = new_session(UserId::new(NOW), NOW);
    let key = verified(store, phone(2), Signup, NOW).await.key;
    let other = NewUser { id: others.user_id, ..user("other@example.com", phone(2)) };
    store.sign_up(&other, &others, &user_agent(), &key, NOW).await.unwrap();
    store.delete_sessions(first.user_id).await.unwrap();
    for session in [first, second] {
        assert_eq!(refresh(store, session, NOW + 100).await, Revoked);
    }
    assert_eq!(refresh(store, others, NOW + 100).await, REFRESHED);
}

/// Starts another session of a user by code, if the SMS session permits it.
async fn log_in_by_code(store: &dyn FullStore, session: &Session, phone: Phone, key: &SmsSessionKey, now: i64) -> bool {
    store.start_session_by_code(session, &user_agent(), &phone, key, now).await.unwrap()
}

pub(crate) async fn login_by_code_starts_a_session_and_consumes_the_sms_session(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let key = opened(store, phone(1), Login, NOW).await.key;
    let session = new_session(first.user_id, NOW);
    assert!(log_in_by_code(store, &session, phone(1), &key, NOW).await);
    for session in [first, session] {
        assert_eq!(refresh(store, session, NOW + 100).await, REFRESHED);
    }
    let another = new_session(first.user_id, NOW);
    assert!(!log_in_by_code(store, &another, phone(1), &key, NOW).await);
    assert_eq!(refresh(store, another, NOW + 100).await, Revoked);
}

pub(crate) async fn login_by_code_requires_an_sms_session_for_its_phone_and_for_login(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let session = new_session(first.user_id, NOW);
    let other_phone = opened(store, phone(2), Login, NOW).await;
    let other_purpose = opened(store, phone(1), PasswordReset, NOW).await;
    let other_verified = verified(store, phone(1), PasswordReset, NOW).await;
    for key in [&SmsSessionId::random().key(), &other_phone.key, &other_purpose.key, &other_verified.key] {
        assert!(!log_in_by_code(store, &session, phone(1), key, NOW).await);
    }
    let expired = opened(store, phone(1), Login, NOW).await;
    assert!(!log_in_by_code(store, &session, phone(1), &expired.key, expired.expires_at).await);
    assert_eq!(refresh(store, session, NOW + 100).await, Revoked);
    // Nothing was consumed.
    assert!(is_verified(store, &other_verified.key, PasswordReset, NOW).await);
    for sms_session in [&other_phone, &other_purpose] {
        assert!(matches!(attempt(store, sms_session, NOW).await, AttemptOutcome::Recorded(_)));
    }
}

pub(crate) async fn concurrent_logins_with_one_code_start_one_session(test: TestStore) {
    let store = test.connection();
    let user_id = logged_in(store).await.user_id;
    let key = opened(store, phone(1), Login, NOW).await.key;
    let outcomes = test
        .race(|store, _| {
            let (key, session) = (key.clone(), new_session(user_id, NOW));
            async move {
                let is_started = store.start_session_by_code(&session, &user_agent(), &phone(1), &key, NOW).await?;
                Ok((is_started, session))
            }
        })
        .await;
    assert_eq!(outcomes.iter().filter(|(is_started, _)| *is_started).count(), 1);
    for (is_started, session) in outcomes {
        let expected = if is_started { REFRESHED } else { Revoked };
        assert_eq!(refresh(store, session, NOW + 100).await, expected);
    }
}

pub(crate) async fn login_by_code_after_a_reset_starts_a_revoked_session(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    // The account was read before the reset.
    let session = new_session(first.user_id, NOW);
    let reset = verified(store, phone(1), PasswordReset, NOW).await.key;
    let hash = PasswordHash::from_stored("the second hash".to_owned());
    assert!(store.reset_password(first.user_id, &hash, &phone(1), &reset, NOW).await.unwrap());
    let key = opened(store, phone(1), Login, NOW).await.key;
    assert!(log_in_by_code(store, &session, phone(1), &key, NOW).await);
    assert_eq!(refresh(store, session, NOW + 100).await, Revoked);
    assert!(matches!(store.profile(&caller(&session), NOW).await, Err(CallerError::Revoked)));
}
