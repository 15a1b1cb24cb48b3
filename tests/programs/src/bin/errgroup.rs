//! `errgroup`: what its documentation in Go says.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../scenario.rs"]
mod scenario;

use alloc::string::ToString;
use alloc::sync::Arc;
use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use gort::context::{Error, background, cause, with_cancel};
use gort::errgroup::Group;
use gort::prelude::*;
use gort::runtime::{goexit, gosched, num_goroutine};
use gort::time::{Duration, sleep};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "first" => first(),
        "context" => context(),
        "limit" => limit(),
        "try_go" => try_go(),
        "goexit" => ended_by_goexit(),
        "storm" => storm(number(3)),
        "limit_changes" => {
            let group: Group<Failed> = Group::new();
            group.set_limit(Some(2));
            group.go(|| {
                sleep(Duration::from_secs(60));
                Ok(())
            });
            group.set_limit(Some(3));
        }
        "limit_of_none" => {
            let group: Group<Failed> = Group::new();
            group.set_limit(Some(0));
            assert!(!group.try_go(|| Ok(())));
            group.go(|| Ok(()));
        }
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

static ALIVE: AtomicU64 = AtomicU64::new(0);

/// An error that counts itself: created equals dropped, in the end.
#[derive(Debug)]
struct Failed(u32);

impl Failed {
    fn new(n: u32) -> Failed {
        ALIVE.fetch_add(1, SeqCst);
        Failed(n)
    }
}

impl Clone for Failed {
    fn clone(&self) -> Failed {
        Failed::new(self.0)
    }
}

impl Drop for Failed {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, SeqCst);
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed {}", self.0)
    }
}

impl core::error::Error for Failed {}

fn number_of(result: Result<(), Failed>) -> Option<u32> {
    result.err().map(|error| error.0)
}

/// A group without a context: the first error is kept, over several waits, and ends nobody.
fn first() {
    for errors in [&[][..], &[None], &[Some(1)], &[Some(1), None], &[Some(1), None, Some(2)], &[None, Some(3), Some(2)]] {
        let group = Group::new();
        let mut want = None;
        for &error in errors {
            group.go(move || error.map_or(Ok(()), |n| Err(Failed::new(n))));
            want = want.or(error);
            assert_eq!(number_of(group.wait()), want);
        }
        assert_eq!(number_of(group.wait()), want);
    }
    // All have ended when it returns.
    static ENDED: AtomicU32 = AtomicU32::new(0);
    let group: Group<&str> = Group::new();
    for n in 0..200 {
        let group_too = group.clone();
        group.go(move || {
            sleep(Duration::from_micros(n % 7 * 100));
            // One that is active may start others.
            group_too.go(|| {
                gosched();
                ENDED.fetch_add(1, SeqCst);
                Ok(())
            });
            ENDED.fetch_add(1, SeqCst);
            if n == 5 { Err("five") } else { Ok(()) }
        });
    }
    assert_eq!(group.wait(), Err("five"));
    assert_eq!(ENDED.load(SeqCst), 400);
    assert_eq!(ALIVE.load(SeqCst), 0);
}

fn context() {
    // The first error cancels, and is the cause; those who look at the context end.
    for failing in 0..5 {
        let (group, ctx) = Group::with_context(&background());
        assert!(ctx.err().is_none());
        for n in 0..5 {
            let ctx = ctx.clone();
            group.go(move || {
                if n == failing {
                    sleep(MS);
                    return Err(Failed::new(n));
                }
                ctx.done().recv();
                Err(Failed::new(100))
            });
        }
        assert_eq!(number_of(group.wait()), Some(failing));
        assert_eq!(ctx.err(), Some(Error::Canceled));
        let cause = cause(&ctx).unwrap();
        assert_eq!((cause.to_string(), cause.downcast_ref::<Failed>().map(|cause| cause.0)), (alloc::format!("failed {failing}"), Some(failing)));
    }
    // Without an error it is cancelled as `wait` returns, without a cause.
    let (group, ctx) = Group::<Failed>::with_context(&background());
    group.go(|| Ok(()));
    sleep(2 * MS);
    assert!(ctx.err().is_none());
    assert!(group.wait().is_ok());
    assert_eq!((ctx.err(), cause(&ctx).unwrap().to_string()), (Some(Error::Canceled), "context canceled".into()));
    // The parent's end reaches those in the group.
    let (parent, cancel) = with_cancel(&background());
    let (group, ctx) = Group::<Error>::with_context(&parent);
    for _ in 0..10 {
        let ctx = ctx.clone();
        group.go(move || {
            ctx.done().recv();
            ctx.check()
        });
    }
    cancel.cancel();
    assert_eq!(group.wait(), Err(Error::Canceled));
    // An error that is shared.
    let (group, ctx) = Group::with_context(&background());
    group.go(|| Err(Arc::new(Failed::new(9))));
    assert_eq!(group.wait().unwrap_err().0, 9);
    drop((group, ctx));
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// Never more at a time than the limit says, and all in the end.
fn limit() {
    for limit in [1, 2, 10] {
        static ACTIVE: AtomicU32 = AtomicU32::new(0);
        static MOST: AtomicU32 = AtomicU32::new(0);
        static ENDED: AtomicU32 = AtomicU32::new(0);
        [&ACTIVE, &MOST, &ENDED].into_iter().for_each(|count| count.store(0, SeqCst));
        let group: Group<Failed> = Group::new();
        group.set_limit(Some(limit));
        for n in 0..500u64 {
            group.go(move || {
                MOST.fetch_max(ACTIVE.fetch_add(1, SeqCst) + 1, SeqCst);
                if n % 5 == 0 {
                    sleep(Duration::from_micros(n % 50));
                } else {
                    gosched();
                }
                ACTIVE.fetch_sub(1, SeqCst);
                ENDED.fetch_add(1, SeqCst);
                Ok(())
            });
        }
        group.wait().unwrap();
        assert_eq!(ENDED.load(SeqCst), 500);
        let most = MOST.load(SeqCst);
        assert!(most as usize <= limit && (limit == 1 || most > 1), "{most} at a time, {limit} allowed");
        // It may change now, and go.
        group.set_limit(Some(limit + 1));
        group.go(|| Ok(()));
        group.wait().unwrap();
        group.set_limit(None);
        (0..50).for_each(|_| group.go(|| Ok(())));
        group.wait().unwrap();
    }
}

fn try_go() {
    let group: Group<Failed> = Group::new();
    assert!(group.try_go(|| Ok(())), "without a limit");
    group.wait().unwrap();
    group.set_limit(Some(3));
    let hold = chan::make::<()>(0);
    for _ in 0..3 {
        let hold = hold.clone();
        assert!(group.try_go(move || {
            hold.recv();
            Ok(())
        }));
    }
    let held = Failed::new(1);
    assert!(!group.try_go(move || Err(held)));
    assert_eq!(ALIVE.load(SeqCst), 0, "the closure is dropped");
    hold.send(());
    until("there is room again", || group.try_go(|| Ok(())));
    hold.close();
    group.wait().unwrap();
    assert!(group.try_go(|| Err(Failed::new(2))));
    assert_eq!(number_of(group.wait()), Some(2));
}

/// One that ends by `goexit` counts as ended, and makes room.
fn ended_by_goexit() {
    let (group, ctx) = Group::<Failed>::with_context(&background());
    group.set_limit(Some(1));
    static RAN: AtomicU32 = AtomicU32::new(0);
    for n in 0..100 {
        group.go(move || {
            RAN.fetch_add(1, SeqCst);
            if n % 2 == 0 {
                goexit();
            }
            Ok(())
        });
    }
    assert!(group.wait().is_ok());
    assert_eq!(RAN.load(SeqCst), 100);
    group.set_limit(Some(2)); // nobody counts as active
    assert_eq!(ctx.err(), Some(Error::Canceled));
}

/// Groups of groups, with limits and errors, again and again.
fn storm(rounds: u32) {
    for round in 0..rounds {
        let (outer, ctx) = Group::with_context(&background());
        outer.set_limit((round % 3 != 0).then_some(4));
        let fails = round % 4 != 0;
        for n in 0..12 {
            let ctx = ctx.clone();
            outer.go(move || {
                let (inner, below) = Group::with_context(&ctx);
                inner.set_limit(Some(2));
                for m in 0..6 {
                    let below = below.clone();
                    inner.go(move || {
                        if m % 2 == 0 {
                            gosched();
                        }
                        if fails && n == 7 && m == 3 {
                            return Err(Failed::new(round));
                        }
                        below.check().map_err(|_| Failed::new(u32::MAX))
                    });
                }
                inner.wait()
            });
        }
        let result = number_of(outer.wait());
        assert_eq!(result, fails.then_some(round), "the first error is the one that was there before the cancel");
        assert_eq!(ctx.err(), Some(Error::Canceled));
    }
    until("all have ended", || num_goroutine() == 1);
    assert_eq!(ALIVE.load(SeqCst), 0);
}
