//! Sends, receives and system calls that end when a context is done.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::format;
use alloc::string::ToString;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::context_children as children;
use gort::context::{CancelFunc, Context, Error, Key, RecvContextError, SendContextError, background, with_cancel, with_timeout, with_value};
use gort::debug;
use gort::prelude::*;
use gort::runtime::gosched;
use gort::sync::Semaphore;
use gort::syscall::with_context;
use gort::time::{Duration, sleep};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1000 * 3600);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "channels" => channels(),
        "semaphores" => semaphores(),
        "semaphore_race" => semaphore_race(number(3)),
        "channel_race" => channel_race(number(3)),
        "calls" => calls(),
        "call_race" => call_race(number(3)),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

#[derive(PartialEq)]
struct Plain;
impl Key for Plain {
    type Value = i32;
}

/// Who waits for a semaphore until a context ends it is out of the queue then.
fn semaphores() {
    let semaphore = Arc::new(Semaphore::new(10));
    let (ctx, cancel) = with_cancel(&background());
    semaphore.acquire_context(&ctx, 7).unwrap();
    // A large one waits, and a small one behind it.
    let large = gort::spawn({
        let (semaphore, ctx) = (semaphore.clone(), ctx.clone());
        move || semaphore.acquire_context(&ctx, 5)
    });
    sleep(2 * MS);
    let small = gort::spawn({
        let semaphore = semaphore.clone();
        move || semaphore.acquire_context(&background(), 2)
    });
    sleep(2 * MS);
    assert!(!semaphore.try_acquire(1) && !small.is_finished());
    cancel.cancel();
    assert_eq!(large.join().unwrap(), Err(Error::Canceled));
    assert_eq!(small.join().unwrap(), Ok(()));
    // A context that is done acquires nothing, though there is room; one that ends by its time says so.
    assert_eq!(semaphore.acquire_context(&ctx, 1), Err(Error::Canceled));
    assert_eq!(semaphore.acquire_context(&with_timeout(&background(), 2 * MS).0, 5), Err(Error::DeadlineExceeded));
    // More than there is: until the context is done.
    assert_eq!(semaphore.acquire_context(&with_timeout(&background(), 2 * MS).0, 11), Err(Error::DeadlineExceeded));
    semaphore.release(9);
    assert!(semaphore.try_acquire(10));
}

/// Contexts end while permits are granted: what was granted is held, and no more.
fn semaphore_race(rounds: u32) {
    let (held, granted, ended) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let semaphore = Semaphore::new(3);
    scope(|s| {
        for worker in 0..4u32 {
            let (semaphore, held, granted, ended) = (&semaphore, &held, &granted, &ended);
            s.go(move || {
                for n in 0..rounds {
                    let weight = (n + worker) % 3 + 1;
                    let (ctx, cancel) = with_timeout(&background(), Duration::from_micros(u64::from(n % 7) * 3));
                    let _ends = cancel.on_drop();
                    match semaphore.acquire_context(&ctx, u64::from(weight)) {
                        Ok(()) => {
                            let now = held.fetch_add(weight, SeqCst) + weight;
                            assert!(now <= 3, "{now} are held");
                            if n % 5 == 0 {
                                gosched();
                            }
                            held.fetch_sub(weight, SeqCst);
                            semaphore.release(u64::from(weight));
                            granted.fetch_add(1, Relaxed);
                        }
                        Err(_) => _ = ended.fetch_add(1, Relaxed),
                    }
                }
            });
        }
    });
    assert!(semaphore.try_acquire(3), "something is held for ever: {semaphore:?}");
    println!("granted {} ended {}", granted.load(Relaxed), ended.load(Relaxed));
}

/// Sends and receives that a context ends.
fn channels() {
    let c = chan::make::<Counted>(1);
    let (ctx, cancel) = with_cancel(&background());
    // At once.
    c.send_context(&ctx, Counted::new(1)).unwrap();
    assert_eq!(c.recv_context(&ctx).unwrap().0, 1);
    // With one that is never done too, and through handles of one direction.
    let unbuffered = chan::make::<Counted>(0);
    for ctx in [&background(), &ctx] {
        let other = gort::spawn({
            let (ctx, sender) = (ctx.clone(), unbuffered.sender());
            move || {
                sleep(2 * MS);
                sender.send_context(&ctx, Counted::new(2)).unwrap();
            }
        });
        assert_eq!(unbuffered.receiver().recv_context(ctx).unwrap().0, 2);
        other.join().unwrap();
        let other = gort::spawn({
            let (ctx, receiver) = (ctx.clone(), unbuffered.receiver());
            move || receiver.recv_context(&ctx).unwrap().0
        });
        sleep(2 * MS);
        unbuffered.send_context(ctx, Counted::new(3)).unwrap();
        assert_eq!(other.join().unwrap(), 3);
    }
    // Who waits is told, and has the value back.
    let sends = gort::spawn({
        let (ctx, c) = (ctx.clone(), unbuffered.clone());
        move || c.send_context(&ctx, Counted::new(4))
    });
    let receives = gort::spawn({
        let ctx = ctx.clone();
        move || Chan::<u32>::nil().recv_context(&ctx)
    });
    sleep(5 * MS);
    cancel.cancel();
    let back = sends.join().unwrap().unwrap_err();
    assert_eq!((format!("{back:?}"), back.to_string()), ("Done(Canceled, ..)".into(), "context canceled".into()));
    assert_eq!(back.into_inner().0, 4);
    assert_eq!(receives.join().unwrap(), Err(RecvContextError::Done(Error::Canceled)));
    // Nobody waits there any more.
    assert!(unbuffered.try_recv().is_err() && unbuffered.try_send(Counted::new(5)).is_err());
    // One that is done comes first.
    c.send(Counted::new(6));
    for _ in 0..100 {
        assert_eq!(c.recv_context(&ctx).unwrap_err(), RecvContextError::Done(Error::Canceled));
        let back = chan::make(1).send_context(&ctx, Counted::new(7)).unwrap_err();
        assert!(matches!(back, SendContextError::Done(Error::Canceled, Counted(7))));
    }
    // The deadline's words.
    let (late, _stop) = with_timeout(&background(), MS);
    let error = unbuffered.recv_context(&late).unwrap_err();
    assert_eq!((error, error.to_string()), (RecvContextError::Done(Error::DeadlineExceeded), "context deadline exceeded".into()));
    // Closed, before and meanwhile.
    let (ctx, _stop) = with_cancel(&background());
    c.close();
    assert_eq!(c.recv_context(&ctx).unwrap().0, 6);
    assert_eq!(c.recv_context(&ctx).unwrap_err(), RecvContextError::Closed);
    let back = c.send_context(&ctx, Counted::new(8)).unwrap_err();
    assert_eq!((format!("{back:?}"), back.to_string()), ("Closed(..)".into(), "send on closed channel".into()));
    assert_eq!(RecvContextError::Closed.to_string(), "channel closed");
    drop(back);
    go({
        let c = unbuffered.clone();
        move || {
            sleep(5 * MS);
            c.close();
        }
    });
    assert_eq!(unbuffered.recv_context(&ctx).unwrap_err(), RecvContextError::Closed);
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// Contexts that end at just the time a value comes: both sides agree whether it was moved.
fn channel_race(rounds: u32) {
    static LEFT: AtomicU32 = AtomicU32::new(0);
    static COUNTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
    LEFT.store(rounds, SeqCst);
    let wait = WaitGroup::new();
    for worker in 0..8u64 {
        wait.go(move || {
            let c = chan::make::<Counted>(0);
            let go_on = chan::make::<(u64, CancelFunc)>(0);
            let other = gort::spawn({
                let (c, go_on) = (c.clone(), go_on.clone());
                move || {
                    let mut moved = 0u64;
                    for (n, cancel) in &go_on {
                        // At the same time, or nearly.
                        go({
                            let cancel = cancel.clone();
                            move || {
                                (0..n % 3).for_each(|_| gosched());
                                cancel.cancel();
                            }
                        });
                        (0..n * 7 % 5).for_each(|_| gosched());
                        moved += u64::from(if n % 2 == 0 { c.try_send(Counted::new(n)).is_ok() } else { c.try_recv().is_ok() });
                    }
                    moved
                }
            });
            let (mut moved, mut n) = (0, worker);
            while LEFT.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
                n += 1;
                let (ctx, cancel) = with_cancel(&background());
                go_on.send((n, cancel));
                let is_moved = if n % 2 == 0 { c.recv_context(&ctx).is_ok() } else { c.send_context(&ctx, Counted::new(n)).is_ok() };
                COUNTS[(n % 2 * 2) as usize + usize::from(is_moved)].fetch_add(1, Relaxed);
                moved += u64::from(is_moved);
            }
            go_on.close();
            assert_eq!(other.join().unwrap(), moved, "one side has moved more than the other");
        });
    }
    wait.wait();
    assert_eq!(ALIVE.load(SeqCst), 0);
    let [ended, received, kept, sent] = COUNTS.each_ref().map(|count| count.load(Relaxed));
    println!("ended {ended} received {received} kept {kept} sent {sent}");
}

type Pipe = Arc<(OwnedFd, OwnedFd)>;

fn read(pipe: &Pipe) -> Result<usize, Errno> {
    rustix::io::read(&pipe.0, &mut [0; 1])
}

/// Blocking system calls that a context ends.
fn calls() {
    let pipe: Pipe = Arc::new(rustix::pipe::pipe().unwrap());
    let blocked = |ctx: &Context| {
        gort::spawn({
            let (ctx, pipe) = (ctx.clone(), pipe.clone());
            move || with_context(&ctx, || read(&pipe))
        })
    };
    // It ends by itself.
    let (ctx, cancel) = with_cancel(&background());
    for ctx in [&background(), &ctx] {
        let call = blocked(ctx);
        sleep(2 * MS);
        rustix::io::write(&pipe.1, &[1]).unwrap();
        assert_eq!(call.join().unwrap(), Ok(Ok(1)));
        assert_eq!(children(ctx), 0);
    }
    // Many are ended, by a cancel far above.
    let (below, _stop) = with_timeout(&with_value(&ctx, Plain, 1), LONG);
    let many: Vec<_> = (0..50).map(|_| blocked(&below)).collect();
    until("all have begun", || children(&below) == 50);
    sleep(5 * MS);
    cancel.cancel();
    for call in many {
        assert_eq!(call.join().unwrap(), Ok(Err(Errno::INTR)));
    }
    assert_eq!(children(&ctx) + children(&below), 0);
    // By a deadline.
    let (ctx, _stop) = with_timeout(&background(), 2 * MS);
    assert_eq!(blocked(&ctx).join().unwrap(), Ok(Err(Errno::INTR)));
    assert_eq!(ctx.err(), Some(Error::DeadlineExceeded));
    // One that is done makes none.
    assert_eq!(with_context(&ctx, || panic!("the call was made")), Err::<(), _>(Error::DeadlineExceeded));
    assert_eq!(with_context(&below, || panic!("the call was made")), Err::<(), _>(Error::Canceled));
    // Who waits for its turn does so no more.
    let (ctx, cancel) = with_cancel(&background());
    debug::set_thread_soft_cap(Some(1));
    let (first, stop_first) = with_cancel(&background());
    let holds = blocked(&first);
    sleep(20 * MS);
    let waits = blocked(&ctx);
    sleep(20 * MS);
    cancel.cancel();
    let waited = waits.join().unwrap();
    assert!(waited == Err(Error::Canceled) || waited == Ok(Err(Errno::INTR)), "{waited:?}");
    stop_first.cancel();
    assert_eq!(holds.join().unwrap(), Ok(Err(Errno::INTR)));
}

/// Contexts that are cancelled as their calls begin, block and end: each call ends, and no value of the pipe is lost.
fn call_race(rounds: u32) {
    let pipe: Pipe = Arc::new(rustix::pipe::pipe().unwrap());
    let mut counts = [0u32; 3];
    for round in 0..rounds {
        let (ctx, cancel) = with_cancel(&background());
        let call = gort::spawn({
            let (ctx, pipe) = (ctx.clone(), pipe.clone());
            move || with_context(&ctx, || read(&pipe))
        });
        (0..round % 9).for_each(|_| gosched());
        if round % 3 == 0 {
            sleep(Duration::from_micros(u64::from(round % 7) * 40));
        }
        let wrote = round % 2 == 0;
        if wrote {
            rustix::io::write(&pipe.1, &[1]).unwrap();
        }
        cancel.cancel();
        match call.join().unwrap() {
            Ok(Ok(count)) => {
                assert!(count == 1 && wrote);
                counts[0] += 1;
            }
            other => {
                assert!(other == Ok(Err(Errno::INTR)) || other == Err(Error::Canceled), "{other:?}");
                counts[if other.is_ok() { 1 } else { 2 }] += 1;
                if wrote {
                    assert_eq!(read(&pipe), Ok(1));
                }
            }
        }
        assert_eq!(children(&ctx), 0);
    }
    println!("read {} cut {} unmade {}", counts[0], counts[1], counts[2]);
}
