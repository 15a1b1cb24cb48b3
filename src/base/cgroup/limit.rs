//! The numbers: how many CPUs a quota is.
//!
//! A quota is so many microseconds of CPU time in each period of so many microseconds. Rounded up: 1.5 CPUs keep two Ps busy now and then.

/// How many CPUs `quota` in each `period` is, rounded up; none if either is no positive number.
fn cpus(quota: Option<u64>, period: Option<u64>) -> Option<u32> {
    let (quota, period) = (quota.filter(|&n| n > 0)?, period.filter(|&n| n > 0)?);
    Some(u32::try_from(quota.div_ceil(period)).unwrap_or(u32::MAX))
}

/// `cpu.max` of v2: `max PERIOD` or `QUOTA PERIOD`.
pub fn v2(text: &[u8]) -> Option<u32> {
    let text = without_newline(text);
    let space = text.iter().position(|&b| b == b' ')?;
    cpus(number(&text[..space]), number(&text[space + 1..]))
}

/// `cpu.cfs_quota_us` of v1: the quota; none if there is none (-1).
pub fn v1_quota(text: &[u8]) -> Option<u64> {
    number(without_newline(text)).filter(|&n| n > 0)
}

/// `cpu.cfs_period_us` of v1, beside a quota.
pub fn v1(quota: u64, period: &[u8]) -> Option<u32> {
    cpus(Some(quota), number(without_newline(period)))
}

fn without_newline(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// Digits only, and no more than fit.
#[cold]
#[inline(never)]
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, &digit| {
        let value = digit.wrapping_sub(b'0');
        if value > 9 { None } else { n.checked_mul(10)?.checked_add(value.into()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::vec::Vec;

    #[test]
    fn the_quotas_of_the_specification_are_rounded_up() {
        for (quota, want) in [(20_000, 1), (50_000, 1), (100_000, 1), (100_001, 2), (150_000, 2), (250_000, 3), (400_000, 4)] {
            assert_eq!(v2(format!("{quota} 100000\n").as_bytes()), Some(want));
            assert_eq!(v1(quota, b"100000\n"), Some(want));
        }
    }

    #[test]
    fn no_quota_is_none() {
        assert_eq!(v2(b"max 100000\n"), None);
        assert_eq!(v1_quota(b"-1\n"), None);
        assert_eq!(v1_quota(b"0\n"), None);
        assert_eq!(v1_quota(b"50000\n"), Some(50_000));
    }

    #[test]
    fn garbage_is_none() {
        for text in [
            "",
            "\n",
            " ",
            "50000",
            "50000\n",
            "50000 \n",
            " 100000\n",
            "0 100000\n",
            "50000 0\n",
            "-5 100000\n",
            "+5 100000\n",
            "5x 100000\n",
            "50000  100000\n",
        ] {
            assert_eq!(v2(text.as_bytes()), None, "{text:?}");
        }
        for text in ["99999999999999999999 100000\n", "50000 99999999999999999999\n", "50000 100000\n\n", "50000 100000 1\n", "max\n", "50000 100000\0\n"] {
            assert_eq!(v2(text.as_bytes()), None, "{text:?}");
        }
        for text in ["", "\n", "x\n", "-\n", "5 5\n", "99999999999999999999\n"] {
            assert_eq!(v1_quota(text.as_bytes()), None, "{text:?}");
            assert_eq!(v1(50_000, text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn a_quota_beyond_all_cpus_is_a_large_number() {
        assert_eq!(v2(b"18446744073709551615 1\n"), Some(u32::MAX));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text in any::<Vec<u8>>(), quota in any::<u64>()) {
            let _ = (v2(&text), v1_quota(&text), v1(quota, &text));
        }

        #[test]
        fn the_answer_is_the_least_number_that_is_enough(quota in 1..u64::from(u32::MAX), period in 1u64..10_000_000) {
            let got = u64::from(v2(format!("{quota} {period}\n").as_bytes()).unwrap());
            prop_assert!(got * period >= quota && (got - 1) * period < quota);
        }
    }
}
