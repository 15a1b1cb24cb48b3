//! Channels: values from goroutine to goroutine, buffered or handed over directly.
//!
//! A send to a waiting receiver puts the value straight into the receiver's hands, and so does a receive with a waiting sender.
//!
//! Source: the Go specification, Channel types.

#![deny(unsafe_code)]

#[cfg(not(loom))]
mod raw;
#[cfg(loom)]
pub mod raw;
#[doc(hidden)]
pub mod select;
mod timeout;

pub use select::{Receives, Select, Sends};
pub use timeout::{RecvTimeoutError, SendTimeoutError};

use crate::gmp::WaitReason;
use crate::sched::park_for_ever;
use alloc::sync::Arc;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::iter::FusedIterator;
use raw::Raw;

/// A channel whose handle sends and receives. Handles are cloned, and all are of the same channel; two are equal if they are of the same channel.
///
/// Dropping a handle does not close the channel, not even the last one that could send: [`close`](Chan::close) does. What is buffered in a channel that
/// has no handle any more is dropped.
///
/// The handle may be of no channel at all ([`nil`](Chan::nil), the default): then sends and receives wait for ever, in a select its cases never go on, and `close`
/// panics.
pub struct Chan<T> {
    raw: Option<Arc<Raw<T>>>,
}

/// A handle that sends. See [`Chan`].
pub struct Sender<T> {
    raw: Option<Arc<Raw<T>>>,
}

/// A handle that receives. See [`Chan`].
pub struct Receiver<T> {
    raw: Option<Arc<Raw<T>>>,
}

/// Makes a channel that buffers `capacity` values; with 0 each send waits for its receive.
///
/// Values are moved by way of the stacks of who sends and who receives: box those that are large beside a stack (some KiB).
///
/// Panics if the buffer would have 2⁴⁸ bytes or more, or more than `isize::MAX` places: `makechan: size out of range`, as in Go.
///
/// Source: Go's `make(chan T, capacity)`.
#[track_caller]
pub fn make<T: Send>(capacity: usize) -> Chan<T> {
    crate::gmp::require_runtime();
    let Some(raw) = Raw::new(capacity) else { panic!("makechan: size out of range") };
    Chan { raw: Some(Arc::new(raw)) }
}

/// As [`make`], as two handles: one that sends, one that receives.
#[track_caller]
pub fn channel<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let chan = make(capacity);
    (chan.sender(), chan.receiver())
}

/// The channel is closed; here is the value back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// Why a value could not be sent at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No receiver waits, and the buffer has no room.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// Why no value could be received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// No sender waits, and the buffer is empty.
    Empty,
    /// The channel is closed, and everything sent has been received.
    Closed,
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("send on closed channel")
    }
}

impl<T> core::error::Error for SendError<T> {}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "channel full",
            TrySendError::Closed(_) => "send on closed channel",
        })
    }
}

impl<T> core::error::Error for TrySendError<T> {}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "channel empty",
            TryRecvError::Closed => "channel closed",
        })
    }
}

impl core::error::Error for TryRecvError {}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

macro_rules! sends {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Sends `value`; waits until a receiver has it or the buffer has room for it.
            ///
            /// Panics if the channel is closed, before or meanwhile: `send on closed channel`, as in Go.
            #[inline]
            #[track_caller]
            pub fn send(&self, value: T) {
                if self.send_or(value).is_err() {
                    panic!("send on closed channel");
                }
            }

            /// As [`send`](Self::send), but gives the value back if the channel is closed.
            #[inline]
            #[track_caller]
            pub fn send_or(&self, value: T) -> Result<(), SendError<T>> {
                match &self.raw {
                    Some(raw) => {
                        raw.check("send on");
                        raw.send(value).map_err(SendError)
                    }
                    None => park_for_ever(WaitReason::ChanSendNil),
                }
            }

            /// Sends `value` if that is possible without waiting.
            #[inline]
            #[track_caller]
            pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
                match &self.raw {
                    Some(raw) => {
                        raw.check("send on");
                        raw.try_send(value)
                    }
                    None => Err(TrySendError::Full(value)),
                }
            }

            /// Closes the channel: receivers get what is buffered, then nothing more. Who waits to send has its value back.
            ///
            /// Panics if it is closed already (`close of closed channel`), or is none (`close of nil channel`), as in Go.
            #[track_caller]
            pub fn close(&self) {
                if let Some(raw) = &self.raw {
                    raw.check("close of");
                }
                match &self.raw {
                    Some(raw) if raw.close() => {}
                    Some(_) => panic!("close of closed channel"),
                    None => panic!("close of nil channel"),
                }
            }
        }

        impl<T: Send> Sends for $handle<T> {
            type Item = T;
            #[track_caller]
            fn sending(&self, value: T) -> select::Sending<'_, T> {
                select::Sending::new(self.raw.as_deref(), value)
            }
        }
    )*};
}

macro_rules! receives {
    ($($handle:ident)*) => {$(
        impl<T: Send> $handle<T> {
            /// Receives a value; waits until there is one. None once the channel is closed and empty.
            #[inline]
            #[track_caller]
            pub fn recv(&self) -> Option<T> {
                match &self.raw {
                    Some(raw) => {
                        raw.check("receive on");
                        raw.recv()
                    }
                    None => park_for_ever(WaitReason::ChanReceiveNil),
                }
            }

            /// Receives a value if that is possible without waiting.
            #[inline]
            #[track_caller]
            pub fn try_recv(&self) -> Result<T, TryRecvError> {
                match &self.raw {
                    Some(raw) => {
                        raw.check("receive on");
                        raw.try_recv()
                    }
                    None => Err(TryRecvError::Empty),
                }
            }

            /// Receives until the channel is closed and empty.
            pub fn iter(&self) -> Iter<'_, T> {
                Iter { raw: self.raw.as_deref() }
            }
        }

        impl<T: Send> Receives for $handle<T> {
            type Item = T;
            #[track_caller]
            fn receiving(&self) -> select::Receiving<'_, T> {
                select::Receiving::new(self.raw.as_deref())
            }
        }

        impl<'a, T: Send> IntoIterator for &'a $handle<T> {
            type Item = T;
            type IntoIter = Iter<'a, T>;
            fn into_iter(self) -> Iter<'a, T> {
                self.iter()
            }
        }

        impl<T: Send> IntoIterator for $handle<T> {
            type Item = T;
            type IntoIter = IntoIter<T>;
            fn into_iter(self) -> IntoIter<T> {
                IntoIter { raw: self.raw }
            }
        }
    )*};
}

macro_rules! handles {
    ($($handle:ident)*) => {$(
        impl<T> $handle<T> {
            /// A handle of no channel.
            pub const fn nil() -> $handle<T> {
                $handle { raw: None }
            }

            /// Is it a handle of no channel?
            pub fn is_nil(&self) -> bool {
                self.raw.is_none()
            }

            /// How many values are buffered.
            pub fn len(&self) -> usize {
                self.raw.as_ref().map_or(0, |raw| raw.len())
            }

            /// Is no value buffered?
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// How many values it can buffer: Go's `cap`.
            pub fn cap(&self) -> usize {
                self.capacity()
            }

            /// How many values it can buffer.
            pub fn capacity(&self) -> usize {
                self.raw.as_ref().map_or(0, |raw| raw.capacity())
            }
        }

        impl<T> Clone for $handle<T> {
            fn clone(&self) -> $handle<T> {
                $handle { raw: self.raw.clone() }
            }
        }

        impl<T> Default for $handle<T> {
            fn default() -> $handle<T> {
                $handle::nil()
            }
        }

        impl<T> PartialEq for $handle<T> {
            fn eq(&self, other: &$handle<T>) -> bool {
                self.raw.as_ref().map(Arc::as_ptr) == other.raw.as_ref().map(Arc::as_ptr)
            }
        }

        impl<T> Eq for $handle<T> {}

        impl<T> Hash for $handle<T> {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.raw.as_ref().map(Arc::as_ptr).hash(state);
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let address = self.raw.as_ref().map(Arc::as_ptr);
                f.debug_struct(stringify!($handle)).field("at", &address).field("len", &self.len()).field("capacity", &self.capacity()).finish()
            }
        }
    )*};
}

sends! { Chan Sender }
receives! { Chan Receiver }
handles! { Chan Sender Receiver }

impl<T> Chan<T> {
    /// A handle that only sends.
    pub fn sender(&self) -> Sender<T> {
        Sender { raw: self.raw.clone() }
    }

    /// A handle that only receives.
    pub fn receiver(&self) -> Receiver<T> {
        Receiver { raw: self.raw.clone() }
    }
}

impl<T> Receiver<T> {
    /// How many handles the channel has.
    pub(crate) fn handles(&self) -> usize {
        self.raw.as_ref().map_or(0, Arc::strong_count)
    }
}

impl<T> From<Chan<T>> for Sender<T> {
    fn from(chan: Chan<T>) -> Sender<T> {
        Sender { raw: chan.raw }
    }
}

impl<T> From<Chan<T>> for Receiver<T> {
    fn from(chan: Chan<T>) -> Receiver<T> {
        Receiver { raw: chan.raw }
    }
}

/// The values of a channel, until it is closed and empty.
pub struct Iter<'a, T> {
    raw: Option<&'a Raw<T>>,
}

impl<T: Send> Iterator for Iter<'_, T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.raw {
            Some(raw) => {
                raw.check("receive on");
                raw.recv()
            }
            None => park_for_ever(WaitReason::ChanReceiveNil),
        }
    }
}

/// What is closed and empty stays so.
impl<T: Send> FusedIterator for Iter<'_, T> {}

/// As [`Iter`], owning its handle.
pub struct IntoIter<T> {
    raw: Option<Arc<Raw<T>>>,
}

impl<T: Send> Iterator for IntoIter<T> {
    type Item = T;
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match &self.raw {
            Some(raw) => {
                raw.check("receive on");
                raw.recv()
            }
            None => park_for_ever(WaitReason::ChanReceiveNil),
        }
    }
}

impl<T: Send> FusedIterator for IntoIter<T> {}
