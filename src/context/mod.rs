//! Contexts: when to stop, and why, across functions and goroutines; values of a request.
//!
//! A context is made from another one, its parent; all begin with [`background`] or [`todo()`]. It is done when it is cancelled, when its deadline comes, or when its parent
//! is done. A function that waits takes a context, as its first argument, and waits for [`Context::done`] besides, in a `select!`.
//!
//! Source: Go package context.

#![deny(unsafe_code)]

mod cancel;
pub mod errgroup;
mod error;
mod func;
mod node;
mod tree;
mod value;
mod within;

pub use cancel::{CancelCauseFunc, CancelFunc, CancelOnDrop};
pub use cancel::{with_cancel, with_cancel_cause, with_deadline, with_deadline_cause, with_timeout, with_timeout_cause};
pub use error::{Cause, Error};
pub use func::{StopFunc, after_func};
pub use node::{Context, background, cause, todo, without_cancel};
pub use value::{Key, with_value};
pub use within::{RecvContextError, SendContextError};

pub(crate) use func::tell;

/// How many contexts and calls are told when `ctx` is done. For gort's own tests.
#[doc(hidden)]
pub fn child_count(ctx: &Context) -> usize {
    ctx.child_count()
}
