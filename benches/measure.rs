//! What the Rust peers share: their output, the process's figures, the work that no compiler removes. Each uses a part of it.
#![allow(dead_code)]

use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// A counter on a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
pub struct OwnLine(pub AtomicU64);

/// The workload's name.
pub static WORK: OnceLock<String> = OnceLock::new();

pub fn out(metric: &str, v: f64, unit: &str) {
    println!("{} {metric} {v} {unit}", WORK.get().unwrap());
}

pub fn ns(d: Duration, n: usize) -> f64 {
    (d.as_nanos() as f64 / n as f64 * 100.0).round() / 100.0
}

pub fn ms(d: Duration) -> f64 {
    d.as_nanos() as f64 / 1e6
}

/// p50, p99 and max of nanosecond samples, in microseconds.
pub fn pct(prefix: &str, mut s: Vec<i64>) {
    if s.is_empty() {
        return;
    }
    s.sort_unstable();
    out(&format!("{prefix}p50"), s[s.len() / 2] as f64 / 1e3, "us");
    out(&format!("{prefix}p99"), s[s.len() * 99 / 100] as f64 / 1e3, "us");
    out(&format!("{prefix}max"), s[s.len() - 1] as f64 / 1e3, "us");
}

/// User and system seconds of this process.
pub fn cpu() -> f64 {
    // SAFETY: all fields are numbers.
    let mut r: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the kernel fills the structure.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut r) };
    let f = |t: libc::timeval| t.tv_sec as f64 + t.tv_usec as f64 / 1e6;
    f(r.ru_utime) + f(r.ru_stime)
}

/// What the kernel counts as resident, in bytes.
pub fn rss() -> f64 {
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    let l = s.lines().find(|l| l.starts_with("VmRSS:")).unwrap();
    l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0
}

pub fn splitmix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30).wrapping_mul(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27).wrapping_mul(0x94d049bb133111eb);
    x ^ x >> 31
}

pub fn xorshift(mut x: u64, n: usize) -> u64 {
    for _ in 0..n {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

pub fn nanosleep_1ms() {
    let ts = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    // SAFETY: the structure outlives the call.
    unsafe { libc::syscall(libc::SYS_nanosleep, &ts, 0) };
}

/// WORKLOAD and optional N from the command line.
pub fn args(default: impl Fn(&str) -> usize) -> (String, usize) {
    let w = std::env::args().nth(1).expect("usage: PROG WORKLOAD [N]");
    WORK.set(w.clone()).unwrap();
    let n = std::env::args().nth(2).map_or_else(|| default(&w), |s| s.parse().unwrap());
    (w, n)
}
