//! The runtime's lock, released by its holder or by a commit: the real `base::lock`.

use super::explore;
use crate::base::NoPreempt;
use crate::base::atomic::commit;
use crate::base::lock::{FREE, Rank, RawLock};
use loom::thread;
use std::sync::Arc;

struct Counted {
    lock: RawLock,
    count: loom::cell::UnsafeCell<u32>,
}

// SAFETY: loom checks the use of the cell.
unsafe impl Sync for Counted {}

impl Counted {
    fn count(&self, by_commit: bool) {
        let _nopreempt = NoPreempt::new();
        self.lock.lock_raw(Rank::Sync);
        // SAFETY: loom checks that nobody else is at it.
        self.count.with_mut(|count| unsafe { *count += 1 });
        if by_commit {
            // SAFETY: the lock outlives the commit.
            unsafe { commit(self.lock.hand_to_commit(Rank::Sync), FREE) };
        } else {
            self.lock.unlock_raw(Rank::Sync);
        }
    }
}

#[test]
fn one_holder_at_a_time_sees_what_the_last_one_did() {
    explore(6, || {
        let counted = Arc::new(Counted { lock: RawLock::new(), count: loom::cell::UnsafeCell::new(0) });
        let others = [false, true].map(|by_commit| {
            let counted = counted.clone();
            thread::spawn(move || counted.count(by_commit))
        });
        counted.count(false);
        others.into_iter().for_each(|other| other.join().unwrap());
        // SAFETY: as above.
        counted.count.with(|count| assert_eq!(unsafe { *count }, 3));
    });
}
