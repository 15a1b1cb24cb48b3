//! `Timer`, `after`: a channel that gets the time once.
//!
//! 1. The channel has room for one value; it is sent under the node's lock, and `stop` and `reset` empty it under the same lock: after them no
//!    value of before is received (Go 1.23).
//! 2. Whoever asks for a channel alone gets the timer too, which behaves as its channel: so a timer that nobody has any more is stopped, and its memory is
//!    free as soon as a heap has been rid of what was stopped.
//!
//! Rejected: to arm a timer only while somebody waits for its channel, as Go does since 1.23 (channels would have to know of timers); a channel that
//! tells its timer when it is dropped (the last hold may be that of the timer itself, as it fires).

use super::armed::Clock;
use super::{Duration, FOREVER_NS, Instant};
use crate::chan::select::Receiving;
use crate::chan::{Receiver, Receives, Sender, channel};
use crate::gmp::sched::GQueue;
use crate::timer::{Fire, Node};
use alloc::sync::Arc;
use core::fmt;
use core::ops::Deref;

/// Sends the time.
pub(super) struct Send {
    sender: Sender<Instant>,
}

impl Fire for Send {
    fn fire(this: &Arc<Node<Send>>, now_ns: u64, _: &mut GQueue) {
        // Full: the receiver is late, and ticks that nobody takes are dropped.
        let _ = this.body.sender.try_send(Instant { ns: now_ns });
    }

    fn let_go(this: Arc<Node<Send>>) {
        drop(this);
    }
}

/// A node and the channel that it sends on.
pub(super) struct Channel {
    clock: Clock,
    node: Arc<Node<Send>>,
    pub(super) receiver: Receiver<Instant>,
}

impl Channel {
    pub(super) fn new(first: Duration, period: Duration) -> Channel {
        let (sender, receiver) = channel(1);
        let channel = Channel { clock: Clock::here(), node: Node::new(Send { sender }), receiver };
        channel.arm(first, period);
        channel
    }

    fn arm(&self, first: Duration, period: Duration) {
        // Any time and a period: no more than a word.
        let period_ns = u64::try_from(period.as_nanos()).unwrap_or(FOREVER_NS).min(FOREVER_NS);
        self.clock.arm(&self.node, first, period_ns);
    }

    /// True if it was armed, or its value had not been received.
    #[track_caller]
    pub(super) fn stop(&self) -> bool {
        self.clock.check("stop");
        self.silence()
    }

    fn silence(&self) -> bool {
        // The timer does not fire between these two: what it has sent lies in the channel.
        let was_armed = self.clock.disarm(&self.node);
        let state = self.node.lock();
        let was_sent = self.receiver.try_recv().is_ok();
        drop(state);
        was_armed || was_sent
    }

    /// Stops it for good: its entry may lie in a heap for long, and holds the sender.
    ///
    /// Outside of its bubble nothing is done: it is let go with the bubble.
    pub(super) fn end(&self) {
        if !self.clock.is_ours() {
            return;
        }
        self.silence();
        self.node.body.sender.close();
    }

    #[track_caller]
    pub(super) fn reset(&self, first: Duration, period: Duration) -> bool {
        self.clock.check("reset");
        let was_active = self.silence();
        self.arm(first, period);
        was_active
    }
}

/// Sends the time on its channel once, when its time comes. It can be stopped, and started anew. It is received from as its channel is, in a `select!` too.
///
/// Dropping it stops it, and closes its channel.
///
/// The time that is received is that at which it fired, however much later that is. It waits in the channel's buffer of one value, which `len` and `capacity` show;
/// Go hides it.
///
/// Source: Go package time, Timer, as of Go 1.23.
pub struct Timer {
    channel: Channel,
}

impl Timer {
    /// One that fires after `duration`.
    pub fn new(duration: Duration) -> Timer {
        crate::gmp::require_runtime();
        Timer { channel: Channel::new(duration, Duration::ZERO) }
    }

    /// Its channel.
    pub fn chan(&self) -> &Receiver<Instant> {
        &self.channel.receiver
    }

    /// Stops it. True if that kept it from firing: it was active, or nobody had received its value yet. No value is received after this.
    #[track_caller]
    pub fn stop(&self) -> bool {
        self.channel.stop()
    }

    /// Has it fire after `duration` from now, and not when it would have. True if it was active. No value of before is received after this.
    #[track_caller]
    pub fn reset(&self, duration: Duration) -> bool {
        self.channel.reset(duration, Duration::ZERO)
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.channel.end();
    }
}

impl Deref for Timer {
    type Target = Receiver<Instant>;
    fn deref(&self) -> &Receiver<Instant> {
        self.chan()
    }
}

impl Receives for Timer {
    type Item = Instant;
    fn receiving(&self) -> Receiving<'_, Instant> {
        self.chan().receiving()
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timer").field(self.chan()).finish()
    }
}

/// A timer that fires after `duration`, for its channel: `after(duration).recv()`, and `recv(after(duration)) => …` in a `select!`. Nothing stays of it when it is
/// dropped before its time.
///
/// Source: Go package time, After.
pub fn after(duration: Duration) -> Timer {
    Timer::new(duration)
}
