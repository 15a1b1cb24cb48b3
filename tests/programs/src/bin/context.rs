//! `context`: what Go's documentation says of it, and that nothing is left behind.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use gort::__private::{context_children as children, heap, hooks};
use gort::context::{CancelFunc, Cause, Context, Error, Key, background, cause, todo};
use gort::context::{
    after_func, with_cancel, with_cancel_cause, with_deadline, with_deadline_cause, with_timeout, with_timeout_cause, with_value, without_cancel,
};
use gort::prelude::*;
use gort::runtime::{gomaxprocs, gosched, num_goroutine};
use gort::time::{self, Duration, Instant, sleep};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(1000 * 3600);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "roots" => roots(),
        "cancel" => cancel(),
        "parent_first" => parent_first(),
        "child_first" => child_first(),
        "deadlines" => deadlines(),
        "values" => values(),
        "layers" => layers(),
        "removes" => removes(),
        "many" => many(number(3) as usize),
        "causes" => causes(),
        "cause_race" => cause_race(),
        "without" => without(),
        "after_func" => after_funcs(),
        "meanwhile" => meanwhile(),
        "together" => {
            together();
            at_once();
        }
        "in_order" => in_order(),
        "seen_as_done" => seen_as_done(),
        "unseen" => unseen(),
        // On a stack of 260 KiB; main has 8 MiB.
        "deep" => gort::spawn(deep).join().unwrap(),
        "storm" => storm(number(3)),
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

fn is_closed(ctx: &Context) -> bool {
    ctx.done().try_recv() == Err(chan::TryRecvError::Closed)
}

/// Done for `error`, as all that one can ask says.
fn ended(ctx: &Context, error: Error) {
    assert!(is_closed(ctx), "{ctx}");
    assert_eq!(ctx.err(), Some(error), "{ctx}");
    assert_eq!(ctx.check(), Err(error));
}

fn live(ctx: &Context) {
    assert!(!is_closed(ctx) && ctx.err().is_none() && ctx.check().is_ok() && cause(ctx).is_none(), "{ctx}");
    let falls_through = select! { recv(ctx.done()) => false, default => true };
    assert!(falls_through);
}

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cause {}", self.0)
    }
}

impl core::error::Error for Counted {}

fn roots() {
    const ROOT: Context = background();
    for (ctx, text) in [(background(), "context.Background"), (todo(), "context.TODO"), (ROOT, "context.Background")] {
        live(&ctx);
        assert!(ctx.done().is_nil() && ctx.deadline().is_none());
        assert_eq!((ctx.to_string(), format!("{ctx:?}")), (text.into(), text.into()));
    }
    // Go's words, and an error like any other.
    let errors: [Box<dyn core::error::Error>; 2] = [Error::Canceled.into(), Error::DeadlineExceeded.into()];
    assert_eq!(errors.each_ref().map(|error| error.to_string()), ["context canceled", "context deadline exceeded"]);
    assert!(Error::DeadlineExceeded.is_timeout() && !Error::Canceled.is_timeout() && errors[0].source().is_none());
}

fn cancel() {
    let (first, cancel) = with_cancel(&background());
    assert_eq!(first.to_string(), "context.Background.WithCancel");
    let between = with_value(&first, Plain, 1);
    let (second, _cancel) = with_cancel(&between);
    let all = [first, between, second];
    for ctx in &all {
        assert!(!ctx.done().is_nil());
        live(ctx);
    }
    let again = cancel.clone();
    cancel.cancel();
    all.iter().for_each(|ctx| ended(ctx, Error::Canceled));
    // Nothing happens any more, from whichever goroutine.
    gort::spawn(move || again.cancel()).join().unwrap();
    cancel.cancel();
    all.iter().for_each(|ctx| ended(ctx, Error::Canceled));
    assert_eq!(format!("{cancel:?}"), "CancelFunc { err: Some(Canceled) }");
    // The channel of successive calls is the same one.
    assert!(all[0].done() == all[0].done() && all[0].done() == all[1].done() && all[0].done() != all[2].done());
    // Who has `defer cancel()` in Go.
    let (ctx, cancel) = with_cancel(&background());
    let guard = cancel.on_drop();
    live(&ctx);
    drop(guard);
    ended(&ctx, Error::Canceled);
    // Dropping what cancels does not.
    let (ctx, _) = with_cancel(&background());
    live(&ctx);
    // And at the end of a function, however it ends.
    let (ctx, cancel) = with_cancel(&background());
    let ended_early: Result<(), &str> = (|| {
        let _cancel = cancel.on_drop();
        Err("early")?;
        Ok(())
    })();
    assert!(ended_early.is_err());
    ended(&ctx, Error::Canceled);
}

fn parent_first() {
    let (parent, cancel) = with_cancel(&background());
    let (cancel_child, _stop1) = with_cancel(&parent);
    let value_child = with_value(&parent, Plain, 5);
    let (timer_child, _stop2) = with_timeout(&value_child, LONG);
    let _after = after_func(&parent, || ());
    let all = [&parent, &cancel_child, &value_child, &timer_child];
    all.iter().for_each(|ctx| live(ctx));
    // The value has no branch of its own: its child hangs on the parent.
    assert_eq!(children(&parent), 3);
    cancel.cancel();
    assert_eq!(children(&parent), 0);
    all.iter().for_each(|ctx| ended(ctx, Error::Canceled));
    ended(&with_value(&parent, Plain, 6), Error::Canceled);
    let (late, _stop) = with_cancel(&parent);
    ended(&late, Error::Canceled);
    let (late, _stop) = with_timeout(&parent, LONG);
    ended(&late, Error::Canceled);
    assert_eq!(children(&parent), 0);
}

fn child_first() {
    let (cancelable, _stop) = with_cancel(&background());
    for parent in [background(), cancelable] {
        let (child, cancel) = with_cancel(&parent);
        let (sibling, _stop) = with_cancel(&parent);
        live(&parent);
        live(&child);
        let before = children(&parent);
        assert_eq!(before, if parent.done().is_nil() { 0 } else { 2 });
        cancel.cancel();
        assert_eq!(children(&parent), before / 2);
        ended(&child, Error::Canceled);
        live(&parent);
        live(&sibling);
    }
}

fn expires(ctx: &Context) {
    select! {
        recv(ctx.done()) -> value => assert_eq!(value, None),
        recv(time::after(Duration::from_secs(60))) => panic!("{ctx} has not expired"),
    }
    ended(ctx, Error::DeadlineExceeded);
    assert!(ctx.deadline().is_some_and(|deadline| deadline <= Instant::now()), "early: {ctx}");
}

fn deadlines() {
    let soon = || Instant::now() + MS;
    let (ctx, _stop) = with_deadline(&background(), soon());
    assert!(ctx.to_string().starts_with("context.Background.WithDeadline(Instant("), "{ctx}");
    expires(&ctx);
    // The time that is left is less than none.
    let text = ctx.to_string();
    assert!(text.contains(" [-") && text.ends_with("s])"), "{text}");
    let (ctx, _stop) = with_timeout(&background(), MS);
    assert!(ctx.to_string().starts_with("context.Background.WithDeadline("));
    expires(&ctx);
    // Below something else, and with something below.
    let (ctx, _stop) = with_timeout(&background(), MS);
    expires(&with_value(&ctx, Plain, 1));
    let (ctx, _stop) = with_deadline(&background(), soon());
    let (below, _stop) = with_deadline(&with_value(&ctx, Plain, 1), Instant::now() + LONG);
    assert!(below.deadline() == ctx.deadline() && below.to_string().ends_with(", i32).WithCancel"), "the earlier one counts: {below}");
    expires(&below);
    // An earlier one below a later one leaves that alone.
    let (ctx, _stop) = with_timeout(&background(), LONG);
    let (below, _stop) = with_timeout(&ctx, MS);
    assert!(below.deadline() < ctx.deadline());
    expires(&below);
    live(&ctx);
    assert_eq!(children(&ctx), 0, "who has expired leaves its parent");
    // None is left, or less.
    let (ctx, _stop) = with_deadline(&background(), Instant::now());
    ended(&ctx, Error::DeadlineExceeded);
    let (ctx, _stop) = with_deadline(&background(), Instant::now() - MS);
    ended(&ctx, Error::DeadlineExceeded);
    let (ctx, stop) = with_timeout(&background(), Duration::ZERO);
    ended(&ctx, Error::DeadlineExceeded);
    stop.cancel();
    ended(&ctx, Error::DeadlineExceeded);
    // Too long for the clock: never.
    let (ctx, stop) = with_timeout(&background(), Duration::MAX);
    let (below, _stop) = with_timeout(&ctx, Duration::MAX);
    sleep(5 * MS);
    live(&ctx);
    live(&below);
    stop.cancel();
    ended(&below, Error::Canceled);
    // Cancelled before its time, and for another reason than it would be.
    let (parent, _stop) = with_timeout(&background(), Duration::from_secs(1));
    let (ctx, cancel) = with_timeout(&with_value(&parent, Plain, 1), LONG);
    cancel.cancel();
    ended(&ctx, Error::Canceled);
    // Whoever comes first, cancel or deadline: one of them, and for good.
    let mut seen = [0; 2];
    for n in 0..2000 {
        let (ctx, cancel) = with_timeout(&background(), Duration::from_micros(n % 100 * 2));
        (0..n % 13).for_each(|_| gosched());
        cancel.cancel();
        let error = ctx.err().expect("cancelled");
        seen[usize::from(error.is_timeout())] += 1;
        ended(&ctx, error);
    }
    assert!(seen[0] > 0 && seen[1] > 0, "one of the two was never first: {seen:?}");
}

/// A key of which there is one.
#[derive(PartialEq)]
struct Plain;
impl Key for Plain {
    type Value = i32;
}

/// Keys that have a text of their own, and differ.
#[derive(PartialEq)]
struct Numbered(u32);
impl Key for Numbered {
    type Value = Option<&'static str>;
    fn fmt_key(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Numbered({})", self.0)
    }
    fn fmt_value(value: &Self::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(value.unwrap_or("<nil>"))
    }
}

/// As `Numbered`, another type.
#[derive(PartialEq)]
struct Other(u32);
impl Key for Other {
    type Value = &'static str;
    fn fmt_value(value: &Self::Value, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(value)
    }
}

fn values() {
    let check = |ctx: &Context, want: [Option<&str>; 3]| {
        let found = [ctx.value(&Other(1)).copied(), ctx.value(&Numbered(1)).copied().flatten(), ctx.value(&Numbered(3)).copied().flatten()];
        assert_eq!(found, want, "{ctx}");
    };
    check(&background(), [None; 3]);
    let c1 = with_value(&background(), Other(1), "c1k1");
    check(&c1, [Some("c1k1"), None, None]);
    let type_name = core::any::type_name::<Other>();
    assert_eq!(c1.to_string(), format!("context.Background.WithValue({type_name}, c1k1)"));
    let c2 = with_value(&c1, Numbered(1), Some("c2k2"));
    check(&c2, [Some("c1k1"), Some("c2k2"), None]);
    let c3 = with_value(&c2, Numbered(3), Some("c3k3"));
    check(&c3, [Some("c1k1"), Some("c2k2"), Some("c3k3")]);
    // A nearer one hides it, here one that is nothing.
    let c4 = with_value(&c3, Numbered(1), None);
    check(&c4, [Some("c1k1"), None, Some("c3k3")]);
    assert_eq!(c4.value(&Numbered(1)), Some(&None));
    let text =
        format!("context.Background.WithValue({type_name}, c1k1).WithValue(Numbered(1), c2k2).WithValue(Numbered(3), c3k3).WithValue(Numbered(1), <nil>)");
    assert_eq!(c4.to_string(), text);
    // Those above are as they were.
    check(&c3, [Some("c1k1"), Some("c2k2"), Some("c3k3")]);
    // Through contexts of all kinds, done or not.
    let (c5, cancel) = with_cancel(&c4);
    let (c6, _stop) = with_timeout(&c5, LONG);
    let c7 = with_value(&without_cancel(&c6), Numbered(3), Some("c7k3"));
    check(&c6, [Some("c1k1"), None, Some("c3k3")]);
    check(&c7, [Some("c1k1"), None, Some("c7k3")]);
    cancel.cancel();
    check(&c6, [Some("c1k1"), None, Some("c3k3")]);
    assert_eq!(with_value(&todo(), Plain, 3).to_string(), format!("context.TODO.WithValue({}, i32)", core::any::type_name::<Plain>()));
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }
}

/// Layers of all kinds, by chance: values stay, whatever ends them; a cancel of any layer ends the innermost.
fn layers() {
    for seed in 0..200 {
        let expires = seed % 2 == 0;
        let mut random = Random(seed);
        let (mut ctx, mut keys, mut cancels, mut timers, mut text) = (background(), 0, Vec::new(), 0, String::from("context.Background"));
        while keys + cancels.len() < 30 || timers == 0 || cancels.len() == timers || keys == 0 {
            match random.below(3) {
                0 => {
                    ctx = with_value(&ctx, Keyed(keys), Counted::new(keys as u64));
                    keys += 1;
                    text += ".WithValue(";
                }
                1 => {
                    let (below, cancel) = with_cancel(&ctx);
                    ctx = below;
                    cancels.push(cancel);
                    text += ".WithCancel";
                }
                _ => {
                    let (below, cancel) = with_timeout(&ctx, if expires { MS } else { LONG });
                    ctx = below;
                    cancels.push(cancel);
                    timers += 1;
                }
            }
        }
        let values = |when: &str| (0..keys).for_each(|n| assert_eq!(ctx.value(&Keyed(n)).map(|value| value.0), Some(n as u64), "{when}: {ctx}"));
        values("before");
        if expires {
            select! {
                recv(ctx.done()) => {}
                recv(time::after(Duration::from_secs(60))) => panic!("not expired: {ctx}"),
            }
            ended(&ctx, Error::DeadlineExceeded);
        } else {
            live(&ctx);
            cancels[random.below(cancels.len())].cancel();
            ended(&ctx, Error::Canceled);
        }
        values("after");
        assert!(ctx.to_string().starts_with("context.Background."));
        drop((ctx, cancels));
        assert_eq!(ALIVE.load(SeqCst), 0, "values of seed {seed}");
    }
}

#[derive(PartialEq)]
struct Keyed(usize);
impl Key for Keyed {
    type Value = Counted;
}

fn removes() {
    let (ctx, _stop) = with_cancel(&background());
    for round in 0..3 {
        assert_eq!(children(&ctx), 0, "round {round}");
        let (_below, cancel) = with_cancel(&ctx);
        assert_eq!(children(&ctx), 1);
        cancel.cancel();
        assert_eq!(children(&ctx), 0);
        let (_below, cancel) = with_timeout(&ctx, Duration::from_secs(3600));
        assert_eq!(children(&ctx), 1);
        cancel.cancel();
        assert_eq!(children(&ctx), 0);
        let stop = after_func(&ctx, || ());
        assert_eq!(children(&ctx), 1);
        assert!(stop.stop());
        assert_eq!(children(&ctx), 0);
        // What expires leaves too.
        let (below, _stop) = with_timeout(&ctx, MS);
        expires(&below);
        until("the one that has expired has left", || children(&ctx) == 0);
    }
}

/// So many children, made and cancelled, or dropped: nothing of them stays, neither with the parent nor in memory.
fn many(count: usize) {
    let (ctx, cancel_all) = with_cancel(&background());
    let round = || {
        for n in 0..count {
            let below = match n % 5 {
                0 => with_cancel(&ctx),
                1 => with_timeout(&ctx, LONG),
                2 => with_timeout_cause(&ctx, LONG, Counted::new(n as u64)),
                3 => with_deadline(&with_value(&ctx, Keyed(n), Counted::new(n as u64)), Instant::now() + LONG),
                _ => {
                    assert!(after_func(&ctx, move || n).stop());
                    with_cancel(&ctx)
                }
            };
            // Cancelled, or just dropped.
            if n % 3 != 0 {
                below.1.cancel();
                ended(&below.0, Error::Canceled);
            }
        }
        assert_eq!(children(&ctx), 0);
        assert_eq!(ALIVE.load(SeqCst), 0, "values and causes");
        // The calls of timers that were stopped are dropped by a goroutine, whose turn comes when we wait.
        until("goroutines that drop are done", || num_goroutine() == 1);
        heap::live_and_idle().0
    };
    let first = round();
    let second = round();
    // A context has some 400 bytes.
    assert!(second < first + 10 * count, "{count} more contexts have left {} bytes", second - first);
    // The same all at once, all alive.
    let all: Vec<(Context, CancelFunc)> = (0..count).map(|n| if n % 2 == 0 { with_cancel(&ctx) } else { with_timeout(&ctx, LONG) }).collect();
    assert_eq!(children(&ctx), count);
    cancel_all.cancel();
    assert_eq!(children(&ctx), 0);
    all.iter().for_each(|(ctx, _)| ended(ctx, Error::Canceled));
    drop(all);
    until("goroutines that drop are done", || num_goroutine() == 1);
    let last = heap::live_and_idle().0;
    assert!(last < second + 10 * count, "{count} contexts at once have left {} bytes", last - second);
    println!("bytes {first} {second} {last}");
}

/// For each way to end: the error, and the cause.
fn causes() {
    let is = |ctx: &Context, error: Option<Error>, want: Option<&str>| {
        assert_eq!(ctx.err(), error, "{ctx}");
        assert_eq!(cause(ctx).map(|cause| cause.to_string()).as_deref(), want, "{ctx}");
    };
    const CANCELED: (Option<Error>, &str) = (Some(Error::Canceled), "context canceled");
    const LATE: (Option<Error>, &str) = (Some(Error::DeadlineExceeded), "context deadline exceeded");
    let forever = Duration::from_secs(1_000_000);
    is(&background(), None, None);
    is(&todo(), None, None);
    let (ctx, cancel) = with_cancel(&background());
    cancel.cancel();
    is(&ctx, CANCELED.0, Some(CANCELED.1));
    let (ctx, cancel) = with_cancel_cause(&background());
    is(&ctx, None, None);
    cancel.cancel(Counted::new(7));
    is(&ctx, CANCELED.0, Some("cause 7"));
    // The very error.
    let found: Cause = cause(&ctx).unwrap();
    assert!(found.is::<Counted>() && found.downcast_ref::<Counted>().unwrap().0 == 7);
    drop(found);
    let (ctx, cancel) = with_cancel_cause(&background());
    cancel.cancel_without_cause();
    is(&ctx, CANCELED.0, Some(CANCELED.1));
    assert!(cause(&ctx).unwrap().is::<Error>());
    // Parent and child: who is first counts, for the child.
    for parent_first in [true, false] {
        for (child_says, parent_says) in [(true, true), (true, false), (false, true), (false, false)] {
            let (parent, end_parent) = with_cancel_cause(&background());
            let (child, end_child) = with_cancel_cause(&parent);
            let end_parent = || if parent_says { end_parent.cancel("the parent's") } else { end_parent.cancel_without_cause() };
            let end_child = || if child_says { end_child.cancel("the child's") } else { end_child.cancel_without_cause() };
            if parent_first {
                end_parent();
                end_child();
            } else {
                end_child();
                end_parent();
            }
            let want = match (parent_first, parent_says, child_says) {
                (true, true, _) => "the parent's",
                (false, _, true) => "the child's",
                _ => CANCELED.1,
            };
            is(&child, CANCELED.0, Some(want));
            is(&with_value(&child, Plain, 1), CANCELED.0, Some(want));
            is(&parent, CANCELED.0, Some(if parent_says { "the parent's" } else { CANCELED.1 }));
            // Made below one that is done.
            is(&with_cancel(&child).0, CANCELED.0, Some(want));
            is(&with_timeout_cause(&child, forever, "late").0, CANCELED.0, Some(want));
            is(&with_timeout_cause(&child, Duration::ZERO, "late").0, CANCELED.0, Some(want));
        }
    }
    // Deadlines.
    let (ctx, cancel) = with_timeout(&background(), Duration::ZERO);
    cancel.cancel();
    is(&ctx, LATE.0, Some(LATE.1));
    let (ctx, cancel) = with_timeout(&background(), forever);
    cancel.cancel();
    is(&ctx, CANCELED.0, Some(CANCELED.1));
    for wait in [Duration::ZERO, MS] {
        let (ctx, cancel) = with_timeout_cause(&background(), wait, "too slow");
        expires(&ctx);
        cancel.cancel();
        is(&ctx, LATE.0, Some("too slow"));
        let (ctx, _stop) = with_deadline_cause(&background(), Instant::now() + wait, Counted::new(9));
        expires(&ctx);
        is(&ctx, LATE.0, Some("cause 9"));
    }
    let (ctx, cancel) = with_timeout_cause(&background(), forever, "too slow");
    cancel.cancel();
    is(&ctx, CANCELED.0, Some(CANCELED.1));
    for (wait, want) in [(Duration::ZERO, (LATE.0, "too slow")), (forever, (CANCELED.0, "finished early"))] {
        let (parent, cancel) = with_cancel_cause(&background());
        let (ctx, _stop) = with_timeout_cause(&parent, wait, "too slow");
        cancel.cancel("finished early");
        is(&ctx, want.0, Some(want.1));
    }
    // Without cancel there is no cause either.
    let (parent, cancel) = with_cancel_cause(&background());
    let ctx = without_cancel(&parent);
    cancel.cancel("finished early");
    is(&ctx, None, None);
    let (parent, _stop) = with_timeout_cause(&background(), Duration::ZERO, "too slow");
    is(&without_cancel(&parent), None, None);
    drop((ctx, parent));
    assert_eq!(ALIVE.load(SeqCst), 1, "`ctx` of above, hidden by a later one, has a cause");
}

/// Who asks for the cause again and again while it is cancelled sees none, then that.
fn cause_race() {
    for round in 0..3000 {
        let (ctx, cancel) = with_cancel_cause(&background());
        go(move || cancel.cancel(Counted::new(round)));
        let found = loop {
            match cause(&ctx) {
                Some(found) => break found,
                None => gosched(),
            }
        };
        assert_eq!(found.downcast_ref::<Counted>().map(|found| found.0), Some(round), "{found}");
        ended(&ctx, Error::Canceled);
    }
    until("causes are dropped", || ALIVE.load(SeqCst) == 0);
}

fn without() {
    let (parent, cancel) = with_timeout(&with_value(&background(), Plain, 17), LONG);
    let ctx = without_cancel(&parent);
    assert!(ctx.deadline().is_none() && ctx.done().is_nil() && ctx.err().is_none());
    assert_eq!(ctx.value(&Plain), Some(&17));
    assert!(ctx.to_string().ends_with("]).WithoutCancel"), "{ctx}");
    let (below, cancel_below) = with_cancel(&ctx);
    cancel.cancel();
    live(&below);
    assert!(ctx.err().is_none());
    cancel_below.cancel();
    ended(&below, Error::Canceled);
}

fn after_funcs() {
    let called = |ctx: &Context| {
        let (c, counted) = (chan::make::<u64>(1), Counted::new(5));
        let stop = after_func(ctx, {
            let c = c.clone();
            move || c.send(counted.0)
        });
        (c, stop)
    };
    let comes = |c: &Chan<u64>| assert_eq!(c.recv_timeout(Duration::from_secs(60)), Ok(5));
    // After a cancel, and not before.
    let (ctx, cancel) = with_cancel(&background());
    let (c, stop) = called(&ctx);
    assert!(c.recv_timeout(MS).is_err());
    cancel.cancel();
    comes(&c);
    assert!(!stop.stop() && !stop.stop());
    // After a deadline.
    let (ctx, _stop) = with_timeout(&background(), MS);
    comes(&called(&ctx).0);
    // At once, if it is done.
    let (c, stop) = called(&ctx);
    comes(&c);
    assert!(!stop.stop());
    // Not after it was stopped.
    let (ctx, cancel) = with_cancel(&background());
    let (c, stop) = called(&ctx);
    assert!(stop.stop() && !stop.stop());
    cancel.cancel();
    assert!(c.recv_timeout(5 * MS).is_err() && !stop.stop());
    // Never, and it can be stopped.
    let (c, stop) = called(&background());
    assert!(c.try_recv().is_err() && stop.stop() && !stop.stop());
    // A cancel does not wait for the calls; each registration is for itself.
    let (ctx, cancel) = with_cancel(&background());
    let unbuffered = chan::make::<u64>(0);
    let stops: Vec<_> = (0..10)
        .map(|n| {
            let unbuffered = unbuffered.clone();
            after_func(&ctx, move || unbuffered.send(n))
        })
        .collect();
    assert_eq!(children(&ctx), 10);
    assert!(stops[3].stop() && children(&ctx) == 9);
    cancel.cancel();
    let mut got: Vec<u64> = (0..9).filter_map(|_| unbuffered.recv()).collect();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 4, 5, 6, 7, 8, 9]);
    assert!(stops.iter().all(|stop| !stop.stop()));
    // Stop against cancel: one of them, once.
    static CALLED: AtomicU32 = AtomicU32::new(0);
    let mut stopped = 0;
    for round in 0..3000 {
        let (ctx, cancel) = with_cancel(&background());
        let counted = Counted::new(round);
        let stop = after_func(&ctx, move || {
            CALLED.fetch_add(1, SeqCst);
            drop(counted);
        });
        let other = gort::spawn(move || cancel.cancel());
        (0..round % 5).for_each(|_| gosched());
        stopped += u32::from(stop.stop());
        other.join().unwrap();
        until("called or stopped", || CALLED.load(SeqCst) + stopped == round as u32 + 1);
    }
    println!("stopped {stopped} called {}", CALLED.load(SeqCst));
    until("all are dropped", || ALIVE.load(SeqCst) == 0 && num_goroutine() == 1);
}

/// A child that is made while its parent is cancelled is done, for the same cause.
fn meanwhile() {
    for round in 0..3000 {
        let (parent, cancel) = with_cancel_cause(&background());
        let other = gort::spawn(move || cancel.cancel("because"));
        (0..round % 4).for_each(|_| gosched());
        let (child, _stop) = if round % 2 == 0 { with_cancel(&parent) } else { with_timeout(&parent, LONG) };
        if round % 16 == 15 {
            child.done().recv();
        }
        other.join().unwrap();
        ended(&child, Error::Canceled);
        assert_eq!(cause(&child).unwrap().to_string(), "because");
        assert_eq!(children(&parent), 0);
    }
    // A child that is cancelled by whoever sees its parent done.
    for _ in 0..1000 {
        let (parent, cancel_parent) = with_cancel(&background());
        let (child, cancel_child) = with_cancel(&parent);
        go(move || {
            parent.done().recv();
            cancel_child.cancel();
        });
        cancel_parent.cancel();
        ended(&child, Error::Canceled);
    }
    until("all are done", || num_goroutine() == 1);
}

/// A tree whose contexts are all cancelled at the same time: whoever has cancelled one finds it and all below it done.
fn together() {
    for round in 0..60 {
        let (root, cancel) = with_cancel(&background());
        let mut all = Vec::from([(root, cancel, 0)]);
        while all.len() < 121 {
            // Three below each.
            let parent = (all.len() - 1) / 3;
            let (ctx, cancel) = with_cancel(&all[parent].0);
            all.push((ctx, cancel, parent));
        }
        let all = Arc::new(all);
        let wait = WaitGroup::new();
        let mut random = Random(round);
        let mut order: Vec<usize> = (0..all.len()).collect();
        (1..order.len()).for_each(|n| order.swap(n, random.below(n + 1)));
        for n in order {
            let all = all.clone();
            wait.go(move || {
                all[n].1.cancel();
                for (ctx, ..) in all.iter().enumerate().filter(|(m, _)| below(&all, n, *m)).map(|(_, one)| one) {
                    ended(ctx, Error::Canceled);
                }
            });
        }
        for n in (0..all.len()).rev() {
            select! {
                recv(all[n].0.done()) => {}
                recv(time::after(Duration::from_secs(60))) => panic!("context {n} is not done"),
            }
        }
        wait.wait();
        assert!(all.iter().all(|(ctx, ..)| children(ctx) == 0));
    }
}

/// One context, cancelled by several at the same time: whoever returns finds all of its many children done, though another has done it.
fn at_once() {
    for _ in 0..40 {
        let (root, cancel) = with_cancel(&background());
        let children: Arc<Vec<Context>> = Arc::new((0..1000).map(|_| with_cancel(&with_cancel(&root).0).0).collect());
        let (start, wait) = (chan::make::<()>(0), WaitGroup::new());
        for _ in 0..4 {
            let (cancel, children, start) = (cancel.clone(), children.clone(), start.receiver());
            wait.go(move || {
                start.recv();
                cancel.cancel();
                children.iter().for_each(|ctx| ended(ctx, Error::Canceled));
            });
        }
        start.close();
        wait.wait();
    }
}

/// Is `m` `n`, or below it?
fn below(all: &[(Context, CancelFunc, usize)], n: usize, m: usize) -> bool {
    let mut at = m;
    while at > n {
        at = all[at].2;
    }
    at == n
}

/// Who is cancelled before whom: the parent, then its children, the oldest first. Another goroutine looks on.
fn in_order() {
    static STOP: AtomicBool = AtomicBool::new(false);
    let mut between = 0;
    for _ in 0..40 {
        let (parent, cancel) = with_cancel(&background());
        let below: Arc<Vec<Context>> = Arc::new((0..500).map(|_| with_cancel(&parent).0).collect());
        STOP.store(false, SeqCst);
        let looks = gort::spawn({
            let (below, parent) = (below.clone(), parent.clone());
            move || {
                let mut between = 0;
                while !STOP.load(SeqCst) {
                    // From the youngest: what is seen done then has all older ones done behind it.
                    let done: Vec<bool> = below.iter().rev().map(|ctx| ctx.err().is_some()).collect();
                    let first = done.iter().position(|&is_done| is_done);
                    if let Some(first) = first {
                        assert!(done[first..].iter().all(|&is_done| is_done), "a younger one was cancelled before an older one");
                        assert!(parent.err().is_some());
                        between += u32::from(first > 0);
                    }
                    gosched();
                }
                between
            }
        });
        gosched();
        cancel.cancel();
        STOP.store(true, SeqCst);
        between += looks.join().unwrap();
    }
    println!("between {between}");
}

/// Who sees an error finds the channel closed, and who is told by the channel finds the error.
fn seen_as_done() {
    for round in 0..10_000 {
        let (ctx, cancel) = with_cancel(&background());
        let told = gort::spawn({
            let ctx = ctx.clone();
            move || {
                ctx.done().recv();
                ctx.err()
            }
        });
        // They keep the channel's lock busy, so that closing takes a while.
        let look: Vec<_> = (0..3)
            .map(|n| {
                let ctx = ctx.clone();
                gort::spawn(move || {
                    while ctx.err().is_none() {
                        let is_closed = is_closed(&ctx);
                        assert!(!is_closed || ctx.err().is_some(), "the channel is closed, and there is no error");
                        if (round + n) % 2 == 0 {
                            gosched();
                        }
                    }
                    assert!(is_closed(&ctx), "an error, and the channel is open");
                })
            })
            .collect();
        go(move || cancel.cancel());
        look.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(told.join().unwrap(), Some(Error::Canceled));
    }
    until("all are done", || num_goroutine() == 1);
}

/// Handles that are dropped: what nobody can see is gone, what somebody sees goes on.
fn unseen() {
    let (root, cancel) = with_cancel(&background());
    // Nothing is left of it.
    drop(with_cancel(&root));
    drop(with_timeout(&root, LONG));
    drop(with_timeout_cause(&with_value(&root, Keyed(1), Counted::new(1)), LONG, Counted::new(2)));
    assert_eq!(children(&root), 0);
    // What cancels is no reason to stay, and does nothing then.
    let (ctx, cancel_gone) = with_cancel(&root);
    drop(ctx);
    assert_eq!(children(&root), 0);
    cancel_gone.cancel();
    // A context below one, a clone, a call are.
    let (ctx, _) = with_cancel(&root);
    let (below, _) = with_timeout(&ctx, LONG);
    let again = below.clone();
    drop((ctx, below));
    assert_eq!(children(&root), 1);
    live(&again);
    drop(again);
    assert_eq!(children(&root), 0);
    let (ctx, _) = with_cancel(&root);
    let stop = after_func(&ctx, || ());
    drop(ctx);
    assert_eq!(children(&root), 1);
    assert!(stop.stop());
    assert_eq!(children(&root), 0, "the call was what it stayed for");
    // And so is its channel.
    let done = with_cancel(&with_cancel(&root).0).0.done().clone();
    let called = chan::make::<u32>(1);
    after_func(&with_cancel(&root).0, {
        let called = called.clone();
        move || called.send(3)
    });
    assert_eq!(children(&root), 2);
    assert!(done.try_recv() == Err(chan::TryRecvError::Empty) && called.is_empty());
    cancel.cancel();
    assert!(done.try_recv() == Err(chan::TryRecvError::Closed));
    assert_eq!(called.recv(), Some(3));
    assert_eq!(children(&root), 0);
    // A deadline comes though nobody has more than the channel.
    let done = with_timeout(&background(), 5 * MS).0.done().clone();
    assert_eq!(done.recv(), None);
    // Nobody can end this one any more: its channel stays as it is, and so do those below.
    let (root, cancel) = with_cancel(&background());
    let done = with_cancel(&with_cancel(&with_cancel(&root).0).0).0.done().clone();
    drop((root, cancel));
    assert!(done.try_recv() == Err(chan::TryRecvError::Empty));
    assert_eq!(ALIVE.load(SeqCst), 0);
}

/// A hundred thousand layers: cancelled, printed, asked and dropped without so many frames.
fn deep() {
    const LAYERS: usize = 100_000;
    for kind in 0..4 {
        let (root, cancel) = with_cancel(&background());
        let mut ctx = with_value(&root, Plain, 4);
        let mut dones = Vec::new();
        for n in 0..LAYERS {
            ctx = match kind {
                0 => with_cancel(&ctx).0,
                1 => with_value(&ctx, Keyed(n), Counted::new(n as u64)),
                2 => {
                    let below = with_cancel(&ctx).0;
                    dones.push(below.done().clone());
                    below
                }
                _ => [with_cancel(&ctx).0, with_value(&ctx, Other(n as u32), "x"), with_timeout(&ctx, LONG).0].into_iter().nth(n % 3).unwrap(),
            };
        }
        assert_eq!(ctx.value(&Plain), Some(&4));
        assert!(ctx.to_string().len() > 10 * LAYERS);
        if kind == 3 {
            cancel.cancel();
            ended(&ctx, Error::Canceled);
        }
        drop(ctx);
        assert_eq!(children(&root), usize::from(kind == 2), "kind {kind}");
        if kind == 2 {
            // The chain of those whose channels we have, from its root on.
            drop((root, cancel));
        }
        assert!(dones.iter().all(|done| done.try_recv() == Err(chan::TryRecvError::Empty)));
        assert_eq!(ALIVE.load(SeqCst), 0);
    }
}

/// Many goroutines make, cancel, watch and drop contexts below shared ones, while GOMAXPROCS changes.
fn storm(seconds: u32) {
    const WORKERS: u64 = 12;
    static MADE: AtomicU64 = AtomicU64::new(0);
    static CALLS: AtomicU64 = AtomicU64::new(0);
    static EXPECTED: AtomicU64 = AtomicU64::new(0);
    let (root, cancel) = with_cancel_cause(&background());
    let shared: Arc<Vec<gort::sync::Mutex<(Context, CancelFunc)>>> = Arc::new((0..4).map(|_| gort::sync::Mutex::new(with_cancel(&root))).collect());
    let wait = WaitGroup::new();
    for worker in 0..WORKERS {
        let (root, shared) = (root.clone(), shared.clone());
        wait.go(move || {
            let mut random = Random(worker);
            while root.err().is_none() {
                let (parent, cancel_parent) = shared[random.below(4)].lock().clone();
                MADE.fetch_add(1, Relaxed);
                match random.below(7) {
                    0 => {
                        cancel_parent.cancel();
                        ended(&parent, Error::Canceled);
                        *shared[random.below(4)].lock() = with_cancel(&root);
                    }
                    1 => drop(with_timeout_cause(&parent, LONG, Counted::new(1))),
                    2 => {
                        let (ctx, _stop) = with_timeout(&parent, Duration::from_micros(random.below(300) as u64));
                        ctx.done().recv();
                        assert!(ctx.err().is_some());
                    }
                    3 => {
                        let counted = Counted::new(1);
                        EXPECTED.fetch_add(1, SeqCst);
                        let stop = after_func(&parent, move || {
                            CALLS.fetch_add(1, SeqCst);
                            drop(counted);
                        });
                        if random.below(3) != 0 && stop.stop() {
                            EXPECTED.fetch_sub(1, SeqCst);
                        }
                    }
                    4 => {
                        let (ctx, cancel) = with_cancel(&with_value(&parent, Keyed(1), Counted::new(1)));
                        let watcher = gort::spawn({
                            let ctx = ctx.clone();
                            move || ctx.done().recv()
                        });
                        cancel.cancel();
                        ended(&ctx, Error::Canceled);
                        watcher.join().unwrap();
                    }
                    5 => {
                        let mut chain = parent.clone();
                        (0..random.below(20)).for_each(|_| chain = with_cancel(&chain).0);
                        if random.below(2) == 0 {
                            cancel_parent.cancel();
                            ended(&chain, Error::Canceled);
                        }
                    }
                    _ => {
                        let done = with_cancel(&parent).0.done().clone();
                        cancel_parent.cancel();
                        assert_eq!(done.recv(), None);
                    }
                }
            }
        });
    }
    let end = Instant::now() + Duration::from_secs(seconds.into());
    let mut n = 0;
    while Instant::now() < end {
        gomaxprocs([1, 3, 8, 2][n % 4]);
        n += 1;
        sleep(MS);
    }
    cancel.cancel("the end");
    wait.wait();
    hooks::storm_preemptions(0);
    assert!(shared.iter().all(|one| one.lock().0.err() == Some(Error::Canceled)));
    drop(shared);
    assert_eq!((children(&root), cause(&root).unwrap().to_string()), (0, "the end".into()));
    until("all calls are made", || CALLS.load(SeqCst) == EXPECTED.load(SeqCst));
    until("all goroutines are done", || num_goroutine() == 1);
    until("all values are dropped", || ALIVE.load(SeqCst) == 0);
    println!("made {} calls {}", MADE.load(Relaxed), CALLS.load(SeqCst));
}
