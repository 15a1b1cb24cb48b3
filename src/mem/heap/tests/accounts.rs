//! The books: what is in use, what is idle, what the kernel has again.

use super::*;
use crate::base::tune::HEAP_KEEP_BYTES;
use crate::mem::heap::large;
use crate::mem::heap::segment::{SEGMENT, UNIT};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::vec::Vec;

fn bytes(size: usize) -> Layout {
    Layout::from_size_align(size, 8).unwrap()
}

/// Bytes of `[start, start + len)` that the kernel backs.
fn resident(start: *mut u8, len: usize) -> usize {
    let mut entries = std::vec![0u8; len.div_ceil(4096) * 8];
    let mut pagemap = File::open("/proc/self/pagemap").unwrap();
    pagemap.seek(SeekFrom::Start(start.addr() as u64 / 4096 * 8)).unwrap();
    pagemap.read_exact(&mut entries).unwrap();
    entries.chunks(8).filter(|entry| entry[7] & 0x80 != 0).count() * 4096
}

#[test]
fn in_use_is_the_sum_of_what_is_held() {
    let heap = new_heap();
    let mut expected = 0;
    let held: Vec<Held> = [(1, 16), (100, 112), (129, 160), (32 << 10, 32 << 10), (40_000, 48 << 10), (512 << 10, 512 << 10), (700_000, 704 << 10)]
        .into_iter()
        .map(|(size, rounded)| {
            let held = Held::new(heap, bytes(size), 1);
            expected += rounded;
            assert_eq!(heap.ledger.stats().in_use, expected, "after {size} bytes");
            held
        })
        .collect();
    held.into_iter().for_each(|held| held.free(heap));
    assert_eq!(heap.ledger.stats().in_use, 0);
}

#[test]
fn the_first_growth_is_one_small_mapping() {
    let heap = new_heap();
    with_p(heap, || {
        let held: Vec<Held> = (0..12).map(|n| Held::new(heap, bytes(16 << n >> (n / 8 * 4)), 1)).collect();
        let stats = heap.ledger.stats();
        assert_eq!((stats.maps, stats.releases), (1, 0));
        assert!(stats.mapped < 2 << 20);
        // A page a class in use and one for the header; of a span of large blocks, the blocks.
        let base = held[0].block.map_addr(|addr| addr & !(SEGMENT - 1));
        let touched = resident(base, SEGMENT);
        assert!(touched <= 14 * 4096, "{touched} bytes touched");
        held.into_iter().for_each(|held| held.free(heap));
    });
}

#[test]
fn a_program_that_falls_idle_gives_back_all_but_a_little() {
    let heap = new_heap();
    with_p(heap, || {
        let held: Vec<Held> = (0..40_000).map(|n| Held::new(heap, bytes(200 + n % 1000), 3)).collect();
        held.into_iter().for_each(|held| held.free(heap));
    });
    let before = heap.ledger.stats();
    assert!(before.in_use == 0 && before.idle > 20 << 20, "{before:?}");
    let mut pieces = 0;
    let mut some = || {
        pieces += 1;
        pieces % 10 != 0
    };
    let mut calls = Vec::new();
    while calls.last() != Some(&0) || heap.ledger.idle_bytes() > HEAP_KEEP_BYTES {
        calls.push(heap.release(HEAP_KEEP_BYTES, &mut some));
    }
    assert!(calls.len() > 5, "{calls:?}");
    let after = heap.ledger.stats();
    // What of the last region was never used stays mapped.
    assert!(after.idle <= HEAP_KEEP_BYTES && after.mapped < before.mapped / 2, "{before:?} {after:?}");
    assert_eq!(after.released, calls.iter().sum::<usize>() as u64);
    // What lay in half-used spans goes too: their last blocks lay in batches.
    assert!(after.released >= (before.idle - after.idle) as u64, "{before:?} {after:?}");
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_scavenge_with_nothing_to_do_touches_nothing() {
    let heap = new_heap();
    Held::new(heap, bytes(100), 1).free(heap);
    let before = heap.ledger.stats();
    let held = heap.pages.lock();
    // With the lock held by this thread, whoever wanted it would spin for ever (or throw, in debug builds).
    assert_eq!(heap.release(HEAP_KEEP_BYTES, || true), 0);
    drop(held);
    assert_eq!(heap.ledger.stats(), before);
}

#[test]
fn free_units_between_used_ones_go_back_and_read_as_zeros() {
    let heap = new_heap();
    let mut held: Vec<Held> = (0..16).map(|_| Held::new(heap, bytes(3 * UNIT), 9)).collect();
    let freed: Vec<*mut u8> = (0..8).map(|n| held.remove(n)).map(|held| (held.block, held.free(heap)).0).collect();
    let before: usize = freed.iter().map(|&block| resident(block, 3 * UNIT)).sum();
    assert!(before >= 8 * 3 * UNIT / 4096, "{before}");
    assert_eq!(heap.release(0, || true), 8 * 3 * UNIT);
    assert_eq!(freed.iter().map(|&block| resident(block, 3 * UNIT)).sum::<usize>(), 0);
    held.iter().for_each(Held::check);
    // The same places are handed out again, known to be clean.
    let again: Vec<Held> = (0..8)
        .map(|_| {
            let block = heap.alloc_zeroed(bytes(3 * UNIT));
            assert!(freed.contains(&block));
            assert_eq!(resident(block, 3 * UNIT), 0, "zeroed though clean");
            let held = Held { block, layout: bytes(3 * UNIT), mark: 0 };
            held.check();
            held
        })
        .collect();
    again.into_iter().chain(held).for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_large_block_that_comes_again_costs_no_call() {
    let heap = new_heap();
    Held::new(heap, bytes(1 << 20), 1).free(heap);
    let once = heap.ledger.stats();
    assert_eq!(once.idle, 1 << 20);
    for n in 0..100 {
        Held::new(heap, bytes((1 << 20) - n * 100), 1).free(heap);
    }
    assert_eq!(heap.ledger.stats(), once);
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn of_many_freed_mappings_only_some_are_kept() {
    let heap = new_heap();
    let held: Vec<Held> = (8..40).map(|n| Held::new(heap, bytes(n << 17), 1)).collect();
    held.into_iter().for_each(|held| held.free(heap));
    let stats = heap.ledger.stats();
    assert!(stats.idle <= 8 * (4 << 20) && stats.idle >= 8 << 20 && stats.mapped == stats.idle, "{stats:?}");
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn growing_block_by_block_maps_ever_larger_regions() {
    let heap = new_heap();
    let held: Vec<Held> = (0..500).map(|_| Held::new(heap, bytes(256 << 10), 1)).collect();
    let stats = heap.ledger.stats();
    assert!(stats.maps <= 9, "{stats:?}");
    assert_eq!(stats.in_use, 125 << 20);
    held.into_iter().for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_kept_mapping_has_the_length_that_its_next_user_frees() {
    let heap = new_heap();
    // Both of one length, though not of one size.
    assert_eq!(large::mapping_bytes(1_000_000), large::mapping_bytes(1 << 20));
    let first = Held::new(heap, bytes(1_000_000), 1);
    let block = first.block;
    first.free(heap);
    let second = Held::new(heap, bytes(1 << 20), 2);
    assert_eq!(second.block, block);
    second.free(heap);
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_scavenger_that_is_called_away_does_nothing_more() {
    let heap = new_heap();
    let held: Vec<Held> = (0..3000).map(|n| Held::new(heap, bytes(1000 + n * 10), 3)).collect();
    held.into_iter().for_each(|held| held.free(heap));
    let before = heap.ledger.stats();
    assert_eq!(heap.release(0, || false), 0);
    assert_eq!(heap.ledger.stats(), before);
    assert_eq!(settle(heap).mapped, 0);
}
