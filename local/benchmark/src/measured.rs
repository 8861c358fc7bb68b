//! Everything that was measured.

use std::collections::BTreeMap;

use crate::bcrypt::Bcrypt;
use crate::callgrind::Instructions;
use crate::requests::Outcome;
use crate::timing::Row;

/// All measurements of one run.
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    /// The instructions by row, without the rows of [`crate::comparisons`].
    pub(crate) instructions: BTreeMap<String, Instructions>,
    /// The instructions of one more connection: its name lookup, TCP and TLS handshakes.
    pub(crate) handshake: u64,
    /// The instructions of bcrypt at cost 10. Each further cost doubles them.
    pub(crate) bcrypt_at_cost_10: u64,
    /// The size of each function's zip, in bytes.
    pub(crate) zips: BTreeMap<String, u64>,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) bcrypt: Bcrypt,
}

impl Measured {
    /// Returns the instructions of a row, or zeros if they were not counted.
    pub(crate) fn instructions(&self, row: &str) -> Instructions {
        self.instructions.get(row).copied().unwrap_or_default()
    }
}
