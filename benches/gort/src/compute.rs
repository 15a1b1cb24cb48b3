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
