//! Waiting for a word in memory to change: `futex`, private to the process.

use super::Errno;
use core::sync::atomic::AtomicU32;
use core::time::Duration;
use rustix::thread::futex::{self, Flags};
use rustix::time::Timespec;

/// Sleeps while `*word == expected`, at most `timeout` long. Returns on a wake-up, a change, a signal, the end of the time: look again.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> Result<(), Errno> {
    let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: t.subsec_nanos().into() });
    futex::wait(word, Flags::PRIVATE, expected, timeout.as_ref())
}

/// Wakes up to `count` sleepers of `word`, and says how many there were.
pub fn wake(word: &AtomicU32, count: u32) -> Result<usize, Errno> {
    futex::wake(word, Flags::PRIVATE, count)
}
