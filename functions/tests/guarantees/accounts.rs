//! The guarantees of the accounts of callers.

use std::collections::HashSet;

use shared::limits::Bucket;
use shared::store::{CountOutcome, EmailChangeOutcome, Limit, PhoneChangeOutcome, RefreshOutcome, Subject};
use shared::values::Purpose::PhoneChange;

use super::*;

/// Returns the session that replaces one after a change.
pub(super) fn replacing(session: &Session, now: i64) -> Session {
    Session::replacing(&caller(session), session.started_at, session_lifetime(), now)
}

/// Signs up as the user of this number. Returns the new session.
pub(super) async fn signed_up_as(store: &dyn FullStore, nth: usize) -> Session {
    let key = verified(store, phone(nth), Signup, NOW).await.key;
    let user = user(&format!("user{nth}@example.com"), phone(nth));
    let session = new_session(user.id, NOW);
    let outcome = store.sign_up(&user, &session, &user_agent(), &key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
    session
}

pub(super) async fn change_password(
    store: &dyn FullStore,
    session: &Session,
    hash: &str,
) -> Result<Session, CallerError> {
    let (new, hash) = (replacing(session, NOW), PasswordHash::from_stored(hash.to_owned()));
    store.change_password(&caller(session), &hash, &new, &user_agent(), NOW).await?;
    Ok(new)
}

pub(super) async fn change_phone(
    store: &dyn FullStore,
    session: &Session,
    phone: &Phone,
    key: &SmsSessionKey,
) -> Result<(PhoneChangeOutcome, Session), CallerError> {
    let new = replacing(session, NOW);
    Ok((store.change_phone(&caller(session), phone, key, &new, &user_agent(), NOW).await?, new))
}

pub(super) async fn change_email(
    store: &dyn FullStore,
    session: &Session,
    email: &str,
) -> Result<(EmailChangeOutcome, Session), CallerError> {
    let new = replacing(session, NOW);
    Ok((store.change_email(&caller(session), &parse(email), &new, &user_agent(), NOW).await?, new))
}

/// Returns email, phone number, name and nickname.
pub(super) async fn profile_of(store: &dyn FullStore, session: &Session) -> [String; 4] {
    let profile = store.profile(&caller(session), NOW).await.unwrap();
    [profile.email.0, profile.phone.0, profile.name.0, profile.nickname.0]
}

/// Asserts that `new` replaced `old`, and that `others` are revoked.
pub(super) async fn assert_replaced(store: &dyn FullStore, old: &Session, new: &Session, others: &[Session]) {
    assert_eq!((new.token_version, new.started_at), (old.token_version + 1, old.started_at));
    for revoked in others.iter().chain([old]) {
        assert_rejected!(store.profile(&caller(revoked), NOW).await, Revoked);
        assert_eq!(refresh(store, *revoked, NOW).await, RefreshOutcome::Revoked);
    }
    store.profile(&caller(new), NOW).await.unwrap();
    assert_eq!(refresh(store, *new, NOW).await, REFRESHED);
    assert_eq!(store.list_sessions(&caller(new), NOW).await.unwrap().len(), 1);
}

pub(crate) async fn profile_requires_a_current_session_and_token_version(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let profile = async |caller: Caller, now| store.profile(&caller, now).await;
    profile(caller(&session), NOW).await.unwrap();
    let unknown = Caller { session_id: new_session(session.user_id, NOW).id, ..caller(&session) };
    let newer = Caller { token_version: 1, ..caller(&session) };
    for (caller, now) in [(unknown, NOW), (newer, NOW), (caller(&session), session.expires_at)] {
        assert_rejected!(profile(caller, now).await, Revoked);
    }
    let unknown_user = Caller { user_id: UserId::new(NOW), ..caller(&session) };
    assert_rejected!(profile(unknown_user, NOW).await, UserNotFound);

    let other = logged_in_again(store, session.user_id, NOW).await;
    store.revoke_session(&session).await.unwrap();
    assert_rejected!(profile(caller(&session), NOW).await, Revoked);
    profile(caller(&other), NOW).await.unwrap();
    store.revoke_all_sessions(&other).await.unwrap();
    assert_rejected!(profile(caller(&other), NOW).await, Revoked);
}

pub(crate) async fn update_of_the_profile_replaces_the_fields_that_are_given(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let own = caller(&session);
    let (name, nickname) = (parse("Lee Jiwoo"), parse("jiwoo"));
    let profile = store.update_profile(&own, Some(&name), None, NOW).await.unwrap();
    assert_eq!((profile.name.0.as_str(), profile.nickname.0.as_str()), ("Lee Jiwoo", "minji"));
    let profile = store.update_profile(&own, None, Some(&nickname), NOW).await.unwrap();
    assert_eq!((profile.name.0.as_str(), profile.nickname.0.as_str()), ("Lee Jiwoo", "jiwoo"));
    let expected = ["minji@example.com", phone(1).e164(), "Lee Jiwoo", "jiwoo"].map(str::to_owned);
    assert_eq!(profile_of(store, &session).await, expected);
    assert_eq!(token_version_of(store, session.user_id).await, 0);
}

pub(crate) async fn change_of_the_password_replaces_the_password_and_the_session(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let own = store.own_credentials(&caller(&session), NOW).await.unwrap();
    assert_eq!((own.password_hash.as_str(), own.phone), ("the first hash", phone(1)));
    assert_eq!((own.email.0.as_str(), own.name.0.as_str()), ("minji@example.com", "Kim Minji"));
    let other = logged_in_again(store, session.user_id, NOW).await;
    let new = change_password(store, &session, "the second hash").await.unwrap();
    assert_replaced(store, &session, &new, &[other]).await;
    let credentials = store.credentials(&LoginIdentifier::Phone(phone(1))).await.unwrap().unwrap();
    assert_eq!(credentials.password_hash.as_str(), "the second hash");
    assert_eq!(credentials.password_reset_at, NOW, "device tokens stay valid");
}

pub(crate) async fn change_of_the_phone_moves_the_number_and_consumes_the_sms_session(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let (outcome, new) = change_phone(store, &session, &phone(2), &key).await.unwrap();
    assert_eq!(outcome, PhoneChangeOutcome::Changed { previous: phone(1), claims: Claims::NONE });
    assert_replaced(store, &session, &new, &[other]).await;
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (true, false));
    assert_eq!(is_taken(store, "minji@example.com", phone(2)).await, (true, true));
    assert!(!is_verified(store, &key, PhoneChange, NOW).await);
    let account = store.account(&phone(2)).await.unwrap().unwrap();
    assert_eq!((account.user_id, account.password_reset_at), (session.user_id, NOW), "device tokens stay valid");
    // The previous number can sign up.
    signed_up(store, "other@example.com", phone(1), NOW).await;
}

pub(crate) async fn change_of_the_phone_requires_an_sms_session_verified_for_its_phone_and_purpose(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let unverified = opened(store, phone(2), PhoneChange, NOW).await.key;
    let other_phone = verified(store, phone(3), PhoneChange, NOW).await.key;
    let other_purpose = verified(store, phone(2), Signup, NOW).await.key;
    let unknown = SmsSessionId::random().key();
    for key in [&unknown, &unverified, &other_phone, &other_purpose] {
        // The second number is the caller's own.
        for phone in [phone(2), phone(1)] {
            let (outcome, new) = change_phone(store, &session, &phone, key).await.unwrap();
            assert_eq!(outcome, PhoneChangeOutcome::NotVerified);
            assert_rejected!(store.profile(&caller(&new), NOW).await, Revoked);
        }
    }
    assert_eq!(profile_of(store, &session).await[1], phone(1).e164());
    assert!(is_verified(store, &other_phone, PhoneChange, NOW).await);
    assert!(!store.is_phone_taken(&phone(2)).await.unwrap());
}

pub(crate) async fn reset_of_a_number_that_moved_is_rejected(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let reset = verified(store, phone(1), PasswordReset, NOW).await.key;
    // The account was read before the change.
    let user_id = store.account(&phone(1)).await.unwrap().unwrap().user_id;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let (_, new) = change_phone(store, &session, &phone(2), &key).await.unwrap();
    assert!(!store.reset_password(user_id, &second_hash(), &phone(1), &reset, NOW).await.unwrap());
    assert_eq!(password_hash_of(store, &phone(2)).await, "the first hash");
    assert!(store.account(&phone(1)).await.unwrap().is_none());
    store.profile(&caller(&new), NOW).await.unwrap();
}

pub(crate) async fn change_of_the_phone_to_a_taken_number_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    signed_up(store, "other@example.com", phone(2), NOW).await;
    for taken in [phone(2), phone(1)] {
        let key = verified(store, taken.clone(), PhoneChange, NOW).await.key;
        let (outcome, _) = change_phone(store, &session, &taken, &key).await.unwrap();
        assert_eq!(outcome, PhoneChangeOutcome::Taken);
        assert!(is_verified(store, &key, PhoneChange, NOW).await, "the SMS session stays usable");
    }
    assert_eq!(profile_of(store, &session).await[1], phone(1).e164());
    assert_eq!(refresh(store, session, NOW).await, REFRESHED);
}

pub(crate) async fn change_of_the_email_moves_the_email(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let other = logged_in_again(store, session.user_id, NOW).await;
    let (outcome, second) = change_email(store, &session, "New@Example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Changed { claims: Claims::NONE });
    assert_replaced(store, &session, &second, &[other]).await;
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, true));
    assert_eq!(is_taken(store, "new@example.com", phone(1)).await, (true, true));
    assert_eq!(profile_of(store, &second).await[0], "New@example.com");
    // The same email can have another spelling.
    let second = next(second, NOW);
    let (outcome, third) = change_email(store, &second, "new@example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Changed { claims: Claims::NONE });
    assert_replaced(store, &second, &third, &[]).await;
    assert_eq!(profile_of(store, &third).await[0], "new@example.com");
    assert!(store.is_email_taken(&parse("new@example.com")).await.unwrap());
    signed_up(store, "minji@example.com", phone(2), NOW).await;
}

pub(crate) async fn change_of_the_email_to_a_taken_one_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    signed_up(store, "Other@example.com", phone(2), NOW).await;
    let (outcome, _) = change_email(store, &session, "other@example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Taken);
    assert_eq!(profile_of(store, &session).await[0], "minji@example.com");
    assert!(store.is_email_taken(&parse("minji@example.com")).await.unwrap());
    assert_eq!(refresh(store, session, NOW).await, REFRESHED);
}

pub(crate) async fn deletion_frees_email_and_phone_and_deletes_the_counts(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let user_id = session.user_id;
    let other = logged_in_again(store, user_id, NOW).await;
    let once = |subject| Limit { is_kept: true, ..Limit::new(subject, Bucket::new(1, 3600)) };
    let limits = [once(Subject::passwords_of_account(user_id)), once(Subject::sms_to_account(user_id))];
    for limit in &limits {
        assert_eq!(store.count(limit, NOW).await.unwrap(), CountOutcome::Counted);
        assert!(matches!(store.count(limit, NOW).await.unwrap(), CountOutcome::RateLimited { .. }));
    }
    store.delete_account(&caller(&session), NOW).await.unwrap();
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    assert!(store.account(&phone(1)).await.unwrap().is_none());
    for limit in &limits {
        assert_eq!(store.count(limit, NOW).await.unwrap(), CountOutcome::Counted);
    }
    for revoked in [session, other] {
        assert_eq!(refresh(store, revoked, NOW).await, RefreshOutcome::Revoked);
        assert_rejected!(store.profile(&caller(&revoked), NOW).await, UserNotFound);
        assert_rejected!(store.delete_account(&caller(&revoked), NOW).await, UserNotFound);
    }
    let new = signed_up(store, "minji@example.com", phone(1), NOW).await;
    assert_ne!(new.id, user_id);
    assert_rejected!(store.profile(&caller(&session), NOW).await, UserNotFound);
}

/// Calls every step of a caller, each of which the store rejects with the same error.
async fn rejections(store: &dyn FullStore, session: &Session, key: &SmsSessionKey, now: i64) -> HashSet<String> {
    let (own, new, agent) = (caller(session), replacing(session, now), user_agent());
    let error = |error: Option<CallerError>| format!("{:?}", error.expect("the caller was not rejected"));
    HashSet::from([
        error(store.profile(&own, now).await.err()),
        error(store.update_profile(&own, Some(&parse("Lee Jiwoo")), None, now).await.err()),
        error(store.own_credentials(&own, now).await.err()),
        error(store.change_password(&own, &second_hash(), &new, &agent, now).await.err()),
        error(store.change_phone(&own, &phone(2), key, &new, &agent, now).await.err()),
        error(store.change_email(&own, &parse("new@example.com"), &new, &agent, now).await.err()),
        error(store.delete_account(&own, now).await.err()),
        error(store.list_sessions(&own, now).await.err()),
        error(store.revoke_listed_session(&own, session.id, now).await.err()),
    ])
}

pub(crate) async fn rejected_caller_changes_nothing(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let rejected = |error: &str| HashSet::from([error.to_owned()]);

    let revoked = logged_in_again(store, session.user_id, NOW).await;
    store.revoke_session(&revoked).await.unwrap();
    let older = Session { token_version: 7, ..session };
    let unknown = Session { user_id: UserId::new(NOW), ..session };
    for rejected_session in [&revoked, &older] {
        assert_eq!(rejections(store, rejected_session, &key, NOW).await, rejected("Revoked"));
    }
    assert_eq!(rejections(store, &session, &key, session.expires_at).await, rejected("Revoked"));
    assert_eq!(rejections(store, &unknown, &key, NOW).await, rejected("UserNotFound"));
    store.set_disabled(session.user_id, true, NOW).await.unwrap();
    assert_eq!(rejections(store, &session, &key, NOW).await, rejected("UserDisabled"));
    store.set_disabled(session.user_id, false, NOW).await.unwrap();

    let expected = ["minji@example.com", phone(1).e164(), "Kim Minji", "minji"].map(str::to_owned);
    assert_eq!(profile_of(store, &session).await, expected);
    assert_eq!(password_hash_of(store, &phone(1)).await, "the first hash");
    assert_eq!(is_taken(store, "new@example.com", phone(2)).await, (false, false));
    assert!(is_verified(store, &key, PhoneChange, NOW).await);
    assert_eq!(token_version_of(store, session.user_id).await, 0);
    assert_eq!(refresh(store, session, NOW).await, REFRESHED);
}
