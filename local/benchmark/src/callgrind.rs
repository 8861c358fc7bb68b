//! Instructions, as callgrind counts them: they do not vary with the machine's load.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lambda::Lambda;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A function under callgrind.
pub(crate) struct Counted {
    pub(crate) lambda: Lambda,
    out: PathBuf,
    dumps: usize,
}

impl Counted {
    /// Starts `program` and counts from there.
    pub(crate) fn start(
        program: &Path,
        environment: impl IntoIterator<Item = (&'static str, String)>,
        folder: &Path,
    ) -> Result<Self, BoxError> {
        let out = folder.join("callgrind.out");
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--quiet"])
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(program)
            .env_clear()
            .envs(environment);
        let (lambda, _) = Lambda::start(command)?;
        Ok(Self { lambda, out, dumps: 0 })
    }

    /// The instructions since this was last called.
    pub(crate) fn instructions(&mut self) -> Result<u64, BoxError> {
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
