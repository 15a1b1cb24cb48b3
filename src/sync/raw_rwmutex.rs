//! The words of a reader-writer mutex.
//!
//! | `readers`         | meaning                                                                                        |
//! |-------------------|------------------------------------------------------------------------------------------------|
//! | `n`               | `n` goroutines read                                                                            |
//! | `n - WRITER`      | a writer holds it or waits for it; `n` read, or wait for that one to be done                   |
//!
//! 1. Writers come one after the other through `writers`. The one whose turn it is announces itself in `readers`: from then on nobody begins to read, and
//!    those who do are counted in `departing` until none is left. So readers who keep coming hold up no writer.
//! 2. A writer who is done lets all readers in who have come meanwhile, before the next writer. So writers who keep coming hold up no reader.
//! 3. `reader_permits` and `writer_permits` are semaphores (`sched::semaphore`): as many permits are granted as wait, or are about to.
//!
//! Source: Go package sync, RWMutex.

use super::raw_mutex::RawMutex;
use crate::base::atomic::{AtomicU32, Ordering};
use crate::base::throw;
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::{poll, semaphore};

const WRITER: u32 = 1 << 30;
/// Guards that are forgotten add up: beyond this the word would say something else.
const READERS_MAX: u32 = 1 << 29;

/// See the head of this file.
pub struct RawRwMutex {
    writers: RawMutex,
    readers: AtomicU32,
    /// Readers that the writer who has announced itself waits for; less than none while they leave before it has counted them.
    departing: AtomicU32,
    reader_permits: AtomicU32,
    writer_permits: AtomicU32,
}

impl RawRwMutex {
    #[cfg(not(loom))]
    pub const fn new() -> RawRwMutex {
        RawRwMutex {
            writers: RawMutex::new(),
            readers: AtomicU32::new(0),
            departing: AtomicU32::new(0),
            reader_permits: AtomicU32::new(0),
            writer_permits: AtomicU32::new(0),
        }
    }

    #[cfg(loom)]
    pub fn new() -> RawRwMutex {
        RawRwMutex {
            writers: RawMutex::new(),
            readers: AtomicU32::new(0),
            departing: AtomicU32::new(0),
            reader_permits: AtomicU32::new(0),
            writer_permits: AtomicU32::new(0),
        }
    }

    #[inline]
    pub fn read(&self) {
        let readers = self.readers.fetch_add(1, Ordering::Acquire).wrapping_add(1);
        if readers > READERS_MAX {
            self.read_slow(readers);
        }
    }

    #[cold]
    fn read_slow(&self, readers: u32) {
        require_runtime();
        if readers.cast_signed() > 0 {
            self.readers.fetch_sub(1, Ordering::Relaxed);
            panic!("sync: RwMutex has too many readers");
        }
        semaphore::acquire(&self.reader_permits, false, WaitReason::RwMutexRead);
    }

    #[inline]
    pub fn try_read(&self) -> bool {
        let more = |readers| (readers < READERS_MAX).then_some(readers + 1);
        self.readers.fetch_update(Ordering::Acquire, Ordering::Relaxed, more).is_ok()
    }

    /// The caller reads.
    #[inline]
    pub fn unlock_read(&self) {
        let readers = self.readers.fetch_sub(1, Ordering::Release).wrapping_sub(1);
        if readers.cast_signed() < 0 {
            self.unlock_read_slow(readers);
        }
        poll();
    }

    #[cold]
    fn unlock_read_slow(&self, readers: u32) {
        if readers.wrapping_add(1) == 0 || readers.wrapping_add(1) == WRITER.wrapping_neg() {
            throw!("sync: RUnlock of unlocked RWMutex");
        }
        if self.departing.fetch_sub(1, Ordering::AcqRel) == 1 {
            semaphore::grant(&self.writer_permits, 1);
        }
    }

    #[inline]
    pub fn write(&self) {
        self.writers.lock();
        let readers = self.readers.fetch_sub(WRITER, Ordering::AcqRel);
        if readers != 0 {
            self.wait_for(readers);
        }
    }

    #[cold]
    fn wait_for(&self, readers: u32) {
        if self.departing.fetch_add(readers, Ordering::AcqRel).wrapping_add(readers) != 0 {
            semaphore::acquire(&self.writer_permits, false, WaitReason::RwMutexWrite);
        }
    }

    #[inline]
    pub fn try_write(&self) -> bool {
        if !self.writers.try_lock() {
            return false;
        }
        let is_free = self.readers.compare_exchange(0, WRITER.wrapping_neg(), Ordering::Acquire, Ordering::Relaxed).is_ok();
        if !is_free {
            self.writers.unlock();
        }
        is_free
    }

    /// The caller writes.
    #[inline]
    pub fn unlock_write(&self) {
        self.let_readers_in(0);
        self.writers.unlock();
    }

    /// The caller writes: the writer who waits for longest gets it, after the readers who wait.
    #[cfg(feature = "lock_api")]
    pub fn unlock_write_fair(&self) {
        self.let_readers_in(0);
        self.writers.unlock_fair();
    }

    /// The caller writes: from now on it reads.
    #[cfg(feature = "lock_api")]
    pub fn downgrade(&self) {
        self.let_readers_in(1);
        self.writers.unlock();
    }

    /// Nobody writes any more, and `more` read, besides those who wait to.
    #[inline]
    fn let_readers_in(&self, more: u32) {
        let readers = self.readers.fetch_add(WRITER + more, Ordering::Release).wrapping_add(WRITER);
        if readers != 0 {
            self.let_in(readers);
        }
    }

    #[cold]
    fn let_in(&self, readers: u32) {
        if readers >= WRITER {
            throw!("sync: Unlock of unlocked RWMutex");
        }
        semaphore::grant(&self.reader_permits, readers);
    }

    /// Does somebody read or write?
    #[cfg(feature = "lock_api")]
    pub fn is_locked(&self) -> bool {
        self.readers.load(Ordering::Relaxed) != 0
    }

    /// Does somebody write, or wait to?
    #[cfg(feature = "lock_api")]
    pub fn is_written(&self) -> bool {
        self.readers.load(Ordering::Relaxed).cast_signed() < 0
    }
}
