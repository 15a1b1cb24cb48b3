//! The behaviour of the public interface, checked inside one program; prints `ok NAME` for each.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::SeqCst};
use gort::chan::{TryRecvError, TrySendError};
use gort::prelude::*;

gort::main!(main);

struct CountsDrops(Arc<AtomicU32>);
impl Drop for CountsDrops {
    fn drop(&mut self) {
        self.0.fetch_add(1, SeqCst);
    }
}

fn channels_keep_order() {
    for capacity in [0, 1, 7] {
        let (tx, rx) = chan::channel(capacity);
        go(move || {
            (0..1000).for_each(|n| tx.send(n));
            tx.close();
        });
        assert!(rx.iter().eq(0..1000));
        assert_eq!(rx.recv(), None);
    }
}

fn tries_do_not_wait() {
    let c = chan::make(1);
    assert_eq!(c.try_recv(), Err(TryRecvError::Empty));
    assert!(c.try_send(1).is_ok());
    assert!(matches!(c.try_send(2), Err(TrySendError::Full(2))));
    assert_eq!((c.len(), c.capacity()), (1, 1));
    c.close();
    assert!(matches!(c.try_send(3), Err(TrySendError::Closed(3))));
    assert_eq!(c.send_or(4).unwrap_err().0, 4);
    assert_eq!(c.try_recv(), Ok(1));
    assert_eq!(c.try_recv(), Err(TryRecvError::Closed));
}

fn close_wakes_all_receivers_and_gives_senders_their_value_back() {
    let c = chan::make::<u32>(0);
    let receivers: Vec<_> = (0..300)
        .map(|_| {
            gort::spawn({
                let c = c.receiver();
                move || c.recv()
            })
        })
        .collect();
    (0..3).for_each(|_| runtime::gosched());
    c.close();
    receivers.into_iter().for_each(|r| assert_eq!(r.join().unwrap(), None));
    let c = chan::make::<u32>(0);
    let sender = gort::spawn({
        let c = c.clone();
        move || c.send_or(5).unwrap_err().0
    });
    (0..10).for_each(|_| runtime::gosched());
    c.close();
    assert_eq!(sender.join().unwrap(), 5);
}

fn values_are_dropped_once() {
    let drops = Arc::new(AtomicU32::new(0));
    let c = chan::make(4);
    (0..3).for_each(|_| c.send(CountsDrops(drops.clone())));
    drop(c.recv());
    assert_eq!(drops.load(SeqCst), 1);
    drop(c);
    assert_eq!(drops.load(SeqCst), 3);
    let returned = CountsDrops(drops.clone());
    let wg = WaitGroup::new();
    wg.go(move || returned);
    wg.wait();
    assert_eq!(drops.load(SeqCst), 4);
}

fn scopes_lend_and_wait() {
    let mut parts = [0u64; 100];
    let sum = scope(|s| {
        parts.iter_mut().enumerate().for_each(|(i, part)| s.go(move || *part = i as u64));
        s.spawn(|| 5).join().unwrap()
    });
    assert_eq!(parts.iter().sum::<u64>() + sum, 4955);
}

fn scopes_wait_whatever_their_body_does() {
    let slowly = |n: &AtomicU32| {
        (0..50).for_each(|_| runtime::gosched());
        n.fetch_add(1, SeqCst);
    };
    let n = AtomicU32::new(0);
    // It returns at once, and forgets its handles.
    let early = scope(|s| {
        core::mem::forget(s.spawn(|| slowly(&n)));
        drop(s.spawn(|| slowly(&n)));
        s.go(|| s.go(|| s.go(|| slowly(&n))));
        "early"
    });
    assert_eq!((early, n.load(SeqCst)), ("early", 3));
    // A handle is joined by a goroutine of the same scope; results that nobody takes are dropped, once.
    let drops = Arc::new(AtomicU32::new(0));
    scope(|s| {
        let handle = s.spawn(|| CountsDrops(drops.clone()));
        s.go(|| drop(handle.join()));
        drop(s.spawn(|| CountsDrops(drops.clone())));
    });
    assert_eq!((drops.load(SeqCst), Arc::strong_count(&drops)), (2, 1));
    // Scopes in scopes: the inner one's goroutines borrow from the outer one's, and start goroutines in it.
    scope(|outer| {
        let m = AtomicU32::new(0);
        scope(|inner| {
            inner.go(|| outer.go(|| slowly(&n)));
            inner.go(|| slowly(&m));
        });
        assert_eq!(m.load(SeqCst), 1);
    });
    assert_eq!(n.load(SeqCst), 4);
    // The body ends its goroutine inside two scopes: both are waited for, and what they borrow from its stack is still there.
    let log = Arc::new(Mutex::new(Vec::new()));
    let ended = gort::spawn({
        let log = log.clone();
        move || {
            let on_stack = AtomicU32::new(7);
            scope(|outer| {
                outer.go(|| {
                    slowly(&on_stack);
                    log.lock().push("outer");
                });
                scope(|inner| {
                    inner.go(|| {
                        slowly(&on_stack);
                        log.lock().push("inner");
                    });
                    inner.go(|| runtime::goexit());
                    runtime::goexit()
                })
            })
        }
    });
    let result: Result<(), _> = ended.join();
    assert_eq!(result, Err(gort::JoinError));
    let mut log = log.lock().clone();
    log.sort();
    assert_eq!(log, ["inner", "outer"]);
}

fn goexit_runs_deferred_calls_and_waits_for_scopes() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let handle = gort::spawn({
        let log = log.clone();
        move || {
            let (a, b, c) = (log.clone(), log.clone(), log.clone());
            gort::defer(move || a.lock().push("first deferred"));
            gort::defer(move || b.lock().push("last deferred"));
            let on_stack = AtomicU32::new(0);
            scope(|s| {
                s.go(|| {
                    (0..50).for_each(|_| runtime::gosched());
                    on_stack.store(1, SeqCst);
                    c.lock().push("borrower");
                });
                runtime::goexit()
            })
        }
    });
    let result: Result<(), _> = handle.join();
    assert_eq!(result, Err(gort::JoinError));
    let log = log.lock();
    assert_eq!(log.len(), 3);
    assert!(log.iter().position(|&l| l == "last deferred") < log.iter().position(|&l| l == "first deferred"));
    let wg = WaitGroup::new();
    wg.go(|| runtime::goexit());
    wg.wait();
}

fn defer_scopes_run_at_their_end_and_borrow() {
    let log = core::cell::RefCell::new(Vec::new());
    gort::defer_scope(|d| {
        d.defer(|| log.borrow_mut().push(3));
        d.defer(|| log.borrow_mut().push(2));
        log.borrow_mut().push(1);
    });
    assert_eq!(*log.borrow(), [1, 2, 3]);
}

fn gosched_alternates_on_one_p() {
    let before = runtime::gomaxprocs(1);
    let turns = Mutex::new(Vec::new());
    scope(|s| {
        for name in [1, 2] {
            let turns = &turns;
            s.go(move || {
                for _ in 0..5 {
                    turns.lock().push(name);
                    runtime::gosched();
                }
            });
        }
    });
    let turns = turns.into_inner();
    // Who started first may take its last turn alone, or the other one its last.
    assert!(turns.windows(2).filter(|w| w[0] != w[1]).count() >= 8, "{turns:?}");
    runtime::gomaxprocs(before);
}

fn gomaxprocs_returns_the_number_before() {
    let first = runtime::gomaxprocs(0);
    assert_eq!(runtime::gomaxprocs(-1), first);
    assert_eq!(runtime::gomaxprocs(3), first);
    assert_eq!(runtime::gomaxprocs(first), 3);
    assert_eq!(runtime::gomaxprocs(0), first);
    assert!(runtime::num_cpu() >= 1);
}

fn goroutines_run_at_once_on_all_ps() {
    let before = runtime::gomaxprocs(4);
    for _ in 0..5 {
        let here = AtomicU32::new(0);
        // The other Ps fall idle meanwhile: what is spawned then goes to them at once. What is spawned while all are busy may stay with its P
        // until that P's next call into the runtime, and the loop below makes none.
        let pause = gort::time::Instant::now();
        while pause.elapsed().as_millis() < 5 {}
        scope(|s| {
            for _ in 0..4 {
                s.go(|| {
                    here.fetch_add(1, SeqCst);
                    while here.load(SeqCst) < 4 {
                        core::hint::spin_loop();
                    }
                });
            }
        });
    }
    runtime::gomaxprocs(before);
}

fn large_closures_and_stacks_work() {
    let big = [7u8; 20_000];
    assert_eq!(gort::spawn(move || big.iter().map(|&b| u64::from(b)).sum::<u64>()).join().unwrap(), 140_000);
    fn deep(n: u64) -> u64 {
        let page = core::hint::black_box([n; 128]);
        if n == 0 { 0 } else { deep(n - 1) + page[5] - (n - 1) }
    }
    let handle = gort::Builder::new().stack_size(64 << 20).spawn(|| deep(40_000)).unwrap();
    assert_eq!(handle.join().unwrap(), 40_000);
    assert!(gort::Builder::new().stack_size(2 << 30).spawn(|| ()).is_err());
}

fn a_mutex_excludes_and_does_not_starve() {
    let (mutex, turns) = (Mutex::new(0u64), AtomicU32::new(0));
    scope(|s| {
        s.go(|| {
            // Takes it again and again without a pause, until the other has had its turns.
            while turns.load(SeqCst) < 20 {
                *mutex.lock() += 1;
                runtime::gosched();
            }
        });
        s.go(|| {
            for _ in 0..20 {
                *mutex.lock() += 1;
                turns.fetch_add(1, SeqCst);
            }
        });
    });
    assert!(mutex.into_inner() >= 20);
}

/// A `try_lock` that fails leaves the mutex to who has it.
fn a_mutex_is_tried_in_vain() {
    let mutex = Mutex::new(0u64);
    let held = mutex.lock();
    assert!((0..3).all(|_| mutex.try_lock().is_none()));
    // Somebody waits for it meanwhile, and somebody else tries.
    scope(|s| {
        s.go(|| *mutex.lock() += 1);
        s.go(|| (0..100).for_each(|_| assert!(mutex.try_lock().is_none())));
        gort::time::sleep(gort::time::Duration::from_millis(2));
        assert_eq!(*held, 0);
        drop(held);
    });
    assert_eq!(mutex.try_lock().as_deref(), Some(&1));
}

fn twenty_thousand_goroutines_on_ten_thousand_ps() {
    let before = runtime::gomaxprocs(10_000);
    assert_eq!(runtime::gomaxprocs(0), 10_000);
    let count = AtomicU32::new(0);
    scope(|s| (0..20_000).for_each(|_| s.go(|| count.fetch_add(1, SeqCst))));
    assert_eq!(count.load(SeqCst), 20_000);
    runtime::gomaxprocs(before);
}

fn main() {
    macro_rules! run {
        ($($name:ident)*) => {$(
            $name();
            println!("ok {}", stringify!($name));
        )*};
    }
    assert_eq!(runtime::num_goroutine(), 1);
    run! {
        channels_keep_order tries_do_not_wait close_wakes_all_receivers_and_gives_senders_their_value_back values_are_dropped_once
        scopes_lend_and_wait scopes_wait_whatever_their_body_does goexit_runs_deferred_calls_and_waits_for_scopes defer_scopes_run_at_their_end_and_borrow
        gosched_alternates_on_one_p gomaxprocs_returns_the_number_before goroutines_run_at_once_on_all_ps large_closures_and_stacks_work
        a_mutex_excludes_and_does_not_starve a_mutex_is_tried_in_vain twenty_thousand_goroutines_on_ten_thousand_ps
    }
    println!("all ok");
}
