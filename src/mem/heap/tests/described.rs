//! What a segment's header says of the blocks in it.

use super::*;
use crate::mem::heap::segment::SEGMENT;
use crate::mem::heap::{SEGMENT_BYTES, SegmentMap};
use std::vec::Vec;

/// Whatever its neighbours were and became, a block in use is found from any address in it, whole.
#[test]
fn a_block_in_use_is_found_from_any_address_in_it() {
    let heap = new_heap();
    let rng = Rng::new(1);
    let mut held: Vec<Held> = Vec::new();
    for round in 0..6000u32 {
        let size = match rng.below(10) {
            0 => 40_000 + rng.below(400_000),
            1 => 5000 + rng.below(27_000),
            _ => 1 + rng.below(700),
        } as usize;
        held.push(Held::new(heap, Layout::from_size_align(size, 8).unwrap(), round as u8));
        if held.len() > 300 {
            let at = rng.below(held.len() as u32) as usize;
            held.swap_remove(at).free(heap);
        }
        if round % 500 != 499 {
            continue;
        }
        for Held { block, layout, .. } in &held {
            let (address, base) = (block.addr(), block.addr() & !(SEGMENT - 1));
            // SAFETY: all zero bytes are one; the header of the segment that the block lies in.
            let mut map: SegmentMap = unsafe { core::mem::zeroed() };
            // SAFETY: as above.
            let is_segment = unsafe { map.read(base, base as *const u8) };
            assert!(is_segment, "no segment at {base:#x}");
            for offset in [0, layout.size() / 2, layout.size() - 1] {
                let (start, len) = map.block(address - base + offset).unwrap_or_else(|| panic!("no block at {address:#x} + {offset}"));
                assert!(
                    base + start <= address && address + layout.size() <= base + start + len,
                    "{address:#x}: {} bytes, said to be {start:#x} and {len}",
                    layout.size()
                );
            }
            assert_eq!(map.block(0), None, "the header is no block");
        }
    }
    held.into_iter().for_each(|held| held.free(heap));
    // What is no segment is not taken for one.
    let other = std::vec![0u64; SegmentMap::HEADER / 8 + 8];
    // SAFETY: zeros, aligned as it must be.
    assert!(!unsafe { core::mem::zeroed::<SegmentMap>().read(SEGMENT_BYTES, other.as_ptr().cast()) });
}
