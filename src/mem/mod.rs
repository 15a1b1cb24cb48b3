//! Floor 3: memory. The stacks of goroutines and the global allocator.

pub mod heap;
pub mod stack;
