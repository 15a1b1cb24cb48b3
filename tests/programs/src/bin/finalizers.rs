//! Finalizers and cleanups of managed objects: `finalizers SCENARIO`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use gort::prelude::*;
use gort::runtime::{Managed, add_cleanup, clear_finalizer, keep_alive, set_finalizer};
use gort::time::{Duration, sleep};
use gort::{os, syscall};

gort::main!(main);

/// Says on a channel when it is dropped.
struct Loud(u32, chan::Sender<(&'static str, u32)>);

impl Drop for Loud {
    fn drop(&mut self) {
        self.1.send(("dropped", self.0));
    }
}

fn order() {
    assert_eq!(runtime::num_goroutine(), 1, "a fresh program");
    let (tx, rx) = chan::channel(1000);
    let objects: Vec<Managed<u32>> = (0..100).map(Managed::new).collect();
    assert_eq!(runtime::num_goroutine(), 1, "no finalizer yet");
    for object in &objects {
        let tx = tx.clone();
        set_finalizer(object, move |object| tx.send(*object));
    }
    assert_eq!(runtime::num_goroutine(), 2, "the finalizer goroutine");
    // A second handle of each: the first drop finalizes nothing.
    let second = objects.clone();
    drop(objects);
    sleep(Duration::from_millis(2));
    assert!(rx.is_empty());
    second.into_iter().rev().for_each(drop);
    let got: Vec<u32> = (0..100).map(|_| rx.recv().unwrap()).collect();
    assert!(got.iter().copied().eq((0..100).rev()), "{got:?}");
    println!("in order");
}

/// A finalizer keeps its object, which gets another finalizer, and then none.
fn resurrect() {
    let (tx, rx) = chan::channel(10);
    let (kept_tx, kept_rx) = chan::channel::<Managed<Loud>>(1);
    let object = Managed::new(Loud(1, tx.clone()));
    set_finalizer(&object, move |object| kept_tx.send(object));
    add_cleanup(&object, {
        let tx = tx.clone();
        move || tx.send(("cleaned", 1))
    });
    drop(object);
    let object = kept_rx.recv().unwrap();
    assert!(rx.is_empty(), "it lives");
    let twin = object.clone();
    assert!(Managed::ptr_eq(&object, &twin));
    let sender = tx.clone();
    set_finalizer(&object, move |object| sender.send(("again", object.0)));
    drop((object, twin));
    assert_eq!(rx.recv(), Some(("again", 1)));
    assert_eq!(rx.recv(), Some(("dropped", 1)));
    assert_eq!(rx.recv(), Some(("cleaned", 1)));
    println!("came back");
}

fn clear() {
    let (tx, rx) = chan::channel(10);
    let object = Managed::new(Loud(2, tx.clone()));
    set_finalizer(&object, |_| panic!("it was cleared"));
    clear_finalizer(&object);
    clear_finalizer(&object);
    let sender = tx.clone();
    set_finalizer(&object, move |_| sender.send(("second", 2)));
    drop(object);
    assert_eq!(rx.recv(), Some(("second", 2)));
    assert_eq!(rx.recv(), Some(("dropped", 2)));
    // Without any it is dropped by who drops the last handle, at once.
    drop(Managed::new(Loud(3, tx)));
    assert_eq!(rx.try_recv(), Ok(("dropped", 3)));
    println!("cleared");
}

fn cleanups() {
    let (tx, rx) = chan::channel(100);
    let object = Managed::new(Loud(0, tx.clone()));
    let stops: Vec<_> = (1..=10u32)
        .map(|n| {
            let tx = tx.clone();
            add_cleanup(&object, move || tx.send(("cleaned", n)))
        })
        .collect();
    assert!(stops[2].stop() && !stops[2].stop() && stops[9].stop());
    let twin = object.clone();
    keep_alive(&object);
    drop(object);
    sleep(Duration::from_millis(2));
    assert!(rx.is_empty());
    drop(twin);
    assert_eq!(rx.try_recv(), Ok(("dropped", 0)), "the value goes with the last handle");
    for n in [1, 2, 4, 5, 6, 7, 8, 9] {
        assert_eq!(rx.recv(), Some(("cleaned", n)));
    }
    assert!(stops.iter().all(|stop| !stop.stop()) && rx.is_empty());
    println!("clean");
}

/// The last handle goes inside a blocking call, where there is no P.
fn in_call() {
    for _ in 0..200 {
        let (tx, rx) = chan::channel(0);
        let object = Managed::new(5);
        set_finalizer(&object, move |object| tx.send(*object));
        runtime::gosched();
        syscall::blocking(move || drop(object));
        assert_eq!(rx.recv(), Some(5));
    }
    println!("in a call");
}

/// A finalizer that ends its goroutine: the next one has another.
fn goexit() {
    let (tx, rx) = chan::channel(10);
    for n in 0..20 {
        let object = Managed::new(n);
        let tx = tx.clone();
        set_finalizer(&object, move |object| {
            tx.send(*object);
            if n % 3 == 0 {
                runtime::goexit();
            }
        });
    }
    for n in 0..20 {
        assert_eq!(rx.recv(), Some(n));
    }
    println!("goes on");
}

/// From all Ps: each once, one at a time, those of each dropper in its order.
fn storm() {
    const DROPPERS: usize = 8;
    const EACH: u32 = 20_000;
    static INSIDE: AtomicBool = AtomicBool::new(false);
    static NEXT: [AtomicU32; DROPPERS] = [const { AtomicU32::new(0) }; DROPPERS];
    static CLEANED: AtomicU32 = AtomicU32::new(0);
    let (tx, rx) = chan::channel(0);
    for (dropper, next) in NEXT.iter().enumerate() {
        let tx = tx.clone();
        gort::go(move || {
            for n in 0..EACH {
                let object = Managed::new((dropper, n));
                let tx = tx.clone();
                set_finalizer(&object, move |object| {
                    assert!(!INSIDE.swap(true, SeqCst), "two at once");
                    if n % 1000 == 0 {
                        runtime::gosched();
                    }
                    assert_eq!(NEXT[object.0].fetch_add(1, SeqCst), object.1, "out of order");
                    assert!(INSIDE.swap(false, SeqCst));
                    if n + 1 == EACH {
                        tx.send(());
                    }
                });
                let stop = add_cleanup(&object, || _ = CLEANED.fetch_add(1, SeqCst));
                let twin = object.clone();
                if n % 16 == 0 {
                    // Two drop it at once.
                    gort::go(move || drop(twin));
                    drop(object);
                    while next.load(SeqCst) <= n {
                        runtime::gosched();
                    }
                } else {
                    drop(twin);
                    drop(object);
                }
                if n % 4 == 1 {
                    // It may have been called by now.
                    if stop.stop() {
                        CLEANED.fetch_add(1, SeqCst);
                    }
                }
            }
        });
    }
    for _ in 0..DROPPERS {
        rx.recv().unwrap();
    }
    // The cleanups of the last ones come behind their finalizers.
    while CLEANED.load(SeqCst) < DROPPERS as u32 * EACH {
        sleep(Duration::from_millis(1));
    }
    assert_eq!(CLEANED.load(SeqCst), DROPPERS as u32 * EACH);
    println!("storm: {} finalized", NEXT.iter().map(|n| n.load(SeqCst)).sum::<u32>());
}

fn main() {
    match os::args().nth(1).unwrap_or("") {
        "order" => order(),
        "resurrect" => resurrect(),
        "clear" => clear(),
        "cleanups" => cleanups(),
        "in_call" => in_call(),
        "goexit" => goexit(),
        "storm" => storm(),
        "twice" => {
            let object = Managed::new(1);
            set_finalizer(&object, |_| ());
            set_finalizer(&object, |_| ());
        }
        "panics" => {
            let object = Managed::new(1);
            set_finalizer(&object, |_| panic!("while it finalizes"));
            drop(object);
            sleep(Duration::from_secs(10));
        }
        // The finalizer goroutine waits, and so does main: a deadlock all the same.
        "deadlock" => {
            let object = Managed::new(1);
            set_finalizer(&object, |_| ());
            chan::make::<()>(0).recv();
            drop(object);
        }
        "main_exits" => {
            set_finalizer(&Managed::new(1), |_| ());
            runtime::goexit();
        }
        // A finalizer that waits for ever is one, too.
        "stuck" => {
            set_finalizer(&Managed::new(1), |_| _ = chan::make::<()>(0).recv());
            chan::make::<()>(0).recv();
        }
        _ => println!("which scenario?"),
    }
}
