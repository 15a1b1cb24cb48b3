//! Storms: many threads, all sizes, every operation; then everything is given back and nothing may be missing.

use super::*;
use std::sync::mpsc;
use std::thread;
use std::vec::Vec;

/// One thread's part: a table of blocks, each step replaces, resizes or frees one.
fn churn(heap: &Heap, seed: u64, steps: u32) {
    let rng = Rng::new(seed);
    let mut table: Vec<Option<Held>> = (0..64).map(|_| None).collect();
    for step in 0..steps {
        let slot = &mut table[rng.below(64) as usize];
        match slot.take() {
            None => *slot = Some(Held::new(heap, some_layout(&rng), step as u8)),
            Some(mut held) if rng.below(2) == 0 => {
                held.check();
                assert!(held.resize(heap, some_size(&rng, 2 << 20)));
                *slot = Some(held);
            }
            Some(held) => held.free(heap),
        }
    }
    table.into_iter().flatten().for_each(|held| held.free(heap));
}

#[test]
fn nothing_overlaps_and_nothing_is_lost_whoever_allocates() {
    let heap = new_heap();
    thread::scope(|scope| {
        for n in 0..4 {
            // Two with a P each, two without.
            scope.spawn(move || if n < 2 { with_p(heap, || churn(heap, 10 + n, 8_000)) } else { churn(heap, 10 + n, 8_000) });
        }
        // And the scavenger all the while.
        scope.spawn(|| (0..200).map(|_| heap.release(64 << 10, || true)).sum::<usize>());
    });
    let stats = settle(heap);
    assert_eq!((stats.in_use, stats.idle, stats.mapped), (0, 0, 0), "{stats:?}");
}

#[test]
fn small_blocks_that_others_free_come_back() {
    const BLOCKS: u32 = 40_000;
    let heap = new_heap();
    thread::scope(|scope| {
        for consumer_has_p in [true, false] {
            let (give, take) = mpsc::sync_channel::<Held>(500);
            scope.spawn(move || {
                with_p(heap, || {
                    let rng = Rng::new(77);
                    for n in 0..BLOCKS {
                        let layout = Layout::from_size_align(some_size(&rng, 4096), 1 << rng.below(6)).unwrap();
                        give.send(Held::new(heap, layout, n as u8)).unwrap();
                    }
                })
            });
            scope.spawn(move || {
                let free_all = || take.iter().for_each(|held| held.free(heap));
                if consumer_has_p { with_p(heap, free_all) } else { free_all() }
            });
        }
    });
    let before = heap.ledger.stats();
    assert_eq!(before.in_use, 0, "{before:?}");
    // What went round was reused: 500 blocks under way at a time, not 80 000.
    assert!(before.mapped < 16 << 20, "{before:?}");
    assert_eq!(settle(heap).mapped, 0);
}
