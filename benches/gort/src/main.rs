//! The gort peer: `peer-gort WORKLOAD [N]`. What each workload is, and what it prints, is in ../../README.md.
//!
//! Every workload checks its result: a wrong one is a panic, and so an exit status other than 0.
#![no_std]
#![no_main]

extern crate alloc;

#[path = "alloc.rs"]
mod allocation;
mod calls;
mod channels;
mod compute;
mod memcpy;
mod memory;
mod parked;
mod preempt;
mod report;
mod sharing;
mod spawning;
mod threads;
mod timers;

use gort::runtime::exit;
use report::Report;

gort::main!(main);

/// Reads every metric each so many milliseconds, while the workload runs: what looking costs.
fn read_metrics_each(ms: u64) {
    use gort::metrics::{self, Sample};
    gort::go(move || {
        let mut samples: alloc::vec::Vec<Sample> = metrics::all().iter().map(|metric| Sample::new(metric.name)).collect();
        loop {
            metrics::read(&mut samples);
            gort::time::sleep(core::time::Duration::from_millis(ms));
        }
    });
}

/// Its name, N where the command line has none, and what it does.
type Workload = (&'static str, usize, fn(&Report, usize));

const WORKLOADS: &[Workload] = &[
    ("yield", 5_000_000, sharing::yields),
    ("pingpong1", 1_000_000, channels::pingpong1),
    ("pingpong2", 1_000_000, channels::pingpong2),
    ("ring", 1_000_000, channels::ring),
    ("pipe", 10_000, channels::pipe),
    ("spawn_join", 1_000_000, spawning::spawn_join),
    ("skynet", 1_000_000, spawning::skynet),
    ("fib", 27, spawning::fib),
    ("chan_mpmc", 4_000_000, channels::chan_mpmc),
    ("select4", 2_000_000, channels::select4),
    ("sieve", 2500, channels::sieve),
    ("mutex", 4_000_000, sharing::mutex),
    ("rwmutex", 4_000_000, sharing::rwmutex),
    ("parked", 1_000_000, parked::parked),
    ("timers", 1_000_000, timers::timers),
    ("preempt", 3000, preempt::preempt),
    ("syscall", 5_000_000, calls::syscall),
    ("block_syscall", 100, calls::block_syscall),
    ("locked_pingpong", 100_000, channels::locked_pingpong),
    ("thread_create", 5_000, threads::thread_create),
    ("call_handoff", 2_000, threads::call_handoff),
    ("parmap", 100_000, spawning::parmap),
    ("memcpy", 100_000, memory::copying),
    ("alloc", 5_000_000, memory::allocating),
];

fn main() {
    let mut args = gort::os::args().skip(1);
    let Some(workload) = args.next() else {
        gort::eprintln!("usage: peer-gort WORKLOAD [N]");
        exit(2);
    };
    let Some(&(_, default, run)) = WORKLOADS.iter().find(|(name, ..)| *name == workload) else {
        gort::println!("{workload} skip 0 -");
        return;
    };
    let n = match args.next().map(str::parse) {
        None => default,
        Some(Ok(n)) if n > 0 => n,
        Some(_) => {
            gort::eprintln!("peer-gort: N is a positive number");
            exit(2);
        }
    };
    if let Some(ms) = gort::os::var("GORT_METRICS_MS").and_then(|ms| ms.parse().ok()) {
        read_metrics_each(ms);
    }
    run(&Report { workload }, n);
}
