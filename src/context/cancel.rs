//! Contexts that can be cancelled, by hand or at a time.
//!
//! 1. What cancels holds the branch, not the context: so a context that nobody has any more is gone, whoever could cancel it.

use super::node::Kind;
use super::tree::Branch;
use super::{Cause, Context, Error};
use crate::time::{Duration, Instant, end_of};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::fmt;

/// Cancels a context: see [`with_cancel`]. Clones cancel the same one, from any goroutine.
///
/// Dropping it cancels nothing, as dropping a channel closes nothing: a context that can be cancelled may well be given away without it, for its parent or its deadline
/// to end it. What Go says with `defer cancel()`, [`on_drop`](CancelFunc::on_drop) says here.
///
/// Source: Go package context, CancelFunc.
#[derive(Clone)]
pub struct CancelFunc {
    branch: Arc<Branch>,
}

/// As [`CancelFunc`], with a cause.
///
/// Source: Go package context, CancelCauseFunc.
#[derive(Clone)]
pub struct CancelCauseFunc {
    branch: Arc<Branch>,
}

/// Cancels a context when it is dropped: see [`CancelFunc::on_drop`].
#[must_use = "dropped at once, it cancels at once"]
pub struct CancelOnDrop {
    branch: Arc<Branch>,
}

impl CancelFunc {
    /// Cancels the context and all below it; as it returns they are done. It waits for nobody who works for them. From the second time on, and once the context is
    /// done otherwise, it does nothing.
    pub fn cancel(&self) {
        self.branch.cancel(Error::Canceled, None);
    }

    /// Cancels when the guard that it becomes is dropped: Go's `defer cancel()`. A `goexit` drops nothing; for it there is [`defer`](crate::defer).
    pub fn on_drop(self) -> CancelOnDrop {
        CancelOnDrop { branch: self.branch }
    }
}

impl CancelCauseFunc {
    /// As [`CancelFunc::cancel`]; [`cause`](super::cause) of the context and of all below it is `cause` then, an error or a text.
    pub fn cancel(&self, cause: impl Into<Box<dyn core::error::Error + Send + Sync>>) {
        self.branch.cancel(Error::Canceled, Some(Arc::from(cause.into())));
    }

    pub(super) fn cancel_for(&self, cause: Option<Cause>) {
        self.branch.cancel(Error::Canceled, cause);
    }

    /// Cancels without a cause: Go's `cancel(nil)`. The cause is [`Error::Canceled`].
    pub fn cancel_without_cause(&self) {
        self.branch.cancel(Error::Canceled, None);
    }

    /// Cancels without a cause when the guard that it becomes is dropped. See [`CancelFunc::on_drop`].
    pub fn on_drop(self) -> CancelOnDrop {
        CancelOnDrop { branch: self.branch }
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.branch.cancel(Error::Canceled, None);
    }
}

macro_rules! debug {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).field("err", &self.branch.error()).finish()
            }
        }
    )*};
}
debug! { CancelFunc CancelCauseFunc CancelOnDrop }

fn cancelable(parent: &Context) -> (Context, Arc<Branch>) {
    crate::gmp::require_runtime();
    let branch = Branch::grow(parent.branch());
    (Context::below(parent, Some(branch.clone()), parent.deadline(), Kind::Cancel), branch)
}

/// A context that is done when it is cancelled, or when `parent` is done, and what cancels it.
///
/// Source: Go package context, WithCancel.
pub fn with_cancel(parent: &Context) -> (Context, CancelFunc) {
    let (ctx, branch) = cancelable(parent);
    (ctx, CancelFunc { branch })
}

/// As [`with_cancel`], but who cancels says what for.
///
/// Source: Go package context, WithCancelCause.
pub fn with_cancel_cause(parent: &Context) -> (Context, CancelCauseFunc) {
    let (ctx, branch) = cancelable(parent);
    (ctx, CancelCauseFunc { branch })
}

/// A context that is done at `deadline` at the latest: then, when it is cancelled, or when `parent` is done. If `parent` has an earlier deadline, that counts.
///
/// Source: Go package context, WithDeadline.
pub fn with_deadline(parent: &Context, deadline: Instant) -> (Context, CancelFunc) {
    until(parent, deadline, None)
}

/// As [`with_deadline`]; [`cause`](super::cause) is `cause` if the deadline was what ended it.
///
/// Source: Go package context, WithDeadlineCause.
pub fn with_deadline_cause(parent: &Context, deadline: Instant, cause: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> (Context, CancelFunc) {
    until(parent, deadline, Some(Arc::from(cause.into())))
}

/// As [`with_deadline`], at the time that is `timeout` from now. One that is too long for the clock never comes.
///
/// Source: Go package context, WithTimeout.
pub fn with_timeout(parent: &Context, timeout: Duration) -> (Context, CancelFunc) {
    until(parent, end_of(timeout), None)
}

/// As [`with_timeout`]; [`cause`](super::cause) is `cause` if the time was what ended it.
///
/// Source: Go package context, WithTimeoutCause.
pub fn with_timeout_cause(parent: &Context, timeout: Duration, cause: impl Into<Box<dyn core::error::Error + Send + Sync>>) -> (Context, CancelFunc) {
    until(parent, end_of(timeout), Some(Arc::from(cause.into())))
}

fn until(parent: &Context, deadline: Instant, cause: Option<Cause>) -> (Context, CancelFunc) {
    crate::gmp::require_runtime();
    if parent.deadline().is_some_and(|earlier| earlier < deadline) {
        return with_cancel(parent);
    }
    let branch = Branch::grow(parent.branch());
    let left = deadline.duration_since(Instant::now());
    if left.is_zero() {
        branch.cancel(Error::DeadlineExceeded, cause);
    } else {
        branch.set_deadline(left, cause);
    }
    (Context::below(parent, Some(branch.clone()), Some(deadline), Kind::Deadline), CancelFunc { branch })
}
