//! Who is leaked, and who is not: `leaks SCENARIO`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::{black_box, spin_loop};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::SeqCst};
use gort::chan::{Chan, Receiver, Sender};
use gort::prelude::*;
use gort::sync::{Mutex, WaitGroup};
use gort::time::{Duration, Instant, after, after_func, sleep};
use gort::{debug, ffi, os, syscall};
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

gort::main!(main);

/// What the leaked ones wait for, in order.
fn states() -> Vec<&'static str> {
    let mut states: Vec<_> = debug::leaks().unwrap().iter().map(|leak| leak.state()).collect();
    states.sort_unstable();
    states
}

/// Calls `f` on a goroutine of its own, which then ends: no old words of it lie on a stack of who lives.
fn apart<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let result = gort::spawn(f).join().unwrap();
    // Whoever it has started waits by now.
    sleep(Duration::from_millis(3));
    result
}

static DONE: AtomicU32 = AtomicU32::new(0);

fn receive(rx: &Receiver<u32>) {
    assert_eq!(rx.recv(), Some(7));
    DONE.fetch_add(1, SeqCst);
}

/// A goroutine that waits for a 7, and the way to send it.
fn waits() -> Sender<u32> {
    let (tx, rx) = chan::channel(0);
    gort::go(move || receive(&rx));
    tx
}

/// So many goroutines that wait for a 7 and for something that nobody sends, and the way to send it.
fn waits_in_selects(count: u32) -> Sender<u32> {
    let (tx, rx) = chan::channel(0);
    for _ in 0..count {
        let (rx, other) = (rx.clone(), chan::make::<u32>(0));
        gort::go(move || {
            select! {
                recv(other) => unreachable!(),
                recv(rx) -> value => {
                    assert_eq!(value, Some(7));
                    DONE.fetch_add(1, SeqCst);
                }
            }
        });
    }
    tx
}

/// Nobody is leaked, and `release` makes all `count` that wait go on.
fn none(what: &str, count: u32, release: impl FnOnce()) {
    let before = DONE.load(SeqCst);
    for _ in 0..3 {
        assert_eq!(states(), [""; 0], "{what}");
    }
    release();
    let start = Instant::now();
    while DONE.load(SeqCst) < before + count {
        assert!(start.elapsed() < Duration::from_secs(20), "{what}: it was to go on");
        sleep(Duration::from_millis(1));
    }
    assert_eq!(states(), [""; 0], "{what}");
    println!("not leaked: {what}");
}

static KEPT: Mutex<Vec<Sender<u32>>> = Mutex::new(Vec::new());
static CLOSURE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);
static GO: AtomicBool = AtomicBool::new(false);

/// Spins until it is told to go on.
fn spin() {
    while !GO.load(SeqCst) {
        spin_loop();
    }
    GO.store(false, SeqCst);
}

struct Link {
    next: Option<Box<Link>>,
    tx: Option<Sender<u32>>,
}

fn reachable() {
    apart(|| KEPT.lock().push(waits()));
    none("static", 1, || KEPT.lock().pop().unwrap().send(7));

    apart(|| {
        let tx = waits();
        *CLOSURE.lock() = Some(Box::new(move || tx.send(7)));
    });
    none("closure", 1, || (CLOSURE.lock().take().unwrap())());

    // Ten that wait in selects, in the middle of a queue too.
    apart(|| {
        let tx = waits_in_selects(10);
        KEPT.lock().push(tx);
    });
    none("selects", 10, || {
        let tx = KEPT.lock().pop().unwrap();
        (0..10).for_each(|_| tx.send(7));
    });

    let boxed = apart(|| {
        let tx = waits();
        Box::new(move || tx.send(7))
    });
    none("own stack", 1, boxed);

    apart(|| {
        let tx = waits();
        after_func(Duration::from_millis(200), move || tx.send(7));
    });
    none("timer", 1, || ());

    apart(|| {
        let tx = waits();
        gort::go(move || {
            sleep(Duration::from_millis(200));
            tx.send(7);
        });
    });
    none("sleeper", 1, || ());

    apart(|| {
        gort::go(|| {
            after(Duration::from_millis(200)).recv();
            DONE.fetch_add(1, SeqCst);
        });
    });
    none("timer's channel", 1, || ());

    // One that waits, and can be reached, has the other end of another's channel; and so on.
    apart(|| {
        let mut next = waits();
        for _ in 0..50 {
            let (tx, rx) = chan::channel(0);
            let to = next;
            gort::go(move || {
                receive(&rx);
                to.send(7);
            });
            next = tx;
        }
        KEPT.lock().push(next);
    });
    none("chain", 51, || KEPT.lock().pop().unwrap().send(7));

    // A parent that waits, of whose stack its child borrows the other end.
    apart(|| {
        gort::go(|| {
            let (tx, rx) = chan::channel(0);
            let twin = &tx;
            scope(|s| {
                s.go(move || {
                    sleep(Duration::from_millis(200));
                    twin.send(7);
                });
                receive(&rx);
            });
        });
    });
    none("borrowed from a stack", 1, || ());

    apart(|| {
        let tx = waits();
        gort::go(move || {
            let start = Instant::now();
            // Each look ends it.
            while start.elapsed() < Duration::from_millis(200) {
                syscall::blocking(|| drop(rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 200_000_000 })));
            }
            tx.send(7);
        });
    });
    none("blocking call", 1, || ());

    for (what, in_c) in [("hog", false), ("C", true)] {
        apart(move || {
            let tx = waits();
            gort::go(move || {
                if in_c {
                    unsafe { ffi::call(spin) };
                } else {
                    spin();
                }
                tx.send(7);
            });
        });
        none(what, 1, || GO.store(true, SeqCst));
    }

    // The only handle travels through registers and the C stack, while it is looked for.
    apart(|| {
        let tx = waits();
        gort::go(move || {
            let tx = unsafe {
                ffi::call(move || {
                    let mut tx = tx;
                    while !GO.load(SeqCst) {
                        tx = black_box(tx);
                    }
                    GO.store(false, SeqCst);
                    tx
                })
            };
            tx.send(7);
        });
    });
    none("moved about in C", 1, || GO.store(true, SeqCst));

    type Entry = (Option<Sender<u32>>, [u64; 100]);
    static LARGE: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
    for (what, len) in [("small block", 20), ("run of pages", 200), ("large block", 3000)] {
        apart(move || {
            let mut vector: Vec<_> = (0..len).map(|_| (None, [0; 100])).collect();
            vector[len - 3].0 = Some(waits());
            *LARGE.lock() = vector;
        });
        none(what, 1, || {
            let vector = core::mem::take(&mut *LARGE.lock());
            vector.iter().rev().find_map(|entry| entry.0.as_ref()).unwrap().send(7);
        });
    }

    static LIST: Mutex<Option<Box<Link>>> = Mutex::new(None);
    apart(|| {
        let mut list = Box::new(Link { next: None, tx: Some(waits()) });
        for _ in 0..20_000 {
            list = Box::new(Link { next: Some(list), tx: None });
        }
        *LIST.lock() = Some(list);
    });
    none("list", 1, || {
        let mut at = LIST.lock().take().unwrap();
        while let Some(next) = at.next.take() {
            at = next;
        }
        at.tx.unwrap().send(7);
    });

    // Memory that gort knows nothing of.
    let page = apart(|| {
        let page = unsafe { mmap_anonymous(core::ptr::null_mut(), 1 << 20, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE) }.unwrap();
        let at = page.cast::<Sender<u32>>().wrapping_byte_add(600 << 10);
        unsafe { at.write(waits()) };
        // A word on this stack is not to be what keeps it.
        at as usize ^ usize::MAX
    });
    none("the program's own mapping", 1, || unsafe { ((page ^ usize::MAX) as *const Sender<u32>).read() }.send(7));

    static OBJECT: Mutex<Option<runtime::Managed<u32>>> = Mutex::new(None);
    apart(|| {
        let tx = waits();
        let object = runtime::Managed::new(7);
        runtime::set_finalizer(&object, move |object| tx.send(*object));
        *OBJECT.lock() = Some(object);
    });
    none("finalizer", 1, || drop(OBJECT.lock().take()));

    // All are made ready at once, by the end of what they waited for: nobody has that any more, but they will run.
    static LAST: Mutex<Option<Sender<u32>>> = Mutex::new(None);
    apart(|| {
        let (tx, rx) = chan::channel(0);
        for _ in 0..100 {
            let rx = rx.clone();
            gort::go(move || {
                assert_eq!(rx.recv(), None);
                DONE.fetch_add(1, SeqCst);
            });
        }
        *LAST.lock() = Some(tx);
    });
    #[inline(never)]
    fn close() {
        if let Some(tx) = LAST.lock().take() {
            tx.close();
        }
    }
    let before = DONE.load(SeqCst);
    close();
    assert_eq!(states(), [""; 0], "just made ready");
    none("made ready", 100 - (DONE.load(SeqCst) - before), || ());

    // Locks and counts that somebody can reach.
    static LOCK: Mutex<u32> = Mutex::new(0);
    let guard = LOCK.lock();
    apart(|| {
        gort::go(|| {
            *LOCK.lock() += 1;
            DONE.fetch_add(1, SeqCst);
        });
    });
    none("mutex", 1, || drop(guard));

    let group = apart(|| {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        let twin = group.clone();
        gort::go(move || {
            twin.wait();
            DONE.fetch_add(1, SeqCst);
        });
        group
    });
    none("wait group", 1, || group.done());
}

/// Each of these leaks what it says.
fn leaked() {
    let mut expected: Vec<&str> = Vec::new();
    let mut leaks = |what: &str, more: &[&'static str]| {
        expected.extend(more);
        expected.sort_unstable();
        assert_eq!(states(), expected, "{what}");
        println!("leaked: {what}");
    };
    // Somebody that is not.
    apart(|| KEPT.lock().push(waits()));
    leaks("nobody", &[]);
    apart(|| core::mem::forget(waits()));
    leaks("receiver", &["chan receive"]);
    apart(|| {
        let (tx, rx) = chan::channel(1);
        drop(rx);
        gort::go(move || (0..3).for_each(|n| tx.send(n)));
    });
    leaks("sender", &["chan send"]);
    apart(|| {
        let (a, b): (Chan<u32>, Chan<u32>) = (chan::make(0), chan::make(0));
        let (a2, b2) = (a.clone(), b.clone());
        gort::go(move || (a.recv(), b.send(1)));
        gort::go(move || (b2.recv(), a2.send(1)));
    });
    leaks("pair", &["chan receive", "chan receive"]);
    // Its buffer has a handle of itself.
    apart(|| {
        let (tx, rx) = chan::channel::<Box<dyn core::any::Any + Send>>(1);
        tx.send(Box::new(tx.clone()));
        core::mem::forget(tx.clone());
        gort::go(move || {
            let own = rx.recv();
            rx.recv();
            drop(own);
        });
    });
    leaks("channel in itself", &["chan receive"]);
    apart(|| {
        let (a, b) = (chan::make::<u32>(0), chan::make::<u32>(0));
        gort::go(move || select! { recv(a) => {}, send(b, 1) => {} });
    });
    leaks("select", &["select"]);
    apart(|| {
        gort::go(|| Chan::<u32>::nil().recv());
        gort::go(|| Chan::<u32>::nil().send(1));
        gort::go(|| select! {});
        gort::go(|| select! { recv(Chan::<u32>::nil()) => {} });
    });
    leaks("nil", &["chan receive (nil chan)", "chan send (nil chan)", "select", "select (no cases)"]);
    apart(|| {
        let lock = Arc::new(Mutex::new(0));
        core::mem::forget(lock.lock());
        gort::go(move || *lock.lock() += 1);
    });
    leaks("mutex", &["sync.Mutex.Lock"]);
    apart(|| {
        let group = Arc::new(WaitGroup::new());
        group.add(1);
        gort::go(move || group.wait());
    });
    leaks("wait group", &["sync.WaitGroup.Wait"]);
    apart(|| {
        let (tx, rx) = chan::channel::<u32>(0);
        core::mem::forget(tx);
        let child = gort::spawn(move || rx.recv());
        gort::go(move || child.join());
    });
    leaks("join", &["chan receive", "join"]);
    apart(|| {
        gort::go(|| {
            let (tx, rx) = chan::channel::<u32>(0);
            core::mem::forget(tx);
            let rx = &rx;
            scope(|s| s.go(|| rx.recv()));
        });
    });
    leaks("scope", &["chan receive", "scope"]);
    apart(|| {
        for _ in 0..1000 {
            core::mem::forget(waits());
        }
    });
    let all = debug::leaks().unwrap();
    let found = all.len() - expected.len();
    println!("of 1000 found {found}");
    println!("{}", all[0]);
    KEPT.lock().pop().unwrap().send(7);
}

/// Goroutines of all kinds, none of them leaked at any moment, while somebody looks all the time.
fn storm() {
    let (start, ms) = (Instant::now(), os::args().nth(2).unwrap().parse().unwrap());
    let on = move || start.elapsed() < Duration::from_millis(ms);
    let (looks, rounds, in_calls) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    scope(|s| {
        for n in 0..7u32 {
            let (rounds, in_calls) = (&rounds, &in_calls);
            s.go(move || {
                while on() {
                    rounds.fetch_add(1, SeqCst);
                    match n {
                        // Hand-offs, handles that move to and fro, buffers.
                        0 | 1 => {
                            let (tx, rx) = chan::channel::<(u32, Sender<u32>)>(n as usize);
                            let server = gort::spawn(move || rx.iter().for_each(|(n, answer)| answer.send(n + 1)));
                            for n in 0..20 {
                                let (answer, result) = chan::channel(0);
                                tx.send((n, answer));
                                assert_eq!(result.recv(), Some(n + 1));
                            }
                            tx.close();
                            server.join().unwrap();
                        }
                        // Scopes that borrow, locks, counts.
                        2 => {
                            let (sum, group) = (Mutex::new(0), WaitGroup::new());
                            scope(|s| {
                                for n in 0..8 {
                                    group.add(1);
                                    let (sum, group) = (&sum, &group);
                                    s.go(move || {
                                        let mut sum = sum.lock();
                                        runtime::gosched();
                                        *sum += n;
                                        drop(sum);
                                        group.done();
                                    });
                                }
                                group.wait();
                            });
                            assert_eq!(*sum.lock(), 28);
                        }
                        // Handles that only a call, or C, has, in registers or on its stack.
                        3 => {
                            let (tx, rx) = chan::channel(0);
                            gort::go(move || {
                                let tx = syscall::blocking(move || {
                                    let _ = rustix::thread::nanosleep(&rustix::time::Timespec { tv_sec: 0, tv_nsec: 100_000 });
                                    black_box(tx)
                                });
                                let tx = unsafe {
                                    ffi::call(move || {
                                        let mut tx = tx;
                                        (0..3000).for_each(|_| take(&mut tx));
                                        tx
                                    })
                                };
                                tx.send(1u32);
                            });
                            in_calls.fetch_add(u64::from(rx.recv().unwrap()), SeqCst);
                        }
                        // Timers.
                        4 => {
                            let (tx, rx) = chan::channel(0);
                            after_func(Duration::from_micros(200), move || tx.send(()));
                            rx.recv();
                            after(Duration::from_micros(50)).recv();
                        }
                        // C moves it to and fro on its stack, and nothing else has it.
                        5 => {
                            static HANDLE: AtomicUsize = AtomicUsize::new(0);
                            let (tx, rx) = chan::channel::<u32>(0);
                            // SAFETY: a handle is one word, made into a handle again below.
                            HANDLE.store(unsafe { core::mem::transmute::<Sender<u32>, usize>(tx) }, SeqCst);
                            gort::go(|| {
                                let move_about = || {
                                    let mut places = [0; 4096];
                                    places[0] = HANDLE.swap(0, SeqCst);
                                    for _ in 0..100_000 {
                                        places.swap(0, 4095);
                                        black_box(&mut places);
                                    }
                                    HANDLE.store(places[0], SeqCst);
                                };
                                // SAFETY: it calls nothing of gort. The word is that of above, and used once.
                                let tx = unsafe {
                                    ffi::call(move_about);
                                    core::mem::transmute::<usize, Sender<u32>>(HANDLE.swap(0, SeqCst))
                                };
                                tx.send(1);
                            });
                            in_calls.fetch_add(u64::from(rx.recv().unwrap()), SeqCst);
                        }
                        // Computes, and holds it in registers.
                        _ => {
                            let (tx, rx) = chan::channel(0);
                            gort::go(move || {
                                let mut tx = tx;
                                (0..20_000).for_each(|_| take(&mut tx));
                                tx.send(());
                            });
                            rx.recv();
                        }
                    }
                }
            });
        }
        s.go(|| {
            while on() {
                let leaks = debug::leaks().unwrap();
                assert!(leaks.is_empty(), "{leaks:?}");
                looks.fetch_add(1, SeqCst);
                sleep(Duration::from_micros(300));
            }
        });
    });
    println!("looks {} rounds {} in_calls {}", looks.load(SeqCst), rounds.load(SeqCst), in_calls.load(SeqCst));
}

fn take<T>(value: &mut T) {
    // SAFETY: it is written back; nothing in between can fail.
    unsafe { core::ptr::write(value, black_box(core::ptr::read(value))) };
}

/// Calls by number go on when who makes them was held; others may end with EINTR.
fn calls() {
    let time = rustix::time::Timespec { tv_sec: 0, tv_nsec: 300_000_000 };
    let start = Instant::now();
    // SAFETY: it reads the time.
    let raw = gort::spawn(move || unsafe { syscall::raw(35, &[(&raw const time) as usize]) });
    sleep(Duration::from_millis(50));
    for _ in 0..5 {
        assert_eq!(states(), [""; 0]);
    }
    assert_eq!(raw.join().unwrap(), Ok(0));
    assert!(start.elapsed() >= Duration::from_millis(300));
    println!("calls go on");
}

/// A thread in C that lets no signal in: then it cannot be known. Afterwards it can.
fn deaf() {
    let mask = |how: usize| {
        let set = 1u64 << 22;
        // SAFETY: the set is there; SIGURG of this thread.
        unsafe { syscall::raw(14, &[how, (&raw const set) as usize, 0, 8]) }.unwrap()
    };
    static BLOCKED: AtomicBool = AtomicBool::new(false);
    let deaf = gort::spawn(move || unsafe {
        ffi::call(|| {
            mask(0);
            BLOCKED.store(true, SeqCst);
            spin();
            mask(1);
        })
    });
    while !BLOCKED.load(SeqCst) {
        runtime::gosched();
    }
    println!("{}", debug::leaks().unwrap_err());
    GO.store(true, SeqCst);
    deaf.join().unwrap();
    println!("{}", debug::leaks().unwrap().len());
}

/// So many goroutines that wait, a heap of so many megabytes: how long does it take?
fn cost() {
    let number = |n: usize| os::args().nth(n).unwrap().parse::<usize>().unwrap();
    let (goroutines, megabytes) = (number(2), number(3));
    let senders: Vec<Sender<u32>> = (0..goroutines).map(|_| waits()).collect();
    let heap: Vec<Box<[u64; 32]>> = (0..megabytes << 12).map(|n| Box::new([n as u64; 32])).collect();
    sleep(Duration::from_millis(20));
    let start = Instant::now();
    let leaks = debug::leaks().unwrap().len();
    println!("{leaks} leaks, {} goroutines, {megabytes} MB: {} us", senders.len(), start.elapsed().as_micros());
    black_box((&senders, &heap));
    // Else they would all find their channels closed.
    runtime::exit(0);
}

fn main() {
    match os::args().nth(1).unwrap_or("") {
        "reachable" => reachable(),
        "leaked" => leaked(),
        "storm" => storm(),
        "cost" => cost(),
        // The very first thing that a program does.
        "alone" => println!("{}", debug::leaks().unwrap().len()),
        "error" => match debug::leaks() {
            Ok(leaks) => println!("{}", leaks.len()),
            Err(error) => println!("{error}"),
        },
        "calls" => calls(),
        "deaf" => deaf(),
        _ => println!("which scenario?"),
    }
}
