//! A random order in which a thief meets the other Ps: from a random start, by a random stride that is coprime to their number.

use super::rng::Rng;

/// All of `0..count`, each once.
pub struct Order {
    at: u32,
    stride: u32,
    count: u32,
    left: u32,
}

impl Order {
    /// A new order.
    pub fn new(rng: &Rng, count: u32) -> Order {
        let mut stride = rng.below(count) + 1;
        while gcd(stride, count) != 1 {
            stride += 1;
        }
        Order { at: rng.below(count), stride, count, left: count }
    }
}

impl Iterator for Order {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let at = self.at;
        self.at = ((u64::from(at) + u64::from(self.stride)) % u64::from(self.count)) as u32;
        Some(at)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn an_order_meets_each_once() {
        for count in 1..70 {
            for stride in 1..=count {
                if gcd(stride, count) == 1 {
                    let mut met: Vec<u32> = Order { at: stride % count, stride, count, left: count }.collect();
                    met.sort();
                    assert!(met.into_iter().eq(0..count), "count {count} stride {stride}");
                }
            }
        }
        let rng = Rng::new(7);
        for count in 1..70 {
            let mut met: Vec<u32> = Order::new(&rng, count).collect();
            met.sort();
            assert!(met.into_iter().eq(0..count), "count {count}");
        }
    }
}
