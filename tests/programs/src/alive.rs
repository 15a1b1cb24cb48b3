//! Values that count themselves: created equals dropped, in the end.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How many there are.
pub static ALIVE: AtomicU64 = AtomicU64::new(0);

/// A value that counts itself.
#[derive(Debug, PartialEq, Eq)]
pub struct Counted(pub u64);

impl Counted {
    /// One more.
    pub fn new(n: u64) -> Counted {
        ALIVE.fetch_add(1, SeqCst);
        Counted(n)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}
