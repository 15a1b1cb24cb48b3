//! gort's memory workloads in a program of std: the same sources, on threads, with whatever allocator and libc the program has.

#[path = "../../gort/src/alloc.rs"]
mod allocation;
#[path = "../../gort/src/memcpy.rs"]
mod memcpy;

use std::sync::OnceLock;
use std::time::Instant;

/// Nanoseconds since the first call.
fn now_ns() -> u64 {
    static FIRST: OnceLock<Instant> = OnceLock::new();
    FIRST.get_or_init(Instant::now).elapsed().as_nanos() as u64
}

struct Threads;

impl allocation::Host for Threads {
    fn now_ns(&self) -> u64 {
        now_ns()
    }

    fn both(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        std::thread::scope(|s| {
            s.spawn(a);
            b();
        });
    }

    fn wait(&self) {
        // A while, then the kernel may have put the other side on this very CPU.
        (0..64).for_each(|_| std::hint::spin_loop());
        std::thread::yield_now();
    }

    fn report(&self, workload: &str, metric: &str, value: f64) {
        println!("alloc {} {value:.3} ns", allocation_metric(workload, metric));
    }
}

/// `alloc_64` and `one ns` make `64_one`.
fn allocation_metric(workload: &str, metric: &str) -> String {
    format!("{}_{}", workload.trim_start_matches("alloc_"), metric.trim_end_matches(" ns"))
}

/// Runs the workload of the command line. `ours`: those that this program is there for.
pub fn main(ours: &[&str]) {
    let mut args = std::env::args().skip(1);
    let workload = args.next().expect("usage: PROG WORKLOAD [N]");
    let n = args.next().map(|n| n.parse::<usize>().expect("N is a number"));
    if !ours.contains(&workload.as_str()) {
        return println!("{workload} skip 0 -");
    }
    match workload.as_str() {
        "memcpy" => memcpy::run(n.unwrap_or(100_000), now_ns, &mut |metric, value, unit| println!("memcpy {metric} {value:.3} {unit}")),
        "alloc" => allocation::run(&Threads, n.unwrap_or(5_000_000) as u64),
        _ => unreachable!(),
    }
}
