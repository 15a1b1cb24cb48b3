//! What GOMAXPROCS and NumCPU are: one line, and with `watch` one more each time that GOMAXPROCS changes.
//!
//! Words, in order: `set N` calls gomaxprocs first; `hogs` has a goroutine on each P that never calls into gort; `burn MS` computes on all Ps for so
//! long; `stacks` has a goroutine that stops the world again and again; `watch SECONDS` looks at GOMAXPROCS for so long.
#![no_std]
#![no_main]

use gort::prelude::*;
use gort::time::{Duration, Instant, sleep};
use gort::{go, os};

gort::main!(main);

fn hog() {
    loop {
        core::hint::spin_loop();
    }
}

fn tell() -> i32 {
    let procs = runtime::gomaxprocs(0);
    println!("gomaxprocs {procs} num_cpu {}", runtime::num_cpu());
    procs
}

fn main() {
    let mut words = os::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|n| n.parse::<i32>().ok()).expect("a number");
        match word {
            "set" => drop(runtime::gomaxprocs(number())),
            "hogs" => (0..runtime::gomaxprocs(0)).for_each(|_| go(hog)),
            "stacks" => go(|| {
                let mut buffer = [0; 4096];
                loop {
                    runtime::stack(&mut buffer, true);
                }
            }),
            "burn" => {
                (1..runtime::gomaxprocs(0)).for_each(|_| go(hog));
                let end = Instant::now() + Duration::from_millis(number() as u64);
                while Instant::now() < end {}
            }
            "watch" => return watch(Instant::now() + Duration::from_secs(number() as u64)),
            other => panic!("no word {other}"),
        }
    }
    tell();
}

fn watch(end: Instant) {
    let mut before = tell();
    while Instant::now() < end {
        if runtime::gomaxprocs(0) != before {
            before = tell();
        }
        sleep(Duration::from_millis(20));
    }
}
