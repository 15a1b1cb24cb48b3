//! `sync`: what Go's package of that name promises, under storms too.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::{WaitReason, hooks, semaphore, table};
use gort::prelude::*;
use gort::runtime::{goexit, gomaxprocs, gosched, num_goroutine};
use gort::sync::{Cond, Once, OnceLock, RwMutex, Semaphore, lock_api, once_func, once_value, once_values};
use gort::time::{Duration, Instant, sleep};
use gort::{debug, syscall};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

const SCENARIOS: &[(&str, fn())] = &[
    ("permits", permits),
    ("addresses", addresses),
    ("lifo", lifo),
    ("handed_over", handed_over),
    ("mutex", mutex),
    ("rwmutex", rwmutex),
    ("parallel_readers", parallel_readers),
    ("rwmutex_hammer", rwmutex_hammer),
    ("writers_first", writers_first),
    ("readers_next", readers_next),
    ("guards", guards),
    ("cond_signal", cond_signal),
    ("cond_order", cond_order),
    ("cond_broadcast", cond_broadcast),
    ("cond_stealing", cond_stealing),
    ("cond_guards", cond_guards),
    ("once", once),
    ("once_goexit", once_goexit),
    ("once_value", once_values_are_made_once),
    ("once_lock", once_lock),
    ("weighted", weighted),
    ("weighted_order", weighted_order),
    ("weighted_withdrawn", weighted_withdrawn),
    ("waitgroup", waitgroup),
    ("waitgroup_race", waitgroup_race),
    ("generic_locks", generic_locks),
    ("fair", fair),
    ("sections", sections),
    ("leaked", leaked),
    ("sizes", sizes),
    ("storm", storm),
    ("deadlock_read", || {
        let mutex = RwMutex::new(());
        let _write = mutex.write();
        drop(mutex.read());
    }),
    ("deadlock_write", || {
        let mutex = RwMutex::new(());
        let _read = mutex.read();
        drop(mutex.write());
    }),
    ("deadlock_cond", || Cond::new().wait(&mut Mutex::new(()).lock())),
    ("deadlock_once", || {
        let once = Once::new();
        once.call_once(|| once.call_once(|| ()));
    }),
    ("deadlock_weighted", || Semaphore::new(3).acquire(4)),
    ("negative", || {
        let wait = WaitGroup::new();
        wait.add(1);
        wait.done();
        wait.done();
    }),
    ("unlock_mutex", || unsafe { lock_api::Mutex::new(()).force_unlock() }),
    ("unlock_mutex_twice", || {
        let mutex = lock_api::Mutex::new(());
        drop(mutex.lock());
        unsafe { mutex.force_unlock() };
    }),
    ("unlock_mutex_fair", || unsafe { lock_api::Mutex::new(()).force_unlock_fair() }),
    ("unlock_write", || unsafe { lock_api::RwLock::new(()).force_unlock_write() }),
    ("unlock_write_read", || {
        let lock = lock_api::RwLock::new(());
        let _read = lock.read();
        unsafe { lock.force_unlock_write() };
    }),
    ("unlock_write_twice", || {
        let lock = lock_api::RwLock::new(());
        drop(lock.write());
        unsafe { lock.force_unlock_write() };
    }),
    ("unlock_read", || unsafe { lock_api::RwLock::new(()).force_unlock_read() }),
    ("unlock_read_written", || {
        let lock = lock_api::RwLock::new(());
        let _write = lock.write();
        unsafe { lock.force_unlock_read() };
    }),
    ("unlock_read_twice", || {
        let lock = lock_api::RwLock::new(());
        drop(lock.read());
        unsafe { lock.force_unlock_read() };
    }),
    ("too_many_readers", || {
        let mutex = RwMutex::new(());
        // What a program forgets stays locked.
        (0..1 << 29).for_each(|_| core::mem::forget(mutex.read()));
        assert!(mutex.try_read().is_none() && mutex.try_write().is_none());
        drop(mutex.read());
    }),
    ("reused", reused),
    ("reused_race", reused_race),
    ("waitgroup_panic", waitgroup_panic),
    ("once_panic", once_panic),
    ("once_value_panic", once_value_panic),
    ("released", || {
        let semaphore = Semaphore::new(2);
        semaphore.acquire(1);
        semaphore.release(2);
    }),
];

fn main() {
    let scenario = scenario::begin();
    let Some((_, run)) = SCENARIOS.iter().find(|(name, _)| *name == scenario) else { panic!("no scenario {scenario:?}") };
    run();
    println!("{scenario} done");
}

// --- Semaphores by address ---

fn permits() {
    for hand_off in [false, true] {
        for permits in [1, 3] {
            let (word, inside, most) = (AtomicU32::new(permits), AtomicU32::new(0), AtomicU32::new(0));
            gort::scope(|s| {
                for _ in 0..10 {
                    s.go(|| {
                        for n in 0..1000 {
                            semaphore::acquire(&word, n % 5 == 0, WaitReason::Semacquire);
                            most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
                            if n % 7 == 0 {
                                gosched();
                            }
                            inside.fetch_sub(1, SeqCst);
                            semaphore::release(&word, hand_off);
                        }
                    });
                }
            });
            assert!(word.load(SeqCst) == permits && (1..=permits).contains(&most.load(SeqCst)));
        }
    }
}

/// So many addresses that all buckets have some: each has its own queue, first in first out.
fn addresses() {
    const WORDS: usize = 3000;
    const EACH: u32 = 3;
    struct Word {
        permits: AtomicU32,
        came: AtomicU32,
        served: AtomicU32,
    }
    let words: Arc<Vec<Word>> = Arc::new((0..WORDS).map(|_| Word { permits: AtomicU32::new(0), came: AtomicU32::new(0), served: AtomicU32::new(0) }).collect());
    let wait = WaitGroup::new();
    for turn in 0..EACH {
        for n in 0..WORDS {
            let words = words.clone();
            wait.go(move || {
                words[n].came.fetch_add(1, SeqCst);
                semaphore::acquire(&words[n].permits, false, WaitReason::Semacquire);
                assert_eq!(words[n].served.fetch_add(1, SeqCst), turn, "not first in first out");
            });
        }
        // What has come waits, or is about to; give those a moment.
        until("all wait", || words.iter().all(|word| word.came.load(SeqCst) == turn + 1));
        sleep(20 * MS);
    }
    for turn in 0..EACH {
        // In another order than they came.
        for n in (0..WORDS).map(|n| n * 1009 % WORDS) {
            assert_eq!(words[n].served.load(SeqCst), turn, "woken for another address");
            if n % 2 == 0 { semaphore::release(&words[n].permits, true) } else { semaphore::grant(&words[n].permits, 1) }
        }
        until("one of each has gone on", || words.iter().all(|word| word.served.load(SeqCst) == turn + 1));
    }
    wait.wait();
}

/// Who comes with `lifo` is served before those who wait.
fn lifo() {
    let (word, served) = (AtomicU32::new(0), Mutex::new(Vec::new()));
    let come = |name: u32, lifo| {
        semaphore::acquire(&word, lifo, WaitReason::Semacquire);
        served.lock().push(name);
    };
    gort::scope(|s| {
        let come = &come;
        for (name, lifo) in [(1, false), (2, false), (3, true), (4, true), (5, false)] {
            s.go(move || come(name, lifo));
            sleep(20 * MS);
        }
        for n in 1..=5 {
            semaphore::release(&word, true);
            until("one more is served", || served.lock().len() == n);
        }
    });
    assert_eq!(*served.lock(), [4, 3, 1, 2, 5]);
}

/// Who is handed a permit runs at once, before whoever releases it goes on: as a rule, for others may be asked to share work.
fn handed_over() {
    const ROUNDS: u32 = 1000;
    let mut first = 0;
    for _ in 0..ROUNDS {
        let (word, winner, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicBool::new(false));
        gort::scope(|s| {
            // Others that are ready, so that the processors are busy.
            for _ in 0..gomaxprocs(0) {
                s.go(|| {
                    while !done.load(SeqCst) {
                        gosched();
                    }
                });
            }
            s.go(|| {
                semaphore::acquire(&word, false, WaitReason::Semacquire);
                _ = winner.compare_exchange(0, 1, SeqCst, SeqCst);
                semaphore::release(&word, true);
                done.store(true, SeqCst);
            });
            while !table::sleeps((&raw const word).addr()) {
                gosched();
            }
            semaphore::release(&word, true);
            _ = winner.compare_exchange(0, 2, SeqCst, SeqCst);
        });
        first += u32::from(winner.load(SeqCst) == 1);
    }
    println!("first {first} of {ROUNDS}");
}

// --- Mutex ---

fn mutex() {
    let mutex = Mutex::new(0);
    let held = mutex.lock();
    assert!(mutex.try_lock().is_none());
    // An attempt that fails, and a look, leave it locked.
    assert!(mutex.try_lock().is_none() && alloc::format!("{mutex:?}") == "Mutex(locked)" && mutex.try_lock().is_none());
    drop(held);
    assert!(mutex.try_lock().is_some() && mutex.try_lock().is_some());
    let tries = AtomicU32::new(0);
    gort::scope(|s| {
        for _ in 0..10 {
            s.go(|| {
                for n in 0..1000 {
                    if n % 3 != 0 {
                        *mutex.lock() += 1;
                    } else if let Some(mut held) = mutex.try_lock() {
                        *held += 1;
                        tries.fetch_add(1, SeqCst);
                    }
                }
            });
        }
    });
    assert_eq!(mutex.into_inner(), 6660 + tries.load(SeqCst));
}

// --- RwMutex ---

fn rwmutex() {
    let mutex = RwMutex::new(1);
    {
        let mut held = mutex.write();
        *held += 1;
        for _ in 0..2 {
            assert!(mutex.try_write().is_none() && mutex.try_read().is_none());
        }
        assert_eq!(alloc::format!("{mutex:?}"), "RwMutex(locked)");
    }
    *mutex.try_write().unwrap() += 1;
    {
        let (a, b) = (mutex.try_read().unwrap(), mutex.read());
        assert_eq!(*a + *b, 6);
        for _ in 0..2 {
            assert!(mutex.try_write().is_none());
        }
        assert_eq!(alloc::format!("{mutex:?}"), "RwMutex(3)");
        drop(a);
        assert!(mutex.try_write().is_none());
    }
    drop(mutex.try_write().unwrap());
    // Forgotten guards keep it locked, and nobody is let in wrongly.
    core::mem::forget(mutex.read());
    assert!(mutex.try_write().is_none() && mutex.try_read().is_some());
    assert_eq!(mutex.into_inner(), 3);
    let mutex = RwMutex::new(Counted::new(7));
    assert_eq!(mutex.read().0, 7);
    *mutex.write() = Counted::new(8);
    assert!(ALIVE.load(SeqCst) == 1 && mutex.read().0 == 8);
    drop(mutex);
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// All read at once: none leaves before all have come.
fn parallel_readers() {
    for (readers, procs) in [(1, 4), (3, 4), (4, 2), (100, 3)] {
        let before = gomaxprocs(procs);
        let (mutex, locked, unlock) = (RwMutex::new(()), chan::make(0), chan::make(0));
        gort::scope(|s| {
            for _ in 0..readers {
                s.go(|| {
                    let _read = mutex.read();
                    locked.send(());
                    unlock.recv();
                });
            }
            (0..readers).for_each(|_| assert!(locked.recv().is_some()));
            assert!(mutex.try_write().is_none());
            (0..readers).for_each(|_| unlock.send(()));
        });
        drop(mutex.try_write().expect("all have left"));
        gomaxprocs(before);
    }
}

fn rwmutex_hammer() {
    for (procs, readers) in [(1, 1), (1, 3), (1, 10), (4, 1), (4, 3), (4, 10), (10, 1), (10, 3), (10, 10), (10, 5)] {
        let before = gomaxprocs(procs);
        let (mutex, activity) = (RwMutex::new(0u32), AtomicI32::new(0));
        let write = || {
            for _ in 0..1000 {
                let mut value = mutex.write();
                assert_eq!(activity.fetch_add(10_000, SeqCst), 0, "a writer is not alone");
                (0..100).for_each(|n| _ = black_box(n));
                *value += 1;
                activity.fetch_sub(10_000, SeqCst);
            }
        };
        let read = || {
            let mut last = 0;
            for _ in 0..1000 {
                let value = mutex.read();
                assert!((0..10_000).contains(&activity.fetch_add(1, SeqCst)), "a reader meets a writer");
                (0..100).for_each(|n| _ = black_box(n));
                assert!(last <= *value);
                last = *value;
                activity.fetch_sub(1, SeqCst);
            }
        };
        gort::scope(|s| {
            let (write, read) = (&write, &read);
            s.go(write);
            (0..readers / 2).for_each(|_| s.go(read));
            s.go(write);
            (readers / 2..readers).for_each(|_| s.go(read));
        });
        assert_eq!(mutex.into_inner(), 2000);
        gomaxprocs(before);
    }
}

/// A writer who waits is before readers who come later.
fn writers_first() {
    for _ in 0..20 {
        let (mutex, log) = (RwMutex::new(()), Mutex::new(String::new()));
        gort::scope(|s| {
            let first = mutex.read();
            s.go(|| {
                let _write = mutex.write();
                log.lock().push('w');
            });
            until("the writer waits", || mutex.try_read().is_none());
            for _ in 0..5 {
                s.go(|| {
                    let _read = mutex.read();
                    log.lock().push('r');
                });
            }
            sleep(MS);
            assert_eq!(*log.lock(), "");
            drop(first);
        });
        assert_eq!(*log.lock(), "wrrrrr");
    }
}

/// Readers who have come while somebody wrote are before the next writer.
fn readers_next() {
    for _ in 0..20 {
        let (mutex, log, came) = (RwMutex::new(()), Mutex::new(String::new()), AtomicU32::new(0));
        gort::scope(|s| {
            let first = mutex.write();
            s.go(|| {
                came.fetch_add(1, SeqCst);
                let _write = mutex.write();
                log.lock().push('w');
            });
            for _ in 0..5 {
                s.go(|| {
                    came.fetch_add(1, SeqCst);
                    let _read = mutex.read();
                    log.lock().push('r');
                });
            }
            until("all have come", || came.load(SeqCst) == 6);
            sleep(20 * MS);
            drop(first);
        });
        assert_eq!(*log.lock(), "rrrrrw");
    }
}

/// Guards are held while their goroutine is preempted, sleeps and changes threads; and dropped by another goroutine.
fn guards() {
    const WORKERS: u32 = 6;
    let (mutex, rwmutex, changes) = (Mutex::new(0u32), RwMutex::new(0u32), AtomicU32::new(0));
    let end = Instant::now() + Duration::from_secs(20);
    gort::scope(|s| {
        for n in 0..WORKERS {
            let (mutex, rwmutex, changes) = (&mutex, &rwmutex, &changes);
            s.go(move || {
                let mut last = 0;
                for round in 0..60 {
                    let (thread, before);
                    if (round + n) % 3 == 0 {
                        let read = rwmutex.read();
                        (thread, before) = (syscall::gettid(), *read);
                        away(round);
                        assert_eq!(*read, before, "somebody has written");
                    } else if (round + n) % 3 == 1 {
                        let mut write = rwmutex.write();
                        (thread, before) = (syscall::gettid(), *write);
                        away(round);
                        assert_eq!(*write, before, "somebody else has written");
                        *write += 1;
                    } else {
                        let mut held = mutex.lock();
                        (thread, before) = (syscall::gettid(), *held);
                        away(round);
                        assert_eq!(*held, before, "somebody else had it");
                        *held += 1;
                    }
                    last = last.max(before);
                    changes.fetch_add(u32::from(thread != syscall::gettid()), SeqCst);
                }
            });
        }
    });
    assert_eq!((*mutex.lock(), *rwmutex.read()), (WORKERS * 20, WORKERS * 20));
    // Dropped by others: of all kinds.
    let (mutex, rwmutex) = (Arc::new(Mutex::new(())), Arc::new(RwMutex::new(())));
    let guards = (mutex.lock(), rwmutex.write());
    gort::scope(|s| s.go(move || drop(guards)));
    let readers = (mutex.lock(), rwmutex.read(), rwmutex.read());
    gort::scope(|s| s.go(move || drop(readers)));
    assert!(mutex.try_lock().is_some() && rwmutex.try_write().is_some());
    // At more than one P somebody has moved; on a P alone it may be one thread.
    while gomaxprocs(0) > 1 && changes.load(SeqCst) == 0 && Instant::now() < end {
        let held = mutex.lock();
        let thread = syscall::gettid();
        gort::scope(|s| {
            (0..4).for_each(|_| s.go(|| (0..200_000).for_each(|n| _ = black_box(n))));
            away(1);
        });
        changes.fetch_add(u32::from(thread != syscall::gettid()), SeqCst);
        drop(held);
    }
    println!("changes {}", changes.load(SeqCst));
}

/// Computes, gives way or sleeps.
fn away(round: u32) {
    match round % 4 {
        0 => (0..100_000).for_each(|n| _ = black_box(n)),
        1 => sleep(MS / 10),
        2 => (0..10).for_each(|_| gosched()),
        _ => {}
    }
}

// --- Cond ---

fn cond_signal() {
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let (running, awake) = (chan::make(2), chan::make(2));
    gort::scope(|s| {
        for _ in 0..2 {
            s.go(|| {
                let mut held = mutex.lock();
                running.send(());
                cond.wait(&mut held);
                awake.send(());
            });
        }
        (0..2).for_each(|_| assert!(running.recv().is_some()));
        for _ in 0..2 {
            assert!(awake.try_recv().is_err(), "not asleep");
            let held = mutex.lock();
            cond.signal();
            drop(held);
            assert!(awake.recv().is_some());
            assert!(awake.try_recv().is_err(), "too many are awake");
        }
        cond.signal();
    });
}

/// The one that has waited for longest is woken.
fn cond_order() {
    const COUNT: usize = 100;
    let (mutex, cond) = (Mutex::new(()), Cond::new());
    let (running, awake) = (chan::make(COUNT), chan::make(COUNT));
    gort::scope(|s| {
        for n in 0..COUNT {
            let (mutex, cond, running, awake) = (&mutex, &cond, &running, &awake);
            s.go(move || {
                let mut held = mutex.lock();
                running.send(());
                cond.wait(&mut held);
                awake.send(n);
            });
            if n > 0 {
                assert_eq!(awake.recv(), Some(n - 1));
            }
            running.recv();
            let held = mutex.lock();
            cond.signal();
            drop(held);
        }
    });
    // Many who wait at once, too.
    let (order, came) = (Mutex::new(Vec::new()), AtomicU32::new(0));
    gort::scope(|s| {
        for n in 0..COUNT as u32 {
            let (order, cond, came) = (&order, &cond, &came);
            s.go(move || {
                let mut order = order.lock();
                came.fetch_add(1, SeqCst);
                cond.wait(&mut order);
                order.push(n);
            });
            until("it has come", || came.load(SeqCst) == n + 1);
            drop(order.lock());
        }
        for n in 0..COUNT {
            cond.signal();
            until("one more is awake", || order.lock().len() == n + 1);
        }
    });
    assert!(order.into_inner().into_iter().eq(0..COUNT as u32));
}

fn cond_broadcast() {
    const COUNT: usize = 100;
    let (exit, cond) = (Mutex::new(false), Cond::new());
    let (running, awake) = (chan::make(COUNT), chan::make(COUNT));
    gort::scope(|s| {
        for n in 0..COUNT {
            let (exit, cond, running, awake) = (&exit, &cond, &running, &awake);
            s.go(move || {
                let mut held = exit.lock();
                while !*held {
                    running.send(n);
                    cond.wait(&mut held);
                    awake.send(n);
                }
            });
        }
        for round in 0..COUNT {
            (0..COUNT).for_each(|_| assert!(running.recv().is_some()));
            if round == COUNT - 1 {
                *exit.lock() = true;
            }
            assert!(awake.try_recv().is_err(), "not asleep");
            let held = exit.lock();
            cond.broadcast();
            drop(held);
            let mut seen = [false; COUNT];
            for _ in 0..COUNT {
                let n = awake.recv().unwrap();
                assert!(!core::mem::replace(&mut seen[n], true), "woken twice");
            }
        }
    });
    assert!(running.try_recv().is_err(), "one has not ended");
    cond.broadcast();
}

/// Who has waited before a broadcast is woken by it, whoever else comes meanwhile.
fn cond_stealing() {
    for _ in 0..500 {
        let shared = Arc::new((Mutex::new(false), Cond::new()));
        let told = chan::make(0);
        let first = {
            let (shared, told) = (shared.clone(), told.clone());
            gort::spawn(move || {
                let mut held = shared.0.lock();
                told.send(());
                shared.1.wait(&mut held);
            })
        };
        told.recv();
        // It lets go of the lock by waiting.
        drop(shared.0.lock());
        let others = [0, 1].map(|n| {
            let shared = shared.clone();
            gort::spawn(move || match n {
                0 => shared.1.broadcast(),
                _ => shared.1.wait_while(&mut shared.0.lock(), |done| !*done),
            })
        });
        first.join().unwrap();
        *shared.0.lock() = true;
        shared.1.broadcast();
        others.into_iter().for_each(|other| other.join().unwrap());
    }
}

/// With the guards of all locks: it is free during the wait, and locked in the same way after it.
fn cond_guards() {
    let (mutex, cond) = (RwMutex::new(0), Cond::new());
    gort::scope(|s| {
        let waits = |write: bool| {
            move |mutex: &RwMutex<u32>, cond: &Cond| {
                if write {
                    let mut held = mutex.write();
                    while *held == 0 {
                        cond.wait(&mut held);
                    }
                    assert!(mutex.try_read().is_none());
                    *held += 1;
                } else {
                    let mut held = mutex.read();
                    while *held == 0 {
                        cond.wait(&mut held);
                    }
                    assert!(mutex.try_write().is_none());
                }
            }
        };
        for n in 0..6 {
            let (mutex, cond, waits) = (&mutex, &cond, waits(n % 2 == 0));
            s.go(move || waits(mutex, cond));
        }
        sleep(20 * MS);
        *mutex.write() = 1;
        cond.broadcast();
    });
    assert_eq!(*mutex.read(), 4);
}

// --- Once ---

fn once() {
    for _ in 0..200 {
        let (once, calls, value) = (Once::new(), AtomicU32::new(0), AtomicU32::new(0));
        gort::scope(|s| {
            for n in 0..10 {
                let (once, calls, value) = (&once, &calls, &value);
                s.go(move || {
                    once.call_once(|| {
                        calls.fetch_add(1, SeqCst);
                        away(n);
                        value.store(7, Relaxed);
                    });
                    // Whoever called it, it is done.
                    assert!(once.is_completed() && value.load(Relaxed) == 7);
                });
            }
        });
        assert_eq!(calls.load(SeqCst), 1);
    }
}

fn once_goexit() {
    static ONCE: Once = Once::new();
    let waits = WaitGroup::new();
    waits.go(|| {
        ONCE.call_once(|| {
            sleep(2 * MS);
            goexit();
        });
        unreachable!("it has ended");
    });
    sleep(MS);
    for _ in 0..5 {
        waits.go(|| ONCE.call_once(|| panic!("it counts as done")));
    }
    waits.wait();
    assert!(ONCE.is_completed());
    // A cell that was not filled is filled by the next one.
    static CELL: OnceLock<u32> = OnceLock::new();
    let waits = WaitGroup::new();
    let came = Arc::new(AtomicU32::new(0));
    for _ in 0..5 {
        let came = came.clone();
        waits.go(move || {
            CELL.get_or_init(|| {
                let n = came.fetch_add(1, SeqCst);
                sleep(MS);
                if n < 3 { goexit() } else { 40 + n }
            })
        });
    }
    waits.wait();
    assert_eq!((CELL.get(), came.load(SeqCst)), (Some(&43), 4));
}

fn once_values_are_made_once() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    static CALLED: AtomicBool = AtomicBool::new(false);
    let kept = Counted::new(1);
    let value = once_value(move || {
        let kept = kept;
        away(1);
        CALLS.fetch_add(1, SeqCst);
        (kept.0 + 41, Arc::new(Counted::new(2)))
    });
    let values = once_values(|| (CALLS.fetch_add(1, SeqCst), "two"));
    let func = once_func(|| assert!(!CALLED.swap(true, SeqCst), "called twice"));
    gort::scope(|s| {
        for _ in 0..10 {
            s.go(|| {
                assert_eq!(value().0, 42);
                assert_eq!(values().1, "two");
                func();
                assert!(CALLED.load(SeqCst));
            });
        }
    });
    assert_eq!(CALLS.load(SeqCst), 2);
    assert_eq!(ALIVE.load(SeqCst), 1, "what was called is dropped, the value is kept");
    assert_eq!(Arc::strong_count(&value().1), 2);
    drop(value);
    assert_eq!(ALIVE.load(SeqCst), 0);
    // One that is never called drops what it has.
    let kept = Counted::new(1);
    drop(once_func(move || drop(kept)));
    assert_eq!(ALIVE.load(SeqCst), 0);
}

fn once_lock() {
    for _ in 0..200 {
        let (cell, filled) = (OnceLock::new(), AtomicU32::new(0));
        assert!(cell.get().is_none());
        gort::scope(|s| {
            for n in 0..10 {
                let (cell, filled) = (&cell, &filled);
                s.go(move || {
                    if n % 3 == 0 {
                        match cell.set(Counted::new(n)) {
                            Ok(()) => _ = filled.fetch_add(1, SeqCst),
                            Err(back) => assert_eq!(back.0, n),
                        }
                    } else {
                        let init = || {
                            filled.fetch_add(1, SeqCst);
                            away(n as u32);
                            Counted::new(n)
                        };
                        assert!(core::ptr::eq(cell.get_or_init(init), cell.get().unwrap()));
                    }
                });
            }
        });
        assert_eq!((filled.load(SeqCst), ALIVE.load(SeqCst)), (1, 1));
        let mut cell = cell;
        cell.get_mut().unwrap().0 = 77;
        match cell.take() {
            Some(value) => assert_eq!(value.0, 77),
            None => unreachable!("it was filled"),
        }
        assert!(cell.get().is_none() && cell.set(Counted::new(5)).is_ok() && cell.into_inner().is_some_and(|value| value.0 == 5));
        drop(OnceLock::from(Counted::new(6)));
        assert_eq!(ALIVE.load(SeqCst), 0);
    }
}

// --- Semaphore ---

fn weighted() {
    let semaphore = Semaphore::new(2);
    let tries: Vec<bool> = [1, 1, 1].map(|n| semaphore.try_acquire(n)).into();
    assert_eq!(tries, [true, true, false]);
    semaphore.release(2);
    assert!(semaphore.try_acquire(2) && !semaphore.try_acquire(1) && semaphore.try_acquire(0) && !semaphore.try_acquire(3));
    semaphore.release(2);
    const SIZE: u64 = 10;
    let (semaphore, held) = (Semaphore::new(SIZE), AtomicU64::new(0));
    gort::scope(|s| {
        for worker in 0..16 {
            let (semaphore, held) = (&semaphore, &held);
            s.go(move || {
                for round in 0..300 {
                    let n = (worker * 7 + round) % SIZE + 1;
                    if round % 3 == 0 && !semaphore.try_acquire(n) {
                        continue;
                    } else if round % 3 != 0 {
                        semaphore.acquire(n);
                    }
                    assert!(held.fetch_add(n, SeqCst) + n <= SIZE, "more is held than there is");
                    if round % 5 == 0 {
                        gosched();
                    }
                    held.fetch_sub(n, SeqCst);
                    semaphore.release(n);
                }
            });
        }
    });
    assert!(semaphore.try_acquire(SIZE));
}

/// A large request is not passed by small ones that come after it; one that is too large for ever holds up nobody.
fn weighted_order() {
    let (semaphore, order) = (Semaphore::new(4), Mutex::new(Vec::new()));
    let doomed = semaphore.request(5).expect("it is more than there is");
    semaphore.acquire(2);
    gort::scope(|s| {
        for n in [4, 1, 3, 2] {
            let (semaphore, order) = (&semaphore, &order);
            s.go(move || {
                semaphore.acquire(n);
                order.lock().push(n);
                semaphore.release(n);
            });
            until("it waits", || !semaphore.try_acquire(0));
            sleep(20 * MS);
        }
        assert!(!semaphore.try_acquire(1), "it would pass those who wait");
        assert_eq!(*order.lock(), [0; 0]);
        semaphore.release(2);
    });
    assert_eq!(order.lock()[0], 4);
    assert!(doomed.granted().try_recv().is_err());
    drop(doomed);
    assert!(semaphore.try_acquire(4));
}

/// Requests that are taken back: before they are granted, at the same time, and after.
fn weighted_withdrawn() {
    let semaphore = Semaphore::new(3);
    semaphore.acquire(2);
    let large = semaphore.request(3).unwrap();
    let small = semaphore.request(1).unwrap();
    assert!(small.granted().try_recv().is_err(), "it is behind the large one");
    drop(large);
    assert!(small.granted().try_recv().is_ok(), "it is the first now");
    small.accept();
    assert!(!semaphore.try_acquire(1));
    let granted = semaphore.request(3).unwrap();
    semaphore.release(3);
    assert!(!semaphore.try_acquire(1), "it is granted");
    drop(granted);
    assert!(semaphore.try_acquire(3), "what was granted is given back");
    semaphore.release(3);
    let held = AtomicU64::new(0);
    let (kept, withdrawn) = (AtomicU32::new(0), AtomicU32::new(0));
    gort::scope(|s| {
        for worker in 0..8u64 {
            let (semaphore, held, kept, withdrawn) = (&semaphore, &held, &kept, &withdrawn);
            s.go(move || {
                for round in 0..300 {
                    let n = (worker + round) % 3 + 1;
                    if let Some(request) = semaphore.request(n) {
                        let timer = gort::time::after(Duration::from_micros(round % 50));
                        let is_granted = select! {
                            recv(request.granted()) => true,
                            recv(timer) => false,
                        };
                        if !is_granted {
                            withdrawn.fetch_add(1, SeqCst);
                            continue;
                        }
                        kept.fetch_add(1, SeqCst);
                        request.accept();
                    }
                    assert!(held.fetch_add(n, SeqCst) + n <= 3, "more is held than there is");
                    away(round as u32);
                    held.fetch_sub(n, SeqCst);
                    semaphore.release(n);
                }
            });
        }
    });
    assert!(semaphore.try_acquire(3), "something was lost");
    println!("kept {} withdrawn {}", kept.load(SeqCst), withdrawn.load(SeqCst));
}

// --- WaitGroup ---

fn waitgroup() {
    let (first, second) = (WaitGroup::new(), WaitGroup::new());
    for _ in 0..8 {
        const COUNT: u32 = 16;
        first.add(COUNT);
        second.add(COUNT);
        let exited = chan::make(COUNT as usize);
        for _ in 0..COUNT {
            let (first, second, exited) = (first.clone(), second.clone(), exited.clone());
            go(move || {
                first.done();
                second.wait();
                exited.send(());
            });
        }
        first.wait();
        for _ in 0..COUNT {
            assert!(exited.try_recv().is_err(), "released too soon");
            second.done();
        }
        (0..COUNT).for_each(|_| assert!(exited.recv().is_some()));
    }
    // Goroutines that start others, and one that ends by goexit.
    let (wait, calls) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
    let (again, counted) = (wait.clone(), calls.clone());
    wait.go(move || {
        counted.fetch_add(1, SeqCst);
        let counted = counted.clone();
        again.go(move || {
            counted.fetch_add(1, SeqCst);
            goexit();
        });
    });
    wait.wait();
    assert_eq!(calls.load(SeqCst), 2);
}

fn waitgroup_race() {
    for _ in 0..1000 {
        let (wait, n) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
        for _ in 0..2 {
            let n = n.clone();
            wait.go(move || n.fetch_add(1, SeqCst));
        }
        wait.wait();
        assert_eq!(n.load(SeqCst), 2);
    }
}

/// The only P: who waits goes on after the counter has been added to again.
fn reused() {
    let wait = WaitGroup::new();
    wait.add(1);
    let waiter = wait.clone();
    let waits = gort::spawn(move || waiter.wait());
    sleep(5 * MS);
    wait.done();
    wait.add(1);
    waits.join().unwrap();
}

/// Somebody adds as the last one is done: one of the two notices, as a rule in a moment.
fn reused_race() {
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        let (wait, go_on) = (WaitGroup::new(), Arc::new(AtomicBool::new(false)));
        wait.add(1);
        let waiters = [0, 1, 2].map(|_| {
            let wait = wait.clone();
            gort::spawn(move || wait.wait())
        });
        let adder = {
            let (wait, go_on) = (wait.clone(), go_on.clone());
            gort::spawn(move || {
                while !go_on.load(SeqCst) {
                    gosched();
                }
                wait.add(1);
                wait.done();
            })
        };
        gosched();
        go_on.store(true, SeqCst);
        wait.done();
        adder.join().unwrap();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
    }
}

fn waitgroup_panic() {
    let wait = WaitGroup::new();
    wait.go(|| panic!("test"));
    wait.wait();
    println!("waited in vain");
    gort::runtime::exit(0);
}

fn once_panic() {
    static ONCE: Once = Once::new();
    gort::defer(|| {
        ONCE.call_once(|| println!("called again"));
        println!("a deferred call finds it done");
    });
    ONCE.call_once(|| panic!("failed"));
}

fn once_value_panic() {
    let value = Arc::new(once_value(|| -> u32 { goexit() }));
    let first = value.clone();
    go(move || first());
    until("the first one has ended", || num_goroutine() == 1);
    value();
}

// --- Locks of other crates ---

fn generic_locks() {
    let (mutex, lock) = (lock_api::Mutex::new(0), lock_api::RwLock::new([0; 2]));
    {
        let held = mutex.lock();
        assert!(mutex.is_locked() && mutex.try_lock().is_none());
        let part = lock_api::MutexGuard::map(held, |value| value);
        assert!(mutex.try_lock().is_none());
        drop(part);
        assert!(!mutex.is_locked());
        let (a, b) = (lock.read(), lock.try_read().unwrap());
        assert!(lock.is_locked() && !lock.is_locked_exclusive() && lock.try_write().is_none());
        drop((a, b));
        let held = lock.write();
        assert!(lock.is_locked_exclusive() && lock.try_read().is_none());
        let held = lock_api::RwLockWriteGuard::downgrade(held);
        assert!(!lock.is_locked_exclusive() && lock.try_read().is_some() && lock.try_write().is_none());
        lock_api::RwLockReadGuard::unlock_fair(held);
        lock_api::RwLockWriteGuard::unlock_fair(lock.try_write().unwrap());
        assert!(!lock.is_locked());
    }
    gort::scope(|s| {
        for n in 0..8 {
            let (mutex, lock) = (&mutex, &lock);
            s.go(move || {
                for round in 0..1500 {
                    let mut held = mutex.lock();
                    *held += 1;
                    if round % 4 == 0 {
                        lock_api::MutexGuard::unlock_fair(held)
                    } else {
                        drop(held)
                    }
                    if (round + n) % 3 != 0 {
                        let pair = lock.read();
                        assert_eq!(pair[0], pair[1]);
                        continue;
                    }
                    let mut pair = lock.write();
                    pair[0] += 1;
                    if round % 16 == 0 {
                        gosched();
                    }
                    pair[1] += 1;
                    match round % 5 {
                        0 => lock_api::RwLockWriteGuard::unlock_fair(pair),
                        1 => {
                            let before = *pair;
                            let pair = lock_api::RwLockWriteGuard::downgrade(pair);
                            assert_eq!(*pair, before, "a writer got in between");
                        }
                        _ => drop(pair),
                    }
                }
            });
        }
    });
    assert_eq!((*mutex.lock(), *lock.read()), (12_000, [4000; 2]));
}

/// A fair unlock gives the mutex to who waits, at once: whoever unlocked does not get it back before.
fn fair() {
    let (mutex, order) = (lock_api::Mutex::new(()), Mutex::new(Vec::new()));
    let held = mutex.lock();
    gort::scope(|s| {
        let (mutex, order) = (&mutex, &order);
        for n in 0..5 {
            s.go(move || {
                let held = mutex.lock();
                order.lock().push(n);
                lock_api::MutexGuard::unlock_fair(held);
            });
            sleep(20 * MS);
        }
        lock_api::MutexGuard::unlock_fair(held);
        let _held = mutex.lock();
        order.lock().push(99);
    });
    assert_eq!(*order.lock(), [0, 1, 2, 3, 4, 99]);
}

/// Critical sections: nested ones, with waits and changes of thread in them.
fn sections() {
    static INSIDE: AtomicU32 = AtomicU32::new(0);
    static DONE: critical_section::Mutex<core::cell::Cell<u32>> = critical_section::Mutex::new(core::cell::Cell::new(0));
    let all = WaitGroup::new();
    for n in 0..8 {
        all.go(move || {
            for round in 0..200 {
                critical_section::with(|section| {
                    assert_eq!(INSIDE.fetch_add(1, SeqCst), 0, "somebody else is in it");
                    let before = DONE.borrow(section).get();
                    away(round + n);
                    critical_section::with(|section| DONE.borrow(section).set(before + 1));
                    assert_eq!(INSIDE.fetch_sub(1, SeqCst), 1, "somebody else is in it");
                });
            }
        });
    }
    all.wait();
    assert_eq!(critical_section::with(|section| DONE.borrow(section).get()), 1600);
}

// --- All ---

fn apart<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
    let result = gort::spawn(f).join().unwrap();
    // Whoever it has started waits by now.
    sleep(3 * MS);
    result
}

/// Who waits for what nobody can reach is leaked; who waits at a static, or with somebody who lives, is not.
fn leaked() {
    static LOCKED: RwMutex<()> = RwMutex::new(());
    static COND: Cond = Cond::new();
    static LOCK: Mutex<()> = Mutex::new(());
    let held = LOCKED.write();
    go(|| drop(LOCKED.read()));
    go(|| COND.wait(&mut LOCK.lock()));
    // Each on a goroutine of its own that then ends: no old words of it lie on a stack of who lives.
    for what in 0..2 {
        apart(move || {
            let lost = Arc::new((RwMutex::new(()), Cond::new(), Mutex::new(())));
            core::mem::forget(lost.0.write());
            match what {
                0 => go(move || drop(lost.0.read())),
                _ => go(move || lost.1.wait(&mut lost.2.lock())),
            }
        });
    }
    let kept = apart(|| {
        let kept = Arc::new(RwMutex::new(()));
        core::mem::forget(kept.read());
        let waits = kept.clone();
        go(move || drop(waits.write()));
        kept
    });
    let mut states: Vec<_> = debug::leaks().unwrap().iter().map(|leak| leak.state()).collect();
    states.sort_unstable();
    println!("{states:?}");
    drop(held);
    until("the static's reader has gone on", || num_goroutine() == 5);
    COND.signal();
    until("the static's waiter has gone on", || num_goroutine() == 4);
    assert!(kept.try_read().is_none(), "a writer waits");
}

fn sizes() {
    println!("RwMutex {}", size_of::<RwMutex<()>>());
    println!("Mutex {}", size_of::<Mutex<()>>());
    println!("Cond {}", size_of::<Cond>());
    println!("Once {}", size_of::<Once>());
    println!("OnceLock {}", size_of::<OnceLock<u32>>());
}

/// All of it at once, for so many seconds, at changing numbers of Ps.
fn storm() {
    struct Shared {
        mutex: Mutex<u64>,
        rwmutex: RwMutex<[u64; 2]>,
        turn: Mutex<u64>,
        turned: Cond,
        semaphore: Semaphore,
        weight: AtomicU64,
        word: AtomicU32,
        inside: AtomicU32,
        onces: Vec<OnceLock<Counted>>,
        fills: AtomicU64,
        stop: AtomicBool,
    }
    let shared = Arc::new(Shared {
        mutex: Mutex::new(0),
        rwmutex: RwMutex::new([0; 2]),
        turn: Mutex::new(0),
        turned: Cond::new(),
        semaphore: Semaphore::new(5),
        weight: AtomicU64::new(0),
        word: AtomicU32::new(2),
        inside: AtomicU32::new(0),
        onces: (0..1000).map(|_| OnceLock::new()).collect(),
        fills: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let (done, wait) = (Arc::new(AtomicU64::new(0)), WaitGroup::new());
    for worker in 0..16u64 {
        let (shared, done) = (shared.clone(), done.clone());
        wait.go(move || {
            let mut x = worker + 1;
            let (mut locks, mut writes) = (0, 0);
            while !shared.stop.load(Relaxed) {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let (what, n) = (x >> 60, x >> 33);
                match what {
                    0..3 => {
                        *shared.mutex.lock() += 1;
                        locks += 1;
                    }
                    3 => {
                        if let Some(mut value) = shared.mutex.try_lock() {
                            *value += 1;
                            locks += 1;
                        }
                    }
                    4..6 => {
                        let mut pair = shared.rwmutex.write();
                        pair[0] += 1;
                        if n % 64 == 0 {
                            gosched();
                        }
                        pair[1] += 1;
                        writes += 1;
                    }
                    6..9 => {
                        let pair = shared.rwmutex.read();
                        assert_eq!(pair[0], pair[1], "read amid a write");
                        if n % 64 == 0 {
                            gosched();
                        }
                        assert_eq!(pair[0], pair[1], "written amid a read");
                    }
                    9 => {
                        if let Some(pair) = shared.rwmutex.try_read() {
                            assert_eq!(pair[0], pair[1], "read amid a write");
                        }
                    }
                    10 => {
                        let weight = n % 5 + 1;
                        shared.semaphore.acquire(weight);
                        assert!(shared.weight.fetch_add(weight, SeqCst) + weight <= 5);
                        if n % 8 == 0 {
                            gosched();
                        }
                        shared.weight.fetch_sub(weight, SeqCst);
                        shared.semaphore.release(weight);
                    }
                    11 => {
                        semaphore::acquire(&shared.word, n % 4 == 0, WaitReason::Semacquire);
                        assert!(shared.inside.fetch_add(1, SeqCst) < 2);
                        shared.inside.fetch_sub(1, SeqCst);
                        semaphore::release(&shared.word, n % 2 == 0);
                    }
                    12 => {
                        let cell = &shared.onces[n as usize % 1000];
                        let value = cell.get_or_init(|| {
                            shared.fills.fetch_add(1, SeqCst);
                            gosched();
                            Counted::new(9)
                        });
                        assert_eq!(value.0, 9);
                    }
                    13 => {
                        // Waits until somebody else has turned it.
                        let mut turn = shared.turn.lock();
                        let before = *turn;
                        while *turn == before && !shared.stop.load(Relaxed) {
                            shared.turned.wait(&mut turn);
                        }
                    }
                    _ => {
                        *shared.turn.lock() += 1;
                        if n % 2 == 0 { shared.turned.broadcast() } else { (0..16).for_each(|_| shared.turned.signal()) }
                    }
                }
                done.fetch_add(1, Relaxed);
            }
            (locks, writes)
        });
    }
    let end = Instant::now() + Duration::from_secs(number(3).into());
    let mut n = 0;
    let procs = gomaxprocs(0);
    while Instant::now() < end {
        gomaxprocs([1, 3, procs, 2][n % 4]);
        n += 1;
        // Whoever all wait for a turn.
        *shared.turn.lock() += 1;
        shared.turned.broadcast();
        sleep(MS);
    }
    shared.stop.store(true, SeqCst);
    until("all have ended", || {
        shared.turned.broadcast();
        num_goroutine() == 1
    });
    wait.wait();
    hooks::storm_preemptions(0);
    let [first, second] = *shared.rwmutex.read();
    assert!(first == second && shared.mutex.try_lock().is_some() && shared.rwmutex.try_write().is_some());
    assert!(shared.semaphore.try_acquire(5) && shared.word.load(SeqCst) == 2);
    let full = shared.onces.iter().filter(|cell| cell.get().is_some()).count() as u64;
    assert!(shared.fills.load(SeqCst) == full && ALIVE.load(SeqCst) == full);
    drop(shared);
    assert_eq!(ALIVE.load(SeqCst), 0);
    println!("steps {}", done.load(SeqCst));
}
