// The tokio peer: multi-thread runtime with 2 workers (1 where the workload says so).
#[path = "../../measure.rs"]
mod measure;
use measure::*;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::{spawn, task};

/// Runs `f` as a task (not on the block_on thread) of a runtime with `workers` workers.
fn rt<T: Send + 'static>(workers: usize, f: impl Future<Output = T> + Send + 'static) -> T {
    let rt = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap();
    let v = rt.block_on(async { spawn(f).await.unwrap() });
    rt.shutdown_background();
    v
}

async fn spawn_join(n: usize) {
    let t = Instant::now();
    let mut h = Vec::with_capacity(1000);
    for _ in 0..n / 1000 {
        h.extend((0..1000).map(|_| spawn(async {})));
        for j in h.drain(..) {
            j.await.unwrap();
        }
    }
    out("per_goroutine", ns(t.elapsed(), n), "ns");
}

async fn pingpong(n: usize) {
    let (a, mut ar) = mpsc::channel(1);
    let (b, mut br) = mpsc::channel(1);
    spawn(async move {
        while let Some(v) = ar.recv().await {
            b.send(v).await.unwrap();
        }
    });
    let t = Instant::now();
    for i in 0..n {
        a.send(i).await.unwrap();
        br.recv().await.unwrap();
    }
    out("round_trip", ns(t.elapsed(), n), "ns");
}

async fn mpmc(n: usize) {
    let (s, r) = async_channel::bounded(128);
    let t = Instant::now();
    let prod: Vec<_> = (0..4)
        .map(|_| {
            let s = s.clone();
            spawn(async move {
                for i in 0..n / 4 {
                    s.send(i).await.unwrap();
                }
            })
        })
        .collect();
    let cons: Vec<_> = (0..4)
        .map(|_| {
            let r = r.clone();
            spawn(async move {
                let mut x = 0;
                while let Ok(v) = r.recv().await {
                    x += v;
                }
                x
            })
        })
        .collect();
    for p in prod {
        p.await.unwrap();
    }
    s.close();
    let mut x = 0;
    for c in cons {
        x += c.await.unwrap();
    }
    assert_eq!(x, (n / 4) * (n / 4 - 1) / 2 * 4);
    out("per_msg", ns(t.elapsed(), n), "ns");
}

async fn ring(n: usize) {
    let (first, mut inp) = mpsc::channel::<usize>(1);
    let (done, mut end) = mpsc::channel::<()>(1);
    for i in 0..1000 {
        let (o, next) = if i == 999 {
            (first.clone(), None)
        } else {
            let (s, r) = mpsc::channel(1);
            (s, Some(r))
        };
        let mut r = inp;
        inp = next.unwrap_or_else(|| mpsc::channel(1).1);
        let done = done.clone();
        spawn(async move {
            while let Some(v) = r.recv().await {
                if v == 0 {
                    done.send(()).await.unwrap();
                    return;
                }
                if o.send(v - 1).await.is_err() {
                    return;
                }
            }
        });
    }
    let t = Instant::now();
    first.send(n).await.unwrap();
    end.recv().await.unwrap();
    out("per_hop", ns(t.elapsed(), n), "ns");
}

fn sky(c: mpsc::Sender<usize>, num: usize, size: usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        if size == 1 {
            c.send(num).await.unwrap();
            return;
        }
        let (s, mut r) = mpsc::channel(1);
        for i in 0..10 {
            spawn(sky(s.clone(), num + i * (size / 10), size / 10));
        }
        let mut x = 0;
        for _ in 0..10 {
            x += r.recv().await.unwrap();
        }
        c.send(x).await.unwrap();
    })
}

async fn skynet(n: usize) {
    let (s, mut r) = mpsc::channel(1);
    let t = Instant::now();
    spawn(sky(s, 0, n));
    assert_eq!(r.recv().await.unwrap(), n * (n - 1) / 2);
    out("total", ms(t.elapsed()), "ms");
}

async fn parked(n: usize) {
    let (s, r) = async_channel::bounded::<()>(1);
    let up = Arc::new(AtomicUsize::new(0));
    let mut h = Vec::with_capacity(n);
    let (r0, t) = (rss(), Instant::now());
    for _ in 0..n {
        let (r, up) = (r.clone(), up.clone());
        h.push(spawn(async move {
            up.fetch_add(1, Relaxed);
            let _ = r.recv().await;
        }));
    }
    while up.load(Relaxed) < n {
        task::yield_now().await;
    }
    let d = t.elapsed();
    tokio::time::sleep(Duration::from_millis(50)).await;
    out("rss", (rss() - r0) / n as f64, "B");
    out("spawn", ns(d, n), "ns");
    let t = Instant::now();
    s.close();
    for j in h {
        j.await.unwrap();
    }
    out("wake", ns(t.elapsed(), n), "ns");
}

async fn yields(n: usize) {
    let t = Instant::now();
    let h: Vec<_> = (0..2)
        .map(|_| {
            spawn(async move {
                for _ in 0..n / 2 {
                    task::yield_now().await;
                }
            })
        })
        .collect();
    for j in h {
        j.await.unwrap();
    }
    out("per_switch", ns(t.elapsed(), n), "ns");
}

async fn mutex(n: usize) {
    let m = Arc::new(Mutex::new(0));
    let t = Instant::now();
    let h: Vec<_> = (0..8)
        .map(|_| {
            let m = m.clone();
            spawn(async move {
                for _ in 0..n / 8 {
                    *m.lock().await += 1;
                }
            })
        })
        .collect();
    for j in h {
        j.await.unwrap();
    }
    assert_eq!(*m.lock().await, n);
    out("per_op", ns(t.elapsed(), n), "ns");
}

async fn select4(n: usize) {
    let mut r = Vec::new();
    for _ in 0..4 {
        let (s, rx) = mpsc::channel(1);
        r.push(rx);
        spawn(async move {
            for j in 0..n / 4 {
                s.send(j).await.unwrap();
            }
        });
    }
    let [mut a, mut b, mut c, mut d]: [mpsc::Receiver<usize>; 4] = r.try_into().unwrap();
    let mut x = 0;
    let t = Instant::now();
    for _ in 0..n {
        x += tokio::select! {
            Some(v) = a.recv() => v,
            Some(v) = b.recv() => v,
            Some(v) = c.recv() => v,
            Some(v) = d.recv() => v,
        };
    }
    assert!(x > 0);
    out("per_msg", ns(t.elapsed(), n), "ns");
}

async fn timers(n: usize) {
    let (c0, t) = (cpu(), Instant::now());
    let h: Vec<_> = (0..n)
        .map(|i| {
            spawn(async move {
                let d = Duration::from_nanos(splitmix(i as u64) % 1_000_000_000);
                let s = Instant::now();
                tokio::time::sleep(d).await;
                s.elapsed().as_nanos() as i64 - d.as_nanos() as i64
            })
        })
        .collect();
    let mut late = Vec::with_capacity(n);
    for j in h {
        late.push(j.await.unwrap());
    }
    out("wall", ms(t.elapsed()), "ms");
    out("cpu", cpu() - c0, "s");
    pct("late_", late);
}

async fn preempt(n: usize) {
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
            spawn(async move {
                let (mut x, mut k) = (i + 1, 0u64);
                while !stop.load(Relaxed) {
                    x = xorshift(x, 1000);
                    k += 1;
                }
                k | x & 1
            })
        })
        .collect();
    let late = spawn(async move {
        let mut late = Vec::new();
        while Instant::now() < end || late.is_empty() {
            let s = Instant::now();
            tokio::time::sleep(Duration::from_millis(1)).await;
            late.push(s.elapsed().as_nanos() as i64 - 1_000_000);
        }
        late
    });
    let mut cnt = Vec::new();
    for j in spin {
        cnt.push(j.await.unwrap() as f64);
    }
    let late = late.await.unwrap();
    out("samples", late.len() as f64, "count");
    pct("late_", late);
    out("spin_min_over_max", cnt.iter().cloned().fold(f64::MAX, f64::min) / cnt.iter().cloned().fold(1.0, f64::max), "ratio");
}

async fn sys(n: usize) {
    let t = Instant::now();
    for _ in 0..n {
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    out("rawsyscall", ns(t.elapsed(), n), "ns");
    let k = n / 100; // the "may block" path: spawn_blocking, 1/100 of the count
    let t = Instant::now();
    for _ in 0..k {
        task::spawn_blocking(|| unsafe { libc::syscall(libc::SYS_getppid) }).await.unwrap();
    }
    out("syscall", ns(t.elapsed(), k), "ns");
}

async fn block_syscall(n: usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let cnt = Arc::new([OwnLine::default(), OwnLine::default()]);
    // This thread must not be a worker (they are both busy): measure from a plain thread.
    let h = tokio::runtime::Handle::current();
    let go = move || {
        for i in 0..2 {
            let (stop, cnt) = (stop.clone(), cnt.clone());
            h.spawn(async move {
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
        let js: Vec<_> = (0..64).map(|_| h.spawn_blocking(move || (0..n).for_each(|_| nanosleep_1ms()))).collect();
        while !js.iter().all(|j| j.is_finished()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let d = t.elapsed();
        out("wall", ms(d), "ms");
        out("compute_retained", (total() - k) / d.as_secs_f64() / base, "ratio");
        stop.store(true, Relaxed);
    };
    let j = std::thread::spawn(go);
    while !j.is_finished() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn sieve(n: usize) {
    let t = Instant::now();
    let (s, mut c) = mpsc::channel(1);
    spawn(async move {
        for i in 2usize.. {
            if s.send(i).await.is_err() {
                return;
            }
        }
    });
    let mut p = 0;
    for _ in 0..n {
        p = c.recv().await.unwrap();
        let (s, r) = mpsc::channel(1);
        let mut inp = std::mem::replace(&mut c, r);
        spawn(async move {
            while let Some(v) = inp.recv().await {
                if v % p != 0 && s.send(v).await.is_err() {
                    return;
                }
            }
        });
    }
    assert!(n != 2500 || p == 22307);
    out("total", ms(t.elapsed()), "ms");
}

fn fib_task(n: usize) -> Pin<Box<dyn Future<Output = usize> + Send>> {
    Box::pin(async move {
        if n < 2 {
            return n;
        }
        let (a, b) = (spawn(fib_task(n - 1)), spawn(fib_task(n - 2)));
        a.await.unwrap() + b.await.unwrap()
    })
}

async fn fib(n: usize) {
    let t = Instant::now();
    let r = fib_task(n).await;
    assert!(n != 27 || r == 196418);
    out("total", ms(t.elapsed()), "ms");
}

async fn tcp_echo(n: usize) {
    let l = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = l.local_addr().unwrap();
    spawn(async move {
        loop {
            let (mut c, _) = l.accept().await.unwrap();
            c.set_nodelay(true).unwrap();
            spawn(async move {
                let mut b = [0; 64];
                while c.read_exact(&mut b).await.is_ok() && c.write_all(&b).await.is_ok() {}
            });
        }
    });
    let start = Instant::now();
    let end = start + Duration::from_millis(n as u64);
    let h: Vec<_> = (0..64)
        .map(|_| {
            spawn(async move {
                let mut c = TcpStream::connect(addr).await.unwrap();
                c.set_nodelay(true).unwrap();
                let (mut b, mut lat) = ([0; 64], Vec::new());
                loop {
                    let s = Instant::now();
                    if s > end {
                        return lat;
                    }
                    c.write_all(&b).await.unwrap();
                    c.read_exact(&mut b).await.unwrap();
                    lat.push(s.elapsed().as_nanos() as i64);
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for j in h {
        all.extend(j.await.unwrap());
    }
    out("rate", (all.len() as f64 / start.elapsed().as_secs_f64()).round(), "req/s");
    pct("lat_", all);
}

async fn http(port: usize) {
    use http_body_util::Full;
    use hyper::{Response, body::Bytes, header};
    let l = TcpListener::bind(("127.0.0.1", port as u16)).await.unwrap();
    println!("ready");
    loop {
        let (c, _) = l.accept().await.unwrap();
        c.set_nodelay(true).unwrap();
        spawn(async move {
            let f = hyper::service::service_fn(|_| async {
                let r = Response::builder().header(header::CONTENT_TYPE, "text/plain");
                r.body(Full::new(Bytes::from_static(b"Hello, World!")))
            });
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(hyper_util::rt::TokioIo::new(c), f).await;
        });
    }
}

async fn http_raw(port: usize) {
    const RESP: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, World!";
    let l = TcpListener::bind(("127.0.0.1", port as u16)).await.unwrap();
    println!("ready");
    loop {
        let (mut c, _) = l.accept().await.unwrap();
        c.set_nodelay(true).unwrap();
        spawn(async move {
            let (mut b, mut used) = ([0u8; 4096], 0);
            while let Ok(k) = c.read(&mut b[used..]).await {
                if k == 0 {
                    return;
                }
                used += k;
                while let Some(e) = b[..used].windows(4).position(|w| w == b"\r\n\r\n") {
                    if c.write_all(RESP).await.is_err() {
                        return;
                    }
                    b.copy_within(e + 4..used, 0);
                    used -= e + 4;
                }
            }
        });
    }
}

async fn parmap(n: usize) -> Duration {
    let t = Instant::now();
    let h: Vec<_> = (0..n).map(|i| spawn(async move { xorshift(i as u64 + 1, 2500) })).collect();
    for j in h {
        assert!(j.await.unwrap() != 0);
    }
    t.elapsed()
}

async fn pipe(n: usize) {
    let (s, mut r) = mpsc::channel::<u64>(1);
    let t = Instant::now();
    spawn(async move {
        for i in 0..n {
            s.send(xorshift(i as u64 + 1, 40000)).await.unwrap();
        }
    });
    while let Some(v) = r.recv().await {
        assert!(xorshift(v, 40000) != 0);
    }
    out("per_item", ns(t.elapsed(), n) / 1e3, "us");
}

fn main() {
    let (w, n) = args(|w| match w {
        "chan_mpmc" | "mutex" => 4_000_000,
        "yield" | "syscall" => 5_000_000,
        "select4" => 2_000_000,
        "preempt" | "tcp_echo" => 3000,
        "block_syscall" => 100,
        "sieve" => 2500,
        "fib" => 27,
        "http" | "http_raw" => 8080,
        "parmap" => 100_000,
        "pipe" => 10_000,
        _ => 1_000_000,
    });
    match w.as_str() {
        "spawn_join" => rt(2, spawn_join(n)),
        "pingpong1" => rt(1, pingpong(n)),
        "pingpong2" => rt(2, pingpong(n)),
        "chan_mpmc" => rt(2, mpmc(n)),
        "ring" => rt(2, ring(n)),
        "skynet" => rt(2, skynet(n)),
        "parked" => rt(2, parked(n)),
        "yield" => rt(1, yields(n)),
        "mutex" => rt(2, mutex(n)),
        "select4" => rt(2, select4(n)),
        "timers" => rt(2, timers(n)),
        "preempt" => rt(2, preempt(n)),
        "syscall" => rt(2, sys(n)),
        "block_syscall" => rt(2, block_syscall(n)),
        "sieve" => rt(2, sieve(n)),
        "fib" => rt(2, fib(n)),
        "tcp_echo" => rt(2, tcp_echo(n)),
        "http" => rt(2, http(n)),
        "http_raw" => rt(2, http_raw(n)),
        "pipe" => rt(2, pipe(n)),
        "parmap" => {
            let (a, b) = (rt(1, parmap(n)), rt(2, parmap(n)));
            out("p1", ms(a), "ms");
            out("p2", ms(b), "ms");
            out("speedup", a.as_secs_f64() / b.as_secs_f64(), "ratio");
        }
        _ => println!("{w} skip 0 -"),
    }
}
