//! When the kernel refuses memory: null, and everything as it was.

use super::*;
use crate::mem::heap::backing::{FAILURES, MAPS_BEFORE_FAILURE};
use crate::mem::heap::segment::UNIT;
use std::vec::Vec;

/// From the `nth` mapping of this thread on, `count` are refused.
fn refuse(nth: u32, count: u32) {
    MAPS_BEFORE_FAILURE.set(nth);
    FAILURES.set(count);
}

fn bytes(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

#[test]
fn without_memory_every_kind_of_block_is_null_and_with_it_not() {
    for size in [1, 1000, 32 << 10, 100_000, 512 << 10, 1 << 20, 100 << 20] {
        for with_a_p in [false, true] {
            let heap = new_heap();
            let attempt = || Held::try_new(heap, bytes(size), 1);
            refuse(0, u32::MAX);
            assert!(if with_a_p { with_p(heap, attempt) } else { attempt() }.is_none(), "{size} bytes");
            assert_eq!(heap.ledger.stats(), Stats::default());
            refuse(u32::MAX, 0);
            attempt().expect("memory again").free(heap);
            assert_eq!(settle(heap).mapped, 0);
        }
    }
}

#[test]
fn a_refused_large_step_is_tried_smaller() {
    let heap = new_heap();
    // One, two, four, eight segments; the next step would be sixteen.
    let mut held: Vec<Held> = (0..15).map(|_| Held::new(heap, bytes(512 << 10), 1)).collect();
    while heap.pages.lock().wanted_region().is_none() {
        held.push(Held::new(heap, bytes(512 << 10), 1));
    }
    let maps = heap.ledger.stats().maps;
    refuse(0, 3);
    held.extend((0..2).map(|_| Held::new(heap, bytes(512 << 10), 1)));
    refuse(u32::MAX, 0);
    assert_eq!(heap.ledger.stats().maps, maps + 1);
    // Sixteen, eight and four were refused: two segments came.
    held.push(Held::new(heap, bytes(512 << 10), 1));
    assert_eq!(heap.ledger.stats().maps, maps + 2);
    held.into_iter().for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn what_is_free_serves_when_the_kernel_refuses() {
    let heap = new_heap();
    // A whole segment: half of it a run, half of it blocks of one class. Then those are free, but many lie in batches.
    let run = Held::new(heap, bytes(32 * UNIT), 1);
    let held: Vec<Held> = (0..31 * UNIT / 1024).map(|_| Held::new(heap, bytes(1024), 1)).collect();
    let before = heap.ledger.stats();
    with_p(heap, || held.into_iter().for_each(|held| held.free(heap)));
    assert!(heap.pages.lock().take(31, 1, &heap.ledger).is_none());
    refuse(0, u32::MAX);
    let other = Held::try_new(heap, bytes(31 * UNIT), 2);
    refuse(u32::MAX, 0);
    assert_eq!(heap.ledger.stats().maps, before.maps);
    other.expect("half of the segment was free").free(heap);
    run.free(heap);
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_refused_resize_leaves_the_block() {
    let heap = new_heap();
    for (size, more) in [(100, 32 << 20), (100_000, 2 << 20), (1 << 20, 64 << 20)] {
        let mut held = Held::new(heap, bytes(size), 6);
        refuse(0, u32::MAX);
        assert!(!held.resize(heap, more), "{size} bytes");
        refuse(u32::MAX, 0);
        held.check();
        assert_eq!(held.layout.size(), size);
        held.free(heap);
        assert_eq!(settle(heap).mapped, 0);
    }
}

#[test]
fn any_one_mapping_may_fail() {
    for nth in 0..25 {
        for count in [1, 2, 6] {
            let heap = new_heap();
            let rng = Rng::new(nth.into());
            let mut held: Vec<Held> = Vec::new();
            refuse(nth, count);
            with_p(heap, || {
                for step in 0..250 {
                    if held.len() > 40 {
                        held.swap_remove(rng.below(40) as usize).free(heap);
                    }
                    match held.first_mut() {
                        Some(first) if rng.below(4) == 0 => drop(first.resize(heap, some_size(&rng, 2 << 20))),
                        _ => held.extend(Held::try_new(heap, some_layout(&rng), step as u8)),
                    }
                }
                held.drain(..).for_each(|held| held.free(heap));
            });
            refuse(u32::MAX, 0);
            let stats = settle(heap);
            assert_eq!((stats.in_use, stats.mapped), (0, 0), "mapping {nth}, {count} refused: {stats:?}");
        }
    }
}
