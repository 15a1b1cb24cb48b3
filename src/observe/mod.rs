//! Floor 8: seeing what the runtime does, and telling it when it dies.

pub mod crash;
pub mod debugger;
pub mod fault;
