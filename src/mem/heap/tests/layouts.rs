//! Layouts one by one: sizes, alignments, zeros, growing and shrinking in place.

use super::*;
use crate::mem::heap::class::{CLASSES, Class, SMALL_MAX};
use crate::mem::heap::segment::{SEGMENT, UNIT};
use proptest::prelude::*;
use std::vec::Vec;

#[test]
fn every_alignment_works_for_small_and_large() {
    let heap = new_heap();
    let mut held = Vec::new();
    for log in 0..=24 {
        for size in [1, 24, 5000, SMALL_MAX, SMALL_MAX + 1, 100_000, 600_000] {
            for mark in 0..3 {
                held.push(Held::new(heap, Layout::from_size_align(size, 1 << log).unwrap(), mark));
            }
        }
    }
    held.into_iter().for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn zeroed_blocks_are_zero_after_dirty_ones() {
    let heap = new_heap();
    with_p(heap, || {
        for size in [1, 16, 100, 4000, SMALL_MAX, 50_000, 512 << 10, 600_000, 1 << 20, 5 << 20] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            for _ in 0..3 {
                let dirty = heap.alloc(layout);
                // SAFETY: a block of that size.
                unsafe {
                    dirty.write_bytes(0xff, size);
                    heap.dealloc(dirty, layout);
                }
                let block = heap.alloc_zeroed(layout);
                // SAFETY: the same.
                unsafe {
                    assert!(std::slice::from_raw_parts(block, size).iter().all(|&byte| byte == 0), "{size} bytes");
                    heap.dealloc(block, layout);
                }
            }
        }
    });
}

#[test]
fn a_size_within_the_class_does_not_move() {
    let heap = new_heap();
    for (least, most) in [(1, 16), (129, 160), (32_769, 3 * UNIT), (983_041, 1 << 20)] {
        let mut held = Held::new(heap, Layout::from_size_align(least, 1).unwrap(), 5);
        let block = held.block;
        for size in [most, least, (least + most) / 2] {
            assert!(held.resize(heap, size));
            assert_eq!(held.block, block, "{size} bytes");
        }
        held.free(heap);
    }
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_run_grows_into_free_neighbours_and_shrinks_where_it_is() {
    let heap = new_heap();
    let run = |units: usize, mark| Held::new(heap, Layout::from_size_align(units * UNIT, 8).unwrap(), mark);
    let mut first = run(4, 1);
    let block = first.block;
    assert!(first.resize(heap, 20 * UNIT) && first.block == block);
    // A neighbour is in the way.
    let neighbour = run(4, 2);
    assert_eq!(neighbour.block, block.wrapping_add(20 * UNIT));
    assert!(first.resize(heap, 21 * UNIT) && first.block != block);
    assert!(first.resize(heap, 5 * UNIT));
    assert_eq!(heap.ledger.stats().in_use, (5 + 4) * UNIT);
    neighbour.check();
    [first, neighbour].into_iter().for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_run_at_the_end_of_its_segment_moves_to_grow() {
    let heap = new_heap();
    let run = |units: usize| Held::new(heap, Layout::from_size_align(units * UNIT, 8).unwrap(), units as u8);
    // The header, 32 units, 31 units: the segment is full to its end. What follows in memory is another mapping, or nothing.
    let (first, mut last) = (run(32), run(16));
    let block = last.block;
    assert!(last.resize(heap, 31 * UNIT) && last.block == block);
    assert_eq!((block.addr() + 31 * UNIT) % SEGMENT, 0);
    assert!(last.resize(heap, 32 * UNIT) && last.block != block);
    [first, last].into_iter().for_each(|held| held.free(heap));
    assert_eq!(settle(heap).mapped, 0);
}

#[test]
fn a_mapping_grows_without_copying_and_keeps_its_alignment() {
    let heap = new_heap();
    for align in [8, 2 << 20] {
        let mut held = Held::new(heap, Layout::from_size_align(1 << 20, align).unwrap(), 4);
        for size in [3 << 20, 40 << 20, 2 << 20, 600_000, 700_000, 10, 1 << 20] {
            assert!(held.resize(heap, size));
            held.check();
        }
        held.free(heap);
    }
    let stats = settle(heap);
    assert_eq!((stats.in_use, stats.mapped), (0, 0), "{stats:?}");
}

#[test]
fn blocks_of_all_classes_are_distinct() {
    let heap = new_heap();
    with_p(heap, || {
        let mut all = Vec::new();
        for class in (0..CLASSES).map(Class::nth) {
            let blocks = 3 * class.span_units() as usize * UNIT / class.bytes();
            all.extend((0..blocks).map(|n| Held::new(heap, Layout::from_size_align(class.bytes(), 16).unwrap(), n as u8)));
        }
        all.iter().for_each(Held::check);
        all.into_iter().rev().for_each(|held| held.free(heap));
    });
    let stats = settle(heap);
    assert_eq!((stats.in_use, stats.mapped), (0, 0), "{stats:?}");
}

#[test]
#[should_panic = "freed as a block of 64 bytes, but it is none"]
fn a_block_freed_with_another_layout_is_found_out() {
    let heap = new_heap();
    let block = heap.alloc(Layout::new::<[u64; 4]>());
    // SAFETY: none: it is what the test is about. The heap is this test's own.
    unsafe { heap.dealloc(block, Layout::new::<[u64; 8]>()) };
    settle(heap);
}

#[test]
#[should_panic = "but it is none"]
fn a_block_freed_more_often_than_its_span_has_blocks_in_use_is_found_out() {
    let heap = new_heap();
    let layout = Layout::new::<[u64; 4]>();
    let block = heap.alloc(layout);
    // SAFETY: none: it is what the test is about. The heap is this test's own.
    unsafe {
        heap.dealloc(block, layout);
        heap.dealloc(block, layout);
    }
    settle(heap);
}

#[test]
#[cfg(debug_assertions)]
#[should_panic = "freed twice in a row"]
fn a_block_freed_twice_in_a_row_is_found_out_in_debug_builds() {
    let heap = new_heap();
    let layout = Layout::new::<[u64; 4]>();
    let blocks = [heap.alloc(layout), heap.alloc(layout)];
    // SAFETY: none: it is what the test is about. The heap is this test's own.
    with_p(heap, || unsafe {
        heap.dealloc(blocks[0], layout);
        heap.dealloc(blocks[0], layout);
    });
    settle(heap);
}

proptest! {
    #[test]
    fn contents_survive_any_sequence_of_sizes(log in 0u32..17, sizes in prop::collection::vec(1usize..(3 << 20), 1..12)) {
        let heap = new_heap();
        let mut held = Held::new(heap, Layout::from_size_align(sizes[0], 1 << log).unwrap(), 7);
        for &size in &sizes[1..] {
            prop_assert!(held.resize(heap, size));
        }
        held.free(heap);
        let stats = settle(heap);
        prop_assert_eq!((stats.in_use, stats.mapped), (0, 0));
    }
}
