//! Spawn trees, channel meshes, locks, and GOMAXPROCS changing all the time. Argument: seconds, and `change`, or `settle`: then the storm comes four
//! times, and what threads and memory there are after each is printed. Prints what was created and finished.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use core::time::Duration;
use gort::prelude::*;
use gort::time::Instant;

gort::main!(main);

static CREATED: AtomicU64 = AtomicU64::new(0);
static FINISHED: AtomicU64 = AtomicU64::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

fn tree(depth: u32) -> u64 {
    if depth == 0 {
        return 1;
    }
    let mut sums = [0u64; 4];
    scope(|s| {
        for sum in &mut sums {
            CREATED.fetch_add(1, Relaxed);
            s.go(move || {
                *sum = tree(depth - 1);
                FINISHED.fetch_add(1, Relaxed);
            });
        }
    });
    sums.iter().sum()
}

/// Values go through a chain of channels, from several producers to several consumers.
fn mesh(producers: u64, each: u64, capacity: usize) -> u64 {
    let (tx, mut rx) = chan::channel::<u64>(capacity);
    for stage in 0..4 {
        let (next_tx, next_rx) = chan::channel(capacity * stage);
        let input = core::mem::replace(&mut rx, next_rx);
        let workers = WaitGroup::new();
        for _ in 0..3 {
            let (input, output) = (input.clone(), next_tx.clone());
            CREATED.fetch_add(1, Relaxed);
            workers.go(move || {
                input.iter().for_each(|v| output.send(v + 1));
                FINISHED.fetch_add(1, Relaxed);
            });
        }
        close_after(workers, next_tx);
    }
    let all = WaitGroup::new();
    for p in 0..producers {
        let tx = tx.clone();
        CREATED.fetch_add(1, Relaxed);
        all.go(move || {
            (0..each).for_each(|i| tx.send(p * each + i));
            FINISHED.fetch_add(1, Relaxed);
        });
    }
    close_after(all, tx);
    rx.iter().sum()
}

/// The last to send closes.
fn close_after(senders: WaitGroup, channel: Sender<u64>) {
    CREATED.fetch_add(1, Relaxed);
    go(move || {
        senders.wait();
        channel.close();
        FINISHED.fetch_add(1, Relaxed);
    });
}

fn locks(goroutines: u64, each: u64) -> u64 {
    let counter = Mutex::new(0u64);
    scope(|s| {
        for _ in 0..goroutines {
            CREATED.fetch_add(1, Relaxed);
            s.go(|| {
                for i in 0..each {
                    *counter.lock() += 1;
                    if i % 16 == 0 {
                        runtime::gosched();
                    }
                }
                FINISHED.fetch_add(1, Relaxed);
            });
        }
    });
    counter.into_inner()
}

/// All kinds of it, again and again from `start` on, for so many seconds. Returns how often.
fn storm(start: Instant, seconds: u64) -> usize {
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        rounds += 1;
        assert_eq!(tree(6), 4096);
        let n = 7 * 200;
        assert_eq!(mesh(7, 200, rounds % 3 * 5), n * (n - 1) / 2 + 4 * n);
        assert_eq!(locks(20, 100), 2000);
        let mut burst = 0;
        let wg = WaitGroup::new();
        for n in 0..700 {
            CREATED.fetch_add(1, Relaxed);
            burst += 1;
            wg.go(move || {
                // More than a ring holds wait there at once.
                if n % 2 == 0 {
                    runtime::gosched();
                }
                FINISHED.fetch_add(1, Relaxed);
            });
        }
        wg.wait();
        assert_eq!(burst, 700);
    }
    rounds
}

/// Waits until nothing goes on, for longer than free memory stays; prints how many threads are left, and how much memory.
fn settled() {
    while runtime::num_goroutine() > 1 {
        runtime::gosched();
    }
    gort::time::sleep(Duration::from_millis(500));
    let file = rustix::fs::open("/proc/self/status", rustix::fs::OFlags::RDONLY, rustix::fs::Mode::empty()).unwrap();
    let mut bytes = [0; 4096];
    let n = rustix::io::read(&file, &mut bytes).unwrap();
    let text = core::str::from_utf8(&bytes[..n]).unwrap();
    let number = |name| text.split_whitespace().skip_while(|&word| word != name).nth(1).unwrap();
    println!("settled threads {} kib {}", number("Threads:"), number("VmRSS:"));
}

fn main() {
    let seconds = gort::os::args().nth(1).map_or(2, |s| s.parse().unwrap());
    let end = Instant::now();
    let changing = gort::os::args().nth(2) == Some("change");
    let changer = gort::spawn(move || {
        let first = runtime::gomaxprocs(0);
        let mut n = 0u32;
        while changing && !STOP.load(Relaxed) {
            n += 1;
            runtime::gomaxprocs([1, 2, 5, 3, 8, 1, 64][n as usize % 7]);
            for _ in 0..50 {
                runtime::gosched();
            }
        }
        runtime::gomaxprocs(first);
        n
    });
    let mut rounds = storm(end, seconds);
    if gort::os::args().nth(2) == Some("settle") {
        settled();
        for _ in 0..3 {
            rounds += storm(Instant::now(), seconds);
            settled();
        }
    }
    STOP.store(true, Relaxed);
    let changes = changer.join().unwrap();
    while runtime::num_goroutine() > 1 {
        runtime::gosched();
    }
    let (created, finished) = (CREATED.load(Relaxed), FINISHED.load(Relaxed));
    assert_eq!(created, finished);
    println!("rounds {rounds} changes {changes} created {created} finished {finished}");
    let sched = &gort::__private::SCHED;
    let mut sums = [0; 6];
    sched.for_each_p(|p| {
        let c = &p.counters;
        for (sum, counter) in sums.iter_mut().zip([&c.stolen, &c.stolen_runnext, &c.overflowed, &c.global_batches, &c.published, &c.child_first]) {
            *sum += counter.get();
        }
    });
    let [stolen, runnext, overflowed, global, published, child_first] = sums;
    println!("stolen {stolen} runnext {runnext} overflowed {overflowed} global {global} published {published} child_first {child_first}");
}
