//! Channels: values from goroutine to goroutine, buffered or handed over directly.
//!
//! A send to a waiting receiver puts the value straight into the receiver's hands, and so does a receive with a waiting sender.
//!
//! Source: the Go specification, Channel types. Beyond it: dropping the last sending handle closes the channel.

#![deny(unsafe_code)]

#[cfg(not(loom))]
mod raw;
#[cfg(loom)]
pub mod raw;

use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicUsize, Ordering::AcqRel, Ordering::Relaxed};
use raw::Raw;

struct Shared<T> {
    raw: Raw<T>,
    /// Handles that can send.
    senders: AtomicUsize,
}

/// A channel whose handle sends and receives. Handles are cloned, and all are of the same channel.
pub struct Chan<T> {
    sender: Sender<T>,
}

/// A handle that sends.
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// A handle that receives.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

/// Makes a channel that buffers `capacity` values; with 0 each send waits for its receive.
///
/// Panics if the buffer would be larger than `isize::MAX` bytes.
///
/// Source: Go's `make(chan T, capacity)`.
pub fn make<T: Send>(capacity: usize) -> Chan<T> {
    Chan { sender: channel(capacity).0 }
}

/// As [`make`], as two handles: one that sends, one that receives.
pub fn channel<T: Send>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    crate::gmp::require_runtime();
    let shared = Arc::new(Shared { raw: Raw::new(capacity), senders: AtomicUsize::new(1) });
    (Sender { shared: shared.clone() }, Receiver { shared })
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

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T: Send> Sender<T> {
    /// Sends `value`; waits until a receiver has it or the buffer has room for it.
    ///
    /// Panics if the channel is closed, before or meanwhile: `send on closed channel`, as in Go.
    #[inline]
    #[track_caller]
    pub fn send(&self, value: T) {
        if self.shared.raw.send(value).is_err() {
            panic!("send on closed channel");
        }
    }

    /// As [`send`](Self::send), but gives the value back if the channel is closed.
    #[inline]
    pub fn send_or(&self, value: T) -> Result<(), SendError<T>> {
        self.shared.raw.send(value).map_err(SendError)
    }

    /// Sends `value` if that is possible without waiting.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.shared.raw.try_send(value)
    }

    /// Closes the channel: receivers get what is buffered, then nothing more.
    ///
    /// Panics if it is closed already: `close of closed channel`, as in Go.
    #[track_caller]
    pub fn close(&self) {
        if !self.shared.raw.close() {
            panic!("close of closed channel");
        }
    }
}

impl<T: Send> Receiver<T> {
    /// Receives a value; waits until there is one. None once the channel is closed and empty.
    #[inline]
    pub fn recv(&self) -> Option<T> {
        self.shared.raw.recv()
    }

    /// Receives a value if that is possible without waiting.
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.shared.raw.try_recv()
    }

    /// Receives until the channel is closed and empty.
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }
}

impl<T: Send> Chan<T> {
    /// See [`Sender::send`].
    #[inline]
    #[track_caller]
    pub fn send(&self, value: T) {
        self.sender.send(value)
    }

    /// See [`Sender::send_or`].
    #[inline]
    pub fn send_or(&self, value: T) -> Result<(), SendError<T>> {
        self.sender.send_or(value)
    }

    /// See [`Sender::try_send`].
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.sender.try_send(value)
    }

    /// See [`Receiver::recv`].
    #[inline]
    pub fn recv(&self) -> Option<T> {
        self.sender.shared.raw.recv()
    }

    /// See [`Receiver::try_recv`].
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.sender.shared.raw.try_recv()
    }

    /// See [`Sender::close`].
    #[track_caller]
    pub fn close(&self) {
        self.sender.close()
    }

    /// A handle that only sends.
    pub fn sender(&self) -> Sender<T> {
        self.sender.clone()
    }

    /// A handle that only receives.
    pub fn receiver(&self) -> Receiver<T> {
        Receiver { shared: self.sender.shared.clone() }
    }

    /// Receives until the channel is closed and empty. This handle can send, so it does not let the channel close by itself meanwhile.
    pub fn iter(&self) -> ChanIter<'_, T> {
        ChanIter { chan: self }
    }
}

macro_rules! sizes {
    ($($handle:ident => $($path:ident).+;)*) => {$(
        impl<T> $handle<T> {
            /// How many values are buffered.
            pub fn len(&self) -> usize {
                self.$($path).+.raw.len()
            }

            /// Is no value buffered?
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// How many values it can buffer.
            pub fn capacity(&self) -> usize {
                self.$($path).+.raw.capacity()
            }
        }

        impl<T> fmt::Debug for $handle<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($handle)).field("len", &self.len()).field("capacity", &self.capacity()).finish()
            }
        }
    )*};
}

sizes! {
    Chan => sender.shared;
    Sender => shared;
    Receiver => shared;
}

impl<T> Clone for Chan<T> {
    fn clone(&self) -> Chan<T> {
        Chan { sender: self.sender.clone() }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        self.shared.senders.fetch_add(1, Relaxed);
        Sender { shared: self.shared.clone() }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        Receiver { shared: self.shared.clone() }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if self.shared.senders.fetch_sub(1, AcqRel) == 1 {
            self.shared.raw.close();
        }
    }
}

/// The values of a channel, until it is closed and empty.
pub struct Iter<'a, T> {
    receiver: &'a Receiver<T>,
}

impl<T: Send> Iterator for Iter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.recv()
    }
}

impl<'a, T: Send> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;
    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}

impl<T: Send> Iterator for ChanIter<'_, T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.chan.recv()
    }
}

/// As [`Iter`], of a [`Chan`]: closed by `close` only, since its own handle could still send.
pub struct ChanIter<'a, T> {
    chan: &'a Chan<T>,
}

impl<'a, T: Send> IntoIterator for &'a Chan<T> {
    type Item = T;
    type IntoIter = ChanIter<'a, T>;
    fn into_iter(self) -> ChanIter<'a, T> {
        self.iter()
    }
}

/// As [`Iter`], owning its handle.
pub struct IntoIter<T> {
    receiver: Receiver<T>,
}

impl<T: Send> Iterator for IntoIter<T> {
    type Item = T;
    fn next(&mut self) -> Option<T> {
        self.receiver.recv()
    }
}

impl<T: Send> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;
    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}
