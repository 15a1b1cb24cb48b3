//! Makes more than 200 mappings on its first thread: large blocks, stacks of every size, Ps, threads. For a test that has one of them refused.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use gort::prelude::*;
use gort::syscall;

gort::main!(main);

/// Too large to be kept when freed: a mapping of its own, little of it touched.
fn block(n: u8) -> Vec<u8> {
    let mut block = Vec::with_capacity((5 << 20) + usize::from(n) * 4096);
    block.push(n);
    block
}

fn main() {
    // Alone, so on the first thread: it is the one that makes so many for sure.
    let mut sum = 0u64;
    for n in 0..200 {
        sum += u64::from(core::hint::black_box(block(n))[0]);
    }
    let slept = AtomicU32::new(0);
    for round in 0..30 {
        runtime::gomaxprocs([3, 9, 2, 17, 1, 4][round % 6]);
        // Stacks of 64 KiB to 64 MiB: an arena each at first.
        let class = round % 11;
        sum += gort::Builder::new().stack_size((64 << 10 << class) - (64 << 10) / 2).spawn(move || class as u64).unwrap().join().unwrap();
        let blocks: Vec<_> = (0..40).map(block).collect();
        sum += blocks.iter().map(|block| u64::from(block[0])).sum::<u64>();
        // One that grows where it is, or moves.
        let mut growing = block(1);
        growing.resize(7 << 20, 1);
        sum += growing.len() as u64;
        // Threads: one more a round than there are Ps.
        scope(|s| {
            for _ in 0..round.min(12) {
                s.go(|| {
                    syscall::blocking(|| drop(rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 300_000 })));
                    slept.fetch_add(1, SeqCst);
                });
            }
        });
    }
    println!("{sum} {}", slept.load(SeqCst));
}
