//! `Semaphore`: a bound on how much of something is in use at once, by weight.
//!
//! 1. Requests are granted in the order in which they came; one that is too large for now holds up those behind it, so that none starves.
//! 2. What is granted is counted as held from that moment on, under the lock, though its goroutine may not have gone on yet.

use super::Mutex;
use crate::chan::{self, Chan};
use alloc::collections::BTreeMap;
use core::fmt;

/// A bound on a resource that goroutines use by weight: at most `size` in all at a time.
///
/// Source: Go package golang.org/x/sync/semaphore, Weighted.
pub struct Semaphore {
    size: u64,
    state: Mutex<State>,
}

struct State {
    held: u64,
    /// Of the next request.
    number: u64,
    /// By their numbers: in the order in which they came.
    requests: BTreeMap<u64, Waiting>,
}

struct Waiting {
    weight: u64,
    granted: Chan<()>,
}

impl Semaphore {
    /// One of which nothing is held, and `size` may be.
    pub const fn new(size: u64) -> Semaphore {
        Semaphore { size, state: Mutex::new(State { held: 0, number: 0, requests: BTreeMap::new() }) }
    }

    /// Acquires a weight of `n`; waits for it behind all who wait. More than the semaphore's size is waited for in vain, without holding up others.
    pub fn acquire(&self, n: u64) {
        if let Some(request) = self.request(n) {
            request.granted().recv();
            request.accept();
        }
    }

    /// Acquires a weight of `n`, if it is there and nobody waits. False: nothing has changed.
    pub fn try_acquire(&self, n: u64) -> bool {
        self.state.lock().take(n, self.size)
    }

    /// Releases a weight of `n`. Panics if that is more than is held: `semaphore: released more than held`, as in Go.
    #[track_caller]
    pub fn release(&self, n: u64) {
        let mut state = self.state.lock();
        match state.held.checked_sub(n) {
            Some(held) => state.held = held,
            None => {
                drop(state);
                panic!("semaphore: released more than held");
            }
        }
        state.grant(self.size);
    }

    /// Acquires a weight of `n`, if it is there and nobody waits: then `None`. Else it is a request, which is behind all others, can be waited for
    /// together with something else, and is taken back by being dropped. One for more than the size is never granted and holds up nobody.
    #[doc(hidden)]
    pub fn request(&self, n: u64) -> Option<Request<'_>> {
        let mut state = self.state.lock();
        if state.take(n, self.size) {
            return None;
        }
        let number = state.number;
        state.number += 1;
        let granted = if n > self.size { Chan::nil() } else { chan::make(1) };
        if n <= self.size {
            state.requests.insert(number, Waiting { weight: n, granted: granted.clone() });
        }
        Some(Request { semaphore: self, weight: n, number, granted, accepted: false })
    }
}

impl State {
    fn take(&mut self, n: u64, size: u64) -> bool {
        let is_there = self.requests.is_empty() && size - self.held >= n;
        if is_there {
            self.held += n;
        }
        is_there
    }

    /// Invariant 1.
    fn grant(&mut self, size: u64) {
        while let Some(first) = self.requests.first_entry() {
            let weight = first.get().weight;
            if size - self.held < weight {
                return;
            }
            self.held += weight;
            first.remove().granted.send(());
        }
    }
}

/// A place in a semaphore's queue. Dropped, it is taken back, and what was granted meanwhile is released.
#[doc(hidden)]
pub struct Request<'a> {
    semaphore: &'a Semaphore,
    weight: u64,
    number: u64,
    granted: Chan<()>,
    accepted: bool,
}

impl Request<'_> {
    /// Something can be received once it is granted: then `accept` it.
    pub fn granted(&self) -> &Chan<()> {
        &self.granted
    }

    /// What was granted is the caller's to release.
    pub fn accept(mut self) {
        self.accepted = true;
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        if self.accepted || self.weight > self.semaphore.size {
            return;
        }
        let mut state = self.semaphore.state.lock();
        if state.requests.remove(&self.number).is_none() {
            state.held -= self.weight;
        }
        // Those behind it may be small enough.
        state.grant(self.semaphore.size);
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        f.debug_struct("Semaphore").field("size", &self.size).field("held", &state.held).field("waiting", &state.requests.len()).finish()
    }
}
