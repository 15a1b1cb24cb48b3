//! Since when goroutines wait: to about a minute, without a look at the clock as they park.
//!
//! 1. Who looks at the clock anyway (a slice begins, an M becomes idle) stores the second here. Who parks takes over what stands here: an earlier second,
//!    but one after which nobody looked until the goroutine parked.
//! 2. So it began to wait before the next look. Looks are far apart only if a goroutine computes alone, or nobody does: then the gap is kept, and who has
//!    taken over its begin counts from its end. Nobody is said to wait for longer than it does, but where more than `GAPS` such gaps have come since.
//! 3. Second 0 is the program's first look.
//!
//! Rejected: a look at the clock in each park (25 ns, where the whole hand-off takes 10); the begin of the slice (as wrong as a slice is long).

use crate::base::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// A gap to be kept: so many seconds between two looks.
const GAP_S: u32 = 20;
const GAPS: usize = 8;

static LAST: AtomicU32 = AtomicU32::new(0);
static COUNT: AtomicU32 = AtomicU32::new(0);
/// The begin and the end of each, in the upper and the lower half.
static KEPT: [AtomicU64; GAPS] = [const { AtomicU64::new(0) }; GAPS];

fn second(now_ns: u64) -> u32 {
    (now_ns / 1_000_000_000) as u32
}

/// Somebody has looked at the clock.
#[inline(always)]
pub fn looked(now_ns: u64) {
    let now = second(now_ns);
    if LAST.load(Relaxed) != now {
        store(now);
    }
}

#[inline(never)]
fn store(now: u32) {
    let last = LAST.swap(now, Relaxed);
    if last > now {
        // Another thread has looked later, and stored earlier.
        LAST.fetch_max(last, Relaxed);
    } else if now - last >= GAP_S {
        let place = COUNT.fetch_add(1, Relaxed) as usize % GAPS;
        KEPT[place].store(u64::from(last) << 32 | u64::from(now), Relaxed);
    }
}

/// What a goroutine keeps as it begins to wait.
#[inline(always)]
pub fn now() -> u32 {
    LAST.load(Relaxed)
}

/// How many whole minutes have passed at least.
#[inline(never)]
pub fn minutes(since: u32, now_ns: u64) -> u32 {
    let gap = KEPT.iter().map(|gap| gap.load(Relaxed)).find(|&gap| gap != 0 && (gap >> 32) as u32 == since);
    let began = gap.map_or(since, |gap| gap as u32);
    second(now_ns).saturating_sub(began) / 60
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_longer_than_since_the_next_look() {
        let s = |seconds: u64| seconds * 1_000_000_000 + 1;
        // The first look of the program: what parked before counts from there.
        let before = now();
        looked(s(10_000));
        assert_eq!(minutes(before, s(10_059)), 0);
        assert_eq!(minutes(before, s(10_061)), 1);
        // Looks that are close: to the second.
        let parked = now();
        (10_001..10_130).for_each(|second| looked(s(second)));
        assert_eq!(minutes(parked, s(10_130)), 2);
        // Somebody computes alone for ten minutes, and parks.
        let parked = now();
        looked(s(10_730));
        assert_eq!(minutes(parked, s(10_730)), 0);
        assert_eq!(minutes(parked, s(10_850)), 2);
        // An older look that comes late changes nothing.
        looked(s(10_729));
        assert_eq!(now(), 10_730);
        // More gaps than are kept: the oldest is forgotten, no more.
        (0..GAPS as u64 + 1).for_each(|n| looked(s(20_000 + 100 * n)));
        assert_eq!(minutes(now(), s(20_000 + 100 * GAPS as u64)), 0);
    }
}
