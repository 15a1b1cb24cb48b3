//! `Ticker`: a channel that gets the time again and again.

use super::timer::Channel;
use super::{Duration, Instant};
use crate::chan::Receiver;

/// Sends the time on its channel each `period`. A tick that comes while the one before has not been received is dropped.
///
/// Dropping it stops it, and closes its channel.
///
/// Source: Go package time, Ticker, as of Go 1.23.
pub struct Ticker {
    channel: Channel,
}

fn check(period: Duration) -> Duration {
    assert!(!period.is_zero(), "non-positive interval for Ticker");
    period
}

impl Ticker {
    /// One that ticks each `period`. Panics if that is zero.
    pub fn new(period: Duration) -> Ticker {
        crate::gmp::require_runtime();
        Ticker { channel: Channel::new(check(period), period) }
    }

    /// Its channel.
    pub fn chan(&self) -> &Receiver<Instant> {
        &self.channel.receiver
    }

    /// Stops it: no tick is received after this. Its channel stays open.
    pub fn stop(&self) {
        self.channel.stop();
    }

    /// Ticks each `period` from now on; the first after one `period`. Panics if that is zero.
    pub fn reset(&self, period: Duration) {
        self.channel.reset(check(period), period);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.channel.end();
    }
}

/// The channel of a ticker that nobody can stop; none if `period` is zero.
///
/// Source: Go package time, Tick.
pub fn tick(period: Duration) -> Option<Receiver<Instant>> {
    crate::gmp::require_runtime();
    (!period.is_zero()).then(|| Channel::new(period, period).receiver)
}
