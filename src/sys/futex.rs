//! Waiting for a word in memory to change: `futex`, private to the process.

use super::Errno;
use super::clock::monotonic_ns;
use core::num::NonZeroU32;
use core::sync::atomic::AtomicU32;
use core::time::Duration;
use rustix::thread::futex::{self, Flags};
use rustix::time::Timespec;

/// Sleeps while `*word == expected`, at most `timeout` long. Returns on a wake-up, a change, a signal, the end of the time: look again.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<(), Errno> {
    let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: t.subsec_nanos().into() });
    futex::wait(word, Flags::PRIVATE, expected, timeout.as_ref())
}

/// Sleeps while `*word == expected`, at most until `deadline_ns` of the monotonic clock. ETIMEDOUT then; else as `wait`.
pub fn wait_until(word: &AtomicU32, expected: u32, deadline_ns: u64) -> Result<(), Errno> {
    let deadline = Timespec { tv_sec: (deadline_ns / 1_000_000_000) as i64, tv_nsec: (deadline_ns % 1_000_000_000) as i64 };
    match futex::wait_bitset(word, Flags::PRIVATE, expected, Some(&deadline), NonZeroU32::MAX) {
        // Who is interrupted each time is never told.
        Err(Errno::INTR) if monotonic_ns() >= deadline_ns => Err(Errno::TIMEDOUT),
        other => other,
    }
}

/// Wakes up to `count` sleepers of `word`, and says how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize, Errno> {
    futex::wake(word, Flags::PRIVATE, count)
}
