//! The guarantees of the changes of an operator.

use serde_json::json;
use shared::limits::Bucket;
use shared::store::{
    CountOutcome, Counts, DayOutcome, EmailChangeOutcome, ImportOutcome, Limit, PhoneChangeOutcome, SmsOfDay, Subject,
    User, UserKey,
};
use shared::values::Purpose::PhoneChange;

use super::accounts::{change_email, change_phone};
use super::administration_imports::{claims, export, find, foreign, import, refresh_with};
use super::*;

pub(crate) async fn claims_are_replaced_for_every_reader(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let editor = claims(&json!({ "role": "editor", "level": -3, "is_staff": false }));
    assert!(store.set_claims(session.user_id, &Claims::NONE, &editor, NOW + 5).await.unwrap());
    let found = find(store, session.user_id).await.unwrap();
    assert_eq!((&found.claims, found.updated_at, found.token_version), (&editor, NOW + 5, 0));
    let login = LoginIdentifier::Phone(phone(1));
    assert_eq!(store.credentials(&login).await.unwrap().unwrap().claims, editor);
    assert_eq!(store.account(&phone(1)).await.unwrap().unwrap().claims, editor);
    assert_eq!(store.own_credentials(&caller(&session), NOW).await.unwrap().claims, editor);
    let (outcome, session) = change_email(store, &session, "new@example.com").await.unwrap();
    assert_eq!(outcome, EmailChangeOutcome::Changed { claims: editor.clone() });
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let (outcome, session) = change_phone(store, &session, &phone(2), &key).await.unwrap();
    assert_eq!(outcome, PhoneChangeOutcome::Changed { previous: phone(1), claims: editor.clone() });

    // Another operator changed them meanwhile.
    let viewer = claims(&json!({ "role": "viewer" }));
    assert!(!store.set_claims(session.user_id, &Claims::NONE, &viewer, NOW).await.unwrap());
    assert_eq!(find(store, session.user_id).await.unwrap().claims, editor);
    assert!(store.set_claims(session.user_id, &editor, &Claims::NONE, NOW).await.unwrap());
    assert!(find(store, session.user_id).await.unwrap().claims.is_empty());
    let unknown = UserId::new(NOW);
    assert!(!store.set_claims(unknown, &Claims::NONE, &Claims::NONE, NOW).await.unwrap());
    assert!(!exists(store, unknown).await);
}

pub(crate) async fn refresh_with_the_claims_of_before_returns_those_of_now(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let editor = claims(&json!({ "role": "editor" }));
    let refreshed = |claims: &Claims| RefreshOutcome::Refreshed { claims: claims.clone() };
    store.set_claims(first.user_id, &Claims::NONE, &editor, NOW).await.unwrap();
    for _ in 0..2 {
        // The second one is a retry within the reuse interval.
        assert_eq!(refresh_with(store, first, &Claims::NONE, NOW).await, refreshed(&editor));
    }
    let second = next(first, NOW);
    assert_eq!(refresh_with(store, second, &editor, NOW + 100).await, refreshed(&editor));
    let third = next(second, NOW + 100);
    store.set_claims(first.user_id, &editor, &Claims::NONE, NOW).await.unwrap();
    assert_eq!(refresh_with(store, third, &editor, NOW + 200).await, refreshed(&Claims::NONE));

    store.set_disabled(first.user_id, true, NOW).await.unwrap();
    let fourth = next(third, NOW + 200);
    assert_eq!(refresh_with(store, fourth, &editor, NOW + 300).await, RefreshOutcome::UserDisabled);
    store.set_disabled(first.user_id, false, NOW).await.unwrap();
    assert_eq!(refresh_with(store, first, &editor, NOW + 300).await, RefreshOutcome::ReuseDetected);
    assert_eq!(refresh_with(store, fourth, &editor, NOW + 300).await, RefreshOutcome::Revoked);
}

pub(crate) async fn concurrent_refreshes_and_changes_of_the_claims_keep_the_session(test: TestStore) {
    let store = test.connection();
    let first = logged_in(store).await;
    let outcomes = test
        .race(|store, n| async move {
            if n % 2 == 0 {
                let claims = claims(&json!({ "level": n }));
                let key = UserKey::Id(first.user_id);
                while let Some(user) = store.user(&key).await? {
                    if store.set_claims(first.user_id, &user.claims, &claims, NOW).await? {
                        return Ok(Some(claims));
                    }
                }
                return Ok(None);
            }
            match store.refresh_session(&next(first, NOW), &Claims::NONE, NOW).await? {
                RefreshOutcome::Refreshed { claims } => Ok(Some(claims)),
                _ => Ok(None),
            }
        })
        .await;
    assert!(outcomes.iter().all(Option::is_some), "no refresh is rejected");
    let stored = find(store, first.user_id).await.unwrap().claims;
    assert!(outcomes.contains(&Some(stored.clone())));
    let refreshed = RefreshOutcome::Refreshed { claims: stored };
    assert_eq!(refresh_with(store, next(first, NOW), &Claims::NONE, NOW + 1).await, refreshed);
}

pub(crate) async fn ended_sessions_are_revoked_and_later_ones_are_not(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let (id, other) = (session.user_id, logged_in_again(store, session.user_id, NOW).await);
    // It started between the increment and the deletion of the others.
    let later = Session::new(id, 1, session_lifetime(), NOW);
    store.start_session(&later, &user_agent()).await.unwrap();
    assert!(store.end_sessions(id, NOW + 5).await.unwrap());
    for revoked in [session, other] {
        assert_rejected!(store.profile(&caller(&revoked), NOW).await, Revoked);
        assert_eq!(refresh(store, revoked, NOW).await, RefreshOutcome::Revoked);
    }
    let listed = store.list_sessions(&caller(&later), NOW).await.unwrap();
    assert_eq!(listed.iter().map(|session| session.id).collect::<Vec<_>>(), [later.id]);
    assert_eq!(refresh(store, later, NOW).await, REFRESHED);
    let found = find(store, id).await.unwrap();
    assert_eq!((found.token_version, found.updated_at), (1, NOW + 5));
    let new = logged_in_again(store, id, NOW).await;
    store.profile(&caller(&new), NOW).await.unwrap();

    let unknown = UserId::new(NOW);
    assert!(!store.end_sessions(unknown, NOW).await.unwrap());
    assert!(!exists(store, unknown).await);
}

pub(crate) async fn deleted_user_frees_email_and_phone_and_the_counts(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let (id, other) = (session.user_id, signed_up(store, "other@example.com", phone(2), NOW).await);
    let subjects = [Subject::passwords_of_account(id), Subject::sms_to_account(id)];
    for subject in &subjects {
        let limit = Limit::new(subject.clone(), Bucket::new(1, 3600));
        assert_eq!(store.count(&limit, NOW).await.unwrap(), CountOutcome::Counted);
    }
    assert!(store.delete_user(id).await.unwrap());
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    assert!(find(store, id).await.is_none());
    assert_rejected!(store.profile(&caller(&session), NOW).await, UserNotFound);
    assert_eq!(refresh(store, session, NOW).await, RefreshOutcome::Revoked);
    for subject in &subjects {
        assert_eq!(store.counts(subject, NOW).await.unwrap(), Counts::default());
    }
    assert!(!store.delete_user(id).await.unwrap());
    assert!(exists(store, other.id).await);
    // Another user with the same id has no session: the deletion deleted them all.
    assert_eq!(
        import(store, &User { id, token_version: 0, is_disabled: false, ..foreign(1) }).await,
        ImportOutcome::Created
    );
    assert_rejected!(store.profile(&caller(&session), NOW).await, Revoked);
}

pub(crate) async fn deletion_of_a_user_races_with_changes_of_the_phone(test: TestStore) {
    let store = test.connection();
    let session = logged_in(store).await;
    let key = verified(store, phone(2), PhoneChange, NOW).await.key;
    let outcomes = test
        .race_of_callers(|store, n| {
            let key = key.clone();
            async move {
                if n % 2 == 0 {
                    return Ok(store.delete_user(session.user_id).await?);
                }
                change_phone(&*store, &session, &phone(2), &key).await.map(|_| false)
            }
        })
        .await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(true))).count(), 1);
    assert_eq!(is_taken(store, "minji@example.com", phone(1)).await, (false, false));
    assert!(!store.is_phone_taken(&phone(2)).await.unwrap());
    assert!(export(store).await.is_empty());
}

pub(crate) async fn pause_keeps_the_count_of_the_day(test: TestStore) {
    let store = test.connection();
    let count = async |now| store.count_sms_of_day(10, now).await.unwrap();
    let of_day = async |now| store.sms_of_day(now).await.unwrap();
    assert_eq!(of_day(NOW).await, SmsOfDay { count: 0, is_paused: false });
    store.set_sms_paused(true).await.unwrap();
    assert_eq!(of_day(NOW).await, SmsOfDay { count: 0, is_paused: true });
    assert_eq!(count(NOW).await, DayOutcome::Paused);
    store.set_sms_paused(false).await.unwrap();
    for expected in 1..=2 {
        assert_eq!(count(NOW).await, DayOutcome::Counted { count: expected });
    }
    store.set_sms_paused(true).await.unwrap();
    assert_eq!(of_day(NOW).await, SmsOfDay { count: 2, is_paused: true });
    assert_eq!(of_day(NOW + DAY).await, SmsOfDay { count: 0, is_paused: true });
    assert_eq!(count(NOW + DAY).await, DayOutcome::Paused);
    store.set_sms_paused(false).await.unwrap();
    assert_eq!(count(NOW).await, DayOutcome::Counted { count: 3 });
    assert_eq!(count(NOW + DAY).await, DayOutcome::Counted { count: 1 });
    assert_eq!(of_day(NOW + DAY).await, SmsOfDay { count: 1, is_paused: false });
}

pub(crate) async fn counts_of_a_subject_are_those_of_its_limit(test: TestStore) {
    let store = test.connection();
    let subject = Subject::sms_to_phone(&phone(1));
    let limit = Limit::new(subject.clone(), Bucket::new(5, 3600)).and("idle_at_interval", Bucket::new(1, 60));
    let limit = Limit { in_a_row: Some(10), ..limit };
    assert_eq!(store.counts(&subject, NOW).await.unwrap(), Counts::default());
    for now in [NOW, NOW + 60] {
        assert_eq!(store.count(&limit, now).await.unwrap(), CountOutcome::Counted);
    }
    let expected = Counts {
        idle_at: vec![("idle_at".to_owned(), NOW + 7200), ("idle_at_interval".to_owned(), NOW + 120)],
        in_a_row: 2,
    };
    assert_eq!(store.counts(&subject, NOW + 60).await.unwrap(), expected);
    assert_eq!(store.counts(&Subject::sms_to_phone(&phone(2)), NOW).await.unwrap(), Counts::default());
    assert_eq!(store.counts(&subject, NOW + 60 + 30 * DAY).await.unwrap(), Counts::default(), "they have expired");
}
