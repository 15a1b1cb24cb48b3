//! What can be cancelled: a tree, whose branches are told by whom they grew from.
//!
//! 1. A branch that is live is among the children of its parent, which hold it; it does not hold its parent. Who is cancelled, or stopped, leaves them.
//! 2. A branch is done once, and for good: under its lock its cause is noted, then `word`, then its channel is closed, then `word` says so. So who sees the
//!    channel closed sees the error, and who is told the error finds the channel closed.
//! 3. Children are added to a live branch only, under its lock; those of one that is done only become fewer. Who cancels cancels a child, and takes it out only
//!    when all below it is done. Who comes second does the same: so whoever has cancelled finds all below done, and no lock is held while another is taken.
//! 4. Dropping is not to be noticed. A branch leaves its parent, and its timer is stopped, once nobody could tell: nobody has the context, or a context
//!    below it, nobody else has its channel, and nothing is registered with it.
//! 5. No depth is bounded: nothing here calls itself.
//!
//! | `word`          | the branch                                      | left by                     |
//! |-----------------|-------------------------------------------------|-----------------------------|
//! | `LIVE`          | is not done                                     | `finish`, to an error       |
//! | error           | is done, and its channel is being closed        | `finish`, to error + CLOSED |
//! | error + `CLOSED`| is done                                         | it stays                    |
//!
//! Rejected: to hold the locks of all branches on the way down, as Go does (guards of any number, and a chain of waiters); weak children and strong
//! parents (who has the channel alone would not be told).

use super::{Cause, Error};
use crate::chan::{Receiver, Sender, channel};
use crate::sync::{Mutex, MutexGuard};
use crate::time::{AfterFunc, Duration, after_func};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Acquire, Ordering::Release};

const LIVE: u32 = 0;
const CANCELED: u32 = 1;
const DEADLINE_EXCEEDED: u32 = 2;
const CLOSED: u32 = 4;

/// See the head of this file.
pub struct Branch {
    word: AtomicU32,
    done: Receiver<()>,
    end: Sender<()>,
    parent: Weak<Branch>,
    /// Among its parent's children.
    place: u64,
    state: Mutex<State>,
}

struct State {
    cause: Option<Cause>,
    children: BTreeMap<u64, Child>,
    next_place: u64,
    deadline: Option<Deadline>,
    /// Does somebody have the context?
    has_context: bool,
}

/// What ends a branch at a time. It is here, not with the timer, whose entry may lie in a heap for long after it was stopped.
struct Deadline {
    timer: AfterFunc,
    cause: Option<Cause>,
    /// The branch, as long as the timer is armed.
    _keeps: Arc<Branch>,
}

/// What is told that a branch is done.
#[derive(Clone)]
pub enum Child {
    Branch(Arc<Branch>),
    Call(Arc<Call>),
}

/// A call that is made when a branch is done, once, unless it is taken before.
pub struct Call {
    f: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Call {
    pub fn new(f: Box<dyn FnOnce() + Send>) -> Arc<Call> {
        Arc::new(Call { f: Mutex::new(Some(f)) })
    }

    /// For whoever comes first.
    pub fn take(&self) -> Option<Box<dyn FnOnce() + Send>> {
        self.f.lock().take()
    }
}

impl Branch {
    /// A live one below `parent`, with a context; or one that is done, as its parent is.
    pub fn grow(parent: Option<&Arc<Branch>>) -> Arc<Branch> {
        let Some(parent) = parent else { return Arc::new(Branch::new(Weak::new(), 0)) };
        let mut state = parent.state.lock();
        if let Some(error) = parent.error_now() {
            let cause = state.cause.clone();
            drop(state);
            let branch = Arc::new(Branch::new(Weak::new(), 0));
            branch.finish(error, cause);
            return branch;
        }
        let place = state.next_place;
        state.next_place += 1;
        let branch = Arc::new(Branch::new(Arc::downgrade(parent), place));
        state.children.insert(place, Child::Branch(branch.clone()));
        branch
    }

    fn new(parent: Weak<Branch>, place: u64) -> Branch {
        let (end, done) = channel(0);
        let state = State { cause: None, children: BTreeMap::new(), next_place: 0, deadline: None, has_context: true };
        Branch { word: AtomicU32::new(LIVE), done, end, parent, place, state: Mutex::new(state) }
    }

    /// Has `call` told when it is done. Its place, for `remove`; none if it is done, and the call is not registered.
    pub fn register(&self, call: Arc<Call>) -> Option<u64> {
        let mut state = self.state.lock();
        if self.error_now().is_some() {
            return None;
        }
        let place = state.next_place;
        state.next_place += 1;
        state.children.insert(place, Child::Call(call));
        Some(place)
    }

    /// Takes out who has this place, if anybody has.
    pub fn remove(self: &Arc<Branch>, place: u64) {
        if self.take_out(place).is_some() {
            leave_unseen(self.clone());
        }
    }

    /// What comes back is to be dropped without the lock: it may be the last hold on what a user made.
    fn take_out(&self, place: u64) -> Option<Child> {
        let mut state = self.state.lock();
        state.children.remove(&place)
    }

    pub fn done(&self) -> &Receiver<()> {
        &self.done
    }

    /// Why it is done; its channel may not be closed yet.
    fn error_now(&self) -> Option<Error> {
        match self.word.load(Acquire) & !CLOSED {
            LIVE => None,
            CANCELED => Some(Error::Canceled),
            _ => Some(Error::DeadlineExceeded),
        }
    }

    /// Why it is done.
    pub fn error(&self) -> Option<Error> {
        let error = self.error_now()?;
        if self.word.load(Acquire) & CLOSED == 0 {
            drop(self.state.lock()); // invariant 2: who closes the channel holds it
        }
        Some(error)
    }

    /// Why it is done, and what for.
    pub fn reason(&self) -> Option<(Error, Option<Cause>)> {
        let error = self.error()?;
        Some((error, self.state.lock().cause.clone()))
    }

    /// It is done from now on, if it was not.
    fn finish(&self, error: Error, cause: Option<Cause>) {
        let mut state: MutexGuard<'_, State> = self.state.lock();
        if self.error_now().is_some() {
            drop(state);
            return;
        }
        state.cause = cause;
        let word = if error == Error::Canceled { CANCELED } else { DEADLINE_EXCEEDED };
        self.word.store(word, Release);
        self.end.close();
        self.word.store(word | CLOSED, Release);
        let deadline = state.deadline.take();
        drop(state);
        if let Some(deadline) = deadline {
            deadline.timer.stop();
        }
    }

    /// The oldest.
    fn first_child(&self) -> Option<(u64, Child)> {
        let state = self.state.lock();
        state.children.first_key_value().map(|(&place, child)| (place, child.clone()))
    }

    /// Cancels it and all below it, the oldest children first, and takes it out of its parent's children. If it is done, it helps whoever has done that.
    pub fn cancel(self: &Arc<Branch>, error: Error, cause: Option<Cause>) {
        self.finish(error, cause);
        if let Some(first) = self.first_child() {
            self.cancel_children(first);
        }
        if let Some(parent) = self.parent.upgrade() {
            parent.remove(self.place);
        }
    }

    /// Invariant 3.
    fn cancel_children(self: &Arc<Branch>, first: (u64, Child)) {
        let mut way = vec![self.clone()];
        let mut next = Some(first);
        while let Some(at) = way.last() {
            match next.take().or_else(|| at.first_child()) {
                Some((_, Child::Branch(child))) => {
                    if let Some((error, cause)) = at.reason() {
                        child.finish(error, cause);
                    }
                    way.push(child);
                }
                Some((place, Child::Call(call))) => {
                    if let Some(f) = call.take() {
                        f();
                    }
                    at.take_out(place);
                }
                None => {
                    let place = at.place;
                    way.pop();
                    if let Some(parent) = way.last() {
                        parent.take_out(place);
                    }
                }
            }
        }
    }

    /// It is to be done after `left`, for `cause`.
    pub fn set_deadline(self: &Arc<Branch>, left: Duration, cause: Option<Cause>) {
        let mut state = self.state.lock();
        if self.error_now().is_some() {
            drop(state);
            return;
        }
        let branch = Arc::downgrade(self);
        let timer = after_func(left, move || {
            if let Some(branch) = branch.upgrade() {
                branch.expire();
            }
        });
        state.deadline = Some(Deadline { timer, cause, _keeps: self.clone() });
    }

    /// Its deadline has come.
    fn expire(self: &Arc<Branch>) {
        let cause = self.state.lock().deadline.as_ref().and_then(|deadline| deadline.cause.clone());
        self.cancel(Error::DeadlineExceeded, cause);
    }

    /// Nobody has its context any more.
    pub fn let_go(self: &Arc<Branch>) {
        self.state.lock().has_context = false;
        leave_unseen(self.clone());
    }

    /// How many are told when it is done.
    pub fn child_count(&self) -> usize {
        self.state.lock().children.len()
    }
}

/// Invariant 4, for `branch` and then for those that it grew from.
fn leave_unseen(mut branch: Arc<Branch>) {
    loop {
        let deadline = {
            let mut state = branch.state.lock();
            let is_seen = state.has_context || !state.children.is_empty() || branch.done.handles() > 2;
            if is_seen || branch.error_now().is_some() {
                return;
            }
            state.deadline.take()
        };
        if let Some(deadline) = deadline {
            deadline.timer.stop();
        }
        let Some(parent) = branch.parent.upgrade() else { return };
        parent.take_out(branch.place);
        branch = parent;
    }
}

impl Drop for Branch {
    /// Nobody can cancel those below it any more, nor see them but for their channels. Invariant 5.
    fn drop(&mut self) {
        let mut below = core::mem::take(&mut self.state.get_mut().children);
        let mut rest: Vec<Child> = Vec::new();
        loop {
            rest.extend(core::mem::take(&mut below).into_values());
            match rest.pop() {
                Some(Child::Branch(branch)) => {
                    if let Some(mut branch) = Arc::into_inner(branch) {
                        below = core::mem::take(&mut branch.state.get_mut().children);
                    }
                }
                Some(Child::Call(_)) => {}
                None => return,
            }
        }
    }
}
