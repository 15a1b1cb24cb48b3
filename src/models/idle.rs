//! The last spinner: what is pushed while the last M that looks for work gives up is found by that M, or wakes another one.
//!
//! The real `base::idle_word`, `base::ring`, `base::note`, `base::lock`. What it copies, and where it could drift: the order of the steps in
//! `sched::idle::go_idle`, `sched::wake::start_spinner`, `sched::find::{find, found, work_in_sight}`, `sched::reap::{look, take}`.
//!
//! An M here runs one goroutine, for ever: so each goroutine needs an M of its own, and one that sleeps while there is something to run is a deadlock.
//!
//! A push has no fence before its look at the word, so it may miss an M that becomes idle in that very moment (`sched::wake`, 2). Two models show what
//! holds all the same: with a fence, which stands for "the push has left the store buffer by then", one look is enough; without, the look at
//! the next tick of the P (`sched::pick::wanted`) finds what the first one missed.

use super::explore;
use crate::base::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::SeqCst, fence};
use crate::base::bitmask::Bitmask;
use crate::base::idle_word::{IDLE_P, IdleWord, SPINNING_M};
use crate::base::lock::{Lock, Rank};
use crate::base::note::Note;
use crate::base::ring::{HALF, Ring};
use core::ptr;
use loom::thread;
use std::sync::Arc;
use std::vec::Vec;

/// The P of who pushes; those of the Ms are 1 and 2.
const PUSHER: u32 = 0;

struct Locked {
    idle_ps: Vec<u32>,
    idle_ms: Vec<usize>,
    global: Vec<usize>,
}

struct World {
    locked: Lock<Locked>,
    idle: IdleWord,
    mask: [AtomicU64; 1],
    ring: Ring<u8>,
    global_len: AtomicU32,
    notes: [Note; 2],
    /// `M::ends`: under the lock until its M is woken.
    ends: [core::sync::atomic::AtomicBool; 2],
}

impl World {
    fn new() -> Arc<World> {
        Arc::new(World {
            locked: Lock::new(Rank::Sched, Locked { idle_ps: Vec::new(), idle_ms: Vec::new(), global: Vec::new() }),
            idle: IdleWord::new(),
            mask: [AtomicU64::new(0)],
            ring: Ring::new(),
            global_len: AtomicU32::new(0),
            notes: [Note::new(), Note::new()],
            ends: Default::default(),
        })
    }

    fn mask(&self) -> Bitmask<'_> {
        Bitmask::new(&self.mask)
    }

    /// `queue::push`.
    fn push(&self, n: usize) {
        assert!(self.ring.push(ptr::without_provenance_mut(n)));
    }

    /// `queue::push_global`.
    fn push_global(&self, n: usize) {
        let mut locked = self.locked.lock();
        locked.global.push(n);
        self.global_len.store(locked.global.len() as u32, Relaxed);
    }

    /// `wake::one_more`, `wake::start_spinner`.
    fn one_more(&self) {
        if !self.idle.wants_one_more() || !self.idle.count_spinner() {
            return;
        }
        let mut locked = self.locked.lock();
        let Some(p) = self.take_p(&mut locked) else {
            drop(locked);
            self.idle.fetch_sub(SPINNING_M, SeqCst);
            return;
        };
        // A P without an M: its M has ended, and no thread can be made.
        let Some(m) = locked.idle_ms.pop() else {
            self.mask().insert(p);
            locked.idle_ps.push(p);
            self.idle.fetch_add(IDLE_P, SeqCst);
            self.idle.fetch_sub(SPINNING_M, SeqCst);
            return;
        };
        drop(locked);
        self.notes[m].wake();
    }

    /// `idle::take_p`.
    fn take_p(&self, locked: &mut Locked) -> Option<u32> {
        let p = locked.idle_ps.pop()?;
        self.mask().remove(p);
        self.idle.fetch_sub(IDLE_P, SeqCst);
        Some(p)
    }

    /// `reap::take` and `look`: M `m` is to end, if it is idle.
    fn reap(&self, m: usize) -> bool {
        let mut locked = self.locked.lock();
        let Some(at) = locked.idle_ms.iter().position(|&idle| idle == m) else { return false };
        locked.idle_ms.remove(at);
        self.ends[m].store(true, Relaxed);
        drop(locked);
        self.notes[m].wake();
        true
    }

    /// `find::find`: the one goroutine that M `m`, which spins with its P, will run. 0: it ends instead.
    fn find(&self, m: usize) -> usize {
        loop {
            let mut out = [ptr::null_mut(); HALF];
            let mut found = if self.ring.take_half(&mut out) == 0 { 0 } else { out[0].addr() };
            if found == 0 && self.global_len.load(Relaxed) != 0 {
                let mut locked = self.locked.lock();
                found = locked.global.pop().unwrap_or(0);
                self.global_len.store(locked.global.len() as u32, Relaxed);
            }
            if found != 0 {
                // `find::found`.
                if self.idle.stop_spinning() {
                    self.one_more();
                }
                return found;
            }
            if self.go_idle(m) {
                return 0;
            }
        }
    }

    /// `idle::go_idle`. True: the M ends.
    fn go_idle(&self, m: usize) -> bool {
        let p = m as u32 + 1;
        {
            let mut locked = self.locked.lock();
            if !locked.global.is_empty() {
                return false;
            }
            self.mask().insert(p);
            locked.idle_ps.push(p);
            locked.idle_ms.push(m);
            self.idle.go_idle(true);
        }
        if self.work_in_sight() {
            let mut locked = self.locked.lock();
            if let Some(at) = locked.idle_ms.iter().position(|&idle| idle == m)
                && self.take_p(&mut locked).is_some()
            {
                locked.idle_ms.remove(at);
                self.idle.fetch_add(SPINNING_M, SeqCst);
                return false;
            }
            let ends = self.ends[m].load(Relaxed);
            drop(locked);
            if ends {
                self.one_more();
            }
        }
        self.notes[m].sleep();
        self.notes[m].clear();
        self.ends[m].load(Relaxed)
    }

    fn work_in_sight(&self) -> bool {
        self.global_len.load(Acquire) != 0 || (!self.mask().has(PUSHER) && !self.ring.is_empty())
    }

    /// M `m` spins, in a thread of its own.
    fn spinner(self: &Arc<World>, m: usize) -> thread::JoinHandle<usize> {
        self.idle.fetch_add(SPINNING_M, SeqCst);
        let world = self.clone();
        thread::spawn(move || world.find(m))
    }

    /// M `m` sleeps, in a thread of its own.
    fn sleeper(self: &Arc<World>, m: usize) -> thread::JoinHandle<usize> {
        let mut locked = self.locked.lock();
        let p = m as u32 + 1;
        self.mask().insert(p);
        locked.idle_ps.push(p);
        locked.idle_ms.push(m);
        self.idle.fetch_add(IDLE_P, SeqCst);
        let world = self.clone();
        thread::spawn(move || {
            world.notes[m].sleep();
            world.notes[m].clear();
            world.find(m)
        })
    }
}

#[test]
fn a_push_while_the_last_spinner_leaves_is_found() {
    explore(6, || {
        let world = World::new();
        let spinner = world.spinner(0);
        world.push(1);
        fence(SeqCst);
        world.one_more();
        assert_eq!(spinner.join().unwrap(), 1);
    });
}

#[test]
fn a_push_without_a_fence_is_found_at_the_next_tick() {
    explore(4, || {
        let world = World::new();
        let spinner = world.spinner(0);
        world.push(1);
        world.one_more();
        // Until the next tick the CPU has written its stores.
        fence(SeqCst);
        if world.idle.load(Relaxed) != 0 && !world.ring.is_empty() {
            world.one_more();
        }
        assert_eq!(spinner.join().unwrap(), 1);
    });
}

#[test]
fn a_push_to_the_global_queue_needs_no_fence() {
    explore(6, || {
        let world = World::new();
        let spinner = world.spinner(0);
        world.push_global(1);
        world.one_more();
        assert_eq!(spinner.join().unwrap(), 1);
    });
}

#[test]
fn the_last_spinner_that_finds_work_wakes_the_next() {
    explore(2, || {
        let world = World::new();
        let (spinner, sleeper) = (world.spinner(0), world.sleeper(1));
        for n in 1..=2 {
            world.push(n);
            fence(SeqCst);
            world.one_more();
        }
        let mut found = [spinner.join().unwrap(), sleeper.join().unwrap()];
        found.sort();
        assert_eq!(found, [1, 2]);
    });
}

/// `reap`, invariant 6: it takes the M that has just become idle, and looks for the last time. Another one sleeps; somebody runs what was pushed.
#[test]
fn what_an_m_that_is_to_end_finds_is_run_by_another() {
    explore(1, || {
        let world = World::new();
        let (sleeper, spinner) = (world.sleeper(1), world.spinner(0));
        let reaper = {
            let world = world.clone();
            thread::spawn(move || world.reap(0))
        };
        world.push(1);
        fence(SeqCst);
        world.one_more();
        if reaper.join().unwrap() {
            assert_eq!((spinner.join().unwrap(), sleeper.join().unwrap()), (0, 1));
            return;
        }
        // It came too early, or the M was woken: one more, so that each has something to run.
        world.push(2);
        fence(SeqCst);
        world.one_more();
        assert_eq!(spinner.join().unwrap() + sleeper.join().unwrap(), 3);
    });
}
