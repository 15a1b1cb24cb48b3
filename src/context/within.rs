//! Sends, receives and acquisitions of a semaphore that wait until a context is done at most. Named as Go names forms that take a context.
//!
//! 1. A context that is done comes first, whatever the channel has: so a loop over such receives ends soon after a cancel, however fast others send.
//!
//! Source: none in Go for channels, where a select with `ctx.Done()` does it; Go package golang.org/x/sync/semaphore, Weighted.Acquire.

use super::{Context, Error};
use crate::chan::select::run;
use crate::chan::{Chan, Receiver, Receives, SendError, Sender, Sends, TryRecvError, TrySendError};
use crate::sync::Semaphore;
use core::fmt;

/// Why a value was not sent; here it is back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendContextError<T> {
    /// The context is done, for this reason.
    Done(Error, T),
    /// The channel is closed.
    Closed(T),
}

/// Why no value was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvContextError {
    /// The context is done, for this reason.
    Done(Error),
    /// The channel is closed, and everything sent has been received.
    Closed,
}

impl<T> SendContextError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendContextError::Done(_, value) | SendContextError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Debug for SendContextError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendContextError::Done(error, _) => write!(f, "Done({error:?}, ..)"),
            SendContextError::Closed(_) => f.write_str("Closed(..)"),
        }
    }
}

impl<T> fmt::Display for SendContextError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendContextError::Done(error, _) => error.fmt(f),
            SendContextError::Closed(_) => f.write_str("send on closed channel"),
        }
    }
}

impl fmt::Display for RecvContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RecvContextError::Done(error) => error.fmt(f),
            RecvContextError::Closed => f.write_str("channel closed"),
        }
    }
}

impl<T> core::error::Error for SendContextError<T> {}
impl core::error::Error for RecvContextError {}

/// Why a context is done whose channel was seen closed.
fn error_of(ctx: &Context) -> Error {
    ctx.err().unwrap_or_else(|| unreachable!("its channel is closed"))
}

macro_rules! send_context {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Sends `value`; waits until `ctx` is done at most. The value comes back if that came first, or the channel is closed. If the context is done
            /// already, nothing is sent.
            pub fn send_context(&self, ctx: &Context, value: T) -> Result<(), SendContextError<T>> {
                if let Some(error) = ctx.err() {
                    return Err(SendContextError::Done(error, value));
                }
                let value = match self.try_send(value) {
                    Ok(()) => return Ok(()),
                    Err(TrySendError::Closed(value)) => return Err(SendContextError::Closed(value)),
                    Err(TrySendError::Full(value)) => value,
                };
                let (mut sending, mut end) = (Sends::sending(self, value), Receives::receiving(ctx.done()));
                match run(&mut [sending.case(), end.case()], true) {
                    Some(0) => sending.outcome().map_err(|SendError(value)| SendContextError::Closed(value)),
                    _ => match sending.take_back() {
                        Some(value) => Err(SendContextError::Done(error_of(ctx), value)),
                        None => Ok(()),
                    },
                }
            }
        }
    )*};
}

macro_rules! recv_context {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Receives a value; waits until `ctx` is done at most. If it is done already, nothing is received.
            pub fn recv_context(&self, ctx: &Context) -> Result<T, RecvContextError> {
                if let Some(error) = ctx.err() {
                    return Err(RecvContextError::Done(error));
                }
                match self.try_recv() {
                    Ok(value) => return Ok(value),
                    Err(TryRecvError::Closed) => return Err(RecvContextError::Closed),
                    Err(TryRecvError::Empty) => {}
                }
                let (mut receiving, mut end) = (Receives::receiving(self), Receives::receiving(ctx.done()));
                match run(&mut [receiving.case(), end.case()], true) {
                    Some(0) => receiving.outcome().ok_or(RecvContextError::Closed),
                    _ => Err(RecvContextError::Done(error_of(ctx))),
                }
            }
        }
    )*};
}

impl Semaphore {
    /// Acquires a weight of `n`; waits behind all who wait, until `ctx` is done at most. If it is done already, nothing is acquired.
    ///
    /// Who waits no more is out of the queue: those behind it that are small enough go on.
    pub fn acquire_context(&self, ctx: &Context, n: u64) -> Result<(), Error> {
        ctx.check()?;
        let Some(request) = self.request(n) else { return Ok(()) };
        let channel = request.granted().clone();
        let (mut granted, mut end) = (Receives::receiving(&channel), Receives::receiving(ctx.done()));
        match run(&mut [granted.case(), end.case()], true) {
            Some(0) => {
                request.accept();
                Ok(())
            }
            _ => Err(error_of(ctx)),
        }
    }
}

send_context! { Chan Sender }
recv_context! { Chan Receiver }
