//! Calls that are made once for all who want them at the same time.
//!
//! 1. A call is in the group's map from before it is made until its function has ended, or it was forgotten. Who finds one there waits for it. Nobody joins it after it has left the map.
//! 2. A function that ends by `goexit` ends those who wait in `do_call` too. Unsafe code is allowed here, for the hook that notices.
//! 3. A panic ends the process, so a function returns or ends by `goexit`.
//!
//! Source: Go package golang.org/x/sync/singleflight.

#![allow(unsafe_code)]

use super::Mutex;
use crate::arch::here::here;
use crate::chan::{Receiver, Sender, channel};
use crate::gmp::{WaitReason, require_runtime};
use crate::sched::countdown::Countdown;
use crate::sched::exit::{self, OnGoexit};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// What a call has given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<T> {
    /// What its function has returned.
    pub value: T,
    /// Was it given to more than one caller?
    pub shared: bool,
}

struct Call<T> {
    running: Countdown,
    /// Nothing yet, or never: the function has ended by `goexit`.
    value: Mutex<Option<T>>,
    others: Mutex<Others<T>>,
}

/// Who waits besides the one whose function it is.
struct Others<T> {
    count: u32,
    channels: Vec<Sender<Answer<T>>>,
}

type Calls<K, T> = Mutex<BTreeMap<K, Arc<Call<T>>>>;

/// Calls that have a key each: of those with the same key one is made at a time, and all who want it meanwhile get its value.
///
/// Clones are handles of the same group.
///
/// Source: Go package golang.org/x/sync/singleflight, Group.
pub struct Group<K, T> {
    calls: Arc<Calls<K, T>>,
}

impl<K: Ord + Clone, T: Clone + Send> Group<K, T> {
    /// A group without calls.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Group<K, T> {
        require_runtime();
        Group { calls: Arc::new(Mutex::new(BTreeMap::new())) }
    }

    /// Calls `f` and returns its value, unless somebody does so for `key`: then waits for that call, and returns a clone of its value.
    ///
    /// If the function that is called ends its goroutine by [`goexit`](crate::runtime::goexit), those who wait for it end too.
    ///
    /// Source: Go package golang.org/x/sync/singleflight, Group.Do.
    pub fn do_call(&self, key: K, f: impl FnOnce() -> T) -> Answer<T> {
        match self.join(&key, None) {
            (call, true) => make(&self.calls, &key, &call, f),
            (call, false) => {
                call.running.wait(WaitReason::WaitGroupWait);
                let value = call.value.lock().clone();
                let Some(value) = value else { exit::goexit() };
                Answer { value, shared: true }
            }
        }
    }

    /// As [`do_call`](Group::do_call), but `f` is called in a goroutine, and the value comes through the channel that is returned. It is not closed; if the function
    /// ends by `goexit` nothing comes.
    ///
    /// Source: Go package golang.org/x/sync/singleflight, Group.DoChan.
    #[inline(always)]
    pub fn do_chan(&self, key: K, f: impl FnOnce() -> T + Send + 'static) -> Receiver<Answer<T>>
    where
        K: Send + 'static,
        T: 'static,
    {
        self.do_chan_at(here(), key, f)
    }

    fn do_chan_at(&self, made_at: usize, key: K, f: impl FnOnce() -> T + Send + 'static) -> Receiver<Answer<T>>
    where
        K: Send + 'static,
        T: 'static,
    {
        // Room for the value: nobody waits to send it.
        let (sender, receiver) = channel(1);
        let (call, is_ours) = self.join(&key, Some(sender));
        if is_ours {
            let calls = self.calls.clone();
            crate::sched::spawn::go(made_at, move || drop(make(&calls, &key, &call, f)));
        }
        receiver
    }

    /// Forgets the call for `key`: the next one who wants it makes a new one. Those who wait get the value of the old one all the same.
    ///
    /// Source: Go package golang.org/x/sync/singleflight, Group.Forget.
    pub fn forget(&self, key: &K) {
        let forgotten = self.calls.lock().remove(key);
        drop(forgotten);
    }

    /// The call for `key`, and whether it is the caller's to make. `channel` gets its value.
    fn join(&self, key: &K, channel: Option<Sender<Answer<T>>>) -> (Arc<Call<T>>, bool) {
        let mut calls = self.calls.lock();
        if let Some(call) = calls.get(key) {
            let mut others = call.others.lock();
            others.count += 1;
            others.channels.extend(channel);
            return (call.clone(), false);
        }
        let others = Others { count: 0, channels: channel.into_iter().collect() };
        let call = Arc::new(Call { running: Countdown::new(1), value: Mutex::new(None), others: Mutex::new(others) });
        calls.insert(key.clone(), call.clone());
        (call, true)
    }
}

/// What the hook of a `goexit` is told.
struct Made<'a, K, T> {
    calls: &'a Calls<K, T>,
    key: &'a K,
    call: &'a Arc<Call<T>>,
}

fn make<K: Ord, T: Clone + Send>(calls: &Calls<K, T>, key: &K, call: &Arc<Call<T>>, f: impl FnOnce() -> T) -> Answer<T> {
    let made = Made { calls, key, call };
    // SAFETY: `made` stays on this stack while `f` runs, also if it ends the goroutine: nothing unwinds.
    let value = unsafe { OnGoexit::guard(goexits::<K, T>, (&raw const made).cast(), f) };
    *call.value.lock() = Some(value.clone());
    let (shared, channels) = made.end();
    for channel in channels {
        channel.send(Answer { value: value.clone(), shared });
    }
    Answer { value, shared }
}

impl<K: Ord, T> Made<'_, K, T> {
    /// The function has ended. Was it shared, and which channels get its value?
    fn end(&self) -> (bool, Vec<Sender<Answer<T>>>) {
        let mut calls = self.calls.lock();
        // Another one may have its place, if it was forgotten.
        let is_there = calls.get(self.key).is_some_and(|call| Arc::ptr_eq(call, self.call));
        let entry = if is_there { calls.remove_entry(self.key) } else { None };
        drop(calls);
        drop(entry);
        let others = {
            let mut others = self.call.others.lock();
            (others.count > 0, core::mem::take(&mut others.channels))
        };
        if !self.call.running.done() {
            crate::base::throw!("singleflight: a call ended twice");
        }
        others
    }
}

/// Invariant 2.
unsafe fn goexits<K: Ord, T>(made: *const ()) {
    // SAFETY: `make` has passed its own.
    let made = unsafe { &*made.cast::<Made<K, T>>() };
    drop(made.end());
}

impl<K, T> Clone for Group<K, T> {
    fn clone(&self) -> Group<K, T> {
        Group { calls: self.calls.clone() }
    }
}

impl<K, T> fmt::Debug for Group<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}
