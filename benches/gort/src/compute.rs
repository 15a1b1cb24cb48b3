//! Work that no compiler removes: the same in every peer.

/// `rounds` rounds of xorshift on 64 bits, some 2 ns each. Never zero for an `x` that is not.
pub fn xorshift(mut x: u64, rounds: usize) -> u64 {
    for _ in 0..rounds {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    x
}

/// A number that shows no pattern for each `x`: splitmix64.
pub fn splitmix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
