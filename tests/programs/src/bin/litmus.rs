//! Litmus programs of the memory model: one for each edge of `docs/memory-model.md`. What an edge guards is plain memory, so a lost edge is a wrong word.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, Ordering::Acquire, Ordering::Relaxed, Ordering::Release, Ordering::SeqCst};
use gort::__private::hooks;
use gort::prelude::*;
use gort::runtime::{Managed, add_cleanup, goexit, gosched, set_finalizer};
use gort::time::{Duration, Instant, Timer, after_func, sleep};

gort::main!(main);

const US: Duration = Duration::from_micros(1);
const HOUR: Duration = Duration::from_secs(3600);

fn main() {
    let number = |n| gort::os::args().nth(n).and_then(|word| word.parse::<u64>().ok()).unwrap_or(1);
    // Further arguments: preemptions each so many ns, and how many rounds.
    hooks::storm_preemptions(number(2));
    let rounds = number(3);
    let scenario = gort::os::args().nth(1).unwrap_or_default();
    match scenario {
        "start" => start(rounds),
        "join" => join(rounds),
        "goexit" => joins_goexit(rounds),
        "scope" => scopes(rounds),
        "wait_group" => wait_group(rounds),
        "unbuffered" => channel(0, rounds),
        "buffered" => [1, 5].into_iter().for_each(|capacity| channel(capacity, rounds / 2)),
        "select" => through_select(rounds),
        "close" => close(rounds),
        "mutex" => mutex(rounds),
        "once" => once(rounds),
        "rwmutex" => rwmutex(rounds),
        "cond" => cond(rounds),
        "semaphore" => semaphore(rounds),
        "after_func" => functions(rounds),
        "reset" => resets(rounds),
        "stop" => stops(rounds),
        "timer" => timer_channel(rounds),
        "finalizer" => finalizer(rounds),
        "same_goroutine" => same_goroutine(rounds),
        "message_passing" => message_passing(rounds),
        "store_buffering" => store_buffering(rounds, SeqCst),
        "store_buffering_relaxed" => store_buffering(rounds, Relaxed),
        "iriw" => iriw(rounds),
        "tearing" => tearing(),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

/// Plain memory that an edge guards: words on lines of their own, so that some could be seen without the others.
struct Guarded([Line; 3]);

#[repr(align(128))]
struct Line(UnsafeCell<u64>);

// SAFETY: none but the edges under test: that is what is shown.
unsafe impl Sync for Guarded {}

impl Guarded {
    const fn new() -> Guarded {
        Guarded([const { Line(UnsafeCell::new(0)) }; 3])
    }

    fn write(&self, n: u64) {
        // SAFETY: the edge under test.
        self.0.iter().for_each(|line| unsafe { *line.0.get() = n });
    }

    #[track_caller]
    fn check(&self, n: u64) {
        // SAFETY: as above.
        let seen = [2, 1, 0].map(|i: usize| unsafe { *self.0[i].0.get() });
        assert_eq!(seen, [n; 3], "an edge is lost");
    }
}

fn ring(n: usize) -> Arc<Vec<Guarded>> {
    Arc::new((0..n).map(|_| Guarded::new()).collect())
}

/// What `go` finds written before it, the new goroutine reads.
fn start(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    for n in 0..rounds {
        DATA.write(n);
        let (tx, rx) = chan::channel::<()>(1);
        go(move || {
            DATA.check(n);
            tx.send(());
        });
        rx.recv();
    }
}

/// What a goroutine has done, whoever joins it reads. Four at a time, so that they run elsewhere.
fn join(rounds: u64) {
    static DATA: [Guarded; 4] = [const { Guarded::new() }; 4];
    for n in 0..rounds / 4 {
        let handles = [0, 1, 2, 3].map(|i: usize| gort::spawn(move || DATA[i].write(n)));
        for (data, handle) in DATA.iter().zip(handles) {
            handle.join().unwrap();
            data.check(n);
        }
    }
}

/// The same, where it ends by `goexit`.
fn joins_goexit(rounds: u64) {
    static DATA: [Guarded; 4] = [const { Guarded::new() }; 4];
    for n in 0..rounds / 4 {
        let handles = [0, 1, 2, 3].map(|i: usize| {
            gort::spawn(move || {
                gort::defer(move || DATA[i].write(n));
                goexit()
            })
        });
        for (data, handle) in DATA.iter().zip(handles) {
            handle.join().unwrap_err();
            data.check(n);
        }
    }
}

/// What is lent to a scope's goroutines is whole again after it.
fn scopes(rounds: u64) {
    let data = [const { Guarded::new() }; 4];
    for n in 0..rounds / 4 {
        data.iter().for_each(|data| data.write(2 * n));
        scope(|s| {
            for data in &data {
                s.go(move || {
                    data.check(2 * n);
                    data.write(2 * n + 1);
                });
            }
        });
        data.iter().for_each(|data| data.check(2 * n + 1));
    }
}

/// Before `done`, in several goroutines; after `wait`, in two.
fn wait_group(rounds: u64) {
    static DATA: [Guarded; 4] = [const { Guarded::new() }; 4];
    for n in 0..rounds / 4 {
        let (group, read) = (WaitGroup::new(), WaitGroup::new());
        group.add(4);
        for data in &DATA {
            let group = group.clone();
            go(move || {
                data.write(n);
                group.done();
            });
        }
        let all = group.clone();
        read.go(move || {
            all.wait();
            DATA.iter().for_each(|data| data.check(n));
        });
        group.wait();
        DATA.iter().for_each(|data| data.check(n));
        read.wait();
    }
}

/// A send before its receive; the k-th receive before the end of the k+C-th send, and without a buffer before the end of the k-th.
///
/// Each direction has a ring of C + 2 places. Sent: the sender writes place n before send n, and comes back to it after send n+C+1, so after receive n+1 has begun, which
/// is after the check of n. Back: the receiver writes place n before receive n, and comes back to it when it has got value n+C+1, so after the end of send n+C, and its check.
fn channel(capacity: usize, rounds: u64) {
    let (tx, rx) = chan::channel::<u64>(capacity);
    let c = capacity as u64;
    let place = move |n: u64| (n % (c + 2)) as usize;
    let (sent, back) = (ring(capacity + 2), ring(capacity + 2));
    let (sent2, back2) = (sent.clone(), back.clone());
    let receiver = gort::spawn(move || {
        for n in 0..rounds {
            back2[place(n)].write(n);
            assert_eq!(rx.recv(), Some(n));
            sent2[place(n)].check(n);
        }
    });
    for n in 0..rounds {
        sent[place(n)].write(n);
        tx.send(n);
        if let Some(k) = n.checked_sub(c) {
            back[place(k)].check(k);
        }
    }
    receiver.join().unwrap();
}

/// The same without a buffer, where both sides are cases of a select.
fn through_select(rounds: u64) {
    let (tx, rx) = chan::channel::<u64>(0);
    let (sent, back) = (ring(2), ring(2));
    let (sent2, back2) = (sent.clone(), back.clone());
    let receiver = gort::spawn(move || {
        let other = chan::make::<u64>(0);
        for n in 0..rounds {
            back2[n as usize % 2].write(n);
            select! {
                recv(rx) -> value => assert_eq!(value, Some(n)),
                recv(other) => unreachable!(),
            }
            sent2[n as usize % 2].check(n);
        }
    });
    let other = chan::make::<u64>(0);
    for n in 0..rounds {
        sent[n as usize % 2].write(n);
        select! {
            recv(other) => unreachable!(),
            send(tx, n) => {},
        }
        back[n as usize % 2].check(n);
    }
    receiver.join().unwrap();
}

/// A close before a receive that finds the channel closed: of who waits, who comes later, and who looks in a loop.
fn close(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    for n in 0..rounds / 3 {
        let c = chan::make::<()>(0);
        scope(|s| {
            s.go(|| {
                assert_eq!(c.recv(), None);
                DATA.check(n);
            });
            s.go(|| {
                while c.try_recv() != Err(gort::chan::TryRecvError::Closed) {
                    gosched();
                }
                DATA.check(n);
            });
            gosched();
            DATA.write(n);
            c.close();
            assert_eq!(c.recv(), None);
        });
    }
}

/// An unlock before the next lock, whoever takes it and how.
fn mutex(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    const WORKERS: u64 = 4;
    let (lock, taken) = (Mutex::new(0), AtomicU64::new(0));
    scope(|s| {
        for worker in 0..WORKERS {
            let (lock, taken) = (&lock, &taken);
            s.go(move || {
                while taken.fetch_add(1, Relaxed) < rounds {
                    let mut guard = if worker == 0 {
                        loop {
                            match lock.try_lock() {
                                Some(guard) => break guard,
                                None => gosched(),
                            }
                        }
                    } else {
                        lock.lock()
                    };
                    DATA.check(*guard);
                    *guard += 1;
                    DATA.write(*guard);
                }
            });
        }
    });
    let n = lock.into_inner();
    assert_eq!(n, rounds);
    DATA.check(n);
}

/// What a `Once` does, before any `call_once` returns; and what an `OnceLock` was filled with.
fn once(rounds: u64) {
    static DATA: [Guarded; 2] = [const { Guarded::new() }; 2];
    for n in 1..=rounds / 3 {
        let (once, cell, done) = (Once::new(), OnceLock::new(), AtomicU32::new(0));
        scope(|s| {
            for _ in 0..3 {
                let (once, cell, done) = (&once, &cell, &done);
                s.go(move || {
                    once.call_once(|| {
                        DATA[0].write(n);
                        done.fetch_add(1, Relaxed);
                    });
                    DATA[0].check(n);
                    let filled = *cell.get_or_init(|| {
                        DATA[1].write(n);
                        n
                    });
                    assert_eq!(filled, n);
                    DATA[1].check(n);
                });
            }
        });
        assert_eq!(done.into_inner(), 1);
    }
}

/// An unlock for writing before reads and writes, the end of reads before the next write.
fn rwmutex(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    let (lock, taken) = (RwMutex::new(0), AtomicU64::new(0));
    scope(|s| {
        for worker in 0..4 {
            let (lock, taken) = (&lock, &taken);
            s.go(move || {
                while taken.fetch_add(1, Relaxed) < rounds {
                    if worker % 2 == 0 {
                        let n = lock.read();
                        DATA.check(*n);
                        continue;
                    }
                    let mut n = lock.write();
                    DATA.check(*n);
                    *n += 1;
                    DATA.write(*n);
                }
            });
        }
    });
    DATA.check(lock.into_inner());
}

/// A signal before the wait that it ends: by the lock, and without it.
fn cond(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    let (turn, cond) = (Mutex::new(0u64), Cond::new());
    scope(|s| {
        for me in 0..2 {
            let (turn, cond) = (&turn, &cond);
            s.go(move || {
                let mut n = turn.lock();
                while *n < rounds {
                    if *n % 2 == me {
                        DATA.check(*n);
                        *n += 1;
                        DATA.write(*n);
                        cond.signal();
                    } else {
                        cond.wait(&mut n);
                    }
                }
                cond.broadcast();
            });
        }
    });
}

/// A release before the acquisition that it makes room for.
fn semaphore(rounds: u64) {
    static DATA: Guarded = Guarded::new();
    static N: AtomicU64 = AtomicU64::new(0);
    let (semaphore, taken) = (gort::sync::Semaphore::new(2), AtomicU64::new(0));
    scope(|s| {
        for worker in 0..4 {
            let (semaphore, taken) = (&semaphore, &taken);
            s.go(move || {
                while taken.fetch_add(1, Relaxed) < rounds {
                    if worker == 0 {
                        while !semaphore.try_acquire(2) {
                            gosched();
                        }
                    } else {
                        semaphore.acquire(2);
                    }
                    // Relaxed: the semaphore orders it.
                    let n = N.load(Relaxed);
                    DATA.check(n);
                    DATA.write(n + 1);
                    N.store(n + 1, Relaxed);
                    semaphore.release(2);
                }
            });
        }
    });
    assert_eq!(N.load(Relaxed), rounds);
}

/// `after_func` before the call.
fn functions(rounds: u64) {
    static DATA: [Guarded; 8] = [const { Guarded::new() }; 8];
    for n in 0..rounds / 8 {
        let (tx, rx) = chan::channel::<()>(8);
        for (i, data) in DATA.iter().enumerate() {
            data.write(n);
            let tx = tx.clone();
            after_func(i as u32 * 5 * US, move || {
                data.check(n);
                tx.send(());
            });
        }
        (0..8).for_each(|_| _ = rx.recv());
    }
}

/// `reset` before the call that it brings about.
fn resets(rounds: u64) {
    static DATA: [Guarded; 8] = [const { Guarded::new() }; 8];
    static ROUND: [AtomicU64; 8] = [const { AtomicU64::new(0) }; 8];
    let (tx, rx) = chan::channel::<()>(8);
    let calls: Vec<_> = (0..8)
        .map(|i: usize| {
            let tx = tx.clone();
            after_func(HOUR, move || {
                // Relaxed: it makes no edge of its own, and the call comes after what it says.
                DATA[i].check(ROUND[i].load(Relaxed));
                tx.send(());
            })
        })
        .collect();
    for n in 0..rounds / 8 {
        for (i, call) in calls.iter().enumerate() {
            DATA[i].write(n);
            ROUND[i].store(n, Relaxed);
            call.reset((i as u32 % 3) * 5 * US);
        }
        (0..8).for_each(|_| _ = rx.recv());
    }
}

/// A `stop` that says true: the call is never made, and what it would have used belongs to who has stopped it.
fn stops(rounds: u64) {
    static STOPPED: AtomicU64 = AtomicU64::new(0);
    static MADE: AtomicU64 = AtomicU64::new(0);
    let workers = 4;
    scope(|s| {
        for _ in 0..workers {
            s.go(move || {
                let data = Arc::new(Guarded::new());
                for n in 0..rounds / workers {
                    data.write(2 * n);
                    let (tx, rx) = chan::channel::<()>(1);
                    let other = data.clone();
                    let call = after_func((n as u32 % 4) * US, move || {
                        other.check(2 * n);
                        other.write(2 * n + 1);
                        tx.send(());
                    });
                    (0..n % 3).for_each(|_| gosched());
                    if call.stop() {
                        data.check(2 * n);
                        STOPPED.fetch_add(1, Relaxed);
                    } else {
                        rx.recv();
                        data.check(2 * n + 1);
                        MADE.fetch_add(1, Relaxed);
                    }
                }
            });
        }
    });
    println!("stopped {} made {}", STOPPED.load(Relaxed), MADE.load(Relaxed));
}

/// Who starts a timer before who receives from it; and what follows from that after it was given away.
fn timer_channel(rounds: u64) {
    let workers = 4;
    scope(|s| {
        for _ in 0..workers {
            s.go(move || {
                let data = Guarded::new();
                let timer = Timer::new(HOUR);
                for n in 0..rounds / workers {
                    scope(|s| {
                        s.go(|| {
                            timer.chan().recv();
                            data.check(n);
                        });
                        data.write(n);
                        timer.reset((n as u32 % 2) * US);
                    });
                }
            });
        }
    });
}

/// `set_finalizer` and `add_cleanup` before their calls, and the last use of the object too.
fn finalizer(rounds: u64) {
    for n in 0..rounds / 2 {
        let data = Arc::new([const { Guarded::new() }; 2]);
        let (tx, rx) = chan::channel::<()>(2);
        let object = Managed::new(n);
        data[0].write(n);
        let (data2, tx2) = (data.clone(), tx.clone());
        set_finalizer(&object, move |object| {
            data2[0].check(*object);
            data2[1].check(*object);
            tx2.send(());
        });
        let data2 = data.clone();
        add_cleanup(&object, move || {
            data2[1].check(n);
            tx.send(());
        });
        data[1].write(n);
        drop(object);
        (0..2).for_each(|_| _ = rx.recv());
    }
}

/// A goroutine that goes on on another thread finds there what it has done.
fn same_goroutine(rounds: u64) {
    static MOVES: AtomicU64 = AtomicU64::new(0);
    let workers = 6;
    scope(|s| {
        for worker in 0..workers {
            s.go(move || {
                let data = Guarded::new();
                let mut thread = gort::syscall::gettid();
                for n in 0..rounds / workers {
                    data.write(n);
                    // Half of them wait only to be preempted.
                    match (worker + n) % 2 {
                        0 => gosched(),
                        _ => (0..20).for_each(|_| spin_loop()),
                    }
                    data.check(n);
                    if n % 16 == 0 {
                        let now = gort::syscall::gettid();
                        MOVES.fetch_add(u64::from(now != thread), Relaxed);
                        thread = now;
                    }
                }
            });
        }
    });
    println!("moves {}", MOVES.load(Relaxed));
}

/// How far one of the goroutines of `together` may be ahead of another.
const SLACK: u32 = 16;
const BATCH: usize = 2048;

#[repr(align(128))]
struct Apart(AtomicU32);

/// `who` goroutines go through the places of a batch beside each other, none far ahead.
fn together(who: usize, f: &(dyn Fn(usize, usize) + Sync)) {
    let progress: Vec<Apart> = (0..who).map(|_| Apart(AtomicU32::new(0))).collect();
    let progress = &*progress;
    scope(|s| {
        for me in 0..who {
            s.go(move || {
                for i in 0..BATCH {
                    let at = i as u32;
                    if at.is_multiple_of(SLACK) {
                        progress[me].0.store(at, Relaxed);
                        let mut spins = 0u32;
                        while progress.iter().any(|other| other.0.load(Relaxed) + SLACK < at) {
                            spins += 1;
                            if spins.is_multiple_of(200) { gosched() } else { spin_loop() }
                        }
                    }
                    f(me, i);
                }
                progress[me].0.store(u32::MAX - SLACK, Relaxed);
            });
        }
    });
}

fn flags() -> Vec<AtomicU8> {
    (0..BATCH).map(|_| AtomicU8::new(0)).collect()
}

/// Plain memory, released by a store and acquired by the load that sees it.
fn message_passing(rounds: u64) {
    struct Place(UnsafeCell<u64>, AtomicU8);
    // SAFETY: the edge under test.
    unsafe impl Sync for Place {}
    let mut seen = 0;
    while seen < rounds {
        let places: Vec<Place> = (0..BATCH).map(|_| Place(UnsafeCell::new(0), AtomicU8::new(0))).collect();
        let places = &*places;
        together(2, &|me, i| {
            let place = &places[i];
            if me == 0 {
                // SAFETY: nobody reads it before the flag is set.
                unsafe { *place.0.get() = i as u64 + 1 };
                place.1.store(1, Release);
                return;
            }
            let mut spins = 0u32;
            while place.1.load(Acquire) == 0 {
                spins += 1;
                if spins.is_multiple_of(200) { gosched() } else { spin_loop() }
            }
            // SAFETY: the edge under test.
            assert_eq!(unsafe { *place.0.get() }, i as u64 + 1, "an edge is lost");
        });
        seen += BATCH as u64;
    }
}

/// Each stores, then loads what the other stores: one of them at least sees the other, if all four are SeqCst.
fn store_buffering(rounds: u64, order: Ordering) {
    let (mut done, mut neither) = (0, 0);
    while done < rounds {
        let (x, y, r) = (flags(), flags(), [flags(), flags()]);
        together(2, &|me, i| {
            let (mine, other) = if me == 0 { (&x, &y) } else { (&y, &x) };
            mine[i].store(1, order);
            r[me][i].store(other[i].load(order), Relaxed);
        });
        neither += (0..BATCH).filter(|&i| r[0][i].load(Relaxed) == 0 && r[1][i].load(Relaxed) == 0).count();
        done += BATCH as u64;
    }
    assert!(order == Relaxed || neither == 0, "{neither} times neither has seen the other's store");
    println!("neither {neither}");
}

/// Two writers of two places: two who read both, in opposite orders, do not disagree about who was first.
fn iriw(rounds: u64) {
    let mut done = 0;
    let mut between = 0;
    while done < rounds {
        let (x, y) = (flags(), flags());
        let r: [Vec<AtomicU8>; 4] = core::array::from_fn(|_| flags());
        together(4, &|me, i| match me {
            0 => x[i].store(1, SeqCst),
            1 => y[i].store(1, SeqCst),
            2 => {
                r[0][i].store(x[i].load(SeqCst), Relaxed);
                r[1][i].store(y[i].load(SeqCst), Relaxed);
            }
            _ => {
                r[2][i].store(y[i].load(SeqCst), Relaxed);
                r[3][i].store(x[i].load(SeqCst), Relaxed);
            }
        });
        for i in 0..BATCH {
            let [a, b, c, d] = r.each_ref().map(|r| r[i].load(Relaxed));
            assert!((a, b, c, d) != (1, 0, 1, 0), "the readers disagree about who was first");
            between += u64::from(a != b || c != d);
        }
        done += BATCH as u64;
    }
    println!("between {between}");
}

/// What the memory model leaves to the user: a value of two words that is written without a lock is seen half old and half new. Here the halves are relaxed
/// atomics, so that the race is not undefined; plain memory would be at least as bad. A word by itself is never torn.
fn tearing() {
    #[repr(align(16))]
    struct Wide([AtomicU64; 2]);
    static WIDE: Wide = Wide([AtomicU64::new(0), AtomicU64::new(0)]);
    static WORD: AtomicU64 = AtomicU64::new(0);
    static STOP: AtomicBool = AtomicBool::new(false);
    let start = Instant::now();
    let (mut torn, mut looks) = (0u64, 0u64);
    scope(|s| {
        s.go(|| {
            let mut n = 0u64;
            while !STOP.load(Relaxed) {
                n = (n + 1) & 0xffff_ffff;
                WIDE.0[0].store(n, Relaxed);
                WIDE.0[1].store(n, Relaxed);
                WORD.store(n << 32 | n, Relaxed);
            }
        });
        while torn == 0 || looks < 100_000 {
            let [a, b] = WIDE.0.each_ref().map(|half| half.load(Relaxed));
            let word = WORD.load(Relaxed);
            assert_eq!(word >> 32, word & 0xffff_ffff, "a word is torn");
            torn += u64::from(a != b);
            looks += 1;
            assert!(start.elapsed().as_secs() < 60, "nothing was torn in {looks} looks");
            if looks.is_multiple_of(1000) {
                sleep(US);
            }
        }
        STOP.store(true, Relaxed);
    });
    println!("torn {torn}");
}
