//! `sleep` as a future.
//!
//! 1. It is ready once its time has come, by the clock; the timer only wakes. Who polls leaves its waker, then looks at the clock: a timer that has fired before has
//!    done so after its time.
//! 2. A timer fires on g0, under its lock: a waker of ours is called there; any other is user code, and gets a goroutine.
//! 3. The slot is empty once the `Sleep` is gone, so no waker is dropped where a heap lets go of the node.

use crate::gmp::require_runtime;
use crate::gmp::sched::GQueue;
use crate::sched::group::Ticket;
use crate::sched::timers;
use crate::sched::waker::is_own;
use crate::sched::waker_slot::WakerSlot;
use crate::sys::clock::monotonic_ns;
use crate::time::{Duration, from_now};
use crate::timer::{Fire, Node};
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll};

struct Wake {
    /// Of who polled first: whose waker it calls, on a goroutine, is that one's.
    group: Ticket,
    slot: WakerSlot,
}

impl Fire for Wake {
    fn fire(this: &Arc<Node<Wake>>, _: u64, out: &mut GQueue) {
        match this.body.slot.take() {
            Some(waker) if is_own(&waker) => waker.wake(),
            Some(waker) => timers::goroutine(move || waker.wake(), this.body.group, out),
            None => {}
        }
    }

    fn let_go(this: Arc<Node<Wake>>) {
        drop(this);
    }
}

/// A future that is ready when a time has come: see [`sleep`]. Dropping it is all that ends it sooner.
#[must_use = "a future does nothing unless it is polled"]
pub struct Sleep {
    until_ns: u64,
    /// From the first poll that had to wait.
    node: Option<Arc<Node<Wake>>>,
}

/// A future that is ready once `duration` has passed since this call.
pub fn sleep(duration: Duration) -> Sleep {
    require_runtime();
    Sleep { until_ns: from_now(duration), node: None }
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let until_ns = self.until_ns;
        if until_ns <= monotonic_ns() {
            return Poll::Ready(());
        }
        let node = self.node.get_or_insert_with(|| {
            let node = Node::new(Wake { group: Ticket::take(), slot: WakerSlot::new() });
            timers::arm(&node, until_ns, 0);
            node
        });
        node.body.slot.set(context.waker());
        if until_ns <= monotonic_ns() { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(node) = &self.node {
            timers::disarm(node);
            drop(node.body.slot.take());
        }
    }
}
