//! Everything that was measured.

use std::collections::BTreeMap;

use crate::bcrypt::Bcrypt;
use crate::callgrind::Instructions;
use crate::requests::Outcome;
use crate::timing::Row;

/// All that was measured.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// By row; not of the programs that are only compared with.
    pub(crate) instructions: BTreeMap<String, Instructions>,
    /// The instructions of one more connection: looking the name up, TCP, and the TLS handshake.
    pub(crate) handshake: u64,
    /// The instructions of bcrypt with cost 10; each more doubles them.
    pub(crate) bcrypt_of_cost_10: u64,
    /// Of each function's zip, in bytes.
    pub(crate) zips: BTreeMap<String, u64>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) bcrypt: Bcrypt,
}
