//! The CPUs that this process may use.

use super::check;
use crate::arch::syscall::syscall3;
use linux_raw_sys::general::__NR_sched_getaffinity;

/// Words of a mask of as many CPUs as any kernel knows (8192). One that is too small for the kernel is refused.
const WORDS: usize = 128;

/// How many CPUs the affinity mask of the calling thread allows; 1 where the kernel does not say.
pub fn count() -> u32 {
    let mut mask = [0u64; WORDS];
    // SAFETY: the kernel writes at most so many bytes of the mask, which lives through the call.
    let written = check(unsafe { syscall3(__NR_sched_getaffinity, 0, size_of_val(&mask), &raw mut mask as usize) });
    written.map_or(1, |_| mask.iter().map(|word| word.count_ones()).sum::<u32>().max(1))
}

/// Gives up the CPU to whoever the kernel holds fit.
pub fn sched_yield() {
    rustix::thread::sched_yield();
}

#[cfg(test)]
mod tests {
    #[test]
    fn std_counts_the_same() {
        // std looks at cgroups too, and then counts fewer.
        assert!(super::count() as usize >= std::thread::available_parallelism().unwrap().get());
    }
}
