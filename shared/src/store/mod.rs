//! The interface to the database, and its guarantees: one trait per resource.
//!
//! Each method is one atomic step: it happens as a whole, or not at all. Time is an argument everywhere:
//! an item that has expired at `now` (Unix time, in seconds) does not exist, even if the database still
//! contains it.
//!
//! To add a step: one method of the trait of its resource, whose doc comment states its guarantees, in
//! both backends, and tests of the guarantees in `functions/tests/guarantees`.

pub mod accounts;
pub mod administration;
pub mod error;
pub mod limits;
pub mod sessions;
pub mod sms_sessions;
pub mod users;

pub use accounts::{Accounts, EmailChangeOutcome, OwnCredentials, PhoneChangeOutcome};
pub use administration::{Administration, Counts, ImportOutcome, Page, PageKey, SmsOfDay, User, UserKey};
pub use error::{CallerError, StoreError};
pub use limits::{CountOutcome, DayOutcome, Limit, Limits, Subject};
pub use sessions::{Caller, ListedSession, RefreshOutcome, Session, SessionLifetime, Sessions};
pub use sms_sessions::{AttemptOutcome, SentCode, SignUpAttemptOutcome, SmsSession, SmsSessions, VerificationOutcome};
pub use users::{Account, Credentials, LoginIdentifier, NewUser, Profile, SignUpOutcome, Users};

/// The resources of the database that every function uses. [`Accounts`] is apart, because only functions that
/// authenticate a caller link its steps, and so is [`Administration`], which no function links.
pub trait Store: SmsSessions + Users + Sessions + Limits {}

impl<T: SmsSessions + Users + Sessions + Limits> Store for T {}
