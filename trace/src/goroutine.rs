//! Traces, in Go's format: what a goroutine is called, what it does, where it is, and who made it.
//!
//! ```text
//! goroutine 7 [chan receive, 5 minutes, locked to thread]:
//! program::worker(...)
//!     0x2061f3 +0x53
//! created by program::main in goroutine 1
//!     0x206a10 +0x120
//! ```
//!
//! 1. No allocation, no lock; what it reads of others it reads as `unwind` does. So it runs in a signal handler of a program that is broken.
//! 2. The runtime's own frames are left out, but for a goroutine of which nothing would be left: that is Go's rule, and shows closures that the compiler
//!    has made one function of with the runtime's `entry`.
//! 3. Addresses are those of the file, for `addr2line -e`: of a call, not of where it returns to. Offsets are as Go's: to where it goes on.
//! 4. Of a deep stack the first 50 frames and the last 50, or a few more: what has been inlined into one function is printed or left out with it.
//! 5. Where lines are known, they stand in place of addresses, and inlined functions are frames, without an offset: Go's form.

use crate::cfi::Tables;
use crate::lines::{Line, Lines};
use crate::name::Name;
use crate::symtab::Symbols;
use crate::text::Text;
use crate::walk::{Frame, Walk};

/// Frames at the inner end of a stack, and as many at the outer.
pub const ENDS: usize = 50;

/// What is known of the program.
#[derive(Clone, Copy)]
pub struct Program<'a> {
    /// What was added to the addresses of its file: 0 at a fixed address.
    pub base: usize,
    /// Its tables of frames.
    pub frames: Option<Tables<'a>>,
    /// Its functions.
    pub names: Option<&'a Symbols>,
    /// Its lines.
    pub lines: Option<&'a Lines>,
}

impl Program<'_> {
    /// The function that `address` is in: its symbol and where it begins.
    fn function(&self, address: usize) -> Option<(Name<'static>, usize)> {
        let (symbol, begin) = self.names?.find(address.wrapping_sub(self.base))?;
        Some((Name::Symbol(symbol), begin.wrapping_add(self.base)))
    }
}

/// What a trace says of a goroutine beside its frames.
pub struct Goroutine<'a> {
    /// Its number; 0 for the stacks of an M.
    pub id: u64,
    /// Its descriptor's address.
    pub pointer: usize,
    /// The M that runs it: its number and its address.
    pub m: Option<(u32, usize)>,
    /// What it does.
    pub state: &'a str,
    /// For how many minutes it has waited.
    pub minutes: u32,
    /// Is it waiting for what only its bubble can bring about, and does `state` not say so?
    pub is_durable: bool,
    /// The bubble that it is in; 0: none.
    pub bubble: u32,
    /// Is it locked to its thread?
    pub is_locked: bool,
    /// Where it is, if that is known.
    pub walk: Option<Walk>,
    /// Where it was made; 0: by the runtime.
    pub made_at: usize,
    /// By whom.
    pub parent: u64,
    /// Its ancestors, the parent first: for each its number, where it was made, the number of frames, and these: return addresses.
    pub ancestors: &'a [usize],
}

/// Where and how traces are printed.
pub struct Trace<'a, 't> {
    /// Where to.
    pub out: &'a mut Text<'t>,
    /// With the runtime's frames, and pointers in the headers.
    pub system: bool,
    /// Whose frames they are.
    pub program: Program<'a>,
}

impl Trace<'_, '_> {
    /// The header of a goroutine, its frames, who made it, its ancestors.
    pub fn goroutine(&mut self, g: Goroutine) {
        self.out.put(b"goroutine ");
        self.out.number(g.id);
        if self.system {
            self.field(b" gp=", g.pointer);
            match g.m {
                Some((id, pointer)) => {
                    self.out.put(b" m=");
                    self.out.number(id.into());
                    self.field(b" mp=", pointer);
                }
                None => self.out.put(b" m=nil"),
            }
        }
        self.out.put(b" [");
        self.out.put(g.state.as_bytes());
        if cfg!(feature = "frames") && g.is_durable {
            self.out.put(b" (durable)");
        }
        if g.minutes >= 1 {
            self.out.put(b", ");
            self.out.number(g.minutes.into());
            self.out.put(b" minutes");
        }
        if g.is_locked {
            self.out.put(b", locked to thread");
        }
        if cfg!(feature = "frames") && g.bubble != 0 {
            self.out.put(b", synctest bubble ");
            self.out.number(g.bubble.into());
        }
        self.out.put(b"]:\n");
        if !cfg!(feature = "frames") {
            return;
        }
        match g.walk {
            Some(walk) => self.frames(walk),
            None => self.out.put(b"\tgoroutine running on other thread; stack unavailable\n"),
        }
        self.created_by(g.made_at, g.parent);
        let mut rest = g.ancestors;
        while let [id, made_at, count, more @ ..] = rest {
            let Some((frames, more)) = more.split_at_checked(*count) else { break };
            rest = more;
            self.out.put(b"[originating from goroutine ");
            self.out.number(*id as u64);
            self.out.put(b"]:\n");
            let mut shown = 0;
            for &pc in frames {
                self.show(&Frame { pc, at: pc.wrapping_sub(1), sp: 0 }, self.system, &mut shown, 0);
            }
            if frames.len() == ENDS {
                self.out.put(b"...additional frames elided...\n");
            }
            self.created_by(*made_at, 0);
        }
    }

    /// The registers of what a signal has interrupted, by their DWARF numbers, the flags, and cs, fs and gs.
    pub fn registers(&mut self, registers: &[usize; 17], others: [usize; 4]) {
        const NAMES: &[u8] = b"rax   rbx   rcx   rdx   rdi   rsi   rbp   rsp   r8    r9    r10   r11   r12   r13   r14   r15   rip   rflagscs    fs    gs    ";
        const PLACES: &[u8] = &[0, 3, 2, 1, 5, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20];
        for (name, &place) in NAMES.chunks(6).zip(PLACES) {
            let place = usize::from(place);
            self.out.put(name);
            self.field(b" ", registers.iter().chain(&others).nth(place).copied().unwrap_or(0));
            self.out.put(b"\n");
        }
    }

    fn field(&mut self, name: &[u8], number: usize) {
        self.out.put(name);
        self.out.hex(number);
    }

    /// The frames of a walk. As Go does it: if there is none but the runtime's, all of them.
    #[inline(never)]
    pub fn frames(&mut self, walk: Walk) {
        if !cfg!(feature = "frames") {
            return;
        }
        if self.some_frames(walk.clone(), self.system) == 0 {
            self.some_frames(walk, true);
        }
    }

    #[inline(never)]
    fn some_frames(&mut self, mut walk: Walk, all: bool) -> usize {
        let (mut shown, mut skip) = (0, 0);
        while let Some(frame) = walk.frame() {
            if shown >= ENDS && skip == 0 {
                let (mut ahead, mut count) = (walk.clone(), shown);
                while let Some(frame) = ahead.frame() {
                    self.show(&frame, all, &mut count, usize::MAX);
                    ahead.step(self.program.frames.as_ref());
                }
                skip = count.saturating_sub(ENDS).max(shown);
                if skip > shown {
                    self.out.put(b"...");
                    self.out.number((skip - shown) as u64);
                    self.out.put(b" frames elided...\n");
                }
            }
            self.show(&frame, all, &mut shown, skip);
            walk.step(self.program.frames.as_ref());
        }
        if let Some(pc) = walk.lost_at {
            self.field(b"...no frame is known at ", pc.wrapping_sub(self.program.base));
            self.out.put(b": the rest of the stack cannot be read...\n");
        }
        shown
    }

    /// Counts a frame, and those inlined into it, and prints them, but for the runtime's. A panic's machinery is, where the trace begins with it. Left out
    /// are those from `ENDS` up to `skip`.
    #[inline(never)]
    fn show(&mut self, frame: &Frame, all: bool, shown: &mut usize, skip: usize) {
        let function = self.program.function(frame.at);
        let Some(lines) = self.program.lines else {
            return self.show_one(frame, function, None, false, all, shown, skip);
        };
        lines.frames(frame.at.wrapping_sub(self.program.base), &mut |name, line, inlined| {
            let function = if inlined { name.map(|name| (name, usize::MAX)) } else { function.or(name.map(|name| (name, usize::MAX))) };
            self.show_one(frame, function, line, inlined, all, shown, skip);
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn show_one(&mut self, frame: &Frame, function: Option<(Name, usize)>, line: Option<Line>, inlined: bool, all: bool, shown: &mut usize, skip: usize) {
        let is_own = || inlined && self.program.lines.zip(line).is_some_and(|(lines, line)| lines.is_own(line));
        if !all && (function.is_some_and(|(name, _)| is_runtimes(&name, *shown == 0)) || is_own()) {
            return;
        }
        *shown += 1;
        if *shown <= ENDS || *shown > skip {
            self.name(function);
            self.out.put(b"(...)\n");
            self.place(frame.at, frame.pc, function, line);
            if self.system && frame.sp != 0 && !inlined {
                self.field(b" sp=", frame.sp);
                self.field(b" pc=", frame.pc);
            }
            self.out.put(b"\n");
        }
    }

    fn name(&mut self, function: Option<(Name, usize)>) {
        function.map_or(Name::Symbol(b"??"), |(name, _)| name).print(self.out);
    }

    #[inline(never)]
    fn place(&mut self, at: usize, pc: usize, function: Option<(Name, usize)>, line: Option<Line>) {
        match (self.program.lines, line) {
            (Some(lines), Some(line)) => {
                self.out.put(b"\t");
                lines.print(line, self.out);
            }
            _ => self.field(b"\t", at.wrapping_sub(self.program.base)),
        }
        if let Some((_, begin)) = function
            && pc > begin
        {
            self.field(b" +", pc - begin);
        }
    }

    /// `made_at` is 0 if the runtime did, `parent` if it is not to be said.
    #[inline(never)]
    fn created_by(&mut self, made_at: usize, parent: u64) {
        if made_at == 0 {
            return;
        }
        let mut function = self.program.function(made_at);
        let mut line = None;
        if let Some(lines) = self.program.lines {
            // Its own, not that of what it has inlined of the runtime. What has called is before where it goes on.
            let (at, mut found) = (made_at.wrapping_sub(self.program.base).wrapping_sub(1), false);
            lines.frames(at, &mut |name, place, inlined| {
                if !found && !(inlined && (name.is_none_or(|name| is_runtimes(&name, false)) || place.is_some_and(|line| lines.is_own(line)))) {
                    (found, line) = (true, place);
                    function = if inlined { name.map(|name| (name, usize::MAX)) } else { function.or(name.map(|name| (name, usize::MAX))) };
                }
            });
        }
        self.out.put(b"created by ");
        self.name(function);
        if parent != 0 {
            self.out.put(b" in goroutine ");
            self.out.number(parent);
        }
        self.out.put(b"\n");
        self.place(made_at, made_at, function, line);
        self.out.put(b"\n");
    }
}

/// Is it a function of gort, of what `gort::main!` defines, or, in the `first` frame of a trace, of a panic?
#[inline(never)]
fn is_runtimes(name: &Name, first: bool) -> bool {
    let mut bytes = [0; 64];
    let mut text = Text::within(&mut bytes);
    name.print(&mut text);
    let name = text.bytes();
    let name = name.strip_prefix(b"<").unwrap_or(name);
    const OWN: &[u8] = b"gort:: gort_ __rustc:: rust_begin_ _start core::panicking:: core::option::";
    let own = |own: &[u8]| name.starts_with(own) && (first || !own.starts_with(b"core"));
    OWN.split(|&byte| byte == b' ').any(own) || name.windows(9).any(|part| part == b"::__gort_")
}
