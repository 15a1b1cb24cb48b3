//! `errgroup`: goroutines that work on parts of one task, and the first error of any of them.
//!
//! 1. The first error is kept, and cancels the group's context; those that come later are dropped.
//! 2. Who is let in under the limit has a value in `turns`, a channel of that capacity, and takes one out before the group counts it as done: so who has waited
//!    finds none in there.
//!
//! Source: Go package golang.org/x/sync/errgroup.

use super::cancel::CancelCauseFunc;
use super::{Cause, Context, with_cancel_cause};
use crate::chan::{Chan, make};
use crate::sched::defer::defer_scope;
use crate::sync::{Mutex, WaitGroup};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// Goroutines that work on parts of one task. [`wait`](Group::wait) waits for all, and has the first error. Clones are handles of the same group.
///
/// Dropping the handles waits for nobody.
///
/// ```no_run
/// # fn main() {
/// # #[derive(Clone, Debug)] struct Failed; impl core::fmt::Display for Failed { fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result { f.write_str("") } }
/// # impl core::error::Error for Failed {}
/// # fn fetch(ctx: &gort::context::Context, page: u32) -> Result<(), Failed> { ctx.check().map_err(|_| Failed) }
/// use gort::{context, errgroup::Group};
///
/// let (group, ctx) = Group::with_context(&context::background());
/// group.set_limit(Some(10));
/// for page in 0..100 {
///     let ctx = ctx.clone();
///     group.go(move || fetch(&ctx, page)); // returns soon once `ctx` is done
/// }
/// let result = group.wait();
/// # let _ = result;
/// # }
/// ```
///
/// Source: Go package golang.org/x/sync/errgroup, Group.
pub struct Group<E> {
    shared: Arc<Shared<E>>,
}

/// Cancels the group's context for an error, or without one.
type End<E> = Box<dyn Fn(Option<&E>) + Send + Sync>;

struct Shared<E> {
    wait: WaitGroup,
    /// Nil without a limit.
    turns: Mutex<Chan<()>>,
    first: Mutex<Option<E>>,
    end: Option<End<E>>,
}

impl<E> Clone for Group<E> {
    fn clone(&self) -> Group<E> {
        Group { shared: self.shared.clone() }
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Group(..)")
    }
}

impl<E: Send + 'static> Group<E> {
    /// A group without a limit and without a context: an error ends nobody.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Group<E> {
        Group::ending(None)
    }

    fn ending(end: Option<End<E>>) -> Group<E> {
        Group { shared: Arc::new(Shared { wait: WaitGroup::new(), turns: Mutex::new(Chan::nil()), first: Mutex::new(None), end }) }
    }

    /// Calls `f` in a goroutine of its own. With a limit it waits until fewer goroutines of the group are active. The first error of any of them is that of the group.
    ///
    /// Source: Go package golang.org/x/sync/errgroup, Group.Go.
    #[inline(always)]
    pub fn go(&self, f: impl FnOnce() -> Result<(), E> + Send + 'static) {
        let turns = self.turns();
        if !turns.is_nil() {
            turns.send(());
        }
        let shared = self.shared.clone();
        self.shared.wait.go(move || shared.run(turns, f));
    }

    /// As [`go`](Group::go), if that need not wait. False: the limit is reached, and `f` was dropped.
    ///
    /// Source: Go package golang.org/x/sync/errgroup, Group.TryGo.
    #[inline(always)]
    pub fn try_go(&self, f: impl FnOnce() -> Result<(), E> + Send + 'static) -> bool {
        let turns = self.turns();
        if !turns.is_nil() && turns.try_send(()).is_err() {
            return false;
        }
        let shared = self.shared.clone();
        self.shared.wait.go(move || shared.run(turns, f));
        true
    }

    fn turns(&self) -> Chan<()> {
        self.shared.turns.lock().clone()
    }

    /// At most so many goroutines of the group are active at a time; 0 lets nobody begin. `None`, as at first: any number.
    ///
    /// Panics if some are active: the limit is not to change then.
    ///
    /// Source: Go package golang.org/x/sync/errgroup, Group.SetLimit.
    #[track_caller]
    pub fn set_limit(&self, limit: Option<usize>) {
        let mut turns = self.shared.turns.lock();
        let active = turns.len();
        assert!(active == 0, "errgroup: modify limit while {active} goroutines in the group are still active");
        *turns = limit.map_or_else(Chan::nil, make);
    }

    /// Waits until all goroutines of the group have ended, and cancels its context. Returns the first error, each time. An error that cannot be cloned
    /// goes into an `Arc`.
    ///
    /// Source: Go package golang.org/x/sync/errgroup, Group.Wait.
    pub fn wait(&self) -> Result<(), E>
    where
        E: Clone,
    {
        self.shared.wait.wait();
        let first = self.shared.first.lock().clone();
        if let Some(end) = &self.shared.end {
            end(first.as_ref());
        }
        first.map_or(Ok(()), Err)
    }
}

impl<E: core::error::Error + Clone + Send + Sync + 'static> Group<E> {
    /// A group with a context below `parent`: it is cancelled at the first error, which is its cause, or when [`wait`](Group::wait) returns.
    ///
    /// Source: Go package golang.org/x/sync/errgroup, WithContext.
    pub fn with_context(parent: &Context) -> (Group<E>, Context) {
        let (ctx, cancel) = with_cancel_cause(parent);
        (Group::ending(Some(Box::new(move |error: Option<&E>| end(&cancel, error)))), ctx)
    }
}

fn end<E: core::error::Error + Clone + Send + Sync + 'static>(cancel: &CancelCauseFunc, error: Option<&E>) {
    cancel.cancel_for(error.map(|error| Arc::new(error.clone()) as Cause));
}

impl<E: Send + 'static> Shared<E> {
    /// On the new goroutine.
    fn run(&self, turns: Chan<()>, f: impl FnOnce() -> Result<(), E>) {
        defer_scope(|d| {
            if !turns.is_nil() {
                // Also if `f` ends the goroutine.
                d.defer(|| _ = turns.try_recv());
            }
            if let Err(error) = f() {
                self.fail(error);
            }
        });
    }

    /// Invariant 1.
    fn fail(&self, error: E) {
        let mut first = self.first.lock();
        if first.is_some() {
            drop(first);
            return drop(error);
        }
        let error = first.insert(error);
        if let Some(end) = &self.end {
            end(Some(error));
        }
    }
}
