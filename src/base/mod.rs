//! Floor 2: small tools of the runtime that know nothing of goroutines: locks, notes, lists, masks, numbers, printing.

pub mod asking;
pub mod atomic;
pub mod bitmask;
pub mod call_word;
pub mod cgroup;
pub mod deadline;
pub mod hash_table;
pub mod heap;
pub mod histogram;
pub mod hooks;
pub mod idle_word;
pub mod lines;
pub mod lock;
pub mod maps;
#[cfg(loom)]
pub mod model;
pub mod nopreempt;
pub mod note;
pub mod order;
pub mod printer;
pub mod ring;
pub mod rng;
pub mod tune;
pub mod wake_word;

pub(crate) use hooks::throw;
pub use nopreempt::NoPreempt;
