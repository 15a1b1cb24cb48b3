//! How a program dies: `fatal error: …` and `panic: …`, the goroutines, exit status 2 (R11).
//!
//! 1. The first to die prints; whoever dies meanwhile on another thread waits for the end of the process.
//! 2. Who dies while it prints its own death says so in one line and ends the process at once.
//! 3. Nothing here allocates, takes a lock, or switches.

use crate::arch::tls;
use crate::base::hooks;
use crate::base::printer::Stderr;
use crate::base::tune::TRACE_GOROUTINES;
use crate::gmp::{G, M, Status};
use crate::mem::stack;
use crate::sys::process::exit_group;
use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::AcqRel, Ordering::Acquire};

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

/// `fatal error: message`, all goroutines, exit status 2.
pub fn fatal(message: fmt::Arguments) -> ! {
    begin();
    let mut out = Stderr::new();
    let _ = writeln!(out, "fatal error: {message}");
    goroutines(&mut out, true);
    out.flush();
    exit_group(2)
}

/// The panic handler: deferred calls, `panic: message`, this goroutine, exit status 2.
pub fn panic(info: &PanicInfo) -> ! {
    let mut message = Short { bytes: [0; 160], used: 0 };
    let _ = write!(message, "{}", info.message());
    // A failed allocation reaches us as a panic of `alloc`, the only way on stable Rust.
    let text = core::str::from_utf8(&message.bytes[..message.used]).unwrap_or("");
    if let Some(size) = text.strip_prefix("memory allocation of ").and_then(|rest| rest.strip_suffix(" bytes failed")) {
        fatal(format_args!("out of memory: cannot allocate {size} bytes"));
    }
    if DYING_M.load(Acquire) != tls::m() as usize {
        crate::sched::defer::run_all();
    }
    begin();
    let mut out = Stderr::new();
    let _ = writeln!(out, "panic: {}", info.message());
    if let Some(at) = info.location() {
        let _ = writeln!(out, "\tat {}:{}:{}", at.file(), at.line(), at.column());
    }
    goroutines(&mut out, false);
    out.flush();
    exit_group(2)
}

/// `__stack_chk_fail` of linked C: the canary above a buffer is not what it was.
pub extern "C" fn stack_smashed() -> ! {
    fatal(format_args!("stack smashed: a C function has written past the end of its frame"))
}

/// The header of the running goroutine, and if `all` of every other one.
pub fn goroutines(out: &mut Stderr, all: bool) {
    let current = G::current().as_ptr();
    // SAFETY: R1: `fs:8` is always a G's. Those of an M have number 0.
    let id = unsafe { (*current).id() };
    if id != 0 {
        // SAFETY: as above.
        header(out, unsafe { &*current });
    }
    if all {
        let mut count = 0;
        stack::for_each(|other| {
            // SAFETY: R9: dirty slots keep their descriptor; a dead one is skipped.
            let g = unsafe { &*other.cast::<G>() };
            if !core::ptr::eq(g, current) && g.status() != Status::Dead && g.id() != 0 {
                count += 1;
                if count <= TRACE_GOROUTINES {
                    header(out, g);
                }
            }
        });
        if count > TRACE_GOROUTINES {
            let _ = writeln!(out, "\n{} more goroutines", count - TRACE_GOROUTINES);
        }
    }
}

/// The head of a goroutine's traceback.
#[inline(never)]
fn header(out: &mut Stderr, g: &G) {
    let state = match g.status() {
        Status::Dead => "dead",
        Status::Runnable => "runnable",
        Status::Running => "running",
        Status::Syscall => "syscall",
        Status::Waiting => g.reason().text(),
    };
    let role = if g.is_finalizer.get() && g.status() != Status::Waiting { ", finalizer" } else { "" };
    let _ = writeln!(out, "\ngoroutine {} [{state}{role}]:", g.id());
}

/// The first bytes of a text.
struct Short {
    bytes: [u8; 160],
    used: usize,
}

impl fmt::Write for Short {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let n = s.len().min(self.bytes.len() - self.used);
        self.bytes[self.used..self.used + n].copy_from_slice(&s.as_bytes()[..n]);
        self.used += n;
        Ok(())
    }
}

/// Makes `fatal` what low floors call.
pub fn install() {
    hooks::set(fatal, crate::sched::preempt::on_mark);
}
