//! The CPU share of a small function, set by a cgroup with a quota where the machine permits it.

use std::fs;
use std::path::{Path, PathBuf};

/// Lambda gives a vCPU for
/// [1,769 MB](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), and a part for less.
pub(crate) const MB_PER_CPU: u64 = 1769;
/// The scheduler's period in microseconds. This value is an assumption, as AWS does not publish it.
/// Work that fits into the share of one period is not slowed down.
const PERIOD: u64 = 20_000;

/// A cgroup, removed on drop.
pub(crate) struct Share(PathBuf);

impl Share {
    /// Creates a cgroup with the CPU share of a function of `mb` MB.
    pub(crate) fn new(mb: u64) -> Result<Self, String> {
        let quota = PERIOD * mb / MB_PER_CPU;
        let name = format!("ably-benchmark-{}", std::process::id());
        let v2 = Path::new("/sys/fs/cgroup");
        let created = if v2.join("cgroup.controllers").exists() {
            let share = Self(v2.join(name));
            // Ignores a failure here: the controller may be enabled already.
            let _ = fs::write(v2.join("cgroup.subtree_control"), "+cpu");
            fs::create_dir(&share.0)
                .and_then(|()| fs::write(share.0.join("cpu.max"), format!("{quota} {PERIOD}")))
                .map(|()| share)
        } else {
            let share = Self(v2.join("cpu").join(name));
            fs::create_dir(&share.0)
                .and_then(|()| fs::write(share.0.join("cpu.cfs_period_us"), PERIOD.to_string()))
                .and_then(|()| fs::write(share.0.join("cpu.cfs_quota_us"), quota.to_string()))
                .map(|()| share)
        };
        created.map_err(|error| format!("a cgroup with a CPU quota cannot be created here: {error}"))
    }

    /// Limits a process to the share from now on.
    pub(crate) fn limit(&self, process: u32) -> std::io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Succeeds only when the processes of the cgroup have exited.
        let _ = fs::remove_dir(&self.0);
    }
}
