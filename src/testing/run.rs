//! Running tests: each a goroutine, so many at a time.
//!
//! 1. A trial is a test that is to run. It lives to the end of the process: goroutines that its test leaves behind belong to it still.
//! 2. `state` says where it is; who writes a panic down looks at it under `record`'s lock, and so does who judges: a panic is seen by one or the other.
//! 3. No timer is armed: a program that waits for a test which nobody can wake is deadlocked, and says so. sysmon tells of tests that take long.
//!
//! | state     | its test                                                              | left by                           |
//! |-----------|-----------------------------------------------------------------------|-----------------------------------|
//! | `WAITING` | has not begun                                                         | main's goroutine starts it        |
//! | `RUNNING` | runs                                                                  | the end of its goroutine          |
//! | `ENDED`   | is judged, or about to be: a goroutine that panics now fails it late  |                                   |

use super::args::{self, Ignored, Options, Parsed};
use super::report::{Outcome, Report};
use super::{Entry, Panics, Test};
use crate::chan;
use crate::os;
use crate::sched::exit::{self, OnGoexit};
use crate::sched::group::{self, Group};
use crate::sched::sysmon;
use crate::sync::Mutex;
use crate::sys::alarm::NEVER;
use crate::sys::clock::monotonic_ns;
use crate::sys::fd;
use crate::time::Instant;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const ENDED: u8 = 2;

/// What the process's exit status is if a test failed, or the command line is wrong.
const FAILED: i32 = 101;

/// A trace is cut off behind so much.
const TRACE_BYTES: usize = 32 << 10;

/// See the head of this file.
struct Trial {
    test: &'static Test,
    name: &'static str,
    captures: bool,
    state: AtomicU8,
    started_ns: AtomicU64,
    was_told_of: AtomicBool,
    failed_late: AtomicBool,
    record: Mutex<Record>,
}

/// What became of it so far.
#[derive(Default)]
struct Record {
    output: Vec<u8>,
    /// The messages of its panics.
    panics: Vec<String>,
    /// What its function has returned, if it has.
    status: Option<i32>,
}

impl Trial {
    fn state(&self) -> u8 {
        self.state.load(Acquire)
    }

    /// Is it to panic?
    fn panics(&self) -> bool {
        !matches!(self.test.panics, Panics::No)
    }

    /// The body of its goroutine. `done` is told when it ends.
    fn run(&'static self, done: &dyn Fn()) {
        group::enter(Box::leak(Box::new(Group { trial: Some(self), bubble: None, bubble_id: 0 })));
        let body = || {
            let call = || {
                let status = (self.test.call)();
                self.record.lock().status = Some(status);
            };
            if self.test.in_bubble { super::bubble(call) } else { call() }
        };
        OnGoexit::in_any_case(body, || {
            let record = self.record.lock();
            self.state.store(ENDED, Release);
            drop(record);
            done();
        });
    }

    /// A goroutine of it has panicked.
    fn write_down(&self, message: String, report: &dyn fmt::Display) {
        let mut trace = vec![0; TRACE_BYTES];
        let used = crate::observe::crash::write_into(&mut trace, false);
        let text = format!("panic: {report}\n\n{}", String::from_utf8_lossy(&trace[..used]));
        let mut record = self.record.lock();
        record.panics.push(message);
        let is_late = self.state() == ENDED;
        if is_late {
            self.failed_late.store(true, Release);
        } else if self.captures {
            record.output.extend_from_slice(text.as_bytes());
        }
        drop(record);
        if is_late || !self.captures {
            let head = if is_late { format!("test {} has ended; a goroutine that it left behind panics\n", self.name) } else { String::new() };
            print_error(format!("{head}{text}").as_bytes());
        }
    }

    fn judge(&self) -> (Outcome, Vec<u8>) {
        let mut record = self.record.lock();
        let note = match (self.test.panics, record.panics.first(), record.status) {
            (Panics::No, None, Some(0)) | (Panics::Somehow, Some(_), _) => return (Outcome::Passed, core::mem::take(&mut record.output)),
            (Panics::Saying(text), Some(message), _) if message.contains(text) => return (Outcome::Passed, core::mem::take(&mut record.output)),
            (Panics::Saying(text), Some(message), _) => {
                Some(format!("panic did not contain expected string\n      panic message: {message:?}\n expected substring: {text:?}"))
            }
            (_, None, None) => Some("the test ended by goexit".to_string()),
            (Panics::No, Some(_), _) => None,
            // An error has been printed.
            (Panics::No, None, Some(1)) if !self.captures || !record.output.is_empty() => None,
            (Panics::No, None, Some(status)) => Some(format!("the test returned status {status}")),
            (_, None, Some(_)) => Some("test did not panic as expected".to_string()),
        };
        (Outcome::Failed(note), core::mem::take(&mut record.output))
    }
}

impl group::Trial for Trial {
    fn print(&self, text: &[u8]) -> bool {
        if self.captures {
            self.record.lock().output.extend_from_slice(text);
        }
        self.captures
    }

    fn panicked(&self, message: &dyn fmt::Display, report: &dyn fmt::Display) -> ! {
        self.write_down(message.to_string(), report);
        exit::goexit()
    }
}

/// To standard error, past what captures: one write, if the kernel takes it all.
fn print_error(mut text: &[u8]) {
    while !text.is_empty() {
        match fd::write(2, text) {
            Ok(n) if n > 0 => text = &text[n..],
            Err(crate::sys::Errno::INTR) => {}
            _ => return,
        }
    }
}

/// All trials, for who cannot be given them: written once.
static TRIALS: (AtomicPtr<Trial>, AtomicUsize) = (AtomicPtr::new(core::ptr::null_mut()), AtomicUsize::new(0));
/// After how long sysmon tells of a test.
static WARN_AFTER_NS: AtomicU64 = AtomicU64::new(NEVER);

/// Those that run now.
fn running() -> impl Iterator<Item = &'static Trial> {
    let len = TRIALS.1.load(Acquire);
    let first = TRIALS.0.load(Acquire);
    // SAFETY: invariant 1: `publish` wrote the address first, then how many there are, of trials that stay.
    let trials: &'static [Trial] = if len == 0 { &[] } else { unsafe { core::slice::from_raw_parts(first, len) } };
    trials.iter().filter(|trial| trial.state() == RUNNING)
}

fn publish(trials: &'static [Trial]) {
    TRIALS.0.store(trials.as_ptr().cast_mut(), Release);
    TRIALS.1.store(trials.len(), Release);
}

/// On sysmon: tells of tests that have run for long, once. Returns when to look again.
fn look(now: u64) -> u64 {
    let after = WARN_AFTER_NS.load(Relaxed);
    let mut next = NEVER;
    for trial in running() {
        let due = trial.started_ns.load(Relaxed).saturating_add(after);
        if trial.was_told_of.load(Relaxed) {
            continue;
        }
        if now < due {
            next = next.min(due);
            continue;
        }
        trial.was_told_of.store(true, Relaxed);
        let mut line = Line { bytes: [0; 512], used: 0 };
        let _ = writeln!(line, "test {} has been running for over {} seconds", trial.name, after / 1_000_000_000);
        let _ = fd::write(1, &line.bytes[..line.used]);
    }
    next
}

/// Text that is cut off where it does not fit.
struct Line {
    bytes: [u8; 512],
    used: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let n = text.len().min(self.bytes.len() - self.used);
        self.bytes[self.used..self.used + n].copy_from_slice(&text.as_bytes()[..n]);
        self.used += n;
        Ok(())
    }
}

/// The process dies: which tests run, and what they have printed.
fn witness(print: &mut dyn FnMut(&[u8])) {
    for trial in running() {
        print(b"test that was running: ");
        print(trial.name.as_bytes());
        print(b"\n");
        let Some(record) = trial.record.try_lock() else { continue };
        if !record.output.is_empty() {
            print(b"---- its output ----\n");
            print(&record.output);
            print(b"----\n");
        }
        core::mem::forget(record); // who unlocks may schedule
    }
}

/// Runs the tests as the command line says. Returns the exit status.
#[doc(hidden)]
pub fn main(entries: &'static [Entry]) -> i32 {
    let options = match args::parse(os::args().skip(1), os::var) {
        Parsed::Options(options) => options,
        Parsed::Help => {
            args::print_help();
            return 0;
        }
        Parsed::Wrong(text) => {
            crate::eprintln!("error: {text}");
            return FAILED;
        }
    };
    let mut tests: Vec<Named> = entries.iter().copied().flatten().map(|test| (test.name(), test)).collect();
    tests.sort_by(|(a, _), (b, _)| a.cmp(b));
    let all = tests.len();
    tests.retain(|(name, test)| options.wants(name) && (options.ignored != Ignored::Only || test.ignored.is_some()));
    let filtered_out = all - tests.len();
    if options.list {
        list(&options, &tests);
        return 0;
    }
    if run(&options, tests, filtered_out) { 0 } else { FAILED }
}

/// A test and its name.
type Named = (String, &'static Test);

fn list(options: &Options, tests: &[Named]) {
    for (name, _) in tests {
        crate::println!("{name}: test");
    }
    if !options.terse {
        crate::println!("\n{} test{}, 0 benchmarks", tests.len(), if tests.len() == 1 { "" } else { "s" });
    }
}

/// True: none failed.
fn run(options: &Options, tests: Vec<Named>, filtered_out: usize) -> bool {
    let trials: Vec<Trial> = tests
        .into_iter()
        .map(|(name, test)| Trial {
            test,
            name: String::leak(name),
            captures: options.captures,
            state: AtomicU8::new(WAITING),
            started_ns: AtomicU64::new(0),
            was_told_of: AtomicBool::new(false),
            failed_late: AtomicBool::new(false),
            record: Mutex::default(),
        })
        .collect();
    let trials: &'static [Trial] = Vec::leak(trials);
    let at_once = options.at_once.unwrap_or(crate::runtime::gomaxprocs(0) as usize);
    publish(trials);
    group::set_witness(witness);
    let start = Instant::now();
    let mut report = Report::begin(options, trials.len(), at_once == 1);
    let warns = at_once > 1;
    if warns {
        WARN_AFTER_NS.store(options.warn_after_s.saturating_mul(1_000_000_000), Relaxed);
        sysmon::TESTS.begin(look);
    }
    let done = chan::make::<usize>(trials.len());
    let (mut next, mut running) = (0, 0);
    while next < trials.len() || running > 0 {
        if next < trials.len() && running < at_once {
            let (number, trial) = (next, &trials[next]);
            next += 1;
            match trial.test.ignored {
                Some(why) if options.ignored == Ignored::Skip => {
                    report.starts(trial.name, false);
                    report.ended(trial.name, false, Outcome::Ignored(why), Vec::new());
                }
                _ => {
                    running += 1;
                    report.starts(trial.name, trial.panics());
                    start_trial(trial, number, done.sender(), warns);
                }
            }
            continue;
        }
        let Some(number) = done.recv() else { break };
        running -= 1;
        let trial = &trials[number];
        let (outcome, output) = trial.judge();
        report.ended(trial.name, trial.panics(), outcome, output);
    }
    trials.iter().filter(|trial| trial.failed_late.load(Acquire)).for_each(|trial| report.failed_late(trial.name));
    report.end(filtered_out, start.elapsed())
}

fn start_trial(trial: &'static Trial, number: usize, done: chan::Sender<usize>, warns: bool) {
    let now = monotonic_ns();
    trial.started_ns.store(now, Relaxed);
    trial.state.store(RUNNING, Release);
    crate::go(move || trial.run(&|| done.send(number)));
    if warns {
        sysmon::arm(now.saturating_add(WARN_AFTER_NS.load(Relaxed)));
    }
}
