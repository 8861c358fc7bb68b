//! The promises of `Store`, one body for every backend. A backend runs them all with [`promises!`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::future::Future;
use std::sync::Arc;

use shared::config::Config;
use shared::email::Email;
use shared::password::PasswordHash;
use shared::phone::Phone;
use shared::sms_auth::{AuthCode, Purpose, SessionId, SessionKey};
use shared::store::{GRACE_SECONDS, Login, Opened, Refreshed, Session, SignUp, Store, StoreError, Try};
use shared::token::Family;
use shared::user::{NewUser, Profile, UserId};
use shared::value::Value;

/// Far from now, so that no real TTL deletes what a test calls expired.
pub(crate) const NOW: i64 = 4_000_000_000;
const DAY: i64 = 24 * 60 * 60;
/// How many tasks race.
const MANY: usize = 100;

/// One empty store, behind several connections, and the folder that it lives in, if any.
pub(crate) struct Stores {
    pub(crate) connections: Vec<Arc<dyn Store>>,
    pub(crate) _folder: Option<tempfile::TempDir>,
}

impl Stores {
    fn one(&self) -> &dyn Store {
        &*self.connections[0]
    }

    /// Runs `MANY` tasks at once, spread over the connections; a busy store is asked again, as a
    /// client would.
    async fn race<T, F>(&self, task: impl Fn(Arc<dyn Store>, usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let mut results: Vec<Option<T>> = (0..MANY).map(|_| None).collect();
        for _ in 0..50 {
            let tasks: Vec<_> = (0..MANY)
                .filter(|&n| results[n].is_none())
                .map(|n| (n, tokio::spawn(task(self.connections[n % self.connections.len()].clone(), n))))
                .collect();
            for (n, task) in tasks {
                match task.await.unwrap() {
                    Ok(result) => results[n] = Some(result),
                    Err(StoreError::Busy(_)) => {}
                    Err(failed) => panic!("{failed}"),
                }
            }
        }
        results.into_iter().map(|result| result.expect("busy fifty times")).collect()
    }
}

macro_rules! promises {
    ($open:path) => {
        promises! { $open:
            what_signed_up_is_taken,
            a_phone_has_a_cool_down,
            a_phone_has_a_quota_an_hour_and_a_day,
            a_refused_session_is_not_open,
            of_many_sends_at_once_one_is_let_through,
            a_cancelled_session_never_was,
            a_cancelled_session_leaves_the_quota_as_it_was,
            a_session_that_is_not_open_cannot_be_cancelled,
            the_largest_budgets_can_be_kept,
            a_try_is_counted_for_its_session,
            a_session_that_expired_is_not_found_though_it_is_in_the_table,
            of_many_guesses_at_once_five_are_compared,
            a_phone_has_a_budget_that_a_resend_does_not_reset,
            of_many_guesses_at_once_in_many_sessions_the_phone_s_budget_holds,
            a_try_for_another_phone_counts_on_the_session_alone,
            a_try_that_verified_was_not_a_failed_one,
            a_session_is_verified_for_a_while,
            a_session_that_is_gone_is_not_verified,
            a_sign_up_makes_all_of_a_user_and_consumes_the_session,
            a_sign_up_needs_a_session_for_this,
            a_sign_up_with_what_is_taken_changes_nothing,
            of_many_sign_ups_at_once_with_one_session_one_wins,
            of_many_sign_ups_at_once_with_one_email_one_wins,
            a_reset_replaces_the_hash_and_consumes_the_session,
            a_reset_needs_a_session_for_this_and_a_user,
            of_many_resets_at_once_with_one_session_one_wins,
            a_family_moves_on_one_generation_at_a_time,
            the_predecessor_is_taken_again_within_the_grace,
            a_token_that_was_used_before_ends_the_family,
            of_many_refreshes_at_once_with_one_token_all_get_the_one_next_generation,
            of_many_refreshes_at_once_with_a_used_token_none_is_let_through,
            a_family_that_expired_is_ended_though_it_is_in_the_table,
            a_family_is_ended_alone_and_for_ever,
            all_families_are_ended_once_for_each_epoch,
            a_reset_ends_all_families_and_is_of_a_new_epoch,
            a_family_of_nobody_is_ended,
            of_a_refresh_and_a_reset_at_once_the_reset_wins,
        }
    };
    ($open:path: $($promise:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $promise() {
                crate::contract::$promise($open().await).await;
            }
        )*
    };
}
pub(crate) use promises;

pub(crate) fn value<T: Value>(text: &str) -> T {
    T::parse(text, &Config::default()).unwrap_or_else(|invalid| panic!("{text} {}", invalid.0))
}

pub(crate) fn phone(n: usize) -> Phone {
    value(&format!("010{}", 20_000_000 + n))
}

pub(crate) struct Draft {
    id: SessionId,
    code: AuthCode,
    pub(crate) session: Session,
}

pub(crate) fn draft(phone: Phone, purpose: Option<Purpose>, now: i64) -> Draft {
    let (id, code) = (SessionId::generate(), AuthCode::generate());
    let session =
        Session { key: id.key(), code_hash: id.code_hash(&phone, purpose, &code), phone, purpose, sent_at: now };
    Draft { id, code, session }
}

async fn opened(store: &dyn Store, phone: Phone, purpose: Option<Purpose>, now: i64) -> Draft {
    let draft = draft(phone, purpose, now);
    assert_eq!(store.open_session(&draft.session, &Config::default(), now).await.unwrap(), Opened::Yes);
    draft
}

pub(crate) async fn verified(store: &dyn Store, phone: Phone, purpose: Option<Purpose>, now: i64) -> Draft {
    let (draft, config) = (opened(store, phone, purpose, now).await, Config::default());
    let counted = store.count_try(&draft.session.key, &draft.session.phone, &config, now).await.unwrap();
    assert!(matches!(counted, Try::Counted { .. }));
    assert!(store.mark_verified(&draft.session.key, &draft.session.phone, &config, now).await.unwrap());
    draft
}

pub(crate) fn user(email: &str, phone: Phone) -> NewUser {
    NewUser {
        id: UserId::generate(NOW * 1000),
        name: value("Kim Minji"),
        nickname: value("minji"),
        email: value(email),
        phone,
        password_hash: PasswordHash::stored("the first hash".to_owned()),
    }
}

async fn signed_up(store: &dyn Store, email: &str, phone: Phone, now: i64) -> NewUser {
    let draft = verified(store, phone.clone(), None, now).await;
    let user = user(email, phone);
    assert_eq!(sign_up(store, &user, &draft.session.key, now).await.unwrap(), SignUp::Done);
    user
}

/// Signs up, with a family that began now.
pub(crate) async fn sign_up(
    store: &dyn Store,
    user: &NewUser,
    key: &SessionKey,
    now: i64,
) -> Result<SignUp, StoreError> {
    store.sign_up(user, &family(user.id, now), key, now).await
}

fn family(user: UserId, now: i64) -> Family {
    Family::start(user, 0, &Config::default(), now)
}

/// A user, and a family of theirs.
pub(crate) async fn logged_in(store: &dyn Store) -> Family {
    let draft = verified(store, phone(1), None, NOW).await;
    let user = user("minji@example.com", phone(1));
    let family = family(user.id, NOW);
    assert_eq!(store.sign_up(&user, &family, &draft.session.key, NOW).await.unwrap(), SignUp::Done);
    family
}

/// Another login of the same user.
async fn logged_in_again(store: &dyn Store, user: UserId, now: i64) -> Family {
    let epoch = store.profile(user).await.unwrap().unwrap().epoch;
    let family = Family::start(user, epoch, &Config::default(), now);
    store.start_family(&family).await.unwrap();
    family
}

/// What the next generation's tokens would say.
pub(crate) fn next(family: Family, now: i64) -> Family {
    family.next(&Config::default(), now)
}

pub(crate) async fn refresh(store: &dyn Store, family: Family, now: i64) -> Refreshed {
    store.refresh(&next(family, now), now).await.unwrap()
}

async fn hash_of(store: &dyn Store, phone: &Phone) -> String {
    let credentials = store.credentials(&Login::Phone(phone.clone())).await.unwrap().unwrap();
    credentials.password_hash.as_str().to_owned()
}

async fn too_soon(store: &dyn Store, phone: Phone, now: i64) -> i64 {
    match store.open_session(&draft(phone, None, now).session, &Config::default(), now).await.unwrap() {
        Opened::TooSoon { retry_after } => retry_after,
        Opened::Yes => panic!("was let through"),
    }
}

pub(crate) async fn what_signed_up_is_taken(stores: Stores) {
    let store = stores.one();
    let email: Email = value("minji@example.com");
    assert!(!store.email_taken(&email).await.unwrap() && !store.phone_taken(&phone(1)).await.unwrap());
    signed_up(store, "Minji@Example.com", phone(1), NOW).await;
    assert!(store.email_taken(&email).await.unwrap() && store.phone_taken(&phone(1)).await.unwrap());
    assert!(
        !store.email_taken(&value("other@example.com")).await.unwrap() && !store.phone_taken(&phone(2)).await.unwrap()
    );
}

pub(crate) async fn a_phone_has_a_cool_down(stores: Stores) {
    let store = stores.one();
    opened(store, phone(1), None, NOW).await;
    assert_eq!(too_soon(store, phone(1), NOW).await, 60);
    assert_eq!(too_soon(store, phone(1), NOW + 59).await, 1);
    opened(store, phone(2), None, NOW).await;
    opened(store, phone(1), None, NOW + 60).await;
    assert_eq!(too_soon(store, phone(1), NOW + 61).await, 59);
}

pub(crate) async fn a_phone_has_a_quota_an_hour_and_a_day(stores: Stores) {
    let store = stores.one();
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 60 * n).await;
    }
    assert_eq!(too_soon(store, phone(1), NOW + 600).await, 3000);
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 3600 + 60 * n).await;
    }
    assert_eq!(too_soon(store, phone(1), NOW + 7400).await, DAY - 7400);
    assert_eq!(too_soon(store, phone(1), NOW + DAY - 1).await, 1);
    opened(store, phone(1), None, NOW + DAY).await;
    assert_eq!(too_soon(store, phone(1), NOW + DAY + 1).await, 59, "the cool-down, of two windows the longer");
    opened(store, phone(1), None, NOW + DAY + 60).await;
}

pub(crate) async fn a_refused_session_is_not_open(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    opened(store, phone(1), None, NOW).await;
    let refused = draft(phone(1), None, NOW);
    assert_ne!(store.open_session(&refused.session, &config, NOW).await.unwrap(), Opened::Yes);
    assert_eq!(store.count_try(&refused.session.key, &phone(1), &config, NOW).await.unwrap(), Try::NotFound);
}

pub(crate) async fn of_many_sends_at_once_one_is_let_through(stores: Stores) {
    let outcomes = stores
        .race(|store, _| async move {
            store.open_session(&draft(phone(1), None, NOW).session, &Config::default(), NOW).await
        })
        .await;
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == Opened::Yes).count(), 1);
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == Opened::TooSoon { retry_after: 60 }).count(), MANY - 1);
}

pub(crate) async fn a_cancelled_session_never_was(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    for _ in 0..20 {
        let draft = opened(store, phone(1), None, NOW).await;
        store.cancel_session(&draft.session, &config).await.unwrap();
        assert_eq!(store.count_try(&draft.session.key, &phone(1), &config, NOW).await.unwrap(), Try::NotFound);
    }
    opened(store, phone(1), None, NOW).await;
}

pub(crate) async fn a_cancelled_session_leaves_the_quota_as_it_was(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    for n in 0..4 {
        opened(store, phone(1), None, NOW + 60 * n).await;
    }
    for n in 0..5 {
        opened(store, phone(1), None, NOW + 3600 + 60 * n).await;
    }
    // The tenth of the day, when ten times are remembered.
    let tenth = opened(store, phone(1), None, NOW + 8000).await;
    store.cancel_session(&tenth.session, &config).await.unwrap();
    opened(store, phone(1), None, NOW + 8000).await;
    assert_eq!(too_soon(store, phone(1), NOW + 12_000).await, DAY - 12_000);
}

pub(crate) async fn a_session_that_is_not_open_cannot_be_cancelled(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    store.cancel_session(&draft(phone(1), None, NOW).session, &config).await.unwrap();
    let first = opened(store, phone(1), None, NOW).await;
    store.cancel_session(&draft(phone(1), None, NOW).session, &config).await.unwrap();
    assert_eq!(too_soon(store, phone(1), NOW).await, 60, "the send still counts");
    store.cancel_session(&first.session, &config).await.unwrap();
    store.cancel_session(&first.session, &config).await.unwrap();
    opened(store, phone(1), None, NOW).await;
}

pub(crate) async fn the_largest_budgets_can_be_kept(stores: Stores) {
    let store = stores.one();
    let largest = Config {
        seconds_between_sends: 1,
        sends_per_phone_per_hour: 50,
        sends_per_phone_per_day: 50,
        failed_tries_per_phone_per_day: 50,
        tries_per_session: 10,
        ..Config::default()
    };
    for n in 0..50 {
        let session = draft(phone(1), None, NOW + n).session;
        assert_eq!(store.open_session(&session, &largest, NOW + n).await.unwrap(), Opened::Yes);
        let counted = store.count_try(&session.key, &phone(1), &largest, NOW + n).await.unwrap();
        assert!(matches!(counted, Try::Counted { .. }));
    }
    let session = draft(phone(1), None, NOW + 50).session;
    let refused = store.open_session(&session, &largest, NOW + 50).await.unwrap();
    assert_eq!(refused, Opened::TooSoon { retry_after: DAY - 50 });
}

pub(crate) async fn a_try_is_counted_for_its_session(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    for (n, purpose) in [None, Some(Purpose::Signup), Some(Purpose::PasswordReset)].into_iter().enumerate() {
        let draft = opened(store, phone(n), purpose, NOW).await;
        match store.count_try(&draft.session.key, &phone(n), &config, NOW + 299).await.unwrap() {
            Try::Counted { purpose: stored, code_hash } => {
                assert_eq!(stored, purpose);
                assert!(draft.id.code_matches(&phone(n), stored, &draft.code, &code_hash));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(store.count_try(&draft.session.key, &phone(n), &config, NOW + 300).await.unwrap(), Try::TooOld);
    }
    assert_eq!(store.count_try(&SessionId::generate().key(), &phone(1), &config, NOW).await.unwrap(), Try::NotFound);
}

pub(crate) async fn a_session_that_expired_is_not_found_though_it_is_in_the_table(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    let draft = opened(store, phone(1), None, NOW).await;
    let gone = draft.session.expires_at(&config);
    assert_eq!(store.count_try(&draft.session.key, &phone(1), &config, gone - 1).await.unwrap(), Try::TooOld);
    assert_eq!(store.count_try(&draft.session.key, &phone(1), &config, gone).await.unwrap(), Try::NotFound);
    assert!(!store.mark_verified(&draft.session.key, &phone(1), &config, gone).await.unwrap());

    let draft = verified(store, phone(2), None, NOW).await;
    let gone = NOW + config.verified_seconds;
    assert_eq!(
        sign_up(store, &user("minji@example.com", phone(2)), &draft.session.key, gone).await.unwrap(),
        SignUp::NotVerified
    );
    assert_eq!(
        sign_up(store, &user("minji@example.com", phone(2)), &draft.session.key, gone - 1).await.unwrap(),
        SignUp::Done
    );
}

pub(crate) async fn of_many_guesses_at_once_five_are_compared(stores: Stores) {
    let key = opened(stores.one(), phone(1), None, NOW).await.session.key;
    let tries = stores
        .race(|store, _| {
            let key = key.clone();
            async move { store.count_try(&key, &phone(1), &Config::default(), NOW + 1).await }
        })
        .await;
    assert_eq!(tries.iter().filter(|outcome| matches!(outcome, Try::Counted { .. })).count(), 5);
    assert_eq!(tries.iter().filter(|outcome| matches!(outcome, Try::Spent { retry_after: 599 })).count(), MANY - 5);
}

pub(crate) async fn a_phone_has_a_budget_that_a_resend_does_not_reset(stores: Stores) {
    let (store, config) = (stores.one(), Config { failed_tries_per_phone_per_day: 7, ..Config::default() });
    let count = async |draft: &Draft, now| store.count_try(&draft.session.key, &phone(1), &config, now).await.unwrap();
    let first = opened(store, phone(1), None, NOW).await;
    for n in 0..5 {
        assert!(matches!(count(&first, NOW + n).await, Try::Counted { .. }));
    }
    let second = opened(store, phone(1), None, NOW + 60).await;
    for _ in 0..2 {
        assert!(matches!(count(&second, NOW + 60).await, Try::Counted { .. }));
    }
    assert_eq!(count(&second, NOW + 61).await, Try::Spent { retry_after: DAY - 61 });
    let third = opened(store, phone(1), None, NOW + DAY).await;
    assert!(matches!(count(&third, NOW + DAY).await, Try::Counted { .. }), "the first is out of the window");
    assert_eq!(count(&third, NOW + DAY).await, Try::Spent { retry_after: 1 }, "the second is not");
}

pub(crate) async fn of_many_guesses_at_once_in_many_sessions_the_phone_s_budget_holds(stores: Stores) {
    let mut keys = Vec::new();
    for n in 0..5 {
        keys.push(opened(stores.one(), phone(1), None, NOW + 60 * n).await.session.key);
    }
    let tries = stores
        .race(|store, n| {
            let key = keys[n % keys.len()].clone();
            async move { store.count_try(&key, &phone(1), &Config::default(), NOW + 250).await }
        })
        .await;
    assert_eq!(tries.iter().filter(|outcome| matches!(outcome, Try::Counted { .. })).count(), 20);
    assert_eq!(tries.iter().filter(|outcome| matches!(outcome, Try::Spent { .. })).count(), MANY - 20);
}

pub(crate) async fn a_try_for_another_phone_counts_on_the_session_alone(stores: Stores) {
    let (store, config) = (stores.one(), Config { failed_tries_per_phone_per_day: 1, ..Config::default() });
    let (mine, other) = (opened(store, phone(1), None, NOW).await, opened(store, phone(2), None, NOW).await);
    for _ in 0..5 {
        assert_eq!(store.count_try(&mine.session.key, &phone(2), &config, NOW).await.unwrap(), Try::WrongPhone);
    }
    assert_eq!(
        store.count_try(&mine.session.key, &phone(1), &config, NOW).await.unwrap(),
        Try::Spent { retry_after: 600 }
    );
    assert!(matches!(store.count_try(&other.session.key, &phone(2), &config, NOW).await.unwrap(), Try::Counted { .. }));
}

pub(crate) async fn a_try_that_verified_was_not_a_failed_one(stores: Stores) {
    let (store, config) = (stores.one(), Config { failed_tries_per_phone_per_day: 1, ..Config::default() });
    for n in 0..3 {
        let (draft, now) = (opened(store, phone(1), None, NOW + 60 * n).await, NOW + 60 * n);
        assert!(matches!(
            store.count_try(&draft.session.key, &phone(1), &config, now).await.unwrap(),
            Try::Counted { .. }
        ));
        assert!(store.mark_verified(&draft.session.key, &phone(1), &config, now).await.unwrap());
    }
}

pub(crate) async fn a_session_is_verified_for_a_while(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    let draft = opened(store, phone(1), Some(Purpose::Signup), NOW).await;
    assert_eq!(store.verified_session(&draft.session.key, NOW).await.unwrap(), None);
    assert!(store.mark_verified(&draft.session.key, &phone(1), &config, NOW + 299).await.unwrap());
    let session = store.verified_session(&draft.session.key, NOW + 898).await.unwrap().unwrap();
    assert_eq!((session.phone, session.purpose), (phone(1), Some(Purpose::Signup)));
    assert_eq!(store.verified_session(&draft.session.key, NOW + 899).await.unwrap(), None);
}

pub(crate) async fn a_session_that_is_gone_is_not_verified(stores: Stores) {
    let (store, config) = (stores.one(), Config::default());
    let unknown = SessionId::generate().key();
    assert!(!store.mark_verified(&unknown, &phone(1), &config, NOW).await.unwrap());
    assert_eq!(store.verified_session(&unknown, NOW).await.unwrap(), None);
}

pub(crate) async fn a_sign_up_makes_all_of_a_user_and_consumes_the_session(stores: Stores) {
    let store = stores.one();
    let draft = verified(store, phone(1), Some(Purpose::Signup), NOW).await;
    let new = user("Minji@example.com", phone(1));
    assert_eq!(sign_up(store, &new, &draft.session.key, NOW).await.unwrap(), SignUp::Done);
    assert_eq!(store.verified_session(&draft.session.key, NOW).await.unwrap(), None);

    let profile = Profile {
        name: "Kim Minji".to_owned(),
        email: "Minji@example.com".to_owned(),
        phone: phone(1).e164().to_owned(),
        nickname: "minji".to_owned(),
        epoch: 0,
    };
    assert!(store.profile(new.id).await.unwrap() == Some(profile));
    for login in [Login::Email(value("minji@EXAMPLE.com")), Login::Phone(phone(1))] {
        let credentials = store.credentials(&login).await.unwrap().unwrap();
        assert!(
            credentials.user_id == new.id && credentials.password_hash == new.password_hash && credentials.epoch == 0
        );
    }
    let account = store.account(&phone(1)).await.unwrap().unwrap();
    assert_eq!(
        (account.user_id, account.email.as_str(), account.name.as_str()),
        (new.id, "Minji@example.com", "Kim Minji")
    );

    assert!(store.profile(UserId::generate(NOW)).await.unwrap().is_none());
    assert!(store.credentials(&Login::Email(value("other@example.com"))).await.unwrap().is_none());
    assert!(store.account(&phone(2)).await.unwrap().is_none());
}

pub(crate) async fn a_sign_up_needs_a_session_for_this(stores: Stores) {
    let store = stores.one();
    let new = user("minji@example.com", phone(1));
    let unverified = opened(store, phone(1), None, NOW).await;
    let other_phone = verified(store, phone(2), None, NOW).await;
    let other_purpose = verified(store, phone(1), Some(Purpose::PasswordReset), NOW + 60).await;
    for key in [SessionId::generate().key(), unverified.session.key, other_phone.session.key, other_purpose.session.key]
    {
        assert_eq!(sign_up(store, &new, &key, NOW + 60).await.unwrap(), SignUp::NotVerified);
    }
    assert!(!store.email_taken(&new.email).await.unwrap() && !store.phone_taken(&new.phone).await.unwrap());
    assert!(store.profile(new.id).await.unwrap().is_none());
    // Nor does it start a family: of a user who comes to be later, none of it is there.
    let family = family(new.id, NOW + 60);
    let none = store.sign_up(&new, &family, &SessionId::generate().key(), NOW + 60).await.unwrap();
    assert_eq!(none, SignUp::NotVerified);
    let good = verified(store, phone(1), None, NOW + 120).await;
    assert_eq!(sign_up(store, &new, &good.session.key, NOW + 120).await.unwrap(), SignUp::Done);
    assert_eq!(refresh(store, family, NOW + 120).await, Refreshed::Ended);
}

pub(crate) async fn a_sign_up_with_what_is_taken_changes_nothing(stores: Stores) {
    let store = stores.one();
    signed_up(store, "minji@example.com", phone(1), NOW).await;
    let draft = verified(store, phone(2), None, NOW).await;
    let taken = user("MINJI@example.com", phone(2));
    assert_eq!(
        sign_up(store, &taken, &draft.session.key, NOW).await.unwrap(),
        SignUp::Taken { email: true, phone: false }
    );
    assert!(!store.phone_taken(&phone(2)).await.unwrap());
    assert!(store.profile(taken.id).await.unwrap().is_none());
    let other = user("other@example.com", phone(2));
    assert_eq!(
        sign_up(store, &other, &draft.session.key, NOW).await.unwrap(),
        SignUp::Done,
        "the session was still usable"
    );

    let draft = verified(store, phone(1), None, NOW + 60).await;
    let outcome = sign_up(store, &user("new@example.com", phone(1)), &draft.session.key, NOW + 60).await.unwrap();
    assert_eq!(outcome, SignUp::Taken { email: false, phone: true });
    assert!(!store.email_taken(&value("new@example.com")).await.unwrap());
    let outcome = sign_up(store, &user("other@example.com", phone(1)), &draft.session.key, NOW + 60).await.unwrap();
    assert_eq!(outcome, SignUp::Taken { email: true, phone: true });
    // A session that is not verified learns nothing of who is taken.
    let outcome =
        sign_up(store, &user("minji@example.com", phone(1)), &SessionId::generate().key(), NOW + 60).await.unwrap();
    assert_eq!(outcome, SignUp::NotVerified);
}

pub(crate) async fn of_many_sign_ups_at_once_with_one_session_one_wins(stores: Stores) {
    let key = verified(stores.one(), phone(1), None, NOW).await.session.key;
    let outcomes = stores
        .race(|store, n| {
            let (key, new) = (key.clone(), user(&format!("minji{n}@example.com"), phone(1)));
            async move { sign_up(&*store, &new, &key, NOW).await.map(|outcome| (outcome, new)) }
        })
        .await;
    for (outcome, new) in &outcomes {
        let (is_taken, exists) = (
            stores.one().email_taken(&new.email).await.unwrap(),
            stores.one().profile(new.id).await.unwrap().is_some(),
        );
        let won = *outcome == SignUp::Done;
        assert!(won || *outcome == SignUp::NotVerified, "{outcome:?}");
        assert!(is_taken == won && exists == won, "all or nothing");
    }
    assert_eq!(outcomes.iter().filter(|(outcome, _)| *outcome == SignUp::Done).count(), 1);
}

pub(crate) async fn of_many_sign_ups_at_once_with_one_email_one_wins(stores: Stores) {
    let mut keys = Vec::new();
    for n in 0..MANY {
        keys.push(verified(stores.one(), phone(n), None, NOW).await.session.key);
    }
    let outcomes = stores
        .race(|store, n| {
            let key = keys[n].clone();
            async move { sign_up(&*store, &user("minji@example.com", phone(n)), &key, NOW).await }
        })
        .await;
    for (n, outcome) in outcomes.iter().enumerate() {
        let won = *outcome == SignUp::Done;
        assert!(won || *outcome == SignUp::Taken { email: true, phone: false }, "{outcome:?}");
        assert_eq!(stores.one().phone_taken(&phone(n)).await.unwrap(), won);
        assert_eq!(
            stores.one().verified_session(&keys[n], NOW).await.unwrap().is_none(),
            won,
            "a 409 leaves the session usable"
        );
    }
    assert_eq!(outcomes.iter().filter(|&&outcome| outcome == SignUp::Done).count(), 1);
}

pub(crate) async fn a_reset_replaces_the_hash_and_consumes_the_session(stores: Stores) {
    let store = stores.one();
    let user = signed_up(store, "minji@example.com", phone(1), NOW).await;
    let draft = verified(store, phone(1), Some(Purpose::PasswordReset), NOW + 60).await;
    let new = PasswordHash::stored("the second hash".to_owned());
    assert!(store.reset_password(user.id, &new, &phone(1), &draft.session.key, NOW + 60).await.unwrap());
    assert_eq!(hash_of(store, &phone(1)).await, "the second hash");
    assert!(store.profile(user.id).await.unwrap().is_some());
    assert!(
        !store.reset_password(user.id, &user.password_hash, &phone(1), &draft.session.key, NOW + 60).await.unwrap()
    );
    assert_eq!(hash_of(store, &phone(1)).await, "the second hash");
}

pub(crate) async fn a_reset_needs_a_session_for_this_and_a_user(stores: Stores) {
    let store = stores.one();
    let user = signed_up(store, "minji@example.com", phone(1), NOW).await;
    let new = PasswordHash::stored("the second hash".to_owned());
    let unverified = opened(store, phone(1), None, NOW + 60).await;
    let other_phone = verified(store, phone(2), None, NOW).await;
    let other_purpose = verified(store, phone(1), Some(Purpose::Signup), NOW + 120).await;
    let now = NOW + 120;
    for key in
        [&SessionId::generate().key(), &unverified.session.key, &other_phone.session.key, &other_purpose.session.key]
    {
        assert!(!store.reset_password(user.id, &new, &phone(1), key, now).await.unwrap());
    }
    assert_eq!(hash_of(store, &phone(1)).await, "the first hash");
    let nobody = UserId::generate(NOW);
    assert!(!store.reset_password(nobody, &new, &phone(2), &other_phone.session.key, now).await.unwrap());
    assert!(store.verified_session(&other_phone.session.key, now).await.unwrap().is_some(), "not consumed for nobody");
    assert!(store.profile(nobody).await.unwrap().is_none());
}

pub(crate) async fn of_many_resets_at_once_with_one_session_one_wins(stores: Stores) {
    let id = signed_up(stores.one(), "minji@example.com", phone(1), NOW).await.id;
    let key = verified(stores.one(), phone(1), None, NOW + 60).await.session.key;
    let outcomes = stores
        .race(|store, n| {
            let (key, hash) = (key.clone(), PasswordHash::stored(format!("hash {n}")));
            async move { store.reset_password(id, &hash, &phone(1), &key, NOW + 60).await }
        })
        .await;
    let winners: Vec<usize> = (0..MANY).filter(|&n| outcomes[n]).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(hash_of(stores.one(), &phone(1)).await, format!("hash {}", winners[0]));
}

pub(crate) async fn a_family_moves_on_one_generation_at_a_time(stores: Stores) {
    let store = stores.one();
    let mut family = logged_in(store).await;
    for day in 1..=5 {
        assert_eq!(refresh(store, family, NOW + day * DAY).await, Refreshed::Yes);
        family = next(family, NOW + day * DAY);
    }
    assert_eq!(refresh(store, next(family, NOW + 6 * DAY), NOW + 6 * DAY).await, Refreshed::Reused, "a leap");
}

pub(crate) async fn the_predecessor_is_taken_again_within_the_grace(stores: Stores) {
    let store = stores.one();
    let first = logged_in(store).await;
    assert_eq!(refresh(store, first, NOW + 100).await, Refreshed::Yes);
    for now in [NOW + 100, NOW + 101, NOW + 100 + GRACE_SECONDS] {
        assert_eq!(refresh(store, first, now).await, Refreshed::Yes);
    }
    // It stays where it is: the next one is still to come, and the grace did not begin anew.
    let second = next(first, NOW + 100);
    assert_eq!(refresh(store, second, NOW + 131).await, Refreshed::Yes);
    assert_eq!(refresh(store, second, NOW + 131).await, Refreshed::Yes);
    assert_eq!(refresh(store, first, NOW + 131).await, Refreshed::Reused, "the predecessor's predecessor");
}

pub(crate) async fn a_token_that_was_used_before_ends_the_family(stores: Stores) {
    let store = stores.one();
    let first = logged_in(store).await;
    let other = logged_in_again(store, first.user, NOW).await;
    assert_eq!(refresh(store, first, NOW + 100).await, Refreshed::Yes);
    let second = next(first, NOW + 100);
    assert_eq!(refresh(store, first, NOW + 101 + GRACE_SECONDS).await, Refreshed::Reused);
    for ended in [first, second] {
        assert_eq!(refresh(store, ended, NOW + 101 + GRACE_SECONDS).await, Refreshed::Ended);
    }
    assert_eq!(refresh(store, other, NOW + 101 + GRACE_SECONDS).await, Refreshed::Yes);
}

pub(crate) async fn of_many_refreshes_at_once_with_one_token_all_get_the_one_next_generation(stores: Stores) {
    let first = logged_in(stores.one()).await;
    let second = next(first, NOW + 100);
    let outcomes = stores.race(|store, _| async move { store.refresh(&second, NOW + 100).await }).await;
    assert!(outcomes.iter().all(|&outcome| outcome == Refreshed::Yes));
    // One new generation: the next one is the third.
    assert_eq!(refresh(stores.one(), second, NOW + 200).await, Refreshed::Yes);
    assert_eq!(refresh(stores.one(), first, NOW + 200).await, Refreshed::Reused);
}

pub(crate) async fn of_many_refreshes_at_once_with_a_used_token_none_is_let_through(stores: Stores) {
    let first = logged_in(stores.one()).await;
    assert_eq!(refresh(stores.one(), first, NOW).await, Refreshed::Yes);
    let late = NOW + GRACE_SECONDS + 1;
    let outcomes = stores.race(|store, _| async move { store.refresh(&next(first, late), late).await }).await;
    assert!(outcomes.iter().all(|&outcome| outcome != Refreshed::Yes));
    assert!(outcomes.contains(&Refreshed::Reused));
    assert_eq!(refresh(stores.one(), next(first, NOW), late).await, Refreshed::Ended);
}

pub(crate) async fn a_family_that_expired_is_ended_though_it_is_in_the_table(stores: Stores) {
    let store = stores.one();
    let first = logged_in(store).await;
    let other = logged_in_again(store, first.user, NOW).await;
    let third = logged_in_again(store, first.user, NOW).await;
    assert_eq!(refresh(store, first, first.expires_at).await, Refreshed::Ended);
    assert_eq!(refresh(store, other, other.expires_at - 1).await, Refreshed::Yes, "it lives on");
    let second = next(other, other.expires_at - 1);
    assert!(second.expires_at > other.expires_at);
    assert_eq!(refresh(store, second, second.expires_at).await, Refreshed::Ended);
    // Nor is the predecessor taken in the grace of a family that has expired.
    let short = Family { expires_at: NOW + 110, ..next(third, NOW + 100) };
    assert_eq!(store.refresh(&short, NOW + 100).await.unwrap(), Refreshed::Yes);
    assert_eq!(store.refresh(&short, NOW + 109).await.unwrap(), Refreshed::Yes);
    assert_eq!(store.refresh(&short, NOW + 110).await.unwrap(), Refreshed::Ended);
}

pub(crate) async fn a_family_is_ended_alone_and_for_ever(stores: Stores) {
    let store = stores.one();
    let family = logged_in(store).await;
    let other = logged_in_again(store, family.user, NOW).await;
    for _ in 0..2 {
        store.end_family(&family).await.unwrap();
        assert_eq!(refresh(store, family, NOW).await, Refreshed::Ended);
    }
    assert_eq!(refresh(store, other, NOW).await, Refreshed::Yes);
    assert_eq!(store.profile(family.user).await.unwrap().unwrap().epoch, 0);
}

pub(crate) async fn all_families_are_ended_once_for_each_epoch(stores: Stores) {
    let store = stores.one();
    let mut family = logged_in(store).await;
    for epoch in 1..=3 {
        let other = logged_in_again(store, family.user, NOW).await;
        for ended in [family, other] {
            store.end_all_families(&ended).await.unwrap();
            assert_eq!(store.profile(family.user).await.unwrap().unwrap().epoch, epoch);
        }
        let credentials = store.credentials(&Login::Phone(phone(1))).await.unwrap().unwrap();
        assert_eq!(credentials.epoch, epoch);
        for ended in [family, other] {
            assert_eq!(refresh(store, ended, NOW).await, Refreshed::Ended);
        }
        family = logged_in_again(store, family.user, NOW).await;
        assert_eq!(refresh(store, family, NOW).await, Refreshed::Yes);
    }
}

pub(crate) async fn a_reset_ends_all_families_and_is_of_a_new_epoch(stores: Stores) {
    let store = stores.one();
    let family = logged_in(store).await;
    let other = logged_in_again(store, family.user, NOW).await;
    for round in 1..=2 {
        let now = NOW + 60 * i64::from(round);
        let draft = verified(store, phone(1), None, now).await;
        let new = PasswordHash::stored(format!("hash {round}"));
        assert!(store.reset_password(family.user, &new, &phone(1), &draft.session.key, now).await.unwrap());
        assert_eq!(store.profile(family.user).await.unwrap().unwrap().epoch, round);
        // With a session that is consumed, it is no new epoch.
        assert!(!store.reset_password(family.user, &new, &phone(1), &draft.session.key, now).await.unwrap());
        assert_eq!(store.profile(family.user).await.unwrap().unwrap().epoch, round);
    }
    for ended in [family, other] {
        assert_eq!(refresh(store, ended, NOW + 120).await, Refreshed::Ended);
    }
    // Who read the credentials before the reset, and logs in after it, is not logged in.
    let late = Family::start(family.user, 1, &Config::default(), NOW + 120);
    store.start_family(&late).await.unwrap();
    assert_eq!(refresh(store, late, NOW + 120).await, Refreshed::Ended);
    let new = logged_in_again(store, family.user, NOW + 120).await;
    assert_eq!(refresh(store, new, NOW + 120).await, Refreshed::Yes);
}

pub(crate) async fn a_family_of_nobody_is_ended(stores: Stores) {
    let store = stores.one();
    let nobodys = family(UserId::generate(NOW), NOW);
    store.start_family(&nobodys).await.unwrap();
    assert_eq!(refresh(store, nobodys, NOW).await, Refreshed::Ended);
    store.end_all_families(&nobodys).await.unwrap();
    assert!(store.profile(nobodys.user).await.unwrap().is_none());
    let of_user = logged_in(store).await;
    let unknown = family(of_user.user, NOW);
    assert_eq!(refresh(store, unknown, NOW).await, Refreshed::Ended);
    store.end_family(&unknown).await.unwrap();
}

pub(crate) async fn of_a_refresh_and_a_reset_at_once_the_reset_wins(stores: Stores) {
    let first = logged_in(stores.one()).await;
    let key = verified(stores.one(), phone(1), None, NOW + 60).await.session.key;
    let resets = stores
        .race(|store, n| {
            let (key, hash) = (key.clone(), PasswordHash::stored("the second hash".to_owned()));
            async move {
                if n == MANY / 2 {
                    store.reset_password(first.user, &hash, &phone(1), &key, NOW + 60).await
                } else {
                    store.refresh(&next(first, NOW + 60), NOW + 60).await.map(|_| false)
                }
            }
        })
        .await;
    assert_eq!(resets.iter().filter(|&&was_reset| was_reset).count(), 1);
    for family in [first, next(first, NOW + 60)] {
        assert_eq!(refresh(stores.one(), family, NOW + 60).await, Refreshed::Ended);
    }
}
