//! The access of a function: what it uses, as data.
//!
//! Init connects to what is declared here, a test compares it with the role that the template grants, and
//! another test compares it with the requests that the function sends.

/// Everything that a function uses outside its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The parts of the tables, each with the actions on it.
    pub tables: &'static [TableAccess],
    /// The use of the keys that sign tokens.
    pub keys: KeyAccess,
    /// Whether the function sends SMS.
    pub sms: bool,
    /// Whether the function parses phone numbers, and therefore loads their metadata in init.
    pub phone_metadata: bool,
    /// Whether the function hashes passwords, and therefore needs a full CPU.
    pub hashing: bool,
}

impl Access {
    /// The access of a function that uses nothing.
    pub const NONE: Self =
        Self { tables: &[], keys: KeyAccess::None, sms: false, phone_metadata: false, hashing: false };
}

/// The actions on a part of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableAccess {
    /// The table.
    pub table: Table,
    /// The actions.
    pub actions: &'static [Action],
    /// The beginnings of the partition keys of the items; empty for all items.
    pub items: &'static [&'static str],
    /// The attributes, keys included; empty for all attributes.
    pub attributes: &'static [&'static str],
}

impl TableAccess {
    /// Restricts the access to items whose partition keys begin with one of `items`.
    #[must_use]
    pub const fn items(self, items: &'static [&'static str]) -> Self {
        Self { items, ..self }
    }

    /// Restricts the access to these attributes.
    #[must_use]
    pub const fn attributes(self, attributes: &'static [&'static str]) -> Self {
        Self { attributes, ..self }
    }
}

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Users.
    Users,
    /// SMS sessions.
    SmsSessions,
    /// Sessions.
    Sessions,
    /// The counts of rate limits.
    Limits,
}

impl Table {
    /// Returns the access to the table with these actions.
    #[must_use]
    pub const fn with(self, actions: &'static [Action]) -> TableAccess {
        TableAccess { table: self, actions, items: &[], attributes: &[] }
    }
}

/// The beginning of the key of a user, and of the user's sessions.
pub const USER: &str = "USER#";
/// The beginning of the key of an email, whose item names its user.
pub const EMAIL: &str = "EMAIL#";
/// The beginning of the key of a phone number, whose item names its user, or counts its SMS.
pub const PHONE: &str = "PHONE#";
/// The attributes of a user that [`Users::account`](crate::store::Users::account) reads.
pub const ACCOUNT: &[&str] =
    &["pk", "phone", "token_version", "email", "name", "is_disabled", "password_reset_at", "claims"];
/// The attributes of a user that the check of a caller reads.
pub const CALLER: &[&str] = &["pk", "token_version", "is_disabled"];
/// The attributes of a session that the check of a caller reads.
pub const CALLER_SESSION: &[&str] = &["pk", "sk", "expires_at"];
/// The beginning of the key of an SMS session.
pub const SMS_SESSION: &str = "SESSION#";

/// The beginning of the keys of the limits of SMS.
pub const SMS_LIMITS: &str = "SMS#";
/// The beginning of the keys of the limits of SMS that clients at one address request.
pub const SMS_LIMITS_OF_IPS: &str = "SMS#IP#";
/// The key of the total of the SMS of a day.
pub const SMS_OF_DAY: &str = "SMS#DAY";
/// The beginning of the keys of the limits of SMS to the accounts of known devices.
pub const SMS_LIMITS_OF_ACCOUNTS: &str = "SMS#USER#";
/// The beginning of the keys of the limits of passwords.
pub const PASSWORD_LIMITS: &str = "PASSWORD#";
/// The beginning of the keys of the limits of passwords of accounts.
pub const PASSWORD_LIMITS_OF_ACCOUNTS: &str = "PASSWORD#USER#";
/// The beginning of the keys of the limits of passwords that sessions send.
pub const PASSWORD_LIMITS_OF_SESSIONS: &str = "PASSWORD#SESSION#";
/// The beginning of the keys of the limits of duplicate checks.
pub const CHECK_LIMITS: &str = "CHECK#";

/// An action on a table, named after the IAM action that permits it. A write in a transaction needs the
/// permission of the same write outside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Reads items of several tables.
    BatchGetItem,
    /// Checks a condition in a transaction.
    ConditionCheckItem,
    /// Deletes an item.
    DeleteItem,
    /// Reads an item.
    GetItem,
    /// Writes a whole item.
    PutItem,
    /// Reads the items of one partition key.
    Query,
    /// Changes an item.
    UpdateItem,
}

/// The use of the keys that sign tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAccess {
    /// Does not use them.
    None,
    /// Verifies tokens or publishes the public keys.
    Verify,
    /// Signs tokens with the private keys, and verifies tokens.
    Sign,
    /// Creates keys and replaces old ones.
    Rotate,
}
