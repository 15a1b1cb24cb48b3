//! Floor 8: seeing what the runtime does, and telling it when it dies.

mod alloctrace;
pub mod crash;
pub mod debugger;
pub mod fault;
mod gctrace;
pub mod knobs;
pub mod metrics;
mod schedtrace;
pub mod stall;
