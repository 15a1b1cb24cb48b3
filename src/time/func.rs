//! `after_func`: a goroutine that starts when a time comes.
//!
//! 1. A closure is dropped on a goroutine, never where it lost its last hold: that may be g0, or a user's own call of `stop` for another timer, under
//!    whatever locks of the user's. Those that come meanwhile go along: a heap that is rid of thousands at once does not start thousands of goroutines.

use super::Duration;
use super::armed::Clock;
use crate::base::lock::{Lock, Rank};
use crate::gmp::sched::GQueue;
use crate::sched::group::Ticket;
use crate::sched::timers;
use crate::timer::{Fire, Node};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

struct Call {
    /// What its goroutines belong to: what the one belongs to that asked for the call.
    group: Ticket,
    f: Box<dyn Fn() + Send + Sync>,
}

impl Fire for Call {
    fn fire(this: &Arc<Node<Call>>, _: u64, out: &mut GQueue) {
        let this = this.clone();
        let group = this.body.group;
        timers::goroutine(move || (this.body.f)(), group, out);
    }

    fn let_go(mut this: Arc<Node<Call>>) {
        if Arc::get_mut(&mut this).is_none() {
            return; // not the last hold
        }
        let is_first = {
            let mut gone = GONE.lock();
            gone.push(this);
            gone.len() == 1
        };
        if is_first {
            timers::start(|| {
                let gone = core::mem::take(&mut *GONE.lock());
                drop(gone);
            });
        }
    }
}

/// Whose closures are to be dropped: invariant 1. A goroutine comes for them if there are any.
static GONE: Lock<Vec<Arc<Node<Call>>>> = Lock::new(Rank::Sync, Vec::new());

/// A call that is to be made: see [`after_func`]. Dropping the handle changes nothing.
pub struct AfterFunc {
    clock: Clock,
    node: Arc<Node<Call>>,
}

/// Calls `f` in a goroutine of its own after `duration`. The handle can stop that, and start it anew.
///
/// Source: Go package time, AfterFunc.
pub fn after_func(duration: Duration, f: impl Fn() + Send + Sync + 'static) -> AfterFunc {
    crate::gmp::require_runtime();
    let call = AfterFunc { clock: Clock::here(), node: Node::new(Call { group: Ticket::take(), f: Box::new(f) }) };
    call.clock.arm(&call.node, duration, 0);
    call
}

impl AfterFunc {
    /// Stops it. True if that kept the call from being made; false: it has been made, its goroutine may still run, or it was stopped before.
    #[track_caller]
    pub fn stop(&self) -> bool {
        self.clock.check("stop");
        self.clock.disarm(&self.node)
    }

    /// Makes the call after `duration` from now, and not when it would have been made. True if it had still been to come.
    #[track_caller]
    pub fn reset(&self, duration: Duration) -> bool {
        self.clock.check("reset");
        self.clock.arm(&self.node, duration, 0)
    }
}
