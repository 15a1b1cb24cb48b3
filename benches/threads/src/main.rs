// The kernel-thread peer: std::thread (64 KiB stacks) and crossbeam channels; smaller N where noted.
#[path = "../../measure.rs"]
mod measure;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use measure::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

fn go<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().stack_size(65536).spawn(f).unwrap()
}
fn join_all<T>(h: Vec<JoinHandle<T>>) -> Vec<T> {
    h.into_iter().map(|j| j.join().unwrap()).collect()
}
fn one_cpu() {
    unsafe {
        let mut s: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut s);
        libc::sched_setaffinity(0, std::mem::size_of_val(&s), &s);
    }
}

fn spawn_join(n: usize) {
    let t = Instant::now();
    for _ in 0..n / 1000 {
        join_all((0..1000).map(|_| go(|| ())).collect());
    }
    out("per_goroutine", ns(t.elapsed(), n), "ns");
}

fn pingpong(n: usize) {
    let (a, ar) = bounded(0);
    let (b, br) = bounded(0);
    go(move || ar.iter().for_each(|v| b.send(v).unwrap()));
    let t = Instant::now();
    for i in 0..n {
        a.send(i).unwrap();
        br.recv().unwrap();
    }
    out("round_trip", ns(t.elapsed(), n), "ns");
}

fn thread_create(n: usize) {
    let t = Instant::now();
    for i in 0..n {
        assert_eq!(go(move || i).join().unwrap(), i);
    }
    out("per_thread", ns(t.elapsed(), n), "ns");
}

fn mpmc(n: usize) {
    let (s, r) = bounded(128);
    let t = Instant::now();
    for _ in 0..4 {
        let s = s.clone();
        go(move || (0..n / 4).for_each(|i| s.send(i).unwrap()));
    }
    drop(s);
    let cons = (0..4)
        .map(|_| {
            let r = r.clone();
            go(move || r.iter().sum::<usize>())
        })
        .collect();
    assert_eq!(join_all(cons).iter().sum::<usize>(), (n / 4) * (n / 4 - 1) / 2 * 4);
    out("per_msg", ns(t.elapsed(), n), "ns");
}

fn ring(n: usize) {
    let (first, mut inp) = bounded::<usize>(0);
    let (done, end) = bounded::<()>(1);
    for i in 0..1000 {
        let (o, next) = if i == 999 { (first.clone(), bounded(0).1) } else { bounded(0) };
        let r = std::mem::replace(&mut inp, next);
        let done = done.clone();
        go(move || {
            for v in r {
                if v == 0 {
                    return done.send(()).unwrap();
                }
                if o.send(v - 1).is_err() {
                    return;
                }
            }
        });
    }
    let t = Instant::now();
    first.send(n).unwrap();
    end.recv().unwrap();
    out("per_hop", ns(t.elapsed(), n), "ns");
}

fn parked(n: usize) {
    let (s, r) = bounded::<()>(0);
    let up = Arc::new(AtomicUsize::new(0));
    let (r0, t) = (rss(), Instant::now());
    let h = (0..n)
        .map(|_| {
            let (r, up) = (r.clone(), up.clone());
            go(move || {
                up.fetch_add(1, Relaxed);
                let _ = r.recv();
            })
        })
        .collect();
    while up.load(Relaxed) < n {
        std::thread::yield_now();
    }
    let d = t.elapsed();
    std::thread::sleep(Duration::from_millis(50));
    out("rss", (rss() - r0) / n as f64, "B");
    out("spawn", ns(d, n), "ns");
    let t = Instant::now();
    drop(s);
    join_all(h);
    out("wake", ns(t.elapsed(), n), "ns");
}

fn yields(n: usize) {
    let t = Instant::now();
    join_all((0..2).map(|_| go(move || (0..n / 2).for_each(|_| std::thread::yield_now()))).collect());
    out("per_switch", ns(t.elapsed(), n), "ns");
}

fn mutex(n: usize) {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    join_all(
        (0..8)
            .map(|_| {
                let m = m.clone();
                go(move || (0..n / 8).for_each(|_| *m.lock().unwrap() += 1))
            })
            .collect(),
    );
    assert_eq!(*m.lock().unwrap(), n);
    out("per_op", ns(t.elapsed(), n), "ns");
}

fn select4(n: usize) {
    let ch: Vec<(Sender<usize>, Receiver<usize>)> = (0..4).map(|_| bounded(0)).collect();
    for (s, _) in &ch {
        let s = s.clone();
        go(move || (0..n / 4).for_each(|j| s.send(j).unwrap()));
    }
    let t = Instant::now();
    let mut x = 0;
    for _ in 0..n {
        x += select! {
            recv(ch[0].1) -> v => v.unwrap(),
            recv(ch[1].1) -> v => v.unwrap(),
            recv(ch[2].1) -> v => v.unwrap(),
            recv(ch[3].1) -> v => v.unwrap(),
        };
    }
    assert!(x > 0);
    out("per_msg", ns(t.elapsed(), n), "ns");
}

fn timers(n: usize) {
    let (c0, t) = (cpu(), Instant::now());
    let late = join_all(
        (0..n)
            .map(|i| {
                go(move || {
                    let d = Duration::from_nanos(splitmix(i as u64) % 1_000_000_000);
                    let s = Instant::now();
                    std::thread::sleep(d);
                    s.elapsed().as_nanos() as i64 - d.as_nanos() as i64
                })
            })
            .collect(),
    );
    out("wall", ms(t.elapsed()), "ms");
    out("cpu", cpu() - c0, "s");
    pct("late_", late);
}

fn preempt(n: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let end = Instant::now() + Duration::from_millis(n as u64);
    let spin = (0..4u64)
        .map(|i| {
            let stop = stop.clone();
            go(move || {
                let (mut x, mut k) = (i + 1, 0u64);
                while !stop.load(Relaxed) {
                    x = xorshift(x, 1000);
                    k += 1;
                }
                (k | x & 1) as f64
            })
        })
        .collect();
    let mut late = Vec::new();
    while Instant::now() < end {
        let s = Instant::now();
        std::thread::sleep(Duration::from_millis(1));
        late.push(s.elapsed().as_nanos() as i64 - 1_000_000);
    }
    stop.store(true, Relaxed);
    let cnt: Vec<f64> = join_all(spin);
    out("samples", late.len() as f64, "count");
    pct("late_", late);
    out("spin_min_over_max", cnt.iter().cloned().fold(f64::MAX, f64::min) / cnt.iter().cloned().fold(1.0, f64::max), "ratio");
}

fn sys(n: usize) {
    let t = Instant::now();
    for _ in 0..n {
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    out("rawsyscall", ns(t.elapsed(), n), "ns");
}

fn block_syscall(n: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let cnt = Arc::new([OwnLine::default(), OwnLine::default()]);
    for i in 0..2 {
        let (stop, cnt) = (stop.clone(), cnt.clone());
        go(move || {
            let mut x = i as u64 + 1;
            while !stop.load(Relaxed) {
                x = xorshift(x, 1000);
                cnt[i].0.fetch_add(1, Relaxed);
            }
            assert_ne!(x, 0, "the loop must not be optimized away");
        });
    }
    std::thread::sleep(Duration::from_millis(100));
    let total = || (cnt[0].0.load(Relaxed) + cnt[1].0.load(Relaxed)) as f64;
    let (k, t) = (total(), Instant::now());
    std::thread::sleep(Duration::from_secs(1));
    let base = (total() - k) / t.elapsed().as_secs_f64();
    let (k, t) = (total(), Instant::now());
    join_all((0..64).map(|_| go(move || (0..n).for_each(|_| nanosleep_1ms()))).collect());
    let d = t.elapsed();
    out("wall", ms(d), "ms");
    out("compute_retained", (total() - k) / d.as_secs_f64() / base, "ratio");
    stop.store(true, Relaxed);
}

fn tcp_echo(n: usize) {
    let l = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = l.local_addr().unwrap();
    go(move || {
        while let Ok((mut c, _)) = l.accept() {
            c.set_nodelay(true).unwrap();
            go(move || {
                let mut b = [0; 64];
                while c.read_exact(&mut b).is_ok() && c.write_all(&b).is_ok() {}
            });
        }
    });
    let start = Instant::now();
    let end = start + Duration::from_millis(n as u64);
    let all = join_all(
        (0..64)
            .map(|_| {
                go(move || {
                    let mut c = TcpStream::connect(addr).unwrap();
                    c.set_nodelay(true).unwrap();
                    let (mut b, mut lat) = ([0; 64], Vec::new());
                    loop {
                        let s = Instant::now();
                        if s > end {
                            return lat;
                        }
                        c.write_all(&b).unwrap();
                        c.read_exact(&mut b).unwrap();
                        lat.push(s.elapsed().as_nanos() as i64);
                    }
                })
            })
            .collect(),
    )
    .concat();
    out("rate", (all.len() as f64 / start.elapsed().as_secs_f64()).round(), "req/s");
    pct("lat_", all);
}

fn pipe(n: usize) {
    let (s, r) = bounded(0);
    let t = Instant::now();
    go(move || (0..n).for_each(|i| s.send(xorshift(i as u64 + 1, 40000)).unwrap()));
    r.iter().for_each(|v| assert!(xorshift(v, 40000) != 0));
    out("per_item", ns(t.elapsed(), n) / 1e3, "us");
}

fn main() {
    let (w, n) = args(|w| match w {
        "spawn_join" => 10_000,
        "chan_mpmc" => 400_000,
        "ring" | "pingpong1" | "pingpong2" => 20_000,
        "parked" | "timers" => 10_000,
        "yield" | "syscall" => 1_000_000,
        "mutex" => 4_000_000,
        "select4" => 20_000,
        "preempt" | "tcp_echo" => 3000,
        "block_syscall" => 100,
        "pipe" => 10_000,
        "locked_pingpong" => 100_000,
        "thread_create" => 5000,
        _ => 0,
    });
    if matches!(w.as_str(), "pingpong1" | "yield") {
        one_cpu();
    }
    match w.as_str() {
        "spawn_join" => spawn_join(n),
        "pingpong1" | "pingpong2" | "locked_pingpong" => pingpong(n),
        "thread_create" => thread_create(n),
        "chan_mpmc" => mpmc(n),
        "ring" => ring(n),
        "parked" => parked(n),
        "yield" => yields(n),
        "mutex" => mutex(n),
        "select4" => select4(n),
        "timers" => timers(n),
        "preempt" => preempt(n),
        "syscall" => sys(n),
        "block_syscall" => block_syscall(n),
        "tcp_echo" => tcp_echo(n),
        "pipe" => pipe(n),
        _ => println!("{w} skip 0 -"),
    }
}
