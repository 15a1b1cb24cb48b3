//! Models of the lock-free parts: loom runs each in every order that its bounds allow (HACKING.md, "Models").
//!
//! 1. A model runs the real code where that can run without a kernel and without stacks of its own; `double` has what stands in for the rest. A
//!    model that copies steps from the scheduler says from where, and how it could drift.
//! 2. Each is known to catch something: `tests/mutants` breaks the code in one place a file, and names the model that must then fail.
//! 3. What loom watches are its own cells; a fact about the order in which things happened, which the code itself does not know, is kept in
//!    std's atomics, which loom does not see.

mod call;
mod cancel;
mod channel;
mod deadline;
mod edges;
mod idle;
mod lock;
mod mark;
mod note;
mod park;
mod ring;
mod rwmutex;
mod select;
mod semaphore;
mod soft_cap;
mod timer;
mod waker;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::{eprintln, sync::Arc, time::Instant};

/// Explores `model` in every order with at most so many preemptions (a switch away from a thread that could go on), and says how many orders there were.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(preemptions));
    let (orders, start) = (Arc::new(AtomicUsize::new(0)), Instant::now());
    let count = orders.clone();
    builder.check(move || {
        count.fetch_add(1, Relaxed);
        crate::base::model::spin::forget();
        model();
    });
    let name = std::thread::current().name().unwrap_or_default().trim_start_matches("models::").replace("::", ": ");
    eprintln!("{name}: {} orders in {:.1} s", orders.load(Relaxed), start.elapsed().as_secs_f32());
}
