//! `sync::Pool`, `sync::Map`, `sync::singleflight`.

#![no_std]
#![no_main]

extern crate alloc;

#[path = "../alive.rs"]
mod alive;
#[path = "../scenario.rs"]
mod scenario;

use alive::{ALIVE, Counted};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::hash::{BuildHasher, Hasher};
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::SeqCst};
use gort::prelude::*;
use gort::runtime::{goexit, gomaxprocs, gosched};
use gort::sync::singleflight::{Answer, Group};
use gort::sync::{Map, Pool};
use gort::syscall;
use gort::time::{Duration, Instant, sleep};
use scenario::{number, until};

gort::main!(main);

const MS: Duration = Duration::from_millis(1);

fn main() {
    let scenario = scenario::begin();
    match scenario {
        "pool_values" => pool_values(),
        "pool_stress" => pool_stress(number(3)),
        "pool_bound" => pool_bound(),
        "pool_ages" => pool_ages(),
        "pool_places" => pool_places(),
        "map_methods" => map_methods(),
        "map_model" => map_model(number(3)),
        "map_counts" => map_counts(number(3)),
        "map_owners" => map_owners(number(3)),
        "map_range" => map_range(number(3)),
        "map_bad_hash" => map_bad_hash(),
        "map_clear" => map_clear(),
        "map_reads" => map_reads(),
        "map_writers" => map_writers(),
        "flight" => flight(),
        "flight_once" => flight_once(),
        "flight_forget" => flight_forget(),
        "flight_chan" => flight_chan(),
        "flight_goexit" => flight_goexit(),
        "flight_storm" => flight_storm(number(3)),
        "flight_panic" => {
            let group = Group::<u32, u32>::new();
            go({
                let group = group.clone();
                move || group.do_call(1, || sleep_then(20, || panic!("of the function")))
            });
            sleep(5 * MS);
            _ = group.do_call(1, || 1);
            sleep(1000 * MS);
        }
        other => panic!("no scenario {other:?}"),
    }
    println!("{scenario} done");
}

fn sleep_then<T>(ms: u32, f: impl FnOnce() -> T) -> T {
    sleep(ms * MS);
    f()
}

impl Clone for Counted {
    fn clone(&self) -> Counted {
        Counted::new(self.0)
    }
}

fn none_left(what: &str) {
    assert_eq!(ALIVE.load(SeqCst), 0, "{what}: created equals dropped");
}

struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

// --- Pool ---

fn pool_values() {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let pool = Pool::new(|| Counted::new(1000 + MADE.fetch_add(1, SeqCst)));
    assert!(pool.try_get().is_none() && pool.get().0 == 1000);
    pool.put(Counted::new(1));
    pool.put(Counted::new(2));
    // Whichever P this goroutine runs on by now.
    let (a, b) = (pool.get(), pool.get());
    assert_eq!(a.0 + b.0, 3);
    assert!(pool.try_get().is_none() && pool.get().0 == 1001);
    pool.put(a);
    drop(b);
    pool.clear();
    assert!(pool.try_get().is_none());
    pool.put(Counted::new(3));
    drop(pool);
    none_left("the pool is gone");
    // On one P the value that was put in last comes first.
    let before = gomaxprocs(1);
    let pool: Pool<u32> = Pool::new(|| 0);
    (1..=5).for_each(|n| pool.put(n));
    assert_eq!((0..6).map(|_| pool.get()).collect::<Vec<_>>(), [5, 4, 3, 2, 1, 0]);
    gomaxprocs(before);
    // One that many find unused at once.
    for _ in 0..50 {
        let pool = Arc::new(Pool::new(|| Counted::new(0)));
        let users: Vec<_> = (0..8)
            .map(|n| {
                let pool = pool.clone();
                spawn(move || {
                    pool.put(Counted::new(n));
                    pool.get()
                })
            })
            .collect();
        let got: u64 = users.into_iter().map(|user| user.join().unwrap().0).sum();
        assert!(got <= 28);
        drop(pool);
        until("all were dropped", || ALIVE.load(SeqCst) == 0);
    }
}

/// No value is lost, and none is given to two: each is marked as taken while somebody has it.
fn pool_stress(rounds: u32) {
    struct Value {
        taken: AtomicBool,
        uses: Cell<u32>,
        _alive: Counted,
    }
    // SAFETY: the cell is used by whoever has the value.
    unsafe impl Sync for Value {}
    static USES: AtomicU64 = AtomicU64::new(0);
    static MADE: AtomicU64 = AtomicU64::new(0);
    let make = || {
        MADE.fetch_add(1, SeqCst);
        Value { taken: AtomicBool::new(false), uses: Cell::new(0), _alive: Counted::new(0) }
    };
    let pool = Arc::new(Pool::new(make));
    let stop = Arc::new(AtomicBool::new(false));
    let wait = WaitGroup::new();
    for n in 0..8u32 {
        let pool = pool.clone();
        wait.go(move || {
            for round in 0..rounds {
                let mut mine: Vec<Value> = (0..=n % 3).map(|_| pool.get()).collect();
                for value in &mine {
                    assert!(!value.taken.swap(true, SeqCst), "two have it");
                    value.uses.set(value.uses.get() + 1);
                    USES.fetch_add(1, SeqCst);
                }
                if round % 16 == 0 {
                    gosched();
                }
                for value in mine.drain(..) {
                    assert!(value.taken.swap(false, SeqCst), "two had it");
                    pool.put(value);
                }
            }
        });
    }
    let clears = spawn({
        let (pool, stop) = (pool.clone(), stop.clone());
        move || {
            while !stop.load(SeqCst) {
                pool.clear();
                sleep(MS);
            }
        }
    });
    wait.wait();
    stop.store(true, SeqCst);
    clears.join().unwrap();
    assert_eq!(USES.load(SeqCst), u64::from(rounds) * (0..8).map(|n| n % 3 + 1).sum::<u64>());
    assert!(MADE.load(SeqCst) < USES.load(SeqCst), "they are used again");
    drop(pool);
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// It keeps so many of each P, and what is too many is dropped by who puts it.
fn pool_bound() {
    let procs = gomaxprocs(0) as u64;
    let most = 256 * procs.next_power_of_two();
    let pool: Pool<Counted> = Pool::new(|| Counted::new(0));
    for n in 0..3 * most {
        pool.put(Counted::new(n));
        assert!(ALIVE.load(SeqCst) <= most, "too many are kept");
    }
    assert!(ALIVE.load(SeqCst) >= 256);
    let mut seen = BTreeSet::new();
    while let Some(value) = pool.try_get() {
        assert!(seen.insert(value.0), "{} comes twice", value.0);
    }
    none_left("all were taken out");
    // Large values: fewer. And those of no size.
    static LARGE: Pool<[u8; 32 << 10]> = Pool::new(|| [0; 32 << 10]);
    (0..20 * most).for_each(|_| LARGE.put([1; 32 << 10]));
    let kept = core::iter::from_fn(|| LARGE.try_get()).count();
    assert!((8..=8 * procs.next_power_of_two() as usize).contains(&kept), "{kept}");
    let empty: Pool<()> = Pool::new(|| ());
    (0..2 * most).for_each(|_| empty.put(()));
    assert!((256..=most as usize).contains(&core::iter::from_fn(|| empty.try_get()).count()));
}

/// What nobody needs is dropped when the program falls idle for the second time; a pool that is gone is no matter.
fn pool_ages() {
    static POOL: Pool<Counted> = Pool::new(|| Counted::new(0));
    for round in 0..3 {
        (0..100).for_each(|n| POOL.put(Counted::new(n)));
        let gone = Pool::<Counted, _>::new(|| Counted::new(0));
        gone.put(Counted::new(0));
        drop(gone);
        assert!(ALIVE.load(SeqCst) > 0);
        until("all were dropped", || {
            sleep(50 * MS);
            ALIVE.load(SeqCst) == 0
        });
        assert!(POOL.try_get().is_none(), "round {round}");
    }
    // Who is used again and again stays, as often as the program is idle.
    POOL.put(Counted::new(7));
    let start = Instant::now();
    while start.elapsed() < 700 * MS {
        let value = POOL.try_get();
        if let Some(value) = value {
            POOL.put(value);
        } else {
            // Two idle moments may come between two looks on a machine that is very busy.
            POOL.put(Counted::new(7));
        }
        sleep(60 * MS);
    }
    until("the last one was dropped", || {
        sleep(50 * MS);
        ALIVE.load(SeqCst) == 0
    });
    // Many pools come and go.
    for _ in 0..2000 {
        let pool: Pool<Counted> = Pool::new(|| Counted::new(0));
        pool.put(Counted::new(1));
    }
    none_left("the pools are gone");
}

/// In a system call, in a destructor, by a goroutine on another thread.
fn pool_places() {
    struct PutsBack(Option<Counted>, &'static Pool<Counted>);
    impl Drop for PutsBack {
        fn drop(&mut self) {
            self.1.put(self.0.take().unwrap());
        }
    }
    static POOL: Pool<Counted> = Pool::new(|| Counted::new(0));
    static FIRST: Pool<Counted> = Pool::new(|| Counted::new(0));
    syscall::blocking(|| FIRST.put(Counted::new(1)));
    assert_eq!(FIRST.get().0, 1);
    for _ in 0..100 {
        let value = syscall::blocking(|| POOL.get());
        drop(PutsBack(Some(value), &POOL));
        spawn(|| syscall::blocking(|| POOL.put(POOL.get()))).join().unwrap();
    }
    POOL.clear();
    none_left("cleared");
}

// --- Map ---

fn map_methods() {
    static MAP: Map<String, u32> = Map::new();
    let key = |n: u32| n.to_string();
    assert_eq!(MAP.load("1"), None);
    MAP.store(key(1), 10);
    assert_eq!((MAP.load("1"), MAP.load("2")), (Some(10), None));
    assert_eq!(MAP.load_or_store(key(1), 11), (10, true));
    assert_eq!(MAP.load_or_store(key(2), 20), (20, false));
    assert_eq!((MAP.swap(key(2), 21), MAP.swap(key(3), 30)), (Some(20), None));
    assert!(!MAP.compare_and_swap(key(3), &31, 32) && MAP.compare_and_swap(key(3), &30, 33));
    assert!(!MAP.compare_and_swap(key(4), &0, 1) && MAP.load("4").is_none(), "what is not there is equal to nothing");
    assert!(!MAP.compare_and_delete("3", &30) && MAP.compare_and_delete("3", &33) && !MAP.compare_and_delete("3", &33));
    assert_eq!((MAP.load_and_delete("2"), MAP.load_and_delete("2")), (Some(21), None));
    MAP.delete("2");
    MAP.delete("1");
    assert_eq!(MAP.load("1"), None);
    MAP.store(key(5), 50);
    MAP.store(key(6), 60);
    assert_eq!(MAP.load_or_store(key(5), 51).0, 50);
    let mut all = Vec::new();
    MAP.range(|key, value| {
        all.push((key.clone(), *value));
        true
    });
    all.sort();
    assert_eq!(all, [(key(5), 50), (key(6), 60)]);
    let mut calls = 0;
    MAP.range(|_, _| {
        calls += 1;
        false
    });
    assert_eq!(calls, 1, "until it returns false");
    // It may use the map, and change what it walks.
    MAP.range(|key, value| {
        MAP.store(key.clone(), value + 1);
        MAP.store("new".to_string(), 0);
        MAP.delete("new");
        true
    });
    assert_eq!((MAP.load("5"), MAP.load("6"), MAP.load("new")), (Some(51), Some(61), None));
    let map = Map::<u32, u32>::default();
    map.store(1, 2);
    assert_eq!(alloc::format!("{map:?}"), "{1: 2}");
    // Bytes of every length are told from each other.
    let texts = Map::<Vec<u8>, usize>::new();
    (0..40).for_each(|n| texts.store(alloc::vec![0; n], n));
    (0..40).for_each(|n| assert_eq!(texts.load(&alloc::vec![0; n][..]), Some(n)));
}

/// The same steps on a map and on a model.
fn map_model(steps: u32) {
    let (map, mut model) = (Map::<u64, Counted>::new(), BTreeMap::<u64, u64>::new());
    let mut rng = Rng(0x1234_5678);
    for step in 0..u64::from(steps) {
        // First it grows, then it shrinks.
        let (key, deletes) = (rng.below(5000), rng.below(u64::from(steps)) < step);
        match rng.below(if deletes { 9 } else { 6 }) {
            0 => {
                map.store(key, Counted::new(step));
                model.insert(key, step);
            }
            1 => {
                let there = model.get(&key).copied();
                let (value, loaded) = map.load_or_store(key, Counted::new(step));
                assert_eq!((value.0, loaded), (there.unwrap_or(step), there.is_some()));
                model.entry(key).or_insert(step);
            }
            2 => assert_eq!(map.swap(key, Counted::new(step)).map(|old| old.0), model.insert(key, step)),
            3 => {
                let guess = model.get(&key).map_or(step, |&value| value + rng.below(2));
                let is_equal = model.get(&key) == Some(&guess);
                assert_eq!(map.compare_and_swap(key, &Counted::new(guess), Counted::new(step)), is_equal);
                if is_equal {
                    model.insert(key, step);
                }
            }
            4 | 5 => assert_eq!(map.load(&key).map(|value| value.0), model.get(&key).copied()),
            6 => {
                let guess = model.get(&key).map_or(step, |&value| value + rng.below(2));
                let is_equal = model.get(&key) == Some(&guess);
                assert_eq!(map.compare_and_delete(&key, &Counted::new(guess)), is_equal);
                if is_equal {
                    model.remove(&key);
                }
            }
            7 => assert_eq!(map.load_and_delete(&key).map(|old| old.0), model.remove(&key)),
            _ => {
                map.delete(&key);
                model.remove(&key);
            }
        }
        assert_eq!(ALIVE.load(SeqCst), model.len() as u64, "what was replaced was dropped");
    }
    let mut met = BTreeMap::new();
    map.range(|&key, value| met.insert(key, value.0).is_none());
    assert_eq!(met, model);
    drop(map);
    none_left("the map is gone");
}

/// Counters that all add to by comparing and swapping: none is lost. Keys come and go beside them.
fn map_counts(rounds: u32) {
    let map = Arc::new(Map::<u32, u64>::new());
    let wait = WaitGroup::new();
    for me in 0..8u32 {
        let map = map.clone();
        wait.go(move || {
            for round in 0..rounds {
                let key = round % 5;
                let (mut value, _) = map.load_or_store(key, 0);
                while !map.compare_and_swap(key, &value, value + 1) {
                    value = map.load(&key).unwrap();
                }
                let own = 1000 + me * 100_000 + round;
                map.store(own, 1);
                assert_eq!(map.load_and_delete(&own), Some(1));
            }
        });
    }
    wait.wait();
    assert_eq!((0..5).map(|key| map.load(&key).unwrap_or(0)).sum::<u64>(), 8 * u64::from(rounds));
    let mut left = 0;
    map.range(|_, _| {
        left += 1;
        true
    });
    assert_eq!(left, 5.min(rounds));
}

/// Each value has one who stored it and one who took it out, whatever they are stored and taken out by.
fn map_owners(rounds: u32) {
    let map = Arc::new(Map::<u32, Counted>::new());
    static STORED: AtomicU64 = AtomicU64::new(0);
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    let wait = WaitGroup::new();
    for me in 0..8u64 {
        let map = map.clone();
        wait.go(move || {
            let mut rng = Rng(me + 77);
            for round in 0..u64::from(rounds) {
                let (key, value) = (rng.below(64) as u32, (me << 32) + round + 1);
                match rng.below(5) {
                    0 => {
                        STORED.fetch_add(value, SeqCst);
                        TAKEN.fetch_add(map.swap(key, Counted::new(value)).map_or(0, |old| old.0), SeqCst);
                    }
                    1 => {
                        if !map.load_or_store(key, Counted::new(value)).1 {
                            STORED.fetch_add(value, SeqCst);
                        }
                    }
                    2 => _ = TAKEN.fetch_add(map.load_and_delete(&key).map_or(0, |old| old.0), SeqCst),
                    3 => {
                        if let Some(old) = map.load(&key)
                            && map.compare_and_delete(&key, &old)
                        {
                            TAKEN.fetch_add(old.0, SeqCst);
                        }
                    }
                    _ => {
                        if let Some(old) = map.load(&key)
                            && map.compare_and_swap(key, &old, Counted::new(value))
                        {
                            STORED.fetch_add(value, SeqCst);
                            TAKEN.fetch_add(old.0, SeqCst);
                        }
                    }
                }
            }
        });
    }
    wait.wait();
    map.range(|_, value| {
        TAKEN.fetch_add(value.0, SeqCst);
        true
    });
    assert_eq!(STORED.load(SeqCst), TAKEN.load(SeqCst));
    drop(map);
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// What is there all the time is met once, while other keys come and go and the tables grow and shrink.
fn map_range(walks: u32) {
    const STAY: u32 = 500;
    let map = Arc::new(Map::<u32, u32>::new());
    (0..STAY).for_each(|key| map.store(key, key));
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4u32)
        .map(|me| {
            let (map, stop) = (map.clone(), stop.clone());
            spawn(move || {
                while !stop.load(SeqCst) {
                    let keys = 1000 * (me + 1)..1000 * (me + 1) + 900;
                    keys.clone().for_each(|key| map.store(key, key));
                    keys.for_each(|key| map.delete(&key));
                    gosched();
                }
            })
        })
        .collect();
    for walk in 0..walks {
        let mut met = BTreeSet::new();
        map.range(|&key, &value| {
            assert!(met.insert(key), "walk {walk} meets {key} twice");
            assert_eq!(key, value);
            true
        });
        assert_eq!(met.range(..STAY).count() as u32, STAY, "walk {walk} misses some");
    }
    stop.store(true, SeqCst);
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

/// Two bits of hash for all keys.
#[derive(Clone, Default)]
struct BadHasher(u64);

impl Hasher for BadHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.wrapping_add(u64::from(bytes[0] & 3) << 40);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl BuildHasher for BadHasher {
    type Hasher = BadHasher;
    fn build_hasher(&self) -> BadHasher {
        self.clone()
    }
}

/// Keys of one hash are told from each other by all methods, while others change them.
fn map_bad_hash() {
    let map = Arc::new(Map::<u32, Counted, BadHasher>::default());
    let wait = WaitGroup::new();
    for me in 0..6u32 {
        let map = map.clone();
        wait.go(move || {
            let keys = || me * 40..(me + 1) * 40;
            for round in 0..20 {
                for key in keys() {
                    let value = || Counted::new((key + round).into());
                    assert!(!map.load_or_store(key, value()).1 && map.load_or_store(key, value()).1);
                    assert_eq!(map.load(&key), Some(value()));
                    assert!(map.compare_and_swap(key, &value(), Counted::new(0)) && !map.compare_and_swap(key, &Counted::new(1 << 40), value()));
                    assert_eq!(map.swap(key, value()), Some(Counted::new(0)));
                }
                for key in keys() {
                    assert!(!map.compare_and_delete(&key, &Counted::new(1 << 40)) && map.load(&key).is_some());
                    match key % 3 {
                        0 => assert!(map.compare_and_delete(&key, &Counted::new((key + round).into()))),
                        1 => assert_eq!(map.load_and_delete(&key), Some(Counted::new((key + round).into()))),
                        _ => map.delete(&key),
                    }
                    assert_eq!(map.load(&key), None);
                }
            }
        });
    }
    wait.wait();
    map.range(|key, _| panic!("{key} is left"));
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

fn map_clear() {
    let map = Arc::new(Map::<u32, Counted>::new());
    map.clear();
    for _ in 0..3 {
        (0..1000).for_each(|key| map.store(key, Counted::new(1)));
        map.clear();
        none_left("cleared");
        assert!((0..1000).all(|key| map.load(&key).is_none()));
    }
    // Beside writers and readers: no key is stale, and none is lost after the last clear.
    let stop = Arc::new(AtomicBool::new(false));
    let clears = spawn({
        let (map, stop) = (map.clone(), stop.clone());
        move || {
            while !stop.load(SeqCst) {
                map.clear();
                gosched();
            }
        }
    });
    let writers: Vec<_> = (0..4u32)
        .map(|me| {
            let map = map.clone();
            spawn(move || {
                for round in 0..5000u64 {
                    let key = me * 10 + (round % 10) as u32;
                    map.store(key, Counted::new(round));
                    assert!(map.load(&key).is_none_or(|value| value.0 == round));
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    stop.store(true, SeqCst);
    clears.join().unwrap();
    map.store(1, Counted::new(9));
    assert_eq!(map.load(&1), Some(Counted::new(9)));
    drop(map);
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// Comparing two waits until it is let go on.
#[derive(Clone)]
struct Slow(u32, Chan<()>);

impl PartialEq for Slow {
    fn eq(&self, other: &Slow) -> bool {
        self.1.recv();
        self.0 == other.0
    }
}

/// Two who would change the same value at once: the second one sees what the first has done.
fn map_writers() {
    for _ in 0..10 {
        let (map, go_on) = (Arc::new(Map::<u32, Slow>::new()), chan::make::<()>(0));
        map.store(1, Slow(1, go_on.clone()));
        let writers = [2, 3].map(|new| {
            let (map, go_on) = (map.clone(), go_on.clone());
            spawn(move || map.compare_and_swap(1, &Slow(1, go_on.clone()), Slow(new, go_on)))
        });
        // One compares, the other waits for it.
        sleep(5 * MS);
        go_on.send(());
        go_on.send(());
        let won = writers.map(|writer| writer.join().unwrap());
        assert!(won[0] != won[1], "{won:?}");
        assert_eq!(map.load(&1).unwrap().0, if won[0] { 2 } else { 3 });
    }
}

/// A read waits for nobody who changes the same key; and what user code does under way takes no lock with it.
fn map_reads() {
    let (map, go_on) = (Arc::new(Map::<u32, Slow>::new()), chan::make::<()>(0));
    map.store(1, Slow(1, go_on.clone()));
    let writer = spawn({
        let (map, go_on) = (map.clone(), go_on.clone());
        move || map.compare_and_swap(1, &Slow(1, go_on.clone()), Slow(2, go_on))
    });
    sleep(5 * MS);
    for _ in 0..100 {
        assert_eq!(map.load(&1).unwrap().0, 1);
        assert_eq!(map.load_or_store(1, Slow(9, go_on.clone())).0.0, 1);
        let mut met = 0;
        map.range(|_, value| {
            met += value.0;
            true
        });
        assert_eq!(met, 1);
    }
    assert!(!writer.is_finished());
    go_on.send(());
    assert!(writer.join().unwrap());
    assert_eq!(map.load(&1).unwrap().0, 2);
}

// --- singleflight ---

/// Waits until so many goroutines wait for a call of `started`.
fn flight() {
    let group = Group::<&str, Result<Counted, &str>>::new();
    let answer = group.do_call("key", || Ok(Counted::new(7)));
    assert_eq!(answer, Answer { value: Ok(Counted(7)), shared: false }.clone_uncounted());
    drop(answer);
    assert_eq!(group.do_call("key", || Err("no")).value, Err("no"));
    assert_eq!(group.do_call("key", || Ok(Counted::new(8))).value.unwrap().0, 8, "what has ended is not kept");
    none_left("answers");
}

/// A comparison's right side must not count itself as dropped.
trait Uncounted {
    fn clone_uncounted(self) -> Self;
}

impl Uncounted for Answer<Result<Counted, &str>> {
    fn clone_uncounted(self) -> Self {
        ALIVE.fetch_add(1, SeqCst);
        self
    }
}

/// Of ten who want it at once one calls, and all get its value.
fn flight_once() {
    for _ in 0..20 {
        let group = Group::<u32, Counted>::new();
        let (come, calls, go_on) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)), chan::make::<u64>(0));
        let callers: Vec<_> = (0..10)
            .map(|_| {
                let (group, come, calls, go_on) = (group.clone(), come.clone(), calls.clone(), go_on.clone());
                spawn(move || {
                    come.fetch_add(1, SeqCst);
                    group.do_call(1, || {
                        calls.fetch_add(1, SeqCst);
                        Counted::new(go_on.recv().unwrap_or(42))
                    })
                })
            })
            .collect();
        // Another key has another call.
        assert_eq!(group.do_call(2, || Counted::new(2)).value.0, 2);
        until("all have come, and one calls", || come.load(SeqCst) == 10 && calls.load(SeqCst) == 1);
        sleep(10 * MS);
        go_on.send(42);
        go_on.close();
        // Who came too late, on a machine that is that busy, has found the channel closed.
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join()).collect();
        let calls = calls.load(SeqCst);
        assert!((1..10).contains(&calls), "{calls} calls");
        assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|answer| answer.value.0 == 42)));
        assert!(answers.iter().filter(|answer| answer.as_ref().unwrap().shared).count() >= 2);
        drop(answers);
        until("all were dropped", || ALIVE.load(SeqCst) == 0);
    }
}

/// Who comes after a `forget` has a call of its own; who waits for the old one gets its value, and the old one does not take the new one with it as it ends.
fn flight_forget() {
    let group = Group::<u32, u64>::new();
    group.forget(&1);
    let (first, second) = (chan::make::<u64>(0), chan::make::<u64>(0));
    let one = group.do_chan(1, {
        let first = first.clone();
        move || first.recv().unwrap()
    });
    let waits = group.do_chan(1, || unreachable!("the first one is under way"));
    group.forget(&1);
    let two = group.do_chan(1, {
        let second = second.clone();
        move || second.recv().unwrap()
    });
    let joins = group.do_chan(1, || unreachable!("the second one is under way"));
    first.send(10);
    assert_eq!((one.recv(), waits.recv()), (Some(Answer { value: 10, shared: true }), Some(Answer { value: 10, shared: true })));
    let also = group.do_chan(1, || unreachable!("the second one is still under way"));
    second.send(20);
    let answer = Some(Answer { value: 20, shared: true });
    assert_eq!((two.recv(), joins.recv(), also.recv()), (answer, answer, answer));
    assert_eq!(group.do_call(1, || 30), Answer { value: 30, shared: false });
}

fn flight_chan() {
    let group = Group::<String, Counted>::new();
    let answer = group.do_chan("a".to_string(), || Counted::new(1));
    assert_eq!(answer.recv().map(|answer| (answer.value.0, answer.shared)), Some((1, false)));
    assert!(answer.is_empty(), "one value");
    // Nobody takes it: the goroutine does not wait, and the value is dropped with the channel.
    drop(group.do_chan("a".to_string(), || Counted::new(2)));
    let ended = Arc::new(AtomicBool::new(false));
    let unused = group.do_chan("b".to_string(), {
        let ended = ended.clone();
        move || {
            ended.store(true, SeqCst);
            Counted::new(3)
        }
    });
    until("it was called", || ended.load(SeqCst));
    // One who calls and one who has a channel share.
    let go_on = chan::make::<()>(0);
    let by_chan = group.do_chan("c".to_string(), {
        let go_on = go_on.clone();
        move || {
            go_on.recv();
            Counted::new(4)
        }
    });
    let caller = spawn({
        let group = group.clone();
        move || group.do_call("c".to_string(), || Counted::new(5))
    });
    sleep(5 * MS);
    go_on.send(());
    let (by_chan, called) = (by_chan.recv().unwrap(), caller.join().unwrap());
    assert_eq!(by_chan.value.0, 4);
    assert!(called.value.0 == 4 && by_chan.shared && called.shared || called.value.0 == 5, "{called:?}");
    drop((by_chan, called, unused));
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}

/// A function that ends its goroutine ends those who wait for it; its call is over, and the next is a new one. Channels get nothing.
fn flight_goexit() {
    for _ in 0..10 {
        let group = Group::<u32, u32>::new();
        let go_on = chan::make::<()>(0);
        let first = spawn({
            let (group, go_on) = (group.clone(), go_on.clone());
            move || {
                group.do_call(1, || {
                    go_on.recv();
                    goexit()
                })
            }
        });
        until("it waits", || {
            let sent = go_on.try_send(());
            sent.is_ok()
        });
        assert!(first.join().is_err());
        let go_on = chan::make::<()>(0);
        let by_chan = group.do_chan(1, {
            let go_on = go_on.clone();
            move || {
                go_on.recv();
                goexit()
            }
        });
        let come = Arc::new(AtomicU32::new(0));
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (group, come) = (group.clone(), come.clone());
                spawn(move || {
                    come.fetch_add(1, SeqCst);
                    group.do_call(1, || 5)
                })
            })
            .collect();
        until("all have come", || come.load(SeqCst) == 3);
        sleep(10 * MS);
        go_on.send(());
        let ended = waiters.into_iter().map(|waiter| waiter.join()).filter(|result| result.is_err()).count();
        assert!(ended >= 1, "who waits ends");
        assert!(by_chan.try_recv().is_err());
        assert_eq!(group.do_call(1, || 6), Answer { value: 6, shared: false });
    }
}

/// Keys that many want: of each at most one call is under way, and every answer is of a call that had begun before it was given.
fn flight_storm(rounds: u32) {
    let group = Group::<u32, Counted>::new();
    static UNDER_WAY: [AtomicU32; 4] = [const { AtomicU32::new(0) }; 4];
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let wait = WaitGroup::new();
    for me in 0..8u32 {
        let group = group.clone();
        wait.go(move || {
            for round in 0..rounds {
                let key = (me + round) % 4;
                let before = CALLS.load(SeqCst);
                let f = move || {
                    assert_eq!(UNDER_WAY[key as usize].fetch_add(1, SeqCst), 0, "two calls at once");
                    let call = CALLS.fetch_add(1, SeqCst);
                    gosched();
                    UNDER_WAY[key as usize].fetch_sub(1, SeqCst);
                    Counted::new(u64::from(key) << 48 | call)
                };
                let answer = if round % 8 == 0 { group.do_chan(key, f).recv().unwrap() } else { group.do_call(key, f) };
                assert_eq!(answer.value.0 >> 48, key.into());
                assert!(answer.shared || answer.value.0 & ((1 << 48) - 1) >= before, "an old value");
            }
        });
    }
    wait.wait();
    assert!(CALLS.load(SeqCst) <= 8 * u64::from(rounds) && CALLS.load(SeqCst) > 0);
    drop(group);
    until("all were dropped", || ALIVE.load(SeqCst) == 0);
}
