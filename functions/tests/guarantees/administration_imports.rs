//! The guarantees of finding, importing and exporting users.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use shared::store::{ImportOutcome, User, UserKey};

use super::*;

/// Returns a user of another service, with values that no sign-up stores.
pub(super) fn foreign(nth: usize) -> User {
    User {
        id: UserId::new(1_000_000 + i64::try_from(nth).unwrap()),
        email: parse(&format!("User{nth}@Example.com")),
        phone: phone(nth),
        name: parse("박 서준"),
        nickname: parse("서준"),
        password_hash: PasswordHash::from_stored("a foreign hash".to_owned()),
        created_at: 1000,
        updated_at: 3000,
        password_reset_at: 2000,
        token_version: 7,
        is_disabled: true,
        claims: claims(&json!({ "role": "editor", "level": 3, "is_staff": true })),
    }
}

/// Returns every attribute of a user.
fn attributes(user: &User) -> Json {
    json!([
        user.id.to_string(),
        user.email.as_str(),
        user.email.normalized(),
        user.phone.e164(),
        user.name.as_str(),
        user.nickname.as_str(),
        user.password_hash.as_str(),
        user.created_at,
        user.updated_at,
        user.password_reset_at,
        user.token_version,
        user.is_disabled,
        user.claims,
    ])
}

pub(super) fn claims(json: &Json) -> Claims {
    Claims::parse(serde_json::from_value(json.clone()).unwrap()).unwrap()
}

pub(super) async fn find(store: &dyn FullStore, id: UserId) -> Option<User> {
    store.user(&UserKey::Id(id)).await.unwrap()
}

pub(super) async fn refresh_with(store: &dyn FullStore, session: Session, claims: &Claims, now: i64) -> RefreshOutcome {
    store.refresh_session(&next(session, now), claims, now).await.unwrap()
}

pub(super) async fn import(store: &dyn FullStore, user: &User) -> ImportOutcome {
    store.import_user(user).await.unwrap()
}

/// Returns all users.
pub(super) async fn export(store: &dyn FullStore) -> Vec<User> {
    let (mut users, mut page) = (Vec::new(), store.users(None).await.unwrap());
    loop {
        users.append(&mut page.users);
        let Some(next) = page.next else { return users };
        page = store.users(Some(&next)).await.unwrap();
    }
}

pub(crate) async fn user_is_found_by_id_email_and_phone(test: TestStore) {
    let store = test.connection();
    let new = signed_up(store, "Minji@example.com", phone(1), NOW).await;
    signed_up(store, "other@example.com", phone(2), NOW).await;
    for key in [UserKey::Id(new.id), UserKey::Email(parse("minji@EXAMPLE.com")), UserKey::Phone(phone(1))] {
        let found = store.user(&key).await.unwrap().unwrap();
        let expected = json!([
            new.id.to_string(),
            "Minji@example.com",
            "minji@example.com",
            phone(1).e164(),
            "Kim Minji",
            "minji",
            "the first hash",
            NOW,
            NOW,
            NOW,
            0,
            false,
            {},
        ]);
        assert_eq!(attributes(&found), expected);
    }
    for key in [UserKey::Id(UserId::new(NOW)), UserKey::Email(parse("no@example.com")), UserKey::Phone(phone(3))] {
        assert!(store.user(&key).await.unwrap().is_none());
    }
}

pub(crate) async fn users_are_listed_once_over_all_pages(test: TestStore) {
    let store = test.connection();
    assert!(export(store).await.is_empty());
    let mut expected = BTreeSet::new();
    // More than a page of either backend.
    for nth in 0..600 {
        let user = foreign(nth);
        assert_eq!(import(store, &user).await, ImportOutcome::Created);
        expected.insert(attributes(&user).to_string());
    }
    assert!(store.users(None).await.unwrap().next.is_some());
    let users = export(store).await;
    assert_eq!(users.len(), 600);
    assert_eq!(users.iter().map(|user| attributes(user).to_string()).collect::<BTreeSet<_>>(), expected);
}

pub(crate) async fn imported_user_is_exported_as_it_was(test: TestStore) {
    let store = test.connection();
    let users = [foreign(1), User { claims: Claims::NONE, is_disabled: false, ..foreign(2) }];
    for user in &users {
        assert_eq!(import(store, user).await, ImportOutcome::Created);
        assert_eq!(attributes(&find(store, user.id).await.unwrap()), attributes(user));
    }
    let mut exported = export(store).await;
    exported.sort_by_key(|user| user.phone.e164().to_owned());
    assert_eq!(exported.iter().map(attributes).collect::<Vec<_>>(), users.iter().map(attributes).collect::<Vec<_>>());
}

pub(crate) async fn imported_user_logs_in_and_refreshes_with_its_claims(test: TestStore) {
    let store = test.connection();
    let user = foreign(1);
    import(store, &user).await;
    assert_eq!(is_taken(store, "user1@example.com", phone(1)).await, (true, true));
    for login in [LoginIdentifier::Email(parse("user1@example.com")), LoginIdentifier::Phone(phone(1))] {
        let found = store.credentials(&login).await.unwrap().unwrap();
        assert_eq!((found.user_id, found.token_version, found.password_reset_at), (user.id, 7, 2000));
        assert_eq!((found.is_disabled, &found.claims), (true, &user.claims));
        assert_eq!(found.password_hash, user.password_hash);
    }
    let session = logged_in_again(store, user.id, NOW).await;
    assert_rejected!(store.profile(&caller(&session), NOW).await, UserDisabled);
    assert!(store.set_disabled(user.id, false, NOW).await.unwrap());
    assert!(!find(store, user.id).await.unwrap().is_disabled);
    assert_eq!(store.profile(&caller(&session), NOW).await.unwrap().name.0, "박 서준");
    let refreshed = RefreshOutcome::Refreshed { claims: user.claims.clone() };
    assert_eq!(refresh_with(store, session, &user.claims, NOW).await, refreshed);
}

pub(crate) async fn repeated_import_changes_nothing(test: TestStore) {
    let store = test.connection();
    let user = foreign(1);
    assert_eq!(import(store, &user).await, ImportOutcome::Created);
    // The user changed since, and another spelling is the same email.
    assert!(store.set_disabled(user.id, false, NOW).await.unwrap());
    let again = User { email: parse("USER1@example.com"), token_version: 0, ..foreign(1) };
    let again = User { id: user.id, ..again };
    assert_eq!(import(store, &again).await, ImportOutcome::AlreadyImported);
    let changed = User { is_disabled: false, updated_at: NOW, ..user };
    assert_eq!(attributes(&find(store, changed.id).await.unwrap()), attributes(&changed));
}

pub(crate) async fn import_of_a_taken_id_email_or_phone_changes_nothing(test: TestStore) {
    let store = test.connection();
    let existing = foreign(1);
    import(store, &existing).await;
    for [is_id, is_email, is_phone] in [
        [true, false, false],
        [false, true, false],
        [false, false, true],
        [true, true, false],
        [true, false, true],
        [false, true, true],
    ] {
        let mut user = foreign(2);
        if is_id {
            user.id = existing.id;
        }
        if is_email {
            user.email = parse("user1@EXAMPLE.com");
        }
        if is_phone {
            user.phone = phone(1);
        }
        // With the id of a user, the other two are that user's own.
        let taken = ImportOutcome::Taken { id: is_id, email: is_email && !is_id, phone: is_phone && !is_id };
        assert_eq!(import(store, &user).await, taken);
        assert_eq!(attributes(&find(store, existing.id).await.unwrap()), attributes(&existing));
        assert_eq!(is_taken(store, "user2@example.com", phone(2)).await, (false, false));
        assert!(is_id || find(store, user.id).await.is_none());
    }
    assert_eq!(export(store).await.len(), 1);
    assert_eq!(import(store, &foreign(2)).await, ImportOutcome::Created, "a rejected import keeps nothing");
}

pub(crate) async fn concurrent_imports_of_one_phone_create_one_user(test: TestStore) {
    let store = test.connection();
    let outcomes = test
        .race(|store, n| {
            let user = User { phone: phone(1), ..foreign(n) };
            async move { store.import_user(&user).await.map(|outcome| (outcome, user)) }
        })
        .await;
    for (outcome, user) in &outcomes {
        let is_created = *outcome == ImportOutcome::Created;
        assert!(is_created || *outcome == ImportOutcome::Taken { id: false, email: false, phone: true }, "{outcome:?}");
        assert_eq!(store.is_email_taken(&user.email).await.unwrap(), is_created, "all items are created, or none");
        assert_eq!(find(store, user.id).await.is_some(), is_created);
    }
    assert_eq!(outcomes.iter().filter(|(outcome, _)| *outcome == ImportOutcome::Created).count(), 1);
    assert_eq!(export(store).await.len(), 1);
}

pub(crate) async fn concurrent_imports_of_one_user_create_it_once(test: TestStore) {
    let id = foreign(1).id;
    let outcomes = test.race(|store, _| async move { store.import_user(&User { id, ..foreign(1) }).await }).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, ImportOutcome::Created | ImportOutcome::AlreadyImported)));
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == ImportOutcome::Created).count(), 1);
}

pub(crate) async fn concurrent_imports_and_sign_ups_with_one_phone_create_one_user(test: TestStore) {
    let store = test.connection();
    let key = verified(store, phone(1), Signup, NOW).await.key;
    let outcomes = test
        .race(|store, n| {
            let (key, new) = (key.clone(), user(&format!("minji{n}@example.com"), phone(1)));
            let foreign = User { phone: phone(1), ..foreign(n) };
            async move {
                if n % 2 == 0 {
                    return Ok(store.import_user(&foreign).await? == ImportOutcome::Created);
                }
                Ok(sign_up(&*store, &new, &key, NOW).await? == SignUpOutcome::Created)
            }
        })
        .await;
    assert_eq!(outcomes.iter().filter(|&&is_created| is_created).count(), 1);
    assert_eq!(export(store).await.len(), 1);
}
