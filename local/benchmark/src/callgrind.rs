//! Instructions, as callgrind counts them: they do not vary with the machine's load.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::BoxError;
use crate::lambda::Lambda;
use crate::timing::Row;

/// How many warm requests are counted, of which the median counts.
const WARM: usize = 5;

/// The instructions of a row.
#[derive(Clone, Copy, Default)]
pub(crate) struct Instructions {
    /// From the start to the first answer.
    pub(crate) first: u64,
    /// Of a warm request.
    pub(crate) warm: u64,
}

/// Counts a row's instructions, with this cost of bcrypt.
pub(crate) fn count(row: &Row, bcrypt_cost: u32, folder: &Path) -> Result<Instructions, BoxError> {
    let out = folder.join("callgrind.out");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", &format!("--callgrind-out-file={}", out.display())])
        .arg(&row.program)
        .args(&row.arguments)
        .env_clear()
        .envs(&row.environment)
        .env("BCRYPT_COST", bcrypt_cost.to_string());
    let mut counted = Counted { lambda: Lambda::start(command)?.0, out, dumps: 0 };
    row.invoke(&mut counted.lambda, 0)?;
    let first = counted.instructions()?;
    let mut warm = [0; WARM];
    for (nth, warm) in warm.iter_mut().enumerate() {
        row.invoke(&mut counted.lambda, nth + 1)?;
        *warm = counted.instructions()?;
    }
    warm.sort_unstable();
    Ok(Instructions { first, warm: warm[WARM / 2] })
}

/// A function under callgrind.
struct Counted {
    lambda: Lambda,
    out: PathBuf,
    dumps: usize,
}

impl Counted {
    /// The instructions since this was last called.
    fn instructions(&mut self) -> Result<u64, BoxError> {
        // What it still does after its answer, up to asking for the next event, belongs to it.
        self.lambda.settle()?;
        let dumped =
            Command::new("callgrind_control").arg("--dump").arg(self.lambda.process_id().to_string()).output()?;
        if !dumped.status.success() {
            return Err("callgrind_control failed".into());
        }
        self.dumps += 1;
        let dump = std::fs::read_to_string(format!("{}.{}", self.out.display(), self.dumps))?;
        let total = dump.lines().find_map(|line| line.strip_prefix("totals: ")).ok_or("no totals")?;
        Ok(total.trim().parse()?)
    }
}
