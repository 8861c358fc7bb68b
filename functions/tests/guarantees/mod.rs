//! The guarantees of the store, one file for each resource. A backend tests them all with [`guarantees!`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]

pub(crate) mod accounts;
pub(crate) mod limits;
pub(crate) mod sessions;
pub(crate) mod sms_sessions;
pub(crate) mod users;

use std::future::Future;
use std::sync::Arc;

use shared::config::Config;
use shared::store::{
    AttemptOutcome, Caller, CallerError, LoginIdentifier, NewUser, RefreshOutcome, Session, SessionLifetime,
    SignUpOutcome, SmsSession, Store, StoreError, VerificationOutcome,
};
use shared::values::Purpose::{Login, PasswordReset, Signup};
use shared::values::{
    AuthCode, CodeLength, Email, Field, PasswordHash, Phone, Purpose, Region, SmsSessionId, SmsSessionKey, SourceIp,
    UserAgent, UserId,
};

/// A time in the far future, so that the TTL of a database deletes nothing that a test has let expire.
pub(crate) const NOW: i64 = 4_000_000_000;
const DAY: i64 = 24 * 60 * 60;
/// The number of concurrent calls in a race.
const CALLS: usize = 100;

/// Tests every guarantee on the stores that `$open` creates.
macro_rules! guarantees {
    ($open:path) => {
        guarantees! { $open:
            sms_sessions {
                cancelled_sms_session_is_not_found,
                recorded_attempt_returns_the_purpose_and_mac_of_its_session,
                expired_sms_session_is_not_found_before_it_is_deleted,
                concurrent_guesses_are_limited_to_five,
                attempts_count_on_their_session_only,
                sms_session_is_verified_until_it_expires,
                concurrent_verifications_mark_the_session_once,
                sms_session_of_a_known_device_has_no_address,
                unknown_sms_session_is_not_verified,
                sign_up_attempts_require_a_session_verified_for_the_phone_and_for_sign_up,
                concurrent_sign_up_attempts_are_limited_to_five,
            }
            limits {
                bucket_allows_its_burst_and_then_one_event_each_interval,
                concurrent_events_never_exceed_a_bucket,
                event_counts_in_all_buckets_of_its_subject_or_in_none,
                bucket_can_be_added_to_a_subject,
                refund_allows_one_more_event,
                events_in_a_row_are_limited_however_slow_they_are,
                concurrent_events_in_a_row_never_exceed_the_limit,
                events_in_a_row_that_are_not_kept_expire_after_30_days,
                reset_clears_the_events_in_a_row,
                login_by_code_clears_the_events_in_a_row,
                concurrent_sms_never_exceed_the_total_of_a_day,
                refunded_sms_of_a_day_is_allowed_again,
                paused_sms_are_not_counted_until_they_are_resumed,
                a_total_of_no_sms_allows_none,
                counts_last_as_long_as_the_longest_bucket_of_their_subject,
            }
            users {
                email_and_phone_are_taken_after_sign_up,
                sign_up_creates_the_user_and_consumes_the_sms_session,
                sign_up_requires_an_sms_session_verified_for_its_phone_and_purpose,
                sign_up_with_a_taken_email_or_phone_changes_nothing,
                concurrent_sign_ups_with_one_sms_session_create_one_user,
                concurrent_sign_ups_with_one_email_create_one_user,
                reset_replaces_the_password_and_consumes_the_sms_session,
                reset_requires_a_user_and_an_sms_session_verified_for_its_phone_and_purpose,
                concurrent_resets_with_one_sms_session_succeed_once,
                disabled_user_is_rejected_until_enabled,
            }
            accounts {
                profile_requires_a_current_session_and_token_version,
                update_of_the_profile_replaces_the_fields_that_are_given,
                change_of_the_password_replaces_the_password_and_the_session,
                change_of_the_phone_moves_the_number_and_consumes_the_sms_session,
                change_of_the_phone_requires_an_sms_session_verified_for_its_phone_and_purpose,
                change_of_the_phone_to_a_taken_number_changes_nothing,
                change_of_the_email_moves_the_email,
                change_of_the_email_to_a_taken_one_changes_nothing,
                deletion_frees_email_and_phone_and_deletes_the_counts,
                rejected_caller_changes_nothing,
                concurrent_changes_of_one_session_succeed_once,
                concurrent_changes_to_one_phone_succeed_once,
                change_of_the_phone_races_with_sign_ups_for_one_owner,
                crossing_changes_of_the_email_leave_one_owner_of_each,
                deletion_races_with_refreshes,
                deletion_races_with_logins,
                deletion_races_with_resets,
                change_of_the_password_races_with_a_reset,
            }
            sessions {
                refresh_advances_by_one_generation,
                retry_within_reuse_interval_returns_the_same_generation,
                reusing_a_refresh_token_revokes_its_session,
                concurrent_refreshes_with_one_token_return_one_generation,
                concurrent_refreshes_with_a_used_token_are_rejected,
                expired_session_is_revoked_before_it_is_deleted,
                revoking_a_session_revokes_no_other,
                revoking_all_sessions_increments_the_token_version_once,
                reset_revokes_all_sessions_and_increments_the_token_version,
                login_by_code_starts_a_session_and_consumes_the_sms_session,
                login_by_code_requires_an_sms_session_for_its_phone_and_for_login,
                concurrent_logins_with_one_code_start_one_session,
                login_by_code_after_a_reset_starts_a_revoked_session,
                session_of_an_unknown_user_is_revoked,
                concurrent_refreshes_do_not_survive_a_reset,
                listed_sessions_are_neither_revoked_nor_expired,
                listed_session_is_revoked_once_and_by_its_user_only,
                deleted_sessions_of_a_user_are_those_of_no_other,
            }
        }
    };
    ($open:path: $($resource:ident { $($guarantee:ident,)* })*) => {
        $(
            mod $resource {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                    async fn $guarantee() {
                        crate::guarantees::$resource::$guarantee($open().await).await;
                    }
                )*
            }
        )*
    };
}
pub(crate) use guarantees;

/// Asserts that the store rejects a caller.
macro_rules! assert_rejected {
    ($result:expr, $rejection:ident) => {
        let result = $result;
        assert!(matches!(result, Err(CallerError::$rejection)), "{result:?}");
    };
}
pub(crate) use assert_rejected;

/// A new, empty store, and the folder that contains it, if any.
pub(crate) struct TestStore {
    /// Several connections to the store, as functions have.
    pub(crate) connections: Vec<Arc<dyn Store>>,
    /// Pauses or resumes all SMS, as an operator does.
    pub(crate) pause: Box<dyn Fn(bool)>,
    pub(crate) _folder: Option<tempfile::TempDir>,
}

impl TestStore {
    fn connection(&self) -> &dyn Store {
        &*self.connections[0]
    }

    /// Runs many concurrent calls of callers, as [`TestStore::race`] does. The store may reject callers.
    async fn race_of_callers<T, F>(&self, call: impl Fn(Arc<dyn Store>, usize) -> F) -> Vec<Result<T, CallerError>>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CallerError>> + Send + 'static,
    {
        self.race(|store, n| {
            let call = call(store, n);
            async move {
                match call.await {
                    Err(CallerError::Store(error)) => Err(error),
                    outcome => Ok(outcome),
                }
            }
        })
        .await
    }

    /// Runs many concurrent calls, spread over the connections. Retries those that find the store busy,
    /// as a client would.
    async fn race<T, F>(&self, call: impl Fn(Arc<dyn Store>, usize) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        let mut results: Vec<Option<T>> = (0..CALLS).map(|_| None).collect();
        for _ in 0..50 {
            let tasks: Vec<_> = (0..CALLS)
                .filter(|&n| results[n].is_none())
                .map(|n| (n, tokio::spawn(call(self.connections[n % self.connections.len()].clone(), n))))
                .collect();
            for (n, task) in tasks {
                match task.await.unwrap() {
                    Ok(result) => results[n] = Some(result),
                    Err(StoreError::Busy(_)) => {}
                    Err(failed) => panic!("{failed}"),
                }
            }
        }
        results.into_iter().map(|result| result.expect("the store was busy fifty times")).collect()
    }
}

// ---- Values and settings ----

pub(crate) fn parse<T: Field>(text: &str) -> T {
    T::parse(text).unwrap_or_else(|invalid| panic!("{text} {}", invalid.0))
}

pub(crate) fn phone(n: usize) -> Phone {
    Phone::parse(&format!("010{}", 20_000_000 + n), Region::KR).unwrap()
}

/// Returns the default configuration.
pub(crate) fn config() -> Config {
    Config::from_variables(&|_| None).unwrap()
}

pub(crate) fn session_lifetime() -> SessionLifetime {
    config().tokens.lifetime
}

// ---- SMS sessions ----

/// Returns an SMS session that is not open yet.
pub(crate) fn sms_session(phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    sms_session_with(&SmsSessionId::random(), &AuthCode::random(CodeLength::Six), phone, purpose, now)
}

fn sms_session_with(id: &SmsSessionId, code: &AuthCode, phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    SmsSession {
        key: id.key(),
        code_mac: id.code_mac(&phone, purpose, code),
        phone,
        purpose,
        max_attempts: config().limits.attempts_per_sms_session,
        ip: Some(SourceIp::parse(Some("203.0.113.7"))),
        sent_at: now,
        expires_at: now + 2 * config().code_seconds,
    }
}

/// Opens an SMS session.
async fn opened(store: &dyn Store, phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    let session = sms_session(phone, purpose, now);
    store.open_sms_session(&session).await.unwrap();
    session
}

/// Opens an SMS session and verifies it.
pub(crate) async fn verified(store: &dyn Store, phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    let session = opened(store, phone, purpose, now).await;
    assert!(matches!(attempt(store, &session, now).await, AttemptOutcome::Recorded { .. }));
    assert_eq!(mark_verified(store, &session, now).await, VerificationOutcome::Verified);
    session
}

/// Records an attempt.
pub(crate) async fn attempt(store: &dyn Store, session: &SmsSession, now: i64) -> AttemptOutcome {
    store.record_attempt(&session.key, config().code_seconds, now).await.unwrap()
}

async fn mark_verified(store: &dyn Store, session: &SmsSession, now: i64) -> VerificationOutcome {
    store.mark_verified(&session.key, now + config().verified_seconds, now).await.unwrap()
}

/// Whether the session exists and is verified for `purpose`.
async fn is_verified(store: &dyn Store, key: &SmsSessionKey, purpose: Purpose, now: i64) -> bool {
    store.verified_phone(key, purpose, now).await.unwrap().is_some()
}

// ---- Users ----

/// Returns a user who has not signed up yet.
pub(crate) fn user(email: &str, phone: Phone) -> NewUser {
    NewUser {
        id: UserId::new(NOW * 1000),
        name: parse("Kim Minji"),
        nickname: parse("minji"),
        email: parse(email),
        phone,
        password_hash: PasswordHash::from_stored("the first hash".to_owned()),
    }
}

/// Verifies a phone number and signs up with it.
async fn signed_up(store: &dyn Store, email: &str, phone: Phone, now: i64) -> NewUser {
    let sms_session = verified(store, phone.clone(), Signup, now).await;
    let user = user(email, phone);
    assert_eq!(sign_up(store, &user, &sms_session.key, now).await.unwrap(), SignUpOutcome::Created);
    user
}

/// Signs up, and starts a session that no test uses.
pub(crate) async fn sign_up(
    store: &dyn Store,
    user: &NewUser,
    key: &SmsSessionKey,
    now: i64,
) -> Result<SignUpOutcome, StoreError> {
    store.sign_up(user, &new_session(user.id, now), &user_agent(), key, now).await
}

/// Whether the user exists.
pub(crate) async fn exists(store: &dyn Store, user_id: UserId) -> bool {
    let caller = caller(&new_session(user_id, NOW));
    !matches!(store.profile(&caller, NOW).await, Err(CallerError::UserNotFound))
}

async fn password_hash_of(store: &dyn Store, phone: &Phone) -> String {
    let credentials = store.credentials(&LoginIdentifier::Phone(phone.clone())).await.unwrap().unwrap();
    credentials.password_hash.as_str().to_owned()
}

fn second_hash() -> PasswordHash {
    PasswordHash::from_stored("the second hash".to_owned())
}

async fn is_taken(store: &dyn Store, email: &str, phone: Phone) -> (bool, bool) {
    let email: Email = parse(email);
    (store.is_email_taken(&email).await.unwrap(), store.is_phone_taken(&phone).await.unwrap())
}

/// Returns the token version of the user with the first phone number.
pub(crate) async fn token_version_of(store: &dyn Store, user_id: UserId) -> u32 {
    let credentials = store.credentials(&LoginIdentifier::Phone(phone(1))).await.unwrap().unwrap();
    assert_eq!(credentials.user_id, user_id);
    credentials.token_version
}

// ---- Sessions ----

/// Returns the first session of a user.
fn new_session(user_id: UserId, now: i64) -> Session {
    Session::new(user_id, 0, session_lifetime(), now)
}

fn user_agent() -> UserAgent {
    UserAgent::from_header(Some("a test"))
}

/// Returns the caller of an access token of the session.
pub(crate) fn caller(session: &Session) -> Caller {
    let Session { id, user_id, token_version, started_at, .. } = *session;
    Caller { user_id, session_id: id, token_version, started_at }
}

/// Signs up. Returns the session of the new user.
pub(crate) async fn logged_in(store: &dyn Store) -> Session {
    let sms_session = verified(store, phone(1), Signup, NOW).await;
    let user = user("minji@example.com", phone(1));
    let session = new_session(user.id, NOW);
    let outcome = store.sign_up(&user, &session, &user_agent(), &sms_session.key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
    session
}

/// Starts another session of a user.
async fn logged_in_again(store: &dyn Store, user_id: UserId, now: i64) -> Session {
    let session = Session::new(user_id, token_version_of(store, user_id).await, session_lifetime(), now);
    store.start_session(&session, &user_agent()).await.unwrap();
    session
}

/// Returns the next generation of a session.
pub(crate) fn next(session: Session, now: i64) -> Session {
    session.next(session_lifetime(), now)
}

pub(crate) async fn refresh(store: &dyn Store, session: Session, now: i64) -> RefreshOutcome {
    store.refresh_session(&next(session, now), now).await.unwrap()
}
