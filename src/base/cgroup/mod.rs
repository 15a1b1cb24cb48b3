//! What the kernel's files say about this process's quota of CPU time. Parsers: text in, answer out.
//!
//! 1. No system call, no allocation, no panic, whatever a file holds. What is not understood means no quota.
//! 2. Text comes in pieces of any length; a line may be longer than any buffer (the options of an overlay have no end). What is kept is paths, up
//!    to what the kernel can print of one.
//! 3. `/proc/self/mountinfo` escapes bytes of paths (`\040`); `/proc/self/cgroup` does not.
//!
//! | file                       | parser   | answer                                                                  |
//! |----------------------------|----------|-------------------------------------------------------------------------|
//! | `/proc/self/cgroup`        | `group`  | in which hierarchy, v1 or v2, CPU time is shared out, and our group there |
//! | `/proc/self/mountinfo`     | `mounts` | the directory of that group, and the highest of its ancestors in sight  |
//! |                            | `levels` | the paths of the files from there on up                                 |
//! | `cpu.max`, `cpu.cfs_…`     | `limit`  | how many CPUs                                                           |
//!
//! Rejected: only the group's own quota, as Go has it (each ancestor's holds as well); the first mount that fits, as Go has it (a bind mount of the group
//! alone shows no ancestor).

pub mod group;
pub mod levels;
pub mod limit;
pub mod mounts;
pub mod text;

/// The longest path that the kernel prints or takes, its end included.
pub const PATH_MAX: usize = 4096;

/// The kind of hierarchy that shares out CPU time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Version {
    /// A hierarchy of its own, or with other controllers.
    V1,
    /// The one for all controllers.
    V2,
}
