//! Sends and receives that wait for so long at most.
//!
//! Source: none in Go, where a select with `time.After` does it.

use super::{Duration, Timer};
use crate::chan::select::run;
use crate::chan::{Chan, Receiver, Receives, RecvTimeoutError, SendError, SendTimeoutError, Sender, Sends, TryRecvError, TrySendError};

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
                let (mut sending, mut time) = (Sends::sending(self, value), Receives::receiving(timer.chan()));
                match run(&mut [sending.case(), time.case()], true) {
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
                let (mut receiving, mut time) = (Receives::receiving(self), Receives::receiving(timer.chan()));
                match run(&mut [receiving.case(), time.case()], true) {
                    Some(0) => receiving.outcome().ok_or(RecvTimeoutError::Closed),
                    _ => Err(RecvTimeoutError::Timeout),
                }
            }
        }
    )*};
}

send_timeout! { Chan Sender }
recv_timeout! { Chan Receiver }
