//! The guarantees of the store, one file for each resource. A backend tests them all with [`guarantees!`].

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot continue fails"
)]

pub(crate) mod accounts;
pub(crate) mod accounts_races;
pub(crate) mod administration;
pub(crate) mod administration_imports;
mod every;
pub(crate) mod limits;
pub(crate) mod sessions;
pub(crate) mod sms_sessions;
pub(crate) mod users;

use std::future::Future;
use std::sync::Arc;

use shared::config::Config;
use shared::store::{
    Accounts, Administration, AttemptOutcome, Caller, CallerError, LoginIdentifier, NewUser, RefreshOutcome, Session,
    SessionLifetime, SignUpOutcome, SmsSession, Store, StoreError, VerificationOutcome,
};
use shared::values::Purpose::{Login, PasswordReset, Signup};
use shared::values::{
    AuthCode, Claims, CodeLength, Email, Field, PasswordHash, Phone, Purpose, Region, SmsSessionId, SmsSessionKey,
    SourceIp, UserAgent, UserId,
};

pub(crate) use every::guarantees;

/// A time in the far future, so that the TTL of a database deletes nothing that a test has let expire.
pub(crate) const NOW: i64 = 4_000_000_000;
const DAY: i64 = 24 * 60 * 60;
/// The number of concurrent calls in a race.
const CALLS: usize = 100;

/// Asserts that the store rejects a caller.
macro_rules! assert_rejected {
    ($result:expr, $rejection:ident) => {
        let result = $result;
        assert!(matches!(result, Err(CallerError::$rejection)), "{result:?}");
    };
}
pub(crate) use assert_rejected;

/// A store with the accounts of callers and the steps of an operator.
pub(crate) trait FullStore: Store + Accounts + Administration {}

impl<T: Store + Accounts + Administration> FullStore for T {}

/// A new, empty store, and the folder that contains it, if any.
pub(crate) struct TestStore {
    /// Several connections to the store, as functions have.
    pub(crate) connections: Vec<Arc<dyn FullStore>>,
    /// Pauses or resumes all SMS, as an operator does.
    pub(crate) pause: Box<dyn Fn(bool)>,
    pub(crate) _folder: Option<tempfile::TempDir>,
}

impl TestStore {
    fn connection(&self) -> &dyn FullStore {
        &*self.connections[0]
    }

    /// Runs many concurrent calls of callers, as [`TestStore::race`] does. The store may reject callers.
    async fn race_of_callers<T, F>(&self, call: impl Fn(Arc<dyn FullStore>, usize) -> F) -> Vec<Result<T, CallerError>>
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
    async fn race<T, F>(&self, call: impl Fn(Arc<dyn FullStore>, usize) -> F) -> Vec<T>
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
async fn opened(store: &dyn FullStore, phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    let session = sms_session(phone, purpose, now);
    store.open_sms_session(&session).await.unwrap();
    session
}

/// Opens an SMS session and verifies it.
pub(crate) async fn verified(store: &dyn FullStore, phone: Phone, purpose: Purpose, now: i64) -> SmsSession {
    let session = opened(store, phone, purpose, now).await;
    assert!(matches!(attempt(store, &session, now).await, AttemptOutcome::Recorded { .. }));
    assert_eq!(mark_verified(store, &session, now).await, VerificationOutcome::Verified);
    session
}

/// Records an attempt.
pub(crate) async fn attempt(store: &dyn FullStore, session: &SmsSession, now: i64) -> AttemptOutcome {
    store.record_attempt(&session.key, config().code_seconds, now).await.unwrap()
}

async fn mark_verified(store: &dyn FullStore, session: &SmsSession, now: i64) -> VerificationOutcome {
    store.mark_verified(&session.key, now + config().verified_seconds, now).await.unwrap()
}

/// Whether the session exists and is verified for `purpose`.
async fn is_verified(store: &dyn FullStore, key: &SmsSessionKey, purpose: Purpose, now: i64) -> bool {
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
async fn signed_up(store: &dyn FullStore, email: &str, phone: Phone, now: i64) -> NewUser {
    let sms_session = verified(store, phone.clone(), Signup, now).await;
    let user = user(email, phone);
    assert_eq!(sign_up(store, &user, &sms_session.key, now).await.unwrap(), SignUpOutcome::Created);
    user
}

/// Signs up, and starts a session that no test uses.
pub(crate) async fn sign_up(
    store: &dyn FullStore,
    user: &NewUser,
    key: &SmsSessionKey,
    now: i64,
) -> Result<SignUpOutcome, StoreError> {
    store.sign_up(user, &new_session(user.id, now), &user_agent(), key, now).await
}

/// Whether the user exists.
pub(crate) async fn exists(store: &dyn FullStore, user_id: UserId) -> bool {
    let caller = caller(&new_session(user_id, NOW));
    !matches!(store.profile(&caller, NOW).await, Err(CallerError::UserNotFound))
}

async fn password_hash_of(store: &dyn FullStore, phone: &Phone) -> String {
    let credentials = store.credentials(&LoginIdentifier::Phone(phone.clone())).await.unwrap().unwrap();
    credentials.password_hash.as_str().to_owned()
}

fn second_hash() -> PasswordHash {
    PasswordHash::from_stored("the second hash".to_owned())
}

async fn is_taken(store: &dyn FullStore, email: &str, phone: Phone) -> (bool, bool) {
    let email: Email = parse(email);
    (store.is_email_taken(&email).await.unwrap(), store.is_phone_taken(&phone).await.unwrap())
}

/// Returns the token version of the user with the first phone number.
pub(crate) async fn token_version_of(store: &dyn FullStore, user_id: UserId) -> u32 {
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
pub(crate) async fn logged_in(store: &dyn FullStore) -> Session {
    let sms_session = verified(store, phone(1), Signup, NOW).await;
    let user = user("minji@example.com", phone(1));
    let session = new_session(user.id, NOW);
    let outcome = store.sign_up(&user, &session, &user_agent(), &sms_session.key, NOW).await.unwrap();
    assert_eq!(outcome, SignUpOutcome::Created);
    session
}

/// Starts another session of a user.
async fn logged_in_again(store: &dyn FullStore, user_id: UserId, now: i64) -> Session {
    let session = Session::new(user_id, token_version_of(store, user_id).await, session_lifetime(), now);
    store.start_session(&session, &user_agent()).await.unwrap();
    session
}

/// The outcome of a refresh by a user without claims.
pub(crate) const REFRESHED: RefreshOutcome = RefreshOutcome::Refreshed { claims: Claims::NONE };

/// Returns the next generation of a session.
pub(crate) fn next(session: Session, now: i64) -> Session {
    session.next(session_lifetime(), now)
}

pub(crate) async fn refresh(store: &dyn FullStore, session: Session, now: i64) -> RefreshOutcome {
    store.refresh_session(&next(session, now), &Claims::NONE, now).await.unwrap()
}
