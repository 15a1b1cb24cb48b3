//! How many CPUs this process may use: by its affinity and by the quota of its cgroup and of all cgroups above that are in sight.
//!
//! 1. A file that is missing, empty, endless or garbage means no quota, never a failure. Nothing here waits for anybody.
//! 2. Some 30 KiB of stack, no allocation: it runs before there are Ps, and on sysmon's g0.
//! 3. With one CPU no file is read, and no ancestor above a quota of one CPU: it cannot be less.
//!
//! System calls, where the kernel has all files: three or more for each file (open, read, close): `/proc/self/cgroup`, `/proc/self/mountinfo`, and at
//! each level `cpu.max`, or `cpu.cfs_quota_us` and, if that says something, `cpu.cfs_period_us`.
//!
//! Rejected: descriptors that stay open (Go: a move to another cgroup is not seen, and a user who closes all descriptors hits them).

use crate::base::cgroup::group::Group;
use crate::base::cgroup::levels::Levels;
use crate::base::cgroup::mounts::Mounts;
use crate::base::cgroup::{Version, limit};
use crate::base::tune::PROC_FILE_MAX_BYTES;
use crate::sys::{Errno, file};

/// `min(by_affinity, the tightest quota rounded up)`, 1 at least, by what the files say now.
pub fn usable(by_affinity: u32) -> u32 {
    if by_affinity <= 1 { 1 } else { quota().map_or(by_affinity, |quota| by_affinity.min(quota)) }
}

/// The tightest quota, rounded up; none if there is none.
#[cold]
fn quota() -> Option<u32> {
    let mut group = Group::new();
    read_all(b"/proc/self/cgroup\0", |text| group.feed(text))?;
    let (version, path) = group.finish()?;
    let mut mounts = Mounts::new(version, path);
    read_all(b"/proc/self/mountinfo\0", |text| {
        mounts.feed(text);
        false
    })?;
    let levels = mounts.finish()?;
    let mut tightest = None;
    loop {
        let here = match version {
            Version::V1 => v1(levels),
            Version::V2 => limit::v2(read_short(levels, "cpu.max", &mut [0; LINE])),
        };
        tightest = tightest.into_iter().chain(here).min();
        if tightest == Some(1) || !levels.up() {
            return tightest;
        }
    }
}

fn v1(levels: &mut Levels) -> Option<u32> {
    let quota = limit::v1_quota(read_short(levels, "cpu.cfs_quota_us", &mut [0; LINE]))?;
    limit::v1(quota, read_short(levels, "cpu.cfs_period_us", &mut [0; LINE]))
}

/// More than the one line of any file of a group.
const LINE: usize = 64;

/// What a file of a line at most says; empty if it cannot be read, or is longer.
#[cold]
fn read_short<'a>(levels: &mut Levels, name: &str, text: &'a mut [u8; LINE]) -> &'a [u8] {
    let len = file::open(levels.file(name)).and_then(|file| read(&file, text)).unwrap_or(0);
    // There may be more than fits: whatever it is, it is not what the kernel writes there.
    if len < LINE { &text[..len] } else { &[] }
}

/// Reads the file at `path`, which ends with a zero byte, until its end, or until `take` says that it has enough. None: it cannot be read, or is endless.
fn read_all<const N: usize>(path: &[u8; N], mut take: impl FnMut(&[u8]) -> bool) -> Option<()> {
    let file = file::open(&mut path.clone()).ok()?;
    // The kernel writes these files by pages.
    let mut text = [0; 4096];
    let mut total = 0;
    while total < PROC_FILE_MAX_BYTES {
        let len = read(&file, &mut text).ok()?;
        if len == 0 || take(&text[..len]) {
            return Some(());
        }
        total += len;
    }
    None
}

#[cold]
fn read(file: &file::OwnedFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match file::read(file, buffer) {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
