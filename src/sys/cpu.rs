//! The CPUs that this process may use.

use rustix::thread::{CpuSet, sched_getaffinity};

/// How many CPUs the affinity mask of the calling thread allows; 1 where the kernel does not say.
pub fn count() -> u32 {
    sched_getaffinity(None).map_or(1, |set: CpuSet| set.count().max(1))
}

/// Gives up the CPU to whoever the kernel holds fit.
pub fn sched_yield() {
    rustix::thread::sched_yield();
}
