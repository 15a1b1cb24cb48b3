//! What `ci/oracle` compares with Go: the scenarios of `tests/oracle/scenarios.go`, step by step, in the same words.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use alloc::{format, string::String};
use core::str;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use gort::chan::{Chan, Receiver};
use gort::prelude::*;
use gort::runtime::{goexit, gosched, lock_os_thread, num_goroutine, unlock_os_thread};
use gort::syscall::gettid;
use gort::time::{self, Duration, Instant, Ticker, Timer, after_func, sleep};
use gort::{defer, os};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);
const US: Duration = Duration::from_micros(1);
const HOUR: Duration = Duration::from_secs(3600);

/// As Go prints a slice.
fn list(numbers: &[usize]) -> String {
    format!("{numbers:?}").replace(',', "")
}

/// Who went on, in order.
type Order = Arc<Mutex<Vec<usize>>>;

/// Starts `n` goroutines, each of which waits for something before the next one starts: on one P.
fn start_in_order(n: usize, f: impl Fn(usize) + Send + Sync + 'static) -> WaitGroup {
    let (wait, f) = (WaitGroup::new(), Arc::new(f));
    for i in 0..n {
        let f = f.clone();
        wait.go(move || f(i));
        give_way();
    }
    wait
}

fn give_way() {
    (0..3).for_each(|_| gosched());
}

fn hogs() {
    static COUNTS: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
    static STOP: AtomicBool = AtomicBool::new(false);
    let wait = WaitGroup::new();
    for count in &COUNTS {
        wait.go(|| {
            while !STOP.load(SeqCst) {
                count.fetch_add(1, SeqCst);
            }
        });
    }
    sleep(800 * MS);
    STOP.store(true, SeqCst);
    wait.wait();
    println!("hogs {} {}", COUNTS[0].load(SeqCst), COUNTS[1].load(SeqCst));
}

fn hog_and_yielders() {
    /// In how many of the milliseconds.
    static HOG: AtomicU64 = AtomicU64::new(0);
    static YIELDS: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
    static STOP: AtomicBool = AtomicBool::new(false);
    let wait = WaitGroup::new();
    wait.go(|| {
        let (start, mut last) = (Instant::now(), None);
        while !STOP.load(SeqCst) {
            let now = Some(start.elapsed().as_millis());
            if now != last {
                HOG.fetch_add(1, SeqCst);
                last = now;
            }
        }
    });
    for yields in &YIELDS {
        wait.go(|| {
            while !STOP.load(SeqCst) {
                yields.fetch_add(1, SeqCst);
                gosched();
            }
        });
    }
    sleep(800 * MS);
    STOP.store(true, SeqCst);
    wait.wait();
    println!("hog ran in {}", HOG.load(SeqCst));
    let [a, b, c] = YIELDS.each_ref().map(|yields| yields.load(SeqCst));
    println!("yielders {a} {b} {c}");
}

/// Who takes a mutex again at once, and who must wait for it.
fn mutex_fair() {
    static M: Mutex<()> = Mutex::new(());
    static STOP: AtomicBool = AtomicBool::new(false);
    let wait = WaitGroup::new();
    wait.go(|| {
        while !STOP.load(SeqCst) {
            let _held = M.lock();
            sleep(100 * US);
        }
    });
    for _ in 0..10 {
        sleep(100 * US);
        drop(M.lock());
    }
    STOP.store(true, SeqCst);
    wait.wait();
    println!("ten locks");
}

fn spawn_order() {
    let (order, wait) = (Order::default(), WaitGroup::new());
    for i in 0..6 {
        let order = order.clone();
        wait.go(move || order.lock().push(i));
    }
    wait.wait();
    println!("spawned ran {}", list(&order.lock()));
}

fn receivers() {
    let c = chan::make::<usize>(0);
    let from = c.clone();
    let wait = start_in_order(5, move |i| println!("receiver {i} got {}", from.recv().unwrap()));
    for i in 0..5 {
        c.send(100 + i);
        give_way();
    }
    wait.wait();
}

fn senders() {
    for capacity in [0, 2] {
        let c = chan::make::<usize>(capacity);
        let to = c.clone();
        let wait = start_in_order(6, move |i| to.send(i));
        let got: Vec<usize> = c.iter().take(6).collect();
        wait.wait();
        println!("capacity {capacity} got {}", list(&got));
    }
}

/// One in a select waits in the same line.
fn mixed() {
    let (c, other) = (chan::make::<usize>(0), chan::make::<()>(0));
    let from = c.clone();
    let wait = start_in_order(4, move |i| {
        if i % 2 == 0 {
            return println!("receiver {i} got {}", from.recv().unwrap());
        }
        select! {
            recv(from) -> v => println!("select {i} got {}", v.unwrap()),
            recv(other) => println!("other"),
        }
    });
    for i in 0..4 {
        c.send(100 + i);
        give_way();
    }
    wait.wait();
}

fn mutex_order() {
    static M: Mutex<()> = Mutex::new(());
    let order = Order::default();
    let held = M.lock();
    let wait = start_in_order(5, {
        let order = order.clone();
        move |i| {
            let _held = M.lock();
            order.lock().push(i);
        }
    });
    sleep(10 * MS);
    drop(held);
    wait.wait();
    println!("locked {}", list(&order.lock()));
}

fn close_order() {
    let (c, order) = (chan::make::<()>(0), Order::default());
    let (from, says) = (c.clone(), order.clone());
    let wait = start_in_order(5, move |i| {
        from.recv();
        says.lock().push(i);
    });
    c.close();
    wait.wait();
    println!("closed {}", list(&order.lock()));
}

fn wait_group_order() {
    let (group, order) = (WaitGroup::new(), Order::default());
    group.add(1);
    let (waits, says) = (group.clone(), order.clone());
    let wait = start_in_order(5, move |i| {
        waits.wait();
        says.lock().push(i);
    });
    group.done();
    wait.wait();
    println!("waited {}", list(&order.lock()));
}

/// Again if anybody was so late that the order may be another's doing.
fn timer_order() {
    const GAP: Duration = Duration::from_millis(40);
    loop {
        let start = Instant::now();
        let late = Arc::new(AtomicBool::new(false));
        let fired = chan::make::<String>(6);
        let tell = {
            let (late, fired) = (late.clone(), fired.clone());
            move |n: u32, name: &str| {
                late.fetch_or(start.elapsed() > n * GAP + GAP / 2, SeqCst);
                fired.send(format!("{name} {n}"));
            }
        };
        let functions = [5, 1, 3].map(|n: u32| {
            let tell = tell.clone();
            after_func(n * GAP, move || tell(n, "function"))
        });
        for n in [4, 2, 6u32] {
            let tell = tell.clone();
            go(move || {
                sleep(n * GAP);
                tell(n, "sleeper");
            });
        }
        let names: Vec<String> = fired.iter().take(6).collect();
        drop(functions);
        if !late.load(SeqCst) {
            return println!("{}", names.join(", "));
        }
    }
}

fn select_fair() {
    let channels: [Chan<usize>; 4] = core::array::from_fn(|_| chan::make(1));
    let [a, b, c, d] = &channels;
    let mut counts = [0; 4];
    for _ in 0..20_000 {
        a.send(0);
        b.send(1);
        select! {
            recv(a) => counts[0] += 1,
            recv(b) => counts[1] += 1,
            send(c, 2) => counts[2] += 1,
            send(d, 3) => counts[3] += 1,
        }
        channels.iter().for_each(|channel| _ = channel.try_recv());
    }
    println!("chosen {} {} {} {}", counts[0], counts[1], counts[2], counts[3]);
}

/// The same channel in two cases, closed ones, and some that can never go on.
fn select_many() {
    let (closed, twice, empty) = (chan::make::<usize>(0), chan::make::<usize>(1), chan::make::<usize>(0));
    closed.close();
    let never = Chan::<usize>::nil();
    let mut counts = [0; 6];
    for _ in 0..21_000 {
        select! {
            send(twice, 1) => {},
            default => {},
        }
        select! {
            recv(twice) => counts[0] += 1,
            recv(twice) => counts[1] += 1,
            recv(closed) => counts[2] += 1,
            recv(never) => counts[3] += 1,
            send(never, 1) => counts[4] += 1,
            recv(empty) => counts[5] += 1,
        }
    }
    println!("chosen {} {} {}", counts[0], counts[1], counts[2]);
    println!("never {} {} {}", counts[3], counts[4], counts[5]);
}

fn select_default() {
    let never = Chan::<usize>::nil();
    let (empty, full) = (chan::make::<usize>(0), chan::make::<usize>(1));
    let (mut taken, mut missed) = ([0; 2], [0; 2]);
    for _ in 0..1000 {
        full.send(1);
        select! {
            recv(full) => taken[0] += 1,
            recv(never) => {},
            default => taken[1] += 1,
        }
        select! {
            recv(empty) => {},
            send(empty, 1) => {},
            recv(never) => {},
            send(never, 1) => missed[0] += 1,
            default => missed[1] += 1,
        }
    }
    println!("ready {} default {}", taken[0], taken[1]);
    println!("none ready {} default {}", missed[0], missed[1]);
}

fn drain() {
    let c = chan::make::<usize>(4);
    (0..3).for_each(|i| c.send(i));
    println!("length {} capacity {}", c.len(), c.capacity());
    c.close();
    for _ in 0..5 {
        let value = c.recv();
        println!("{} {}", value.unwrap_or_default(), value.is_some());
    }
    println!("length {} capacity {}", c.len(), c.capacity());
    let none = Chan::<usize>::nil();
    println!("nil {} {}", none.len(), none.capacity());
    let c = chan::make::<usize>(2);
    c.send(7);
    c.send(8);
    c.close();
    for v in &c {
        println!("range {v}");
    }
}

fn buffered() {
    let (c, done) = (chan::make::<usize>(3), chan::make::<Vec<usize>>(0));
    let (from, tell) = (c.clone(), done.clone());
    go(move || tell.send(from.iter().collect()));
    (0..50).for_each(|i| c.send(i * i));
    c.close();
    println!("{}", list(&done.recv().unwrap()));
}

fn pending(c: &Receiver<Instant>) -> bool {
    c.try_recv().is_ok()
}

fn timer_results() {
    let t = Timer::new(HOUR);
    println!("length {} capacity {}", t.chan().len(), t.chan().capacity());
    println!("stop {} stop {} reset {} reset {} stop {}", t.stop(), t.stop(), t.reset(HOUR), t.reset(HOUR), t.stop());
    let t = Timer::new(MS);
    sleep(30 * MS);
    println!("due: length {}", t.chan().len());
    println!("due: stop {} pending {}", t.stop(), pending(t.chan()));
    let t = Timer::new(MS);
    sleep(30 * MS);
    println!("due: reset {} pending {} stop {}", t.reset(HOUR), pending(t.chan()), t.stop());
    let t = Timer::new(MS);
    t.chan().recv();
    println!("received: pending {} stop {} reset {}", pending(t.chan()), t.stop(), t.reset(MS));
    t.chan().recv();
    // There are no negative durations.
    println!("again: reset {} stop {}", t.reset(Duration::ZERO), t.stop());
    time::after(Duration::ZERO).recv();
    println!("after");
}

fn func_results() {
    let ran = chan::make::<()>(10);
    let tell = ran.clone();
    let f = after_func(HOUR, move || tell.send(()));
    println!("stop {} stop {} reset {}", f.stop(), f.stop(), f.reset(MS));
    ran.recv();
    println!("ran: stop {} reset {} reset {} stop {}", f.stop(), f.reset(HOUR), f.reset(HOUR), f.stop());
    f.reset(Duration::ZERO);
    ran.recv();
    println!("left {}", ran.len());
}

/// Again if it took so long that another tick may have come.
fn ticker() {
    const PERIOD: Duration = Duration::from_millis(100);
    loop {
        let start = Instant::now();
        let t = Ticker::new(PERIOD);
        sleep(4 * PERIOD + PERIOD / 2);
        let mut ticks = 0;
        while pending(t.chan()) {
            ticks += 1;
        }
        let soon = start.elapsed() < 5 * PERIOD - PERIOD / 5;
        t.stop();
        sleep(2 * PERIOD);
        let left = pending(t.chan());
        t.reset(MS);
        (0..2).for_each(|_| _ = t.chan().recv());
        t.stop();
        if soon {
            return println!("ticks kept {ticks} after stop {left} capacity {}", t.chan().capacity());
        }
    }
}

fn gomaxprocs() {
    for n in [0, 5, 0, -7, 1, 2, 0] {
        println!("set {n} was {}", runtime::gomaxprocs(n));
    }
}

fn count_goroutines() {
    println!("goroutines {}", num_goroutine());
    let (c, wait) = (chan::make::<()>(0), WaitGroup::new());
    for _ in 0..7 {
        let c = c.clone();
        wait.go(move || c.recv());
    }
    println!("goroutines {}", num_goroutine());
    c.close();
    wait.wait();
    while num_goroutine() > 1 {
        gosched();
    }
    println!("goroutines {}", num_goroutine());
}

fn stacks() {
    static M: Mutex<()> = Mutex::new(());
    let (c, other) = (chan::make::<usize>(0), chan::make::<usize>(0));
    let group = WaitGroup::new();
    group.add(1);
    let _held = M.lock();
    let (c1, c2, c3, g1) = (c.clone(), c.clone(), c.clone(), group.clone());
    go(move || c1.recv());
    go(move || other.send(1));
    go(|| Chan::<usize>::nil().recv());
    go(|| Chan::<usize>::nil().send(1));
    go(|| select! {});
    go(move || {
        select! {
            recv(c2) => {},
            recv(Chan::<usize>::nil()) => {},
        }
    });
    go(|| drop(M.lock()));
    go(move || g1.wait());
    go(|| sleep(HOUR));
    go(move || {
        lock_os_thread();
        c3.recv();
    });
    let mut buffer = alloc::vec![0; 1 << 16];
    let n = runtime::stack(&mut buffer, false);
    println!("own {}", str::from_utf8(&buffer[..n]).unwrap().lines().next().unwrap_or_default());
    // All of them have gone to sleep.
    loop {
        let n = runtime::stack(&mut buffer, true);
        let text = str::from_utf8(&buffer[..n]).unwrap();
        if !text.contains("[runnable") && text.matches("[running").count() == 1 {
            return print!("{text}");
        }
        sleep(MS);
    }
}

fn is_thread(tid: u32) -> bool {
    rustix::fs::access(&*format!("/proc/self/task/{tid}/stat"), rustix::fs::Access::EXISTS).is_ok()
}

fn locked() {
    fn stays() -> bool {
        let tid = gettid();
        for _ in 0..200 {
            gosched();
            if gettid() != tid {
                return false;
            }
            sleep(10 * US);
        }
        gettid() == tid
    }
    let done = chan::make::<bool>(0);
    for _ in 0..4 {
        let done = done.clone();
        go(move || {
            lock_os_thread();
            lock_os_thread();
            let first = stays();
            unlock_os_thread();
            let second = stays();
            unlock_os_thread();
            done.send(first && second);
        });
    }
    done.iter().take(4).for_each(|stays| println!("stays {stays}"));
    // A locked goroutine that ends takes its thread with it. The first thread is the exception.
    let (tids, end) = (chan::make::<u32>(0), chan::make::<()>(0));
    for _ in 0..3 {
        let (tids, end) = (tids.clone(), end.clone());
        go(move || {
            lock_os_thread();
            tids.send(gettid());
            end.recv();
        });
    }
    let first = rustix::process::getpid().as_raw_nonzero().get() as u32;
    let all: Vec<u32> = tids.iter().take(3).filter(|&tid| tid != first).collect();
    all.iter().filter(|&&tid| !is_thread(tid)).for_each(|_| println!("there is no such thread"));
    end.close();
    for tid in all {
        while is_thread(tid) {
            sleep(MS);
        }
    }
    println!("their threads have ended");
}

fn deferred() {
    let done = chan::make::<()>(0);
    let tell = done.clone();
    go(move || {
        defer(move || tell.close());
        defer(|| println!("first"));
        defer(|| {
            defer(|| println!("inner"));
            println!("second");
        });
        defer(|| println!("third"));
        goexit()
    });
    done.recv();
    println!("goroutine ended");
}

fn wait_for_ever() {
    chan::make::<()>(0).recv();
}

fn deadlock_of_many() {
    start_in_order(3, |i| match i {
        0 => wait_for_ever(),
        1 => _ = Chan::<usize>::nil().recv(),
        _ => select! {},
    })
    .wait();
}

fn main() {
    let none = Chan::<usize>::nil();
    let closed = chan::make::<usize>(1);
    match os::args().nth(1).unwrap_or_default() {
        "hogs" => hogs(),
        "hog_and_yielders" => hog_and_yielders(),
        "mutex_fair" => mutex_fair(),
        "spawn_order" => spawn_order(),
        "receivers" => receivers(),
        "senders" => senders(),
        "mixed" => mixed(),
        "mutex_order" => mutex_order(),
        "close_order" => close_order(),
        "wait_group_order" => wait_group_order(),
        "timer_order" => timer_order(),
        "select_fair" => select_fair(),
        "select_many" => select_many(),
        "select_default" => select_default(),
        "drain" => drain(),
        "buffered" => buffered(),
        "timer_results" => timer_results(),
        "func_results" => func_results(),
        "ticker" => ticker(),
        "gomaxprocs" => gomaxprocs(),
        "num_goroutine" => count_goroutines(),
        "stacks" => stacks(),
        "locked" => locked(),
        "deferred" => deferred(),

        "send_closed" => {
            closed.close();
            closed.send(1);
        }
        "send_closed_meanwhile" => {
            let c = chan::make::<usize>(0);
            let other = c.clone();
            go(move || {
                sleep(10 * MS);
                other.close();
            });
            c.send(1);
        }
        "select_send_closed" => {
            closed.close();
            select! {
                send(none, 1) => {},
                send(closed, 1) => {},
            }
        }
        "close_closed" => {
            closed.close();
            closed.close();
        }
        "close_nil" => none.close(),
        "negative" => WaitGroup::new().done(),
        "panic_text" => panic!("with {}", 42),
        "panic_error" => panic!("{}", str::from_utf8(b"an error's words").unwrap()),
        "panic_lines" => panic!("one line\nand another"),
        "panic_goroutine" => {
            go(|| {
                defer(|| println!("deferred"));
                panic!("in a goroutine")
            });
            wait_for_ever();
        }
        "panic_deferred" => {
            defer(|| println!("first deferred"));
            defer(|| panic!("the second"));
            panic!("the first")
        }
        "panic_after_goexit" => {
            defer(|| panic!("hello"));
            goexit()
        }
        "goexit_in_panic" => {
            go(|| {
                defer(|| goexit());
                panic!("hello")
            });
            goexit()
        }
        "ticker_zero" => drop(Ticker::new(Duration::ZERO)),
        "ticker_reset_zero" => Ticker::new(HOUR).reset(Duration::ZERO),
        "exit" => {
            defer(|| println!("not run"));
            println!("exits");
            runtime::exit(3)
        }
        "main_returns" => {
            go(wait_for_ever);
            println!("returns");
        }

        "deadlock_receive" => wait_for_ever(),
        "deadlock_send" => chan::make::<usize>(0).send(1),
        "deadlock_nil_receive" => _ = none.recv(),
        "deadlock_nil_send" => none.send(1),
        "deadlock_range" => closed.iter().for_each(drop),
        "deadlock_select" => select! {
            recv(closed) => {},
            recv(none) => {},
        },
        "deadlock_nothing" => select! {},
        "deadlock_mutex" => {
            let m = Mutex::new(());
            let _held = m.lock();
            drop(m.lock());
        }
        "deadlock_wait_group" => {
            let group = WaitGroup::new();
            group.add(1);
            group.wait();
        }
        "deadlock_goexit" => {
            go(|| println!("the other runs"));
            goexit()
        }
        "deadlock_locked" => {
            lock_os_thread();
            closed.recv();
        }
        "deadlock_of_many" => deadlock_of_many(),
        other => panic!("no scenario {other}"),
    }
}
