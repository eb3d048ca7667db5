//! Lambda's share of a CPU: a quota on a kernel control group, version 1 or 2.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;
use std::time::Duration;

/// Makes a shell enter the group whose folder is its name, then become the program that its arguments name.
pub(crate) const ENTER: &str = r#"echo $$ >"$0/cgroup.procs" && exec "$@""#;

/// How often the quota is renewed. Lambda's own period isn't documented; the kernel's default of 100 ms would let a small
/// function run for 7 ms as fast as a large one.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);

/// A control group. Needs root.
pub(crate) struct Quota {
    pub(crate) folder: PathBuf,
    is_v2: bool,
}

impl Quota {
    pub(crate) fn new() -> io::Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let is_v2 = root.join("cgroup.controllers").exists();
        let parent = if is_v2 {
            fs::write(root.join("cgroup.subtree_control"), "+cpu")?;
            root.to_owned()
        } else {
            root.join("cpu")
        };
        let folder = parent.join(format!("put-image-{}", process::id()));
        fs::create_dir(&folder)?;
        Ok(Self { folder, is_v2 })
    }

    /// Lets the processes in the group use this many CPUs in total.
    pub(crate) fn set(&self, cpus: f64) -> io::Result<()> {
        let period = PERIOD.as_micros();
        let quota = PERIOD.mul_f64(cpus).as_micros();
        if self.is_v2 {
            return fs::write(self.folder.join("cpu.max"), format!("{quota} {period}"));
        }
        fs::write(self.folder.join("cpu.cfs_period_us"), period.to_string())?;
        fs::write(self.folder.join("cpu.cfs_quota_us"), quota.to_string())
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        // Its processes have ended. An empty group that remains does no harm.
        let _ = fs::remove_dir(&self.folder);
    }
}
