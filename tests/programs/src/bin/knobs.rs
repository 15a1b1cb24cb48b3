//! What the knobs of `GODEBUG` print, in states that stay: `knobs STATE`. It says on standard error when it has reached the state and when it leaves it,
//! and meanwhile computes, so that the lines in between are about the state. tests/knobs.rs sets GOMAXPROCS and GODEBUG, and knows what must be in them.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gort::__private::{hooks, netdns};
use gort::metrics::{self, Sample};
use gort::prelude::*;
use gort::sync::WaitGroup;
use gort::time::{Duration, Instant, sleep};
use gort::{debug, os, syscall};
use rustix::time::{ClockId, Timespec, clock_gettime};

gort::main!(main);

static ARRIVED: AtomicU32 = AtomicU32::new(0);
static SPAWN: AtomicBool = AtomicBool::new(false);
/// So many of the hogs may end.
static MAY_END: AtomicU32 = AtomicU32::new(0);

fn main() {
    match os::args().nth(1).expect("a state") {
        "queue" => queue(),
        "local" => local(),
        "idle" => idle(),
        "spinning" => spinning(),
        "threads" => threads(),
        "needspinning" => needspinning(),
        "procs" => procs(),
        "hog" => show(),
        "detail" => detail(),
        "crowd" => crowd(),
        "asleep" => sleep(Duration::from_millis(os::args().nth(2).unwrap().parse().unwrap())),
        "blocks" => blocks(),
        "storm" => storm(),
        "garbage" => garbage(),
        "churn" => churn(os::args().nth(2).unwrap().parse().unwrap()),
        "netdns" => println!("{:?}", netdns::setting()),
        other => panic!("{other}?"),
    }
}

/// By the kernel's call: one of gort's might switch.
fn say(text: &[u8]) {
    // SAFETY: the descriptor is open.
    let _ = rustix::io::write(unsafe { rustix::stdio::stderr() }, text);
}

fn compute_ms(ms: i64) {
    let now = || {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(ClockId::Monotonic);
        tv_sec * 1000 + tv_nsec / 1_000_000
    };
    let end = now() + ms;
    while now() < end {
        spin_loop();
    }
}

fn show() {
    compute_ms(20);
    say(b"<state\n");
    compute_ms(250);
    say(b">\n");
    // Whatever else there is need not end.
    runtime::exit(0);
}

/// GOMAXPROCS=1: twelve in the global queue.
fn queue() {
    let gate = chan::make::<()>(0);
    for _ in 0..12 {
        let gate = gate.clone();
        go(move || {
            ARRIVED.fetch_add(1, SeqCst);
            gate.recv();
        });
    }
    arrived(12);
    gate.close();
    show();
}

fn arrived(count: u32) {
    while ARRIVED.load(SeqCst) < count {
        runtime::gosched();
    }
}

/// Makes goroutines when it is told to, and computes until it may end.
fn hog(number: u32, spawns: u32) {
    while !SPAWN.load(SeqCst) {
        runtime::gosched();
    }
    (0..spawns).for_each(|_| go(|| ()));
    ARRIVED.fetch_add(1, SeqCst);
    while MAY_END.load(SeqCst) <= number {
        spin_loop();
    }
}

/// A hog on each P but main's, and as many goroutines behind each as is said; three behind main.
fn hogs(spawns: &[u32]) {
    let count = spawns.len() as u32;
    for (number, &spawns) in spawns.iter().enumerate() {
        go(move || hog(number as u32, spawns));
    }
    // Until each P has one.
    let mut left = ["/gort/procs/idle:threads", "/gort/threads/spinning:threads", "/gort/goroutines/runnable:goroutines"].map(Sample::new);
    loop {
        metrics::read(&mut left);
        if left.iter().all(|sample| sample.value.uint64() == 0) {
            break;
        }
        runtime::gosched();
    }
    SPAWN.store(true, SeqCst);
    while ARRIVED.load(SeqCst) < count {
        spin_loop();
    }
}

/// GOMAXPROCS=4: queues of 3, 5, 2 and 2.
fn local() {
    hogs(&[5, 2, 2]);
    (0..3).for_each(|_| go(|| ()));
    show();
}

/// GOMAXPROCS=4: three Ps, and their Ms, have nothing to do.
fn idle() {
    hogs(&[0; 3]);
    MAY_END.store(3, SeqCst);
    show();
}

/// GOMAXPROCS=8: three Ms look for work, and are held there.
fn spinning() {
    hogs(&[0; 7]);
    hooks::set_before_idle(Some(|| {
        ARRIVED.fetch_add(1, SeqCst);
        loop {
            spin_loop();
        }
    }));
    MAY_END.store(3, SeqCst);
    while ARRIVED.load(SeqCst) < 7 + 3 {
        spin_loop();
    }
    show();
}

/// GOMAXPROCS=1: five threads in calls, and main's.
fn threads() {
    for _ in 0..5 {
        go(in_a_call);
    }
    arrived(5);
    show();
}

fn in_a_call() {
    ARRIVED.fetch_add(1, SeqCst);
    let _ = syscall::blocking(|| rustix::thread::nanosleep(&Timespec { tv_sec: 60, tv_nsec: 0 }));
}

/// GOMAXPROCS=2: work for an idle P, and no thread for it.
fn needspinning() {
    debug::set_max_threads(1);
    (0..5).for_each(|_| go(|| ()));
    show();
}

fn procs() {
    runtime::gomaxprocs(3);
    show();
}

/// GOMAXPROCS=2: a goroutine of each kind.
fn detail() {
    let never = chan::make::<()>(0);
    let wait = {
        let never = never.clone();
        move || assert_eq!(never.recv(), None)
    };
    go({
        let wait = wait.clone();
        move || {
            runtime::lock_os_thread();
            wait();
        }
    });
    go(wait);
    go(in_a_call);
    go(|| sleep(Duration::from_secs(60)));
    go(|| runtime::goexit());
    sleep(Duration::from_millis(100));
    show();
}

/// GOMAXPROCS=1: more goroutines than are shown.
fn crowd() {
    let never = chan::make::<()>(0);
    for _ in 0..1500 {
        let never = never.clone();
        go(move || {
            ARRIVED.fetch_add(1, SeqCst);
            never.recv();
        });
    }
    arrived(1500);
    show();
}

fn say_where<T>(what: &str, block: *const T) {
    println!("{what} {:#x}", block.addr());
}

/// Blocks of each size class and kind, each of its own size. One is freed by another goroutine.
fn blocks() {
    let block = Box::new([1u8; 1234]);
    say_where("1234", &raw const *block);
    spawn(move || drop(black_box(block))).join().unwrap();
    for bytes in [1, 300, 33_000, 600_000] {
        let block = black_box(Vec::<u8>::with_capacity(bytes));
        say_where("with", block.as_ptr());
    }
    drop(black_box(alloc::vec![0u8; 777]));
    // What was freed just now is what would lie on top of a cache.
    (0..3).for_each(|_| drop(black_box(Box::new([1u8; 911]))));
    let mut grows = Vec::<u8>::with_capacity(555);
    grows.reserve_exact(5_555);
    grows.reserve_exact(700_000);
    grows.reserve_exact(5_000_000);
    drop(black_box(grows));
    syscall::blocking(|| drop(black_box(Box::new([1u8; 888]))));
}

/// 4 times 200 goroutines that allocate.
fn storm() {
    let done = WaitGroup::new();
    done.add(4);
    for _ in 0..4 {
        let done = done.clone();
        go(move || {
            for _ in 0..200 {
                let block = black_box(Box::new([1u8; 333]));
                go(move || drop(black_box(block)));
            }
            done.done();
        });
    }
    done.wait();
    while runtime::num_goroutine() > 1 {
        sleep(Duration::from_millis(1));
    }
}

/// 32 MiB in small blocks, and 3 000 stacks, none of which is needed any more. Then nobody is busy.
fn garbage() {
    let blocks: Vec<Box<[u8; 1024]>> = (0..32 << 10).map(|n| Box::new([n as u8; 1024])).collect();
    let gate = chan::make::<()>(0);
    for _ in 0..3000 {
        let gate = gate.clone();
        go(move || gate.recv());
    }
    while runtime::num_goroutine() < 3001 {
        runtime::gosched();
    }
    drop(black_box(blocks));
    gate.close();
    while runtime::num_goroutine() > 1 {
        sleep(Duration::from_millis(1));
    }
    sleep(Duration::from_millis(400));
}

/// Threads come and go all the time: each goroutine that ends while it is locked takes its own with it.
fn churn(seconds: u64) {
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(seconds) {
        let ends = [(); 4].map(|()| spawn(runtime::lock_os_thread));
        ends.into_iter().for_each(|end| end.join().unwrap());
        count += 4;
    }
    println!("{count} threads ended");
}
