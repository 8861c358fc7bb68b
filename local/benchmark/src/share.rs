//! The CPU share of a small function: by a cgroup with a quota, where the machine allows that.

use std::fs;
use std::path::{Path, PathBuf};

/// Lambda gives a vCPU for [1,769 MB](https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html).
const MB_OF_A_CPU: u64 = 1769;
/// The scheduler's period, in microseconds: assumed, for AWS does not tell it. What needs less CPU than
/// the share of one period is not slowed down.
const PERIOD: u64 = 20_000;

/// A cgroup.
pub(crate) struct Share(PathBuf);

impl Share {
    /// What a function of so many MB gets.
    pub(crate) fn of(mb: u64) -> Result<Self, String> {
        let quota = PERIOD * mb / MB_OF_A_CPU;
        let name = format!("ably-benchmark-{}", std::process::id());
        let v2 = Path::new("/sys/fs/cgroup");
        let made = if v2.join("cgroup.controllers").exists() {
            let share = Self(v2.join(name));
            // Not needed where it is on already.
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
        made.map_err(|error| format!("no cgroup with a CPU quota can be made here: {error}"))
    }

    /// From now on the process has no more than it.
    pub(crate) fn limit(&self, process: u32) -> std::io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string())
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        // Its processes have ended.
        let _ = fs::remove_dir(&self.0);
    }
}
