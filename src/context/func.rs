//! `after_func`: a goroutine that starts when a context is done.

use super::Context;
use super::tree::{Branch, Call};
use crate::arch::here::here;
use crate::sched::spawn;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::fmt;

/// What keeps a call from being made: see [`after_func`]. Dropping it changes nothing.
pub struct StopFunc {
    call: Arc<Call>,
    /// Where it is registered.
    at: Option<(Weak<Branch>, u64)>,
}

/// Calls `f` in a goroutine of its own once `ctx` is done; at once, if it is. Each registration is for itself. What `f` holds is held until then, or until it is
/// stopped; if that is `ctx` itself, a context that is never done stays for ever.
///
/// Source: Go package context, AfterFunc.
#[inline(always)]
pub fn after_func<R>(ctx: &Context, f: impl FnOnce() -> R + Send + 'static) -> StopFunc {
    at_end(ctx, here(), f)
}

fn at_end<R>(ctx: &Context, made_at: usize, f: impl FnOnce() -> R + Send + 'static) -> StopFunc {
    crate::gmp::require_runtime();
    tell(ctx, Box::new(move || spawn::go(made_at, f)))
}

/// Calls `f` once `ctx` is done, on the goroutine that has cancelled it; at once, if it is done. `f` does not wait.
pub(crate) fn tell(ctx: &Context, f: Box<dyn FnOnce() + Send>) -> StopFunc {
    let call = Call::new(f);
    let Some(branch) = ctx.branch() else { return StopFunc { call, at: None } };
    let at = match branch.register(call.clone()) {
        Some(place) => Some((Arc::downgrade(branch), place)),
        None => {
            if let Some(f) = call.take() {
                f();
            }
            None
        }
    };
    StopFunc { call, at }
}

impl StopFunc {
    /// Stops it. True if that kept the call from being made; false: its goroutine has been started, or it was stopped before. It does not wait for the goroutine.
    pub fn stop(&self) -> bool {
        let Some(f) = self.call.take() else { return false };
        if let Some((branch, place)) = &self.at
            && let Some(branch) = branch.upgrade()
        {
            branch.remove(*place);
        }
        drop(f);
        true
    }
}

impl fmt::Debug for StopFunc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StopFunc(..)")
    }
}
