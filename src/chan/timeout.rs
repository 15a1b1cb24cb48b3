//! Sends and receives that wait for so long at most.
//!
//! Source: none in Go, where a select with `time.After` does it.

use super::{Chan, Receiver, SendError, Sender, TryRecvError, TrySendError};
use crate::time::{Duration, Timer};
use core::fmt;

/// Why a value was not sent in time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The time came.
    Timeout(T),
    /// The channel is closed.
    Closed(T),
}

/// Why no value was received in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// The time came.
    Timeout,
    /// The channel is closed, and everything sent has been received.
    Closed,
}

impl<T> SendTimeoutError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "Timeout(..)",
            SendTimeoutError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendTimeoutError::Timeout(_) => "send timed out",
            SendTimeoutError::Closed(_) => "send on closed channel",
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvTimeoutError::Timeout => "receive timed out",
            RecvTimeoutError::Closed => "channel closed",
        })
    }
}

impl<T> core::error::Error for SendTimeoutError<T> {}
impl core::error::Error for RecvTimeoutError {}

macro_rules! send_timeout {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Sends `value`; waits for `timeout` at most. The value comes back if the time came first, or the channel is closed.
            pub fn send_timeout(&self, value: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
                let value = match self.try_send(value) {
                    Ok(()) => return Ok(()),
                    Err(TrySendError::Closed(value)) => return Err(SendTimeoutError::Closed(value)),
                    Err(TrySendError::Full(value)) => value,
                };
                let timer = Timer::new(timeout);
                let (mut sending, mut time) = (super::Sends::sending(self, value), super::Receives::receiving(timer.chan()));
                match super::select::run(&mut [sending.case(), time.case()], true) {
                    Some(0) => sending.outcome().map_err(|SendError(value)| SendTimeoutError::Closed(value)),
                    _ => match sending.take_back() {
                        Some(value) => Err(SendTimeoutError::Timeout(value)),
                        None => Ok(()),
                    },
                }
            }
        }
    )*};
}

macro_rules! recv_timeout {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Receives a value; waits for `timeout` at most.
            pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
                match self.try_recv() {
                    Ok(value) => return Ok(value),
                    Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
                    Err(TryRecvError::Empty) => {}
                }
                let timer = Timer::new(timeout);
                let (mut receiving, mut time) = (super::Receives::receiving(self), super::Receives::receiving(timer.chan()));
                match super::select::run(&mut [receiving.case(), time.case()], true) {
                    Some(0) => receiving.outcome().ok_or(RecvTimeoutError::Closed),
                    _ => Err(RecvTimeoutError::Timeout),
                }
            }
        }
    )*};
}

send_timeout! { Chan Sender }
recv_timeout! { Chan Receiver }
