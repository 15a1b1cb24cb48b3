//! How a program dies: `fatal error: …` and `panic: …`, the goroutines, exit status 2 (R11).
//!
//! 1. The first to die prints; whoever dies meanwhile on another thread waits for the end of the process.
//! 2. Who dies while it prints its own death says so in one line and ends the process at once.
//! 3. Nothing here allocates, takes a lock, or switches. What a panic's value does as it is printed is done before that, but for texts of more than 512
//!    bytes, which are printed a second time.

use super::level;
use super::place;
use super::symbols::program;
use crate::arch::here::registers;
use crate::arch::tls;
use crate::base::printer::Stderr;
use crate::base::{NoPreempt, hooks};
use crate::gmp::{G, M, Status};
use crate::mem::stack;
use crate::sched::{ancestry, freeze, group, world};
use crate::sys::process::{exit_group, pid};
use crate::sys::signal::{self, RIP, SIGBUS, SIGSEGV, UContext};
use crate::sys::{Errno, fd};
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed};
use gort_trace::cfi::{RSP, Registers};
use gort_trace::goroutine::Trace;
use gort_trace::text::Text;

static DYING_M: AtomicUsize = AtomicUsize::new(0);
static FOREVER: AtomicU32 = AtomicU32::new(0);

/// Becomes the one who prints. Returns at most once.
fn begin() {
    tls::raise(); // for ever: nobody preempts a death
    let me = tls::m() as usize;
    if let Err(other) = DYING_M.compare_exchange(0, me, AcqRel, Acquire) {
        if other == me {
            let _ = writeln!(Stderr::new(), "panic during panic");
            exit_group(2);
        }
        loop {
            let _ = crate::sys::futex::wait(&FOREVER, 0, None);
        }
    }
}

/// Is `m` the one who prints how the process dies?
pub fn is_dying(m: &M) -> bool {
    DYING_M.load(Acquire) == core::ptr::from_ref(m) as usize
}

/// Where a death was met.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In the code that says so: these are its registers.
    Here(Registers),
    /// Where a signal has come.
    Interrupted(&'a UContext),
}

/// `fatal error: message`, all goroutines, exit status 2.
#[inline(never)]
pub fn fatal(message: fmt::Arguments) -> ! {
    die("fatal error: ", message, true, Place::Here(registers()))
}

/// The same, of what a signal has interrupted.
pub fn fatal_at(context: &UContext, message: fmt::Arguments) -> ! {
    die("fatal error: ", message, true, Place::Interrupted(context))
}

/// A panic: its deferred calls run, and then it is printed, behind those in whose deferred calls it was made.
struct Panicking<'a> {
    /// The one in whose deferred call it was made; null if there is none.
    outer: *const Panicking<'a>,
    info: &'a PanicInfo<'a>,
    message: Short,
}

impl Panicking<'_> {
    /// The one that was first, in whose deferred calls the others were made.
    fn first(&self) -> &Panicking<'_> {
        // SAFETY: R17: the frame of the outer panic still stands; nothing unwinds.
        unsafe { self.outer.as_ref() }.map_or(self, Panicking::first)
    }
}

impl fmt::Display for Panicking<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: R17: the frame of the outer panic still stands; nothing unwinds.
        if let Some(outer) = unsafe { self.outer.as_ref() } {
            write!(f, "{outer}\npanic: ")?;
        }
        match self.message.whole() {
            Some(text) => f.write_str(text)?,
            None => write!(f, "{}", self.info.message())?,
        }
        match self.info.location() {
            Some(at) => write!(f, "\nat {}:{}:{}", at.file(), at.line(), at.column()),
            None => Ok(()),
        }
    }
}

/// What is printed of it: a tab behind each end of a line, as Go has it. So no message looks like a goroutine's header.
struct Report<'a>(&'a Panicking<'a>);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Indented(f), "{}", self.0)
    }
}

struct Indented<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for Indented<'_, '_> {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        s.chars().try_for_each(|c| self.write_char(c))
    }

    fn write_char(&mut self, c: char) -> fmt::Result {
        self.0.write_char(c)?;
        if c == '\n' { self.0.write_char('\t') } else { Ok(()) }
    }
}

/// The panic handler: deferred calls, `panic: message`, this goroutine, exit status 2.
pub fn panic(info: &PanicInfo) -> ! {
    let mut panicking = Panicking { outer: core::ptr::null(), info, message: Short { bytes: [0; 512], used: 0, is_cut: false } };
    // What the program's own code does to print itself, it does now: later it can neither yield nor wait.
    let _ = write!(panicking.message, "{}", info.message());
    // A failed allocation reaches us as a panic of `alloc`, the only way on stable Rust.
    let text = panicking.message.whole().unwrap_or("");
    if let Some(size) = text.strip_prefix("memory allocation of ").and_then(|rest| rest.strip_suffix(" bytes failed")) {
        fatal(format_args!("out of memory: cannot allocate {size} bytes"));
    }
    if DYING_M.load(Acquire) != tls::m() as usize {
        // SAFETY: R1: `fs:8` is always a G's. A deferred call that ends its goroutine by `goexit` leaves its stack as it is, for ever.
        let g = unsafe { G::current().as_ref() };
        panicking.outer = g.panicking.get().cast();
        g.panicking.set((&raw const panicking).cast());
        crate::sched::defer::run_all();
        if let Some(trial) = group::trial()
            && may_end_alone(g)
        {
            trial.panicked(&panicking.first().info.message(), &Report(&panicking));
        }
    }
    die("panic: ", format_args!("{}", Report(&panicking)), false, Place::Here(registers()))
}

/// Can this goroutine end while the program goes on? Not where the runtime itself has panicked, nor with C's frames below.
fn may_end_alone(g: &G) -> bool {
    g.id() != 0 && g.header.may_be_preempted() && g.foreign.get().is_null()
}

/// `__stack_chk_fail` of linked C: the canary above a buffer is not what it was.
pub extern "C" fn stack_smashed() -> ! {
    fatal(format_args!("stack smashed: a C function has written past the end of its frame"))
}

#[inline(never)]
fn die(kind: &str, message: fmt::Arguments, all: bool, place: Place) -> ! {
    begin();
    let _ = writeln!(Stderr::new(), "{kind}{message}");
    group::ask_witness(&mut to_stderr);
    let level = level::level();
    let mut bytes = [0; 512];
    let mut out = Text::by_way_of(&mut bytes, to_stderr);
    if level.frames > 0 {
        dump(&mut out, level.frames > 1, all || level.all, place);
    }
    end(out, level.crash)
}

/// A signal that Go programs die of: its name, where it came, all goroutines, the registers.
pub fn signalled(name: &str, code: i32, context: &UContext) -> ! {
    begin();
    let mut bytes = [0; 512];
    let mut out = Text::by_way_of(&mut bytes, to_stderr);
    out.put(name.as_bytes());
    if level::is_secure() {
        out.put(b"\n");
        end(out, false);
    }
    out.put(b"\nPC=");
    out.hex(context.registers[RIP] as usize);
    out.put(b" m=");
    out.number(this_m().id.into());
    out.put(b" sigcode=");
    out.number(i64::from(code) as u64);
    out.put(b"\n");
    group::ask_witness(&mut |text| out.put(text));
    dump(&mut out, true, true, Place::Interrupted(context));
    out.put(b"\n");
    let segment = |shift: u32| (context.segments >> shift & 0xffff) as usize;
    let mut trace = Trace { out: &mut out, system: true, program: program(false) };
    trace.registers(&place::registers(context), [context.registers[RIP + 1] as usize, segment(0), segment(32), segment(16)]);
    end(out, level::level().crash)
}

/// Gives up on an error: there is nobody to tell.
fn to_stderr(mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match fd::write(2, bytes) {
            Err(Errno::INTR) => {}
            Ok(n) if n > 0 => bytes = bytes.get(n..).unwrap_or(&[]),
            _ => break,
        }
    }
}

#[inline(never)]
fn end(mut out: Text, crash: bool) -> ! {
    out.flush();
    if crash {
        signal::abort(pid(), this_m().tid.load(Relaxed));
    }
    exit_group(2)
}

fn this_m() -> &'static M {
    // SAFETY: R2: `fs:16` is this thread's M, which stays: who dies keeps its thread.
    unsafe { &*tls::m().cast() }
}

/// This goroutine, and if `all` every other one.
#[inline(never)]
fn dump(out: &mut Text, system: bool, all: bool, place: Place) {
    let m = this_m();
    // SAFETY: R1: `fs:8` is always a G's. Those of an M have number 0.
    let g = unsafe { &*G::current().as_ptr() };
    // In a handler all signals are masked. Who faults again, over what is broken, is to be told so by `begin`.
    signal::unblock(&[SIGSEGV, SIGBUS]);
    if all && cfg!(feature = "traces") {
        freeze::all_others();
    }
    let mut trace = Trace { out, system, program: program(true) };
    let (walk, is_fault) = match place {
        // What a handler finds broken, it finds on its own stack.
        Place::Here(registers) => {
            let stack = if m.gsignal.header.stack_holds(registers[RSP]) { &m.gsignal.header } else { &g.header };
            (place::walk(registers, true, stack), false)
        }
        Place::Interrupted(context) => (place::walk(place::registers(context), true, &g.header), true),
    };
    if g.id() != 0 || system {
        trace.out.put(b"\n");
        trace.goroutine(place::of(g, Some(m), Some(walk)));
    } else if is_fault {
        trace.out.put(b"\nruntime stack:\n");
        trace.frames(walk);
    }
    trace.out.flush();
    if all {
        others(&mut trace, g);
    }
}

/// All goroutines but `me`, an empty line before each.
fn others(trace: &mut Trace, me: *const G) {
    others_that(trace, me, |_| true);
}

fn others_that(trace: &mut Trace, me: *const G, are_meant: impl Fn(&G) -> bool) {
    stack::for_each(&mut |other| {
        // SAFETY: R9: dirty slots keep their descriptor; a dead one is skipped.
        let g = unsafe { &*other.cast::<G>() };
        if !trace.out.is_full && !core::ptr::eq(g, me) && g.status() != Status::Dead && g.id() != 0 && are_meant(g) {
            trace.out.put(b"\n");
            let with_m = trace.system;
            trace.goroutine(place::of_other(g, with_m));
        }
    });
}

/// Writes traces into `buffer`, as much as there is room for, and says how much: of the running goroutine, and if `all` of every other one.
#[inline(never)]
pub fn write_into(buffer: &mut [u8], all: bool) -> usize {
    let from = registers();
    let program = program(true);
    let owner = all.then(world::own);
    let nopreempt = NoPreempt::new();
    if all {
        world::stop(&nopreempt);
    }
    let mut out = Text::within(buffer);
    let mut trace = Trace { out: &mut out, system: false, program };
    // SAFETY: R1: the running goroutine.
    let g = unsafe { &*G::current().as_ptr() };
    trace.goroutine(place::of(g, Some(G::current_m(&nopreempt)), Some(place::walk(from, true, &g.header))));
    if all {
        others(&mut trace, g);
    }
    if all {
        world::start(&nopreempt);
    }
    drop(nopreempt);
    drop(owner);
    out.bytes().len()
}

/// Writes traces of the goroutines of a bubble into `buffer`: a line feed before each. The world is stopped for that.
#[inline(never)]
pub fn write_bubble(buffer: &mut [u8], bubble: u32) -> usize {
    let program = program(true);
    let owner = world::own();
    let nopreempt = NoPreempt::new();
    world::stop(&nopreempt);
    let mut out = Text::within(buffer);
    let mut trace = Trace { out: &mut out, system: false, program };
    // SAFETY: the world is stopped, so nobody ends.
    others_that(&mut trace, G::current().as_ptr(), |g| unsafe { group::bubble_id_of(g) } == bubble);
    world::start(&nopreempt);
    drop(nopreempt);
    drop(owner);
    out.bytes().len()
}

/// To standard error: `head`, and the trace of the running goroutine; of g0 that it is g0. One write, if it is short enough for `memory`.
#[inline(never)]
pub fn print_running(head: &dyn Fn(&mut Text), memory: &mut [u8]) {
    let from = registers();
    let nopreempt = NoPreempt::new();
    let mut out = Text::by_way_of(memory, to_stderr);
    head(&mut out);
    // SAFETY: R1: `fs:8` is always a G's. Those of an M have number 0.
    let g = unsafe { &*G::current().as_ptr() };
    if g.id() == 0 {
        out.put(b"g0 [running]:\n");
    } else {
        let mut trace = Trace { out: &mut out, system: false, program: program(true) };
        trace.goroutine(place::of(g, Some(G::current_m(&nopreempt)), Some(place::walk(from, true, &g.header))));
    }
    out.put(b"\n");
    out.flush();
}

/// The trace of `g`, which does not run, in `state`, into `buffer`. It may begin to run meanwhile: then what is written means little, and that is all.
#[inline(never)]
pub fn write_other<'a>(g: &G, state: &str, buffer: &'a mut [u8]) -> &'a [u8] {
    let mut out = Text::within(buffer);
    let mut goroutine = place::of_other(g, false);
    goroutine.state = state;
    Trace { out: &mut out, system: false, program: program(true) }.goroutine(goroutine);
    let used = out.bytes().len();
    &buffer[..used]
}

/// The same of who runs on another thread, which stands still where `context` says. Takes no lock, if `read_program` was called before.
#[inline(never)]
pub fn write_interrupted<'a>(g: &G, context: &UContext, buffer: &'a mut [u8]) -> &'a [u8] {
    let mut out = Text::within(buffer);
    let mut goroutine = place::of(g, None, Some(place::walk(place::registers(context), true, &g.header)));
    goroutine.state = "running";
    Trace { out: &mut out, system: false, program: program(true) }.goroutine(goroutine);
    let used = out.bytes().len();
    &buffer[..used]
}

/// Reads the names of functions from the program's file, if nobody has yet.
pub fn read_program() {
    program(true);
}

/// For `sched::ancestry`.
#[inline(never)]
fn callers(frames: &mut [usize; ancestry::FRAMES]) -> usize {
    // SAFETY: R1: the running goroutine.
    let g = unsafe { &*G::current().as_ptr() };
    let tables = program(false).frames;
    let mut walk = place::walk(registers(), true, &g.header);
    let mut count = 0;
    for place in frames {
        walk.step(tables.as_ref());
        let Some(frame) = walk.frame() else { break };
        *place = frame.pc;
        count += 1;
    }
    count
}

/// The first bytes of a text.
struct Short {
    bytes: [u8; 512],
    used: usize,
    is_cut: bool,
}

impl Short {
    /// The text, if all of it is here.
    fn whole(&self) -> Option<&str> {
        if self.is_cut { None } else { core::str::from_utf8(&self.bytes[..self.used]).ok() }
    }
}

impl fmt::Write for Short {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let n = s.len().min(self.bytes.len() - self.used);
        self.bytes[self.used..self.used + n].copy_from_slice(&s.as_bytes()[..n]);
        self.used += n;
        self.is_cut |= n < s.len();
        Ok(())
    }
}

/// Makes `fatal` what low floors call.
pub fn install() {
    hooks::set(fatal, crate::sched::preempt::on_mark);
    if cfg!(feature = "traces") {
        ancestry::set_up(callers);
    }
}
