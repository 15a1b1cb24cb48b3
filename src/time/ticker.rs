//! `Ticker`: a channel that gets the time again and again.

use super::timer::Channel;
use super::{Duration, Instant};
use crate::chan::select::Receiving;
use crate::chan::{Receiver, Receives};
use core::fmt;
use core::ops::Deref;

/// Sends the time on its channel each `period`. A tick that comes while the one before has not been received is dropped; the one that waits is the older. It is
/// received from as its channel is, in a `select!` too.
///
/// Dropping it stops it, and closes its channel. A period that is too long for the clock never ends.
///
/// Source: Go package time, Ticker, as of Go 1.23.
pub struct Ticker {
    channel: Channel,
}

impl Ticker {
    /// One that ticks each `period`. Panics if that is zero: `non-positive interval for NewTicker`, as in Go.
    #[track_caller]
    pub fn new(period: Duration) -> Ticker {
        assert!(!period.is_zero(), "non-positive interval for NewTicker");
        Ticker::beginning(period, period)
    }

    fn beginning(first: Duration, period: Duration) -> Ticker {
        crate::gmp::require_runtime();
        Ticker { channel: Channel::new(first, period) }
    }

    /// Its channel.
    pub fn chan(&self) -> &Receiver<Instant> {
        &self.channel.receiver
    }

    /// Stops it: no tick is received after this. Its channel stays open.
    #[track_caller]
    pub fn stop(&self) {
        self.channel.stop();
    }

    /// Ticks each `period` from now on; the first after one `period`. No tick of before is received after this. Panics if `period` is zero:
    /// `non-positive interval for Ticker.Reset`, as in Go.
    #[track_caller]
    pub fn reset(&self, period: Duration) {
        assert!(!period.is_zero(), "non-positive interval for Ticker.Reset");
        self.channel.reset(period, period);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.channel.end();
    }
}

impl Deref for Ticker {
    type Target = Receiver<Instant>;
    fn deref(&self) -> &Receiver<Instant> {
        self.chan()
    }
}

impl Receives for Ticker {
    type Item = Instant;
    fn receiving(&self) -> Receiving<'_, Instant> {
        self.chan().receiving()
    }
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Ticker").field(self.chan()).finish()
    }
}

/// A ticker, for its channel; none if `period` is zero. It ticks until it is dropped.
///
/// Source: Go package time, Tick.
pub fn tick(period: Duration) -> Option<Ticker> {
    (!period.is_zero()).then(|| Ticker::new(period))
}

/// As a ticker, but the first tick comes after `first`: for a test of periods that no time is long enough for.
#[doc(hidden)]
pub fn tick_from(first: Duration, period: Duration) -> Ticker {
    Ticker::beginning(first, period)
}
