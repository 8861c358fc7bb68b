//! The seam to the database, and what it promises.
//!
//! Time is an argument everywhere: what has expired by `now` (Unix time, in seconds) does not
//! exist, though a database may still hold it.

use crate::config::Config;
use crate::email::Email;
use crate::password::PasswordHash;
use crate::phone::Phone;
use crate::sms_auth::{CodeHash, Purpose, SessionKey};
use crate::token::Family;
use crate::user::{Account, Credentials, NewUser, Profile, UserId};

/// How long the predecessor of the latest refresh token may be used again, in seconds: for a client
/// that never got the answer.
pub const GRACE_SECONDS: i64 = 30;

/// Users, SMS sessions and logins. Each method is one atomic step: all of it happens, or nothing.
#[async_trait::async_trait]
pub trait Store: Send + Sync {
    /// Whether a user has this e-mail.
    async fn email_taken(&self, email: &Email) -> Result<bool, StoreError>;

    /// Whether a user has this phone.
    async fn phone_taken(&self, phone: &Phone) -> Result<bool, StoreError>;

    /// Opens `session` and counts a send for its phone, or, if the phone's budget
    /// ([`Config::sends`]) is spent, does neither. Of many calls at once for one phone, as many
    /// succeed as the budget has left.
    async fn open_session(&self, session: &Session, config: &Config, now: i64) -> Result<Opened, StoreError>;

    /// Undoes [`Store::open_session`], for an SMS that was not sent: the session is gone, and the
    /// phone's latest send was none. Does nothing if the session is not open.
    async fn cancel_session(&self, session: &Session, config: &Config) -> Result<(), StoreError>;

    /// Counts a try on the session and on its phone, if it may be made. The caller compares the
    /// code AFTER this has answered [`Try::Counted`], and not otherwise: of many calls at once, as
    /// many answer so as the budgets have left. A try for a phone that is not the session's counts
    /// on the session alone.
    async fn count_try(&self, key: &SessionKey, phone: &Phone, config: &Config, now: i64) -> Result<Try, StoreError>;

    /// Marks the session verified, until [`Config::verified_seconds`] from now, and takes the try
    /// back from the phone's failed ones. Answers no if the session is gone.
    async fn mark_verified(
        &self,
        key: &SessionKey,
        phone: &Phone,
        config: &Config,
        now: i64,
    ) -> Result<bool, StoreError>;

    /// The session, if it is verified.
    async fn verified_session(&self, key: &SessionKey, now: i64) -> Result<Option<Verified>, StoreError>;

    /// Creates the user, starts `family` and consumes the session, if the session is verified for the
    /// user's phone and for sign-up, and neither e-mail nor phone is taken. Of many calls at once with
    /// one session, one e-mail or one phone, one succeeds. [`SignUp::Taken`] leaves the session usable.
    async fn sign_up(&self, user: &NewUser, family: &Family, key: &SessionKey, now: i64) -> Result<SignUp, StoreError>;

    /// The credentials of the user with this e-mail or phone. Costs as many round trips for nobody
    /// as for somebody, so that time tells nothing.
    async fn credentials(&self, login: &Login) -> Result<Option<Credentials>, StoreError>;

    /// The user's profile.
    async fn profile(&self, id: UserId) -> Result<Option<Profile>, StoreError>;

    /// The account of this phone.
    async fn account(&self, phone: &Phone) -> Result<Option<Account>, StoreError>;

    /// Replaces the user's password, ends all the user's families and consumes the session, if it is
    /// verified for `phone` and for a reset; sets `credentials_changed_at`. Answers no, and changes
    /// nothing, if the session is not, or the user is gone. Of many calls at once with one session,
    /// one succeeds.
    async fn reset_password(
        &self,
        id: UserId,
        hash: &PasswordHash,
        phone: &Phone,
        key: &SessionKey,
        now: i64,
    ) -> Result<bool, StoreError>;

    /// Starts a family, of a user who logged in. If all the user's families were ended since the
    /// user's credentials were read, it is ended already.
    async fn start_family(&self, family: &Family) -> Result<(), StoreError>;

    /// Moves a family on to its generation `next`, if the one before is the latest. If `next` is the
    /// latest itself, and for no longer than [`GRACE_SECONDS`], nothing changes and the answer is the
    /// same: of many calls at once with one token, all get the one next generation. Any other token
    /// was used before, and ends the family.
    async fn refresh(&self, next: &Family, now: i64) -> Result<Refreshed, StoreError>;

    /// Ends a family, if it is not ended.
    async fn end_family(&self, family: &Family) -> Result<(), StoreError>;

    /// Ends all the user's families, if this one was not ended in the same way: a token can do so
    /// once. Access tokens that were issued before are of an epoch that is over.
    async fn end_all_families(&self, family: &Family) -> Result<(), StoreError>;
}

/// A session as it is opened.
#[derive(Debug)]
pub struct Session {
    /// Where it is stored.
    pub key: SessionKey,
    /// Whose phone it verifies.
    pub phone: Phone,
    /// What it may be used for; anything, if there is none.
    pub purpose: Option<Purpose>,
    /// What the code must match.
    pub code_hash: CodeHash,
    /// When it was opened.
    pub sent_at: i64,
}

impl Session {
    /// When it is gone, if it is not verified: it outlives its code, as long again, so that who
    /// comes too late can be told so.
    #[must_use]
    pub fn expires_at(&self, config: &Config) -> i64 {
        self.sent_at + 2 * config.code_seconds
    }
}

/// What became of [`Store::open_session`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// The session is open: send the code.
    Yes,
    /// The phone's budget is spent.
    TooSoon {
        /// When it has one left, in seconds from now.
        retry_after: i64,
    },
}

/// What became of [`Store::count_try`].
#[derive(Debug, PartialEq, Eq)]
pub enum Try {
    /// It is counted: compare the code.
    Counted {
        /// The session's purpose.
        purpose: Option<Purpose>,
        /// What the code must match.
        code_hash: CodeHash,
    },
    /// There is no such session.
    NotFound,
    /// The code is older than [`Config::code_seconds`].
    TooOld,
    /// The phone is not the session's.
    WrongPhone,
    /// The budget of the session or of the phone is spent.
    Spent {
        /// When it is worth asking again, in seconds from now.
        retry_after: i64,
    },
}

/// A verified session.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// The phone that was verified.
    pub phone: Phone,
    /// What it may be used for; anything, if there is none.
    pub purpose: Option<Purpose>,
}

impl Verified {
    /// Whether it may be used for `purpose`.
    #[must_use]
    pub fn is_for(&self, purpose: Purpose) -> bool {
        self.purpose.is_none_or(|only| only == purpose)
    }
}

/// What became of [`Store::sign_up`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignUp {
    /// There is a new user.
    Done,
    /// The session is not verified, or not for this.
    NotVerified,
    /// The e-mail or the phone, or both, are taken.
    Taken {
        /// The e-mail is.
        email: bool,
        /// The phone is.
        phone: bool,
    },
}

/// What became of [`Store::refresh`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshed {
    /// The next generation is the latest: issue its tokens.
    Yes,
    /// The token was used before. The family is ended.
    Reused,
    /// There is no such family, or it is ended.
    Ended,
}

/// What a user logs in with.
#[derive(Debug)]
pub enum Login {
    /// The e-mail.
    Email(Email),
    /// The phone.
    Phone(Phone),
}

/// The store could not do it. The source holds no value of an item.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is throttling or away: safe to try again.
    #[error("the store is busy: {0}")]
    Busy(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Anything else.
    #[error("the store failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// How often something may happen, in sliding windows.
#[derive(Debug)]
pub struct Budget(Vec<Window>);

/// At most so many times in so many seconds.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// How many times.
    pub times: u32,
    /// In how long, in seconds.
    pub seconds: i64,
}

impl Budget {
    /// A budget of windows, each so many times in so many seconds.
    #[must_use]
    pub fn new<const N: usize>(windows: [(u32, i64); N]) -> Self {
        Self(windows.into_iter().map(|(times, seconds)| Window { times, seconds }).collect())
    }

    /// Its windows.
    #[must_use]
    pub fn windows(&self) -> &[Window] {
        &self.0
    }

    /// How many of the latest times decide.
    #[must_use]
    pub fn longest(&self) -> u32 {
        self.0.iter().map(|window| window.times).max().unwrap_or_default()
    }

    /// How long the longest window is, in seconds: what is older decides nothing.
    #[must_use]
    pub fn seconds(&self) -> i64 {
        self.0.iter().map(|window| window.seconds).max().unwrap_or_default()
    }

    /// How many seconds from `now` it may happen again, given when it last did, latest first; 0 if
    /// it may now. A window is open if as many times ago as it allows is out of it.
    #[must_use]
    pub fn wait(&self, latest_first: &[i64], now: i64) -> i64 {
        let waits = self.0.iter().filter_map(|window| {
            let nth = latest_first.get((window.times as usize).checked_sub(1)?)?;
            Some(nth + window.seconds - now)
        });
        waits.max().unwrap_or_default().max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_waits_for_its_tightest_window() {
        let budget = Budget::new([(1, 60), (3, 3600)]);
        assert_eq!((budget.longest(), budget.seconds()), (3, 3600));
        assert_eq!(budget.wait(&[], 1000), 0);
        assert_eq!(budget.wait(&[1000], 1000), 60);
        assert_eq!(budget.wait(&[1000], 1059), 1);
        assert_eq!(budget.wait(&[1000], 1060), 0);
        assert_eq!(budget.wait(&[1200, 1100, 1000], 1300), 3300);
        assert_eq!(budget.wait(&[1200, 1100, 1000, 900], 4600), 0);
    }
}
