//! Why a context is done.

use alloc::sync::Arc;
use core::fmt;

/// Why a context is done: what [`Context::err`](super::Context::err) says.
///
/// Source: Go package context, Canceled, DeadlineExceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// Somebody has cancelled it.
    Canceled,
    /// Its deadline has come.
    DeadlineExceeded,
}

/// What a context was cancelled for: any error. `downcast_ref` has the one that was given, `is` asks for its type.
pub type Cause = Arc<dyn core::error::Error + Send + Sync>;

impl Error {
    /// Is it [`DeadlineExceeded`](Error::DeadlineExceeded)?
    pub fn is_timeout(self) -> bool {
        self == Error::DeadlineExceeded
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Canceled => "context canceled",
            Error::DeadlineExceeded => "context deadline exceeded",
        })
    }
}

impl core::error::Error for Error {}
