//! The names that most programs use: `use gort::prelude::*;`.

pub use crate::chan::{self, Chan, Receiver, Sender};
pub use crate::runtime;
pub use crate::sync::{Cond, Mutex, Once, OnceLock, RwMutex, WaitGroup};
pub use crate::{eprint, eprintln, go, print, println, scope, select, spawn};
