// The may peer (stackful coroutines, not preemptive); 2 workers, 1 where the workload says so.
// Its channels are unbounded, so no send ever blocks. Stacks are 4 KiB words unless said.
#[path = "../../measure.rs"]
mod measure;
use may::coroutine::{self, JoinHandle};
use may::net::{TcpListener, TcpStream};
use may::sync::{Mutex, mpmc, mpsc};
use measure::*;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

fn go<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: no workload uses thread-locals or deep stacks.
    unsafe { coroutine::spawn(f) }
}

fn spawn_join(n: usize) {
    let t = Instant::now();
    let mut h = Vec::with_capacity(1000);
    for _ in 0..n / 1000 {
        h.extend((0..1000).map(|_| go(|| ())));
        for j in h.drain(..) {
            j.join().unwrap();
        }
    }
    out("per_goroutine", ns(t.elapsed(), n), "ns");
}

fn pingpong(n: usize) {
    let (a, ar) = mpsc::channel();
    let (b, br) = mpsc::channel();
    go(move || {
        while let Ok(v) = ar.recv() {
            b.send(v).unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        a.send(i).unwrap();
        br.recv().unwrap();
    }
    out("round_trip", ns(t.elapsed(), n), "ns");
}

fn chan_mpmc(n: usize) {
    let (s, r) = mpmc::channel();
    let t = Instant::now();
    for _ in 0..4 {
        let s = s.clone();
        go(move || (0..n / 4).for_each(|i| s.send(i).unwrap()));
    }
    drop(s);
    let cons: Vec<_> = (0..4)
        .map(|_| {
            let r = r.clone();
            go(move || {
                let mut x = 0;
                while let Ok(v) = r.recv() {
                    x += v;
                }
                x
            })
        })
        .collect();
    let x: usize = cons.into_iter().map(|c| c.join().unwrap()).sum();
    assert_eq!(x, (n / 4) * (n / 4 - 1) / 2 * 4);
    out("per_msg", ns(t.elapsed(), n), "ns");
}

fn ring(n: usize) {
    let (first, mut inp) = mpsc::channel::<usize>();
    let (done, end) = mpsc::channel::<()>();
    for i in 0..1000 {
        let (o, next) = if i == 999 { (first.clone(), mpsc::channel().1) } else { mpsc::channel() };
        let r = std::mem::replace(&mut inp, next);
        let done = done.clone();
        go(move || {
            while let Ok(v) = r.recv() {
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

fn sky(c: mpsc::Sender<usize>, num: usize, size: usize) {
    if size == 1 {
        return c.send(num).unwrap();
    }
    let (s, r) = mpsc::channel();
    for i in 0..10 {
        let s = s.clone();
        go(move || sky(s, num + i * (size / 10), size / 10));
    }
    c.send((0..10).map(|_| r.recv().unwrap()).sum()).unwrap();
}

fn skynet(n: usize) {
    let (s, r) = mpsc::channel();
    let t = Instant::now();
    go(move || sky(s, 0, n));
    assert_eq!(r.recv().unwrap(), n * (n - 1) / 2);
    out("total", ms(t.elapsed()), "ms");
}

fn parked(n: usize) {
    let (s, r) = mpmc::channel::<()>();
    let up = Arc::new(AtomicUsize::new(0));
    let mut h = Vec::with_capacity(n);
    let (r0, t) = (rss(), Instant::now());
    for _ in 0..n {
        let (r, up) = (r.clone(), up.clone());
        h.push(go(move || {
            up.fetch_add(1, Relaxed);
            let _ = r.recv();
        }));
    }
    while up.load(Relaxed) < n {
        coroutine::yield_now();
    }
    let d = t.elapsed();
    coroutine::sleep(Duration::from_millis(50));
    out("rss", (rss() - r0) / n as f64, "B");
    out("spawn", ns(d, n), "ns");
    let t = Instant::now();
    drop(s);
    for j in h {
        j.join().unwrap();
    }
    out("wake", ns(t.elapsed(), n), "ns");
}

fn yields(n: usize) {
    let t = Instant::now();
    let h: Vec<_> = (0..2).map(|_| go(move || (0..n / 2).for_each(|_| coroutine::yield_now()))).collect();
    h.into_iter().for_each(|j| j.join().unwrap());
    out("per_switch", ns(t.elapsed(), n), "ns");
}

fn mutex(n: usize) {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    let h: Vec<_> = (0..8)
        .map(|_| {
            let m = m.clone();
            go(move || (0..n / 8).for_each(|_| *m.lock().unwrap() += 1))
        })
        .collect();
    h.into_iter().for_each(|j| j.join().unwrap());
    assert_eq!(*m.lock().unwrap(), n);
    out("per_op", ns(t.elapsed(), n), "ns");
}

fn timers(n: usize) {
    let (c0, t) = (cpu(), Instant::now());
    let h: Vec<_> = (0..n)
        .map(|i| {
            go(move || {
                let d = Duration::from_nanos(splitmix(i as u64) % 1_000_000_000);
                let s = Instant::now();
                coroutine::sleep(d);
                s.elapsed().as_nanos() as i64 - d.as_nanos() as i64
            })
        })
        .collect();
    let late = h.into_iter().map(|j| j.join().unwrap()).collect();
    out("wall", ms(t.elapsed()), "ms");
    out("cpu", cpu() - c0, "s");
    pct("late_", late);
}

fn preempt(n: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let end = Instant::now() + Duration::from_millis(n as u64);
    // The sleeper cannot be trusted to stop the spinners here: a plain thread does.
    let st = stop.clone();
    std::thread::spawn(move || {
        std::thread::sleep(end - Instant::now());
        st.store(true, Relaxed);
    });
    let spin: Vec<_> = (0..4u64)
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
    let late = go(move || {
        let mut late = Vec::new();
        while Instant::now() < end || late.is_empty() {
            let s = Instant::now();
            coroutine::sleep(Duration::from_millis(1));
            late.push(s.elapsed().as_nanos() as i64 - 1_000_000);
        }
        late
    });
    let cnt: Vec<f64> = spin.into_iter().map(|j| j.join().unwrap()).collect();
    let late = late.join().unwrap();
    out("samples", late.len() as f64, "count");
    pct("late_", late);
    out("spin_min_over_max", cnt.iter().cloned().fold(f64::MAX, f64::min) / cnt.iter().cloned().fold(1.0, f64::max), "ratio");
}

fn sieve(n: usize) {
    let t = Instant::now();
    let (s, mut c) = mpsc::channel();
    // Unbounded channels: the generator must be bounded or it never stops.
    go(move || (2usize..23000).for_each(|i| _ = s.send(i)));
    let mut p = 0;
    for _ in 0..n {
        p = c.recv().unwrap();
        let (s, r) = mpsc::channel();
        let inp = std::mem::replace(&mut c, r);
        go(move || {
            while let Ok(v) = inp.recv() {
                if v % p != 0 && s.send(v).is_err() {
                    return;
                }
            }
        });
    }
    assert!(n != 2500 || p == 22307);
    out("total", ms(t.elapsed()), "ms");
}

fn fib_task(n: usize) -> usize {
    if n < 2 {
        return n;
    }
    let (a, b) = (go(move || fib_task(n - 1)), go(move || fib_task(n - 2)));
    a.join().unwrap() + b.join().unwrap()
}

fn fib(n: usize) {
    let t = Instant::now();
    let r = fib_task(n);
    assert!(n != 27 || r == 196418);
    out("total", ms(t.elapsed()), "ms");
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
    let h: Vec<_> = (0..64)
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
        .collect();
    let all: Vec<i64> = h.into_iter().flat_map(|j| j.join().unwrap()).collect();
    out("rate", (all.len() as f64 / start.elapsed().as_secs_f64()).round(), "req/s");
    pct("lat_", all);
}

#[derive(Clone)]
struct Hello;
impl may_minihttp::HttpService for Hello {
    fn call(&mut self, _: may_minihttp::Request, res: &mut may_minihttp::Response) -> std::io::Result<()> {
        res.header("Content-Type: text/plain").body("Hello, World!");
        Ok(())
    }
}

fn http(port: usize) {
    let s = may_minihttp::HttpServer(Hello).start(("127.0.0.1", port as u16)).unwrap();
    println!("ready");
    s.join().unwrap();
}

fn http_raw(port: usize) {
    const RESP: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
    let l = TcpListener::bind(("127.0.0.1", port as u16)).unwrap();
    println!("ready");
    while let Ok((mut c, _)) = l.accept() {
        c.set_nodelay(true).unwrap();
        go(move || {
            let (mut b, mut used) = ([0u8; 4096], 0);
            while let Ok(k) = c.read(&mut b[used..]) {
                if k == 0 {
                    return;
                }
                used += k;
                while let Some(e) = b[..used].windows(4).position(|w| w == b"\r\n\r\n") {
                    if c.write_all(RESP).is_err() {
                        return;
                    }
                    b.copy_within(e + 4..used, 0);
                    used -= e + 4;
                }
            }
        });
    }
}

fn parmap(n: usize) {
    let t = Instant::now();
    let h: Vec<_> = (0..n).map(|i| go(move || xorshift(i as u64 + 1, 2500))).collect();
    for j in h {
        assert!(j.join().unwrap() != 0);
    }
    if WORK.get().unwrap() == "parmap1" {
        out("wall", ms(t.elapsed()), "ms");
    }
}

fn pipe(n: usize) {
    let (s, r) = mpsc::channel();
    let t = Instant::now();
    go(move || (0..n).for_each(|i| s.send(xorshift(i as u64 + 1, 40000)).unwrap()));
    r.iter().for_each(|v| assert!(xorshift(v, 40000) != 0));
    out("per_item", ns(t.elapsed(), n) / 1e3, "us");
}

fn main() {
    let (w, n) = args(|w| match w {
        "chan_mpmc" | "mutex" => 4_000_000,
        "yield" => 5_000_000,
        "preempt" | "tcp_echo" => 3000,
        "sieve" => 2500,
        "fib" => 18, // as for parked: fib(27) has too many stacks alive
        "http" | "http_raw" => 8080,
        "parmap" | "parmap1" => 20_000, // as for parked
        "parked" | "timers" => 30_000,  // each stack is a mapping with a guard: vm.max_map_count
        "skynet" | "pipe" => 10_000,
        _ => 1_000_000,
    });
    let workers = if matches!(w.as_str(), "pingpong1" | "yield" | "parmap1") { 1 } else { 2 };
    may::config().set_workers(workers).set_pool_capacity(2000);
    if w.starts_with("http") {
        may::config().set_stack_size(0x2000);
    }
    let f: fn(usize) = match w.as_str() {
        "spawn_join" => spawn_join,
        "pingpong1" | "pingpong2" => pingpong,
        "chan_mpmc" => chan_mpmc,
        "ring" => ring,
        "skynet" => skynet,
        "parked" => parked,
        "yield" => yields,
        "mutex" => mutex,
        "timers" => timers,
        "preempt" => preempt,
        "sieve" => sieve,
        "fib" => fib,
        "tcp_echo" => tcp_echo,
        "http" => http,
        "http_raw" => http_raw,
        "pipe" => pipe,
        "parmap1" => parmap,
        "parmap" => |n| {
            // The worker count is fixed per process: one child per count.
            let me = std::env::current_exe().unwrap();
            let o = std::process::Command::new(me).args(["parmap1", &n.to_string()]).output().unwrap();
            let s = String::from_utf8(o.stdout).unwrap();
            let p1: f64 = s.split_whitespace().nth(2).unwrap().parse().unwrap();
            let t = Instant::now();
            parmap(n);
            let p2 = ms(t.elapsed());
            out("p1", p1, "ms");
            out("p2", p2, "ms");
            out("speedup", p1 / p2, "ratio");
        },
        _ => return println!("{w} skip 0 -"),
    };
    go(move || f(n)).join().unwrap();
    std::process::exit(0);
}
