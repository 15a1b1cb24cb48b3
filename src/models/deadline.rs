//! sysmon's deadline against the Ps that bring it forward: nobody who began a slice is forgotten. The real `base::deadline`.
//!
//! What it copies, and where it could drift: `sched::find::begin_slice` (a P stores its slice, publishes, arms), and that sysmon's pass looks at
//! the Ps inside `gone_off`. The alarm is a timerfd: the last one who sets it decides, and setting it takes back that it had gone off.

use super::explore;
use crate::base::atomic::{AtomicU32, AtomicU64, Ordering::Acquire, Ordering::Relaxed};
use crate::base::deadline::{self, Deadline};
use crate::sys::alarm::NEVER;
use loom::sync::Mutex;
use loom::thread;
use std::sync::Arc;

struct Watch {
    deadline: Deadline,
    alarm: Mutex<u64>,
    /// `P::slice`, and when sysmon should look at it.
    slices: [(AtomicU32, AtomicU64); 2],
}

impl Watch {
    /// The alarm is set to `at_ns`, and everybody knows.
    fn new(at_ns: u64) -> Arc<Watch> {
        let watch = Watch { deadline: Deadline::new(), alarm: Mutex::new(NEVER), slices: core::array::from_fn(|_| (AtomicU32::new(0), AtomicU64::new(NEVER))) };
        watch.arm(at_ns);
        Arc::new(watch)
    }

    fn set_alarm(&self, at_ns: u64) {
        *self.alarm.lock().unwrap() = at_ns;
    }

    /// `sysmon::arm`.
    fn arm(&self, at_ns: u64) {
        if self.deadline.is_after(at_ns) {
            self.deadline.bring_forward(at_ns, |at| self.set_alarm(at));
        }
    }

    /// `find::begin_slice`.
    fn begin_slice(&self, p: usize, look_at: u64) {
        let (count, at) = &self.slices[p];
        at.store(look_at, Relaxed);
        deadline::publish(count);
        self.arm(look_at);
    }

    /// `sysmon::run`, once, if the alarm is set.
    fn look(&self) {
        if core::mem::replace(&mut *self.alarm.lock().unwrap(), NEVER) == NEVER {
            return;
        }
        self.deadline.gone_off(
            || {
                let began = self.slices.iter().filter(|(count, _)| count.load(Acquire) != 0);
                began.map(|(_, at)| at.load(Acquire)).min().unwrap_or(NEVER)
            },
            |at| self.set_alarm(at),
        );
    }

    /// Every slice has a look before it: nobody runs for ever.
    fn check(&self) {
        let alarm = *self.alarm.lock().unwrap();
        for (p, (_, at)) in self.slices.iter().enumerate() {
            let at = at.load(Relaxed);
            assert!(alarm <= at, "P{p} wants a look at {at}; the alarm is set to {alarm}");
        }
    }
}

#[test]
fn a_slice_that_begins_while_sysmon_looks_is_seen_or_sets_the_alarm() {
    explore(4, || {
        let watch = Watch::new(1);
        let sysmon = {
            let watch = watch.clone();
            thread::spawn(move || watch.look())
        };
        watch.begin_slice(0, 20);
        sysmon.join().unwrap();
        watch.check();
    });
}

#[test]
fn a_later_alarm_never_stands_in_the_place_of_an_earlier_one() {
    explore(4, || {
        let watch = Watch::new(NEVER);
        let other = {
            let watch = watch.clone();
            thread::spawn(move || watch.begin_slice(1, 10))
        };
        watch.begin_slice(0, 20);
        other.join().unwrap();
        watch.check();
    });
}

#[test]
fn two_who_set_the_alarm_while_it_goes_off_leave_the_earlier_time() {
    explore(5, || {
        let watch = Watch::new(1);
        let sysmon = {
            let watch = watch.clone();
            thread::spawn(move || watch.look())
        };
        let other = {
            let watch = watch.clone();
            thread::spawn(move || watch.begin_slice(1, 10))
        };
        watch.begin_slice(0, 20);
        sysmon.join().unwrap();
        other.join().unwrap();
        watch.check();
    });
}
