//! What the program's runtime counts, read by name.
//!
//! ```no_run
//! # fn main() {
//! # use gort::println;
//! use gort::metrics::{self, Sample};
//!
//! let mut samples = [
//!     Sample::new("/sched/gomaxprocs:threads"),
//!     Sample::new("/sched/goroutines:goroutines"),
//! ];
//! metrics::read(&mut samples);
//! for s in &samples {
//!     println!("{} {}", s.name, s.value.uint64());
//! }
//! # }
//! ```
//!
//! Names are a path and a unit. Those below `/gort/` are gort's own; the others are Go's and mean what they mean there. [`all`] lists them.
//!
//! A reading stops nobody: each number is as of when it was read, those of one [`read`] within microseconds of each other. Numbers that
//! are counted at each P cost a look at each.
//!
//! Source: Go package runtime/metrics.

#![deny(unsafe_code)]

mod table;

use crate::gmp::require_runtime;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// Of what kind a [`Value`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ValueKind {
    /// There is no metric of that name.
    Bad,
    /// A whole number.
    Uint64,
    /// A number. No metric has this kind yet.
    Float64,
    /// A distribution.
    Float64Histogram,
}

/// What a metric was when it was read.
#[derive(Clone, PartialEq, Debug, Default)]
#[non_exhaustive]
pub enum Value {
    /// There is no metric of that name, or it was not read yet.
    #[default]
    Bad,
    /// A whole number.
    Uint64(u64),
    /// A number.
    Float64(f64),
    /// A distribution.
    Float64Histogram(Box<Float64Histogram>),
}

impl Value {
    /// Of what kind it is.
    pub fn kind(&self) -> ValueKind {
        match self {
            Value::Bad => ValueKind::Bad,
            Value::Uint64(_) => ValueKind::Uint64,
            Value::Float64(_) => ValueKind::Float64,
            Value::Float64Histogram(_) => ValueKind::Float64Histogram,
        }
    }

    /// The whole number. Panics if it is none.
    #[track_caller]
    pub fn uint64(&self) -> u64 {
        match self {
            Value::Uint64(value) => *value,
            _ => panic!("called Uint64 on non-uint64 metric value"),
        }
    }

    /// The number. Panics if it is none.
    #[track_caller]
    pub fn float64(&self) -> f64 {
        match self {
            Value::Float64(value) => *value,
            _ => panic!("called Float64 on non-float64 metric value"),
        }
    }

    /// The distribution. Panics if it is none.
    #[track_caller]
    pub fn float64_histogram(&self) -> &Float64Histogram {
        match self {
            Value::Float64Histogram(histogram) => histogram,
            _ => panic!("called Float64Histogram on non-Float64Histogram metric value"),
        }
    }
}

/// A distribution: how many values lay between which bounds.
#[derive(Clone, PartialEq)]
pub struct Float64Histogram {
    /// How many lay in each bucket: `counts[n]` from `buckets[n]` on and below `buckets[n + 1]`.
    pub counts: Vec<u64>,
    /// The bounds, one more than there are counts, rising; the first is -∞, the last ∞. They are always the same.
    pub buckets: &'static [f64],
}

impl fmt::Debug for Float64Histogram {
    /// The buckets that have something.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let full = self.counts.iter().zip(self.buckets.windows(2)).filter(|(count, _)| **count != 0);
        f.debug_map().entries(full.map(|(count, bounds)| (bounds[0]..bounds[1], count))).finish()
    }
}

/// A name, and what [`read`] finds under it.
#[derive(Clone, PartialEq, Debug)]
pub struct Sample<'a> {
    /// The metric's name: one of [`all`].
    pub name: &'a str,
    /// Its value when it was read last.
    pub value: Value,
}

impl<'a> Sample<'a> {
    /// Not read yet.
    pub const fn new(name: &'a str) -> Sample<'a> {
        Sample { name, value: Value::Bad }
    }
}

/// What there is to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Description {
    /// Its name. It never comes to mean something else.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// Of what kind its values are.
    pub kind: ValueKind,
    /// Does it only grow while the program runs?
    pub cumulative: bool,
}

/// All metrics, by name.
///
/// Source: Go package runtime/metrics, All.
pub fn all() -> &'static [Description] {
    &table::DESCRIPTIONS
}

/// Reads each sample's metric into its value. A name that there is not gets [`Value::Bad`].
///
/// A sample that is read again keeps its memory, so only the first reading of a histogram allocates. Concurrent calls are fine, on samples of their own.
///
/// `/sched/latencies:seconds` is measured from the first time on that it is read: that reading finds it empty. Until then it costs nothing; from then on
/// one in eight goroutines that become runnable is timed, less often where they become so more often than each microsecond or so, and then it counts for more.
///
/// Source: Go package runtime/metrics, Read. Go measures latencies from the start.
pub fn read(samples: &mut [Sample]) {
    require_runtime();
    let mut facts = table::Facts::default();
    for sample in samples {
        table::read(sample.name, &mut facts, &mut sample.value);
    }
}
