//! What models put in the place of the kernel and of time (`cfg(loom)`).

pub mod futex;
pub mod spin;
