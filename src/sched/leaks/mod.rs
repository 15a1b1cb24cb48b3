//! Leaked goroutines: those that wait for what nobody will ever do, because nobody that lives can reach what they wait for.
//!
//! 1. Never a false alarm: who is reported cannot be woken by any word in a register, in static data, on a stack of who lives or may come to live, or in memory that these
//!    lead to. But a handle that is no address in memory (written to a file, turned around, packed at an odd place) is not seen.
//! 2. A leak may be overlooked: any word that looks like an address counts, old ones included.
//! 3. The world is stopped, and who is in a call held (`hold`), from the first look to the last. Meanwhile nobody takes a lock or allocates.
//!
//! What counts as living at first: memory that is no goroutine's stack and no block of the heap up to 512 KiB: static data, large blocks, C stacks and C's variables of each thread, what the
//! program has mapped itself; the stacks of goroutines that run, are runnable or in calls; those who sleep or wait for a time. From there on: `mark`.
//!
//! Rejected: the counts of handles alone (whose handle is it? a leaked goroutine's own keeps its channel's count up; those of a leaked cycle do the same for each other).
//!
//! Source: the idea is that of Go's goroutine leak profile.

mod area;
mod hold;
mod mark;

use super::{preempt, sysmon, world};
use crate::arch::foreign::{callee_saved, stack_pointer};
use crate::base::NoPreempt;
use crate::base::maps::{self, Other, Range};
use crate::gmp::{G, M, SCHED, Status, WaitReason};
use crate::mem::stack;
use crate::sys::memory::Piece;
use crate::sys::{Errno, file};
use alloc::vec::Vec;
use area::Area;
use core::sync::atomic::Ordering::Relaxed;
use mark::Mark;

/// Why it cannot be known who is leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What does not work.
    pub what: &'static str,
    /// What the kernel says.
    pub errno: Errno,
}

/// A goroutine that is leaked.
pub struct Leaked {
    /// Its number.
    pub id: u64,
    /// What it waits for.
    pub reason: WaitReason,
    /// Its descriptor's address. It waits for ever, so it stays.
    pub g: usize,
}

/// Mappings that are looked at: more than the kernel lets a process have, as a rule.
const RANGES_MAX: usize = 1 << 17;
/// Two a thread, and some.
const HOLES_MAX: usize = 1 << 16;
const TEXT_BYTES: usize = 64 << 10;

/// All of them, in the order of their numbers.
pub fn find() -> Result<Vec<Leaked>, Trouble> {
    sysmon::ensure();
    preempt::ensure_handler().map_err(|errno| Trouble { what: "no handler of SIGURG", errno })?;
    let _owner = world::own();
    let marked = {
        let nopreempt = NoPreempt::new();
        world::stop(&nopreempt);
        let marked = stopped();
        world::start(&nopreempt);
        marked?
    };
    // They stay as they are: nobody can wake them.
    let leaked = marked.waiting().iter().filter(|waiting| !waiting.lives).map(|waiting| {
        // SAFETY: R9: they wait, and nobody can wake them.
        let g = unsafe { &*waiting.g };
        Leaked { id: g.id(), reason: g.reason(), g: waiting.g.addr() }
    });
    let mut leaked: Vec<Leaked> = leaked.collect();
    leaked.sort_unstable_by_key(|leaked| leaked.id);
    Ok(leaked)
}

/// With the world stopped.
#[inline(never)]
fn stopped() -> Result<Mark, Trouble> {
    let registers = callee_saved();
    let sp = stack_pointer();
    let bytes = Area::bytes_of::<Range>(RANGES_MAX) + Area::bytes_of::<Range>(HOLES_MAX) + Area::bytes_of::<u8>(TEXT_BYTES);
    let mut area = Area::map(bytes).map_err(|errno| Trouble { what: "no memory for the mark", errno })?;
    // SAFETY: zero is a value of both; the area stays until they are not used any more.
    let (ranges, holes, text) = unsafe { (area.cut::<Range>(RANGES_MAX), area.cut::<Range>(HOLES_MAX), area.cut::<u8>(TEXT_BYTES)) };
    let (start, end) = area.range();
    holes[0] = Range { start, end };
    let mut holes = Holes { ranges: holes, count: 1 };
    holes.of_the_runtime();
    void_runnable();
    let _held = hold::hold()?;
    holes.of_c();
    let count = read_maps(ranges, text)?;
    let ranges = &ranges[..count];
    let mut mark = Mark::new(preempt::pid(), ranges, &holes.ranges[..holes.count])?;
    // SAFETY: R1: the running goroutine is ours.
    let me = unsafe { G::current().as_ref() };
    let own = [
        Piece { base: (&raw const registers).addr(), len: size_of_val(&registers) },
        Piece { base: sp & !7, len: me.header.stack_hi + size_of::<G>() - (sp & !7) },
    ];
    mark.run(ranges, &own)?;
    Ok(mark)
}

/// Who was made ready together with others still says that it waits (`ready_queue`), until it runs: what for counts no more. The world is stopped, nobody is held yet: this takes
/// a lock.
fn void_runnable() {
    let void = |g: *mut G| {
        // SAFETY: R3: what is in a queue lives, and nobody runs it while the world is stopped.
        if let Some(g) = unsafe { g.as_ref() } {
            g.at.set(0);
        }
    };
    let locked = SCHED.locked.lock();
    locked.global.for_each(void);
    SCHED.for_each_p(|p| {
        p.ring.for_each(void);
        void(p.resume.load(Relaxed));
        void(p.runnext.0.load(Relaxed));
    });
}

/// What is not looked at: what only the runtime uses, and has old words of others in it.
struct Holes<'a> {
    ranges: &'a mut [Range],
    count: usize,
}

impl Holes<'_> {
    /// One that does not fit is looked at.
    fn add(&mut self, (start, end): (usize, usize)) {
        if let Some(hole) = self.ranges.get_mut(self.count) {
            *hole = Range { start, end };
            self.count += 1;
        }
    }

    /// The stacks of an M; that for signals only if no handler holds a goroutine there.
    fn stacks_of(&mut self, m: &M, is_held: bool) {
        self.add((m.g0.header.stack_lo, m.g0.header.stack_hi & !7));
        if !is_held {
            self.add((m.gsignal.header.stack_lo, m.gsignal.header.stack_hi));
            self.add(m.c_stack.unused());
        }
    }

    /// The table of Ps, and the stacks of all Ms that may have run goroutines. The world is stopped, nobody is held yet: this takes a lock.
    fn of_the_runtime(&mut self) {
        let ps = SCHED.all_ps().as_ptr_range();
        self.add((ps.start.addr(), ps.end.addr()));
        self.stacks_of(G::current_m(&NoPreempt::new()), false);
        let locked = SCHED.locked.lock();
        let mut next = locked.idle_ms;
        // SAFETY: what is in the list is an M, and stays one while the lock is held.
        while let Some(m) = unsafe { next.as_ref() } {
            next = m.idle_next.get();
            self.stacks_of(m, false);
        }
        drop(locked);
        stack::for_each(&mut |header| {
            // SAFETY: R9: the slot's pages are there; who is in a call, or locked, has an M.
            unsafe {
                let g = &*header.cast::<G>();
                match g.status() {
                    Status::Syscall => self.stacks_of(&*(g.at.get() as *const M), true),
                    Status::Waiting | Status::Runnable if g.locked.get() => self.stacks_of(&*g.locked_m.get(), false),
                    _ => {}
                }
            }
        });
    }

    /// C stacks of those who are held, as far as they do not use them.
    fn of_c(&mut self) {
        stack::for_each(&mut |header| {
            // SAFETY: as above.
            let g = unsafe { &*header.cast::<G>() };
            if g.status() == Status::Syscall {
                // SAFETY: as above.
                self.add(unsafe { &*(g.at.get() as *const M) }.c_stack.unused());
            }
        });
    }
}

/// What is mapped.
fn read_maps(ranges: &mut [Range], text: &mut [u8]) -> Result<usize, Trouble> {
    let trouble = |errno| Trouble { what: "/proc/self/maps cannot be read", errno };
    let mut path = *b"/proc/self/maps\0";
    let file = file::open(&mut path).map_err(trouble)?;
    let (mut count, mut used) = (0, 0);
    loop {
        let n = match file::read(&file, &mut text[used..]) {
            Err(Errno::INTR) => continue,
            other => other.map_err(trouble)?,
        };
        used += n;
        let mut begin = 0;
        while let Some(len) = text[begin..used].iter().position(|&b| b == b'\n') {
            match maps::range(&text[begin..begin + len]) {
                Ok(range) => {
                    *ranges.get_mut(count).ok_or(trouble(Errno::TOOBIG))? = range;
                    count += 1;
                }
                Err(Other::Uninteresting) => {}
                Err(Other::Strange) => return Err(trouble(Errno::INVAL)),
            }
            begin += len + 1;
        }
        text.copy_within(begin..used, 0);
        used -= begin;
        if n == 0 {
            // A line without an end, or a file of another kind.
            return if used == 0 && count != 0 { Ok(count) } else { Err(trouble(Errno::INVAL)) };
        }
    }
}
