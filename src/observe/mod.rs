//! Floor 8: seeing what the runtime does, and telling it when it dies.

mod alloctrace;
pub mod crash;
pub mod debugger;
pub mod fault;
mod gctrace;
pub mod knobs;
pub mod level;
pub mod metrics;
pub mod place;
mod schedtrace;
pub mod stall;
pub mod symbols;
