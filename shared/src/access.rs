//! The access of a function: what it uses, as data.
//!
//! Init connects to what is declared here, and a test compares it with the role that the template grants.

/// Everything that a function uses outside its own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The tables, each with the actions on it. Init connects by reading from the first one.
    pub tables: &'static [(Table, &'static [Action])],
    /// The connections to DynamoDB that init opens: as many as the function sends requests concurrently.
    pub connections: usize,
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
        Self { tables: &[], connections: 1, keys: KeyAccess::None, sms: false, phone_metadata: false, hashing: false };
}

/// A table of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Users.
    Users,
    /// SMS sessions.
    SmsSessions,
    /// Sessions.
    TokenFamilies,
}

/// An action on a table, named after the IAM action that permits it. A write in a transaction needs the
/// permission of the same write outside one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Checks a condition in a transaction.
    ConditionCheckItem,
    /// Deletes an item.
    DeleteItem,
    /// Reads an item.
    GetItem,
    /// Writes a whole item.
    PutItem,
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
