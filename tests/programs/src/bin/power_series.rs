//! Power series as goroutines: a series is a pair of channels, on one of which its coefficients are asked for, and come on the other. The idea is McIlroy's
//! ("Squinting at Power Series"), and Go's powser1 is one of its forms; what is computed is exact, and known in closed form.

#![no_std]
#![no_main]

extern crate alloc;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use gort::__private::hooks;
use gort::chan::Chan;
use gort::os;
use gort::prelude::*;
use gort::runtime::num_goroutine;
use gort::time::{Duration, Instant, sleep};

gort::main!(main);

/// A rational number in lowest terms; `over` is positive.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Rational {
    num: i64,
    over: i64,
}

const ZERO: Rational = whole(0);
const ONE: Rational = whole(1);

const fn whole(num: i64) -> Rational {
    Rational { num, over: 1 }
}

fn ratio(num: i64, over: i64) -> Rational {
    let (mut a, mut b) = (num.unsigned_abs(), over.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    let divisor = a as i64 * over.signum();
    Rational { num: num / divisor, over: over / divisor }
}

impl Rational {
    fn plus(self, other: Rational) -> Rational {
        let part = ratio(self.over, other.over);
        ratio(self.num * part.over + other.num * part.num, self.over * part.over)
    }

    fn times(self, other: Rational) -> Rational {
        let (a, b) = (ratio(self.num, other.over), ratio(other.num, self.over));
        ratio(a.num * b.num, a.over * b.over)
    }

    fn minus(self) -> Rational {
        Rational { num: -self.num, over: self.over }
    }

    fn inverse(self) -> Rational {
        ratio(self.over, self.num)
    }
}

/// A series. Each coefficient is asked for, so nobody computes what nobody wants; none: it has ended, and all that follow are zero.
#[derive(Clone)]
struct Series {
    asked: Chan<()>,
    given: Chan<Option<Rational>>,
}

/// What goroutines have been started, in all.
static STARTED: AtomicU32 = AtomicU32::new(0);

impl Series {
    fn new() -> Series {
        Series { asked: chan::make(0), given: chan::make(0) }
    }

    /// The next coefficient.
    fn next(&self) -> Option<Rational> {
        self.asked.send(());
        self.given.recv().flatten()
    }

    /// Waits until it is asked for, and gives what `make` makes then. False, and for good, once nobody will ask any more.
    fn give(&self, make: impl FnOnce() -> Option<Rational>) -> bool {
        let is_asked = self.asked.recv().is_some();
        if is_asked {
            self.given.send(make());
        }
        is_asked
    }

    /// All that `from` gives, from now on.
    fn pass_on(&self, from: &Series) {
        while self.give(|| from.next()) {}
        from.end();
    }

    /// Nobody asks it any more: its goroutine ends, and ends those that it asks.
    fn end(&self) {
        self.asked.close();
    }

    /// A new one, whose goroutine runs `f`.
    fn of(f: impl FnOnce(&Series) + Send + 'static) -> Series {
        let series = Series::new();
        series.clone().start(f);
        series
    }

    /// As `of`, for one that is already known to others.
    fn start(self, f: impl FnOnce(&Series) + Send + 'static) {
        STARTED.fetch_add(1, Relaxed);
        go(move || f(&self));
    }
}

/// 1, 1, 1, …: 1/(1 - x), times `c`.
fn constant(c: Rational) -> Series {
    Series::of(move |out| while out.give(|| Some(c)) {})
}

/// The polynomial of `coefficients`.
fn polynomial(coefficients: &'static [i64]) -> Series {
    Series::of(move |out| {
        let mut coefficients = coefficients.iter();
        while out.give(|| coefficients.next().map(|&c| whole(c))) {}
    })
}

/// The next coefficients of two series, whichever is ready first.
fn next_of_both(a: &Series, b: &Series) -> [Option<Rational>; 2] {
    let (mut ask_a, mut ask_b) = (Some(&a.asked), Some(&b.asked));
    let (mut from_a, mut from_b) = (None, None);
    let mut got = [None; 2];
    for _ in 0..4 {
        select! {
            send(ask_a, ()) => (ask_a, from_a) = (None, Some(&a.given)),
            send(ask_b, ()) => (ask_b, from_b) = (None, Some(&b.given)),
            recv(from_a) -> value => (got[0], from_a) = (value.flatten(), None),
            recv(from_b) -> value => (got[1], from_b) = (value.flatten(), None),
        }
    }
    got
}

fn sum(a: Series, b: Series) -> Series {
    Series::of(move |out| {
        while out.give(|| match next_of_both(&a, &b) {
            [Some(a), Some(b)] => Some(a.plus(b)),
            [a, b] => a.or(b),
        }) {}
        a.end();
        b.end();
    })
}

fn scaled(c: Rational, series: Series) -> Series {
    Series::of(move |out| {
        while out.give(|| Some(c.times(series.next()?))) {}
        series.end();
    })
}

/// `first` + x · `rest`.
fn before(first: Rational, rest: Series) -> Series {
    Series::of(move |out| {
        if out.give(|| Some(first)) {
            out.pass_on(&rest);
        } else {
            rest.end();
        }
    })
}

/// Two that give what `series` gives, each at its own pace: what the one has got already waits for the other. While a new coefficient is on its way the
/// one that lags behind is served all the same; a series that is made of itself hangs otherwise.
fn split(series: Series) -> [Series; 2] {
    enum Fetch {
        Idle,
        Asks,
        Waits,
    }
    let outs = [Series::new(), Series::new()];
    let sides = outs.clone();
    Series::new().start(move |_| {
        let mut queues: [VecDeque<Option<Rational>>; 2] = Default::default();
        let (mut is_open, mut waits, mut fetch) = ([true; 2], [false; 2], Fetch::Idle);
        while is_open != [false; 2] {
            let [asks_one, asks_other] = [0, 1].map(|n| (is_open[n] && !waits[n]).then_some(&sides[n].asked));
            let asked = select! {
                recv(asks_one) -> asked => Some((0, asked.is_some())),
                recv(asks_other) -> asked => Some((1, asked.is_some())),
                send(matches!(fetch, Fetch::Asks).then_some(&series.asked), ()) => {
                    fetch = Fetch::Waits;
                    None
                }
                recv(matches!(fetch, Fetch::Waits).then_some(&series.given)) -> value => {
                    fetch = Fetch::Idle;
                    for n in 0..2 {
                        if core::mem::take(&mut waits[n]) {
                            sides[n].given.send(value.flatten());
                        } else if is_open[n] {
                            queues[n].push_back(value.flatten());
                        }
                    }
                    None
                }
            };
            match asked {
                None => {}
                Some((n, false)) => is_open[n] = false,
                Some((n, true)) => match queues[n].pop_front() {
                    Some(value) => sides[n].given.send(value),
                    None => {
                        waits[n] = true;
                        if matches!(fetch, Fetch::Idle) {
                            fetch = Fetch::Asks;
                        }
                    }
                },
            }
        }
        series.end();
    });
    outs
}

/// (u + x·U)(v + x·V) = u·v + x·(u·V + v·U) + x²·U·V.
fn product(a: Series, b: Series) -> Series {
    Series::of(move |out| {
        let mut heads = [None; 2];
        if !out.give(|| {
            heads = next_of_both(&a, &b);
            Some(heads[0]?.times(heads[1]?))
        }) {
            a.end();
            return b.end();
        }
        let [Some(u), Some(v)] = heads else {
            a.end();
            b.end();
            while out.give(|| None) {}
            return;
        };
        let ([u1, u2], [v1, v2]) = (split(a), split(b));
        let middle = sum(scaled(u, v1), scaled(v, u1));
        out.pass_on(&sum(middle, before(ZERO, product(u2, v2))));
    })
}

fn derivative(series: Series) -> Series {
    Series::of(move |out| {
        let mut n = 0;
        while out.give(|| {
            if n == 0 {
                series.next()?;
            }
            n += 1;
            Some(whole(n).times(series.next()?))
        }) {}
        series.end();
    })
}

fn integral(constant: Rational, series: Series) -> Series {
    Series::of(move |out| {
        let mut n = 0;
        while out.give(|| {
            n += 1;
            if n == 1 { Some(constant) } else { Some(ratio(1, n - 1).times(series.next()?)) }
        }) {}
        series.end();
    })
}

/// e to the power of `series`, whose first coefficient counts as zero: E' = E · series'. It is made of itself.
fn exponential(series: Series) -> Series {
    let itself = Series::new();
    let [out, again] = split(integral(ONE, product(itself.clone(), derivative(series))));
    itself.start(move |itself| itself.pass_on(&again));
    out
}

/// 1 / `series`: (u + x·U)(z + x·Z) = 1, so z = 1/u, and Z = -z · U · (z + x·Z). It is made of itself.
fn reciprocal(series: Series) -> Series {
    Series::of(move |out| {
        let mut z = ZERO;
        if !out.give(|| {
            z = series.next()?.inverse();
            Some(z)
        }) {
            return series.end();
        }
        let itself = Series::new();
        let [rest, again] = split(scaled(z.minus(), product(series, before(z, itself.clone()))));
        itself.start(move |itself| itself.pass_on(&again));
        out.pass_on(&rest);
    })
}

/// `series` with c·x² for x.
fn of_square(c: Rational, series: Series) -> Series {
    Series::of(move |out| {
        let mut power = ONE;
        while out.give(|| {
            let value = power.times(series.next()?);
            power = power.times(c);
            Some(value)
        }) && out.give(|| Some(ZERO))
        {}
        series.end();
    })
}

/// Takes as many as are expected, and ends it.
fn check(name: &str, series: Series, expected: &[Rational]) {
    let got: Vec<Rational> = expected.iter().map_while(|_| series.next()).collect();
    assert_eq!(got, expected, "{name}");
    series.end();
}

fn ratios<const N: usize>(pairs: [(i64, i64); N]) -> [Rational; N] {
    pairs.map(|(num, over)| ratio(num, over))
}

fn main() {
    // An argument: preemptions each so many ns.
    hooks::storm_preemptions(os::args().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0));
    const N: usize = 10;
    let ones = || constant(ONE);
    let naturals: [Rational; N] = core::array::from_fn(|n| whole(n as i64 + 1));
    check("ones", ones(), &[ONE; N]);
    check("sum", sum(ones(), constant(whole(2))), &[whole(3); N]);
    check("sum of two lengths", sum(polynomial(&[1, 2, 3]), polynomial(&[1])), &[2, 2, 3].map(whole));
    check("scaled", scaled(whole(-1), constant(whole(2))), &[whole(-2); N]);
    check("difference", sum(ones(), scaled(whole(-1), constant(whole(2)))), &[whole(-1); N]);
    check("derivative", derivative(ones()), &naturals);
    check("integral", integral(ZERO, ones()), &core::array::from_fn::<_, N, _>(|n| if n == 0 { ZERO } else { ratio(1, n as i64) }));
    check("product", product(ones(), ones()), &naturals);
    check("product of polynomials", product(polynomial(&[1, 1]), polynomial(&[1, 2, 1])), &[1, 3, 3, 1, 0].map(whole)[..4]);
    let arc_tangent = core::array::from_fn::<_, N, _>(|n| if n % 2 == 0 { ZERO } else { ratio(if n % 4 == 1 { 1 } else { -1 }, n as i64) });
    check("arc tangent", integral(ZERO, of_square(whole(-1), ones())), &arc_tangent);
    // All of these have ended, for each series ends what it asks.
    let start = Instant::now();
    while num_goroutine() > 1 {
        assert!(start.elapsed().as_secs() < 30, "{} goroutines are left", num_goroutine() - 1);
        sleep(Duration::from_millis(1));
    }
    // Those that are made of themselves wait for ever in the end. 1/n!:
    let mut factorial = 1;
    let inverse_factorials: [Rational; N] = core::array::from_fn(|n| {
        factorial *= (n as i64).max(1);
        ratio(1, factorial)
    });
    check("exponential of x", exponential(polynomial(&[0, 1])), &inverse_factorials);
    let of_ones = ratios([(1, 1), (1, 1), (3, 2), (13, 6), (73, 24), (167, 40), (4051, 720), (37_633, 5040), (43_817, 4480), (4_596_553, 362_880)]);
    check("exponential of 1/(1 - x)", exponential(ones()), &of_ones);
    check("reciprocal", reciprocal(ones()), &[1, -1, 0, 0, 0, 0].map(whole));
    check("reciprocal of 1 + x", reciprocal(polynomial(&[1, 1])), &[1, -1, 1, -1, 1, -1, 1, -1].map(whole));
    // The product of a series and its reciprocal, which is a thing of hundreds of goroutines.
    let [u, v] = split(sum(ones(), derivative(ones())));
    check("u times 1/u", product(u, reciprocal(v)), &[1, 0, 0, 0, 0, 0, 0].map(whole));
    println!("started {} left {}\npower series done", STARTED.load(Relaxed), num_goroutine() - 1);
}
