//! Arming and disarming timers: by the machine's clock, or by that of the bubble that they were made in.
//!
//! 1. A timer keeps to the clock that it began with. One of a bubble is used by goroutines of the bubble alone: elsewhere that is a panic.

use super::{Duration, after_ns};
use crate::sched::{group, timers};
use crate::sys::clock::monotonic_ns;
use crate::timer::{Fire, Node};
use alloc::sync::Arc;

/// Which clock a timer keeps to: 0, or the number of a bubble.
#[derive(Clone, Copy)]
pub(super) struct Clock(u32);

impl Clock {
    /// That of the running goroutine.
    pub fn here() -> Clock {
        Clock(group::bubble_id())
    }

    /// May the running goroutine use a timer of this clock?
    pub fn is_ours(self) -> bool {
        self.0 == 0 || self.0 == group::bubble_id()
    }

    /// Panics if the running goroutine may not do this with a timer of this clock.
    #[track_caller]
    pub fn check(self, doing: &str) {
        assert!(self.is_ours(), "{doing} of synctest timer from outside bubble");
    }

    /// As `timers::arm`, for `duration` from now. The goroutine may use the clock.
    pub fn arm<T: Fire + 'static>(self, node: &Arc<Node<T>>, duration: Duration, period_ns: u64) -> bool {
        match group::bubble().filter(|_| self.0 != 0) {
            None => timers::arm(node, after_ns(monotonic_ns(), duration), period_ns),
            Some(bubble) => bubble.arm(node.clone(), after_ns(bubble.now_ns(), duration), period_ns),
        }
    }

    /// As `timers::disarm`. The goroutine may use the clock.
    pub fn disarm<T: Fire + 'static>(self, node: &Arc<Node<T>>) -> bool {
        match group::bubble().filter(|_| self.0 != 0) {
            None => timers::disarm(node),
            Some(bubble) => bubble.disarm(&**node),
        }
    }
}
