//! The contract: every system call that the library can make, why, with which flags, and what happens on each error (R14). Users assert on strace
//! logs; this is what they may rely on. `docs/syscalls.md` is made from it.
//!
//! A program's own calls (through rustix, say) come on top.
//!
//! 1. A call has a row for each purpose that is answered in its own way. `only` tells the rows of a call apart by an argument.
//! 2. A cell is a row, a phase in which it is made, and an error. Each has exactly one answer; `tests/contract.rs` fails where there is none or two.
//! 3. Errors are those that Linux can return for these arguments, and `SANDBOX` for every call.
//! 4. Nothing here is linked into programs: only tests on the host look at it.
//!
//! `tests/contract.rs` runs the programs under strace and fails on a call that is not here; `tests/faults.rs` injects the errors, cell by cell.

use linux_raw_sys::general as nr;

/// When a call is made; and, in a test, from when on it is answered by an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// From the kernel's first instruction to main.
    Start,
    /// The first goroutine but main's: sysmon, and the second M.
    Threads,
    /// While goroutines run.
    Steady,
    /// Main has returned, or a fatal error.
    Exit,
}

use Phase::{Exit, Start, Steady, Threads};

/// An error of the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    /// As in errno.h.
    pub name: &'static str,
    /// Its number.
    pub number: u32,
}

macro_rules! errors {
    ($($name:ident $number:literal)*) => { $(const $name: Error = Error { name: stringify!($name), number: $number };)* };
}

errors! {
    EPERM 1 ENOENT 2 ESRCH 3 EINTR 4 EIO 5 EBADF 9 EAGAIN 11 ENOMEM 12 EACCES 13 ENODEV 19 EISDIR 21 EINVAL 22 ENFILE 23 EMFILE 24 ENOSPC 28 EPIPE 32
    ENAMETOOLONG 36 ENOSYS 38 ELOOP 40
}

/// What a seccomp filter answers to a call that it does not know, or does not like. Every row has answers for these.
pub const SANDBOX: &[Error] = &[EPERM, ENOSYS];

/// What becomes of the program.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It goes on and does all that it does otherwise.
    GoesOn,
    /// It goes on; what it prints is lost.
    OutputLost,
    /// It was dying of a fatal error: the message is lost, the exit status is 2.
    MessageLost,
    /// `fatal error: ` and this on standard error, exit status 2.
    Fatal(&'static str),
    /// A signal ends it: this one.
    Killed(u32),
}

use Outcome::{Fatal, GoesOn, Killed, MessageLost, OutputLost};

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// This, in its lower half.
    Is(u32),
    /// The length of a thread's block: it depends on the CPU.
    ThreadBlock,
}

use Value::{Is, ThreadBlock};

/// The answer to some errors in some phases.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// In these phases.
    pub phases: &'static [Phase],
    /// To these errors; empty: to all of the row.
    pub errors: &'static [Error],
    /// What becomes of the program.
    pub outcome: Outcome,
    /// What is done.
    pub how: &'static str,
}

/// A row of the contract.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// As strace prints it.
    pub name: &'static str,
    /// Its number on x86-64.
    pub number: u32,
    /// Which calls the row is about: an argument, counted from 0, and one of the values that it has. None: all.
    pub only: &'static [(u8, Value)],
    /// When and why it is made.
    pub why: &'static str,
    /// With which flags and arguments.
    pub flags: &'static str,
    /// When it is made.
    pub phases: &'static [Phase],
    /// It is made only where another call is answered by an error: that call and the error. As `only`, if it has a value: that of argument 2.
    pub after: Option<(&'static str, Option<u32>, Error)>,
    /// It is too rare to be seen in a test program for sure: a lock whose holder the kernel has descheduled, and the like.
    pub rare: bool,
    /// What Linux can answer beside `SANDBOX`.
    pub errors: &'static [Error],
    /// What happens then.
    pub answers: &'static [Answer],
}

impl Call {
    /// Every error that may be the answer: what Linux can say, and what a sandbox does.
    pub fn all_errors(&self) -> impl Iterator<Item = Error> {
        self.errors.iter().chain(SANDBOX.iter().filter(|error| !self.errors.contains(error))).copied()
    }

    /// The answers for one cell: exactly one, or the contract is at fault.
    pub fn answers_to(&self, phase: Phase, error: Error) -> impl Iterator<Item = &'static Answer> {
        self.answers.iter().filter(move |answer| answer.phases.contains(&phase) && (answer.errors.is_empty() || answer.errors.contains(&error)))
    }
}

const fn on(phases: &'static [Phase], errors: &'static [Error], outcome: Outcome, how: &'static str) -> Answer {
    Answer { phases, errors, outcome, how }
}

/// Of clone and clone3 alike.
const THREAD_LATER: &str = "tried again after 1, 2, 4, … 32 ms; then for a second none is made, and the program goes on with the threads it has";
/// The same.
const NO_THREAD: &str = "for a second none is made, and the program goes on with the threads it has; it is fatal only if all of them block";
/// Of all that reads names.
const NO_NAMES: &str = "the trace has addresses and no names";
const ALWAYS: &[Phase] = &[Start, Threads, Steady, Exit];
/// What most rows begin with.
const ROW: Call = Call { name: "", number: 0, only: &[], why: "", flags: "", phases: &[], after: None, rare: false, errors: &[], answers: &[] };

/// All of them, by name.
pub const CALLS: &[Call] = &[
    Call {
        name: "arch_prctl",
        number: nr::__NR_arch_prctl,
        why: "fs of the first thread",
        flags: "ARCH_SET_FS",
        phases: &[Start],
        answers: &[on(&[Start], &[], Fatal("start: fs cannot be set: "), "nothing works without")],
        ..ROW
    },
    Call {
        name: "clock_gettime",
        number: nr::__NR_clock_gettime,
        why: "the time, where the vDSO does not tell it: no vDSO (without PR_GET_AUXV and /proc), or a clock source that it cannot read",
        flags: "CLOCK_MONOTONIC; CLOCK_REALTIME for SystemTime",
        phases: ALWAYS,
        rare: true,
        answers: &[on(ALWAYS, &[], GoesOn, "where it is the only way: a panic, exit status 2. Else it is not made, and nothing changes")],
        ..ROW
    },
    Call {
        name: "clone",
        number: nr::__NR_clone,
        why: "a new M, where clone3 is answered by ENOSYS or EPERM",
        flags: "the seven flags of clone3, no more",
        phases: &[Threads, Steady],
        after: Some(("clone3", None, ENOSYS)),
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(&[Threads, Steady], &[EAGAIN], GoesOn, THREAD_LATER), on(&[Threads, Steady], &[EPERM, ENOSYS, ENOMEM], GoesOn, NO_THREAD)],
        ..ROW
    },
    Call {
        name: "clone3",
        number: nr::__NR_clone3,
        why: "a new M, sysmon, the template thread",
        flags: "CLONE_VM, CLONE_FS, CLONE_FILES, CLONE_SIGHAND, CLONE_THREAD, CLONE_SYSVSEM, CLONE_SETTLS; exit_signal 0, stack, tls",
        phases: &[Threads, Steady],
        errors: &[EAGAIN, ENOMEM, EINVAL],
        answers: &[
            on(&[Threads, Steady], &[EPERM, ENOSYS], GoesOn, "clone with the same flags, from then on"),
            on(&[Threads, Steady], &[EAGAIN], GoesOn, THREAD_LATER),
            on(&[Threads, Steady], &[ENOMEM, EINVAL], GoesOn, NO_THREAD),
        ],
        ..ROW
    },
    Call {
        name: "close",
        number: nr::__NR_close,
        why: "each file of openat, as soon as it has been read",
        phases: &[Start, Steady, Exit],
        errors: &[EINTR, EIO],
        answers: &[on(&[Start, Steady, Exit], &[], GoesOn, "ignored: the file is closed, or stays open")],
        ..ROW
    },
    Call {
        name: "exit",
        number: nr::__NR_exit,
        why: "an M that was not needed for 5 s, or whose locked goroutine has ended, ends its thread",
        flags: "0",
        phases: &[Steady],
        answers: &[on(&[Steady], &[], Killed(nr::SIGILL), "its stack is gone already: an illegal instruction")],
        ..ROW
    },
    Call {
        name: "exit_group",
        number: nr::__NR_exit_group,
        why: "main returned, runtime::exit, or a fatal error",
        flags: "the status; 2 after a fatal error",
        phases: &[Exit],
        answers: &[on(&[Exit], &[], Killed(nr::SIGILL), "an illegal instruction, with all signals masked")],
        ..ROW
    },
    Call {
        name: "fcntl",
        number: nr::__NR_fcntl,
        why: "are descriptors 0 to 2 open?",
        flags: "F_GETFD",
        phases: &[Start],
        errors: &[EBADF],
        answers: &[on(&[Start], &[EBADF], GoesOn, "open"), on(&[Start], &[EPERM, ENOSYS], GoesOn, "they are left as they are")],
        ..ROW
    },
    Call {
        name: "futex",
        number: nr::__NR_futex,
        only: &[(1, Is(128)), (1, Is(137))],
        why: "an idle M sleeps on its note; a keeper until the first timer; sysmon without a timerfd",
        flags: "FUTEX_WAIT_PRIVATE; FUTEX_WAIT_BITSET_PRIVATE with an absolute time of CLOCK_MONOTONIC, FUTEX_BITSET_MATCH_ANY",
        phases: &[Threads, Steady],
        errors: &[EINTR, EAGAIN],
        answers: &[
            on(&[Threads, Steady], &[EINTR, EAGAIN], GoesOn, "looks again, and sleeps again"),
            on(&[Threads, Steady], &[EPERM, ENOSYS], Fatal("note: cannot sleep: "), "it would come for ever"),
        ],
        ..ROW
    },
    Call {
        name: "futex",
        number: nr::__NR_futex,
        only: &[(1, Is(129))],
        why: "wakes the M that sleeps on a note",
        flags: "FUTEX_WAKE_PRIVATE, 1",
        phases: &[Threads, Steady],
        errors: &[EINVAL],
        answers: &[on(&[Threads, Steady], &[], Fatal("note: cannot wake: "), "it would sleep for ever")],
        ..ROW
    },
    Call {
        name: "getpid",
        number: nr::__NR_getpid,
        why: "once, with sysmon's start: the process that signals go to",
        phases: &[Threads],
        answers: &[on(&[Threads], &[], GoesOn, "no goroutine is preempted: they give way at their calls")],
        ..ROW
    },
    Call {
        name: "gettid",
        number: nr::__NR_gettid,
        why: "start of each thread: its id; the end of a cancelled call, so that the signal has come before the next one",
        phases: &[Start, Threads, Steady],
        answers: &[on(&[Start, Threads, Steady], &[], GoesOn, "goroutines on that thread are not preempted: they give way at their calls")],
        ..ROW
    },
    Call {
        name: "madvise",
        number: nr::__NR_madvise,
        only: &[(2, Is(nr::MADV_DONTNEED))],
        why: "free memory goes back, a while after the program fell idle: stacks, heap; a part of the heap that cannot be unmapped",
        flags: "MADV_DONTNEED",
        phases: &[Steady],
        errors: &[EAGAIN, EINVAL, ENOMEM],
        answers: &[on(&[Steady], &[], GoesOn, "the memory is kept, and used again")],
        ..ROW
    },
    Call {
        name: "madvise",
        number: nr::__NR_madvise,
        only: &[(2, Is(102))],
        why: "guards: below each stack, as it is used for the first time, below a C stack, and in each thread's block",
        flags: "MADV_GUARD_INSTALL (102, Linux 6.13), 16 KiB; 1 MiB below a C stack",
        phases: &[Start, Threads, Steady],
        errors: &[EAGAIN, EINVAL, ENOMEM],
        answers: &[
            on(&[Start, Threads, Steady], &[EPERM, ENOSYS, EINVAL], GoesOn, "mprotect, for stacks from then on"),
            on(
                &[Start, Threads, Steady],
                &[EAGAIN, ENOMEM],
                GoesOn,
                "this stack has no guard, and is counted; a thread's block and a C stack get it by mprotect",
            ),
        ],
        ..ROW
    },
    Call {
        name: "madvise",
        number: nr::__NR_madvise,
        only: &[(2, Is(nr::MADV_NOHUGEPAGE))],
        why: "one touched stack must not cost a huge page",
        flags: "MADV_NOHUGEPAGE on each arena of stacks and on each C stack",
        phases: &[Start, Threads, Steady],
        errors: &[EAGAIN, EINVAL, ENOMEM],
        answers: &[on(&[Start, Threads, Steady], &[], GoesOn, "ignored")],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, ThreadBlock)],
        why: "a thread's block: its TLS, M, scheduler's stack and signal stack",
        flags: "as all of mmap: PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_NORESERVE, fd -1",
        phases: &[Start, Threads, Steady],
        errors: &[EAGAIN, ENOMEM],
        answers: &[
            on(&[Start], &[], Fatal("out of memory: no first thread: "), ""),
            on(&[Threads, Steady], &[], GoesOn, "for a second no thread is made, and the program goes on with those it has"),
        ],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, Is(8192))],
        why: "a P",
        flags: "as above",
        phases: &[Start, Steady],
        errors: &[EAGAIN, ENOMEM],
        answers: &[
            on(&[Start], &[], Fatal("out of memory: no P: "), "of the first; without a further one GOMAXPROCS is what could be made"),
            on(&[Steady], &[], GoesOn, "GOMAXPROCS is what could be made"),
        ],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, Is(9 << 20))],
        why: "the C stack of a thread, with its first ffi::call",
        flags: "as above: 8 MiB and the guard",
        phases: &[Steady],
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(&[Steady], &[], Fatal("out of memory: no C stack: "), "ffi::try_call gets an error instead")],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, Is(5 << 20))],
        why: "the heap: regions of pages, and each large block (here one of 5 MiB)",
        flags: "as above",
        phases: &[Steady],
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(
            &[Steady],
            &[],
            Fatal("out of memory: cannot allocate 5242880 bytes\n"),
            "after free memory was given back and it was tried once more; try_reserve and the like get an error instead",
        )],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, Is(16 << 20))],
        why: "an arena of stacks (here one of the default class): twice as large each time, less where the kernel does not give so much",
        flags: "as above",
        phases: &[Threads],
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(&[Threads], &[], GoesOn, "half as large; if not even one stack can be had: `fatal error: out of memory: no stack for a new goroutine`")],
        ..ROW
    },
    Call {
        name: "mmap",
        number: nr::__NR_mmap,
        only: &[(1, Is(4096))],
        why: "the names of the program's functions, for a death with a trace, or the first runtime::stack: the head of the table (here), and the table",
        flags: "as above",
        phases: &[Exit],
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(&[Exit], &[], GoesOn, NO_NAMES)],
        ..ROW
    },
    Call {
        name: "mprotect",
        number: nr::__NR_mprotect,
        why: "a guard, where madvise has none",
        flags: "PROT_NONE, 16 KiB; 1 MiB below a C stack",
        phases: &[Start, Threads, Steady],
        after: Some(("madvise", Some(102), EINVAL)),
        errors: &[ENOMEM, EACCES, EAGAIN],
        answers: &[on(&[Start, Threads, Steady], &[], GoesOn, "stacks have no guard from then on, and are counted")],
        ..ROW
    },
    Call {
        name: "mremap",
        number: nr::__NR_mremap,
        why: "a large heap block grows or shrinks",
        flags: "MREMAP_MAYMOVE",
        phases: &[Steady],
        errors: &[EAGAIN, ENOMEM],
        answers: &[on(&[Steady], &[], GoesOn, "a new block is made and the old one copied")],
        ..ROW
    },
    Call {
        name: "munmap",
        number: nr::__NR_munmap,
        why: "a thread's block, and its C stack, as it ends; large heap blocks, at most 8 MiB at a time",
        phases: &[Steady],
        errors: &[EINVAL, ENOMEM],
        answers: &[on(&[Steady], &[], GoesOn, "heap: its pages are given back by madvise, the address space is lost; a thread's block or C stack is lost")],
        ..ROW
    },
    Call {
        name: "nanosleep",
        number: nr::__NR_nanosleep,
        why: "the pause before a thread creation that was answered by EAGAIN is tried again; the same before the program dies for want of threads",
        flags: "1, 2, 4, … 32 ms; 10 ms",
        phases: &[Threads, Steady],
        after: Some(("clone3", None, EAGAIN)),
        errors: &[EINTR],
        answers: &[on(&[Threads, Steady], &[], GoesOn, "it is tried again at once")],
        ..ROW
    },
    Call {
        name: "open",
        number: nr::__NR_open,
        why: "/dev/null on a closed descriptor 0, 1 or 2; /proc/self/auxv once, where PR_GET_AUXV is refused (Linux before 6.4)",
        flags: "O_RDWR; O_RDONLY",
        phases: &[Start],
        errors: &[ENOENT, EACCES, EMFILE, ENFILE, ENODEV, ENOMEM],
        answers: &[on(&[Start], &[], GoesOn, "the descriptor stays closed; clock_gettime instead of the vDSO")],
        ..ROW
    },
    Call {
        name: "openat",
        number: nr::__NR_openat,
        why: "if more than one CPU is allowed and the environment sets no GOMAXPROCS (else at the first num_cpu): /proc/self/cgroup, /proc/self/mountinfo, and in \
              our cgroup and those above it cpu.max, or cpu.cfs_quota_us and cpu.cfs_period_us; with GODEBUG=updatemaxprocs=1 again each second. debug::leaks: \
              /proc/self/maps. For a death with a trace, or the first runtime::stack: /proc/self/exe",
        flags: "O_RDONLY, O_NONBLOCK, O_NOCTTY, O_CLOEXEC; O_PATH, O_DIRECTORY, O_CLOEXEC on the way where a path is longer than PATH_MAX",
        phases: &[Start, Steady, Exit],
        errors: &[ENOENT, EACCES, EMFILE, ENFILE, ENOMEM, ELOOP, ENAMETOOLONG],
        answers: &[
            on(&[Start], &[], GoesOn, "there is no quota"),
            on(&[Steady], &[], GoesOn, "debug::leaks returns the error"),
            on(&[Exit], &[], GoesOn, NO_NAMES),
        ],
        ..ROW
    },
    Call {
        name: "prctl",
        number: nr::__NR_prctl,
        only: &[(0, Is(0x4155_5856))],
        why: "once, with the first look at a clock: where the vDSO is",
        flags: "PR_GET_AUXV (Linux 6.4)",
        phases: &[Threads],
        errors: &[EINVAL],
        answers: &[on(
            &[Threads],
            &[],
            GoesOn,
            "/proc/self/auxv is read; where it cannot be opened, clock_gettime instead of the vDSO; where it can be opened and not read, a panic",
        )],
        ..ROW
    },
    Call {
        name: "prctl",
        number: nr::__NR_prctl,
        only: &[(0, Is(15)), (0, Is(29))],
        why: "the name of each M but the first; exact timeouts of one that sleeps until a time",
        flags: "PR_SET_NAME; PR_SET_TIMERSLACK, 1",
        phases: &[Threads, Steady],
        errors: &[EINVAL],
        answers: &[on(&[Threads, Steady], &[], GoesOn, "ignored: no name, or timers up to 50 µs later")],
        ..ROW
    },
    Call {
        name: "pread64",
        number: nr::__NR_pread64,
        why: "the names of the program's functions, in /proc/self/exe: its headers, its symbol table; with the feature `lines` its DWARF",
        phases: &[Exit],
        errors: &[EINTR, EIO, EISDIR, EAGAIN, EBADF],
        answers: &[on(&[Exit], &[], GoesOn, NO_NAMES)],
        ..ROW
    },
    Call {
        name: "process_vm_readv",
        number: nr::__NR_process_vm_readv,
        why: "debug::leaks looks at the program's own memory",
        flags: "this process, flags 0",
        phases: &[Steady],
        errors: &[ENOMEM],
        answers: &[on(&[Steady], &[], GoesOn, "debug::leaks returns the error")],
        ..ROW
    },
    Call {
        name: "read",
        number: nr::__NR_read,
        why: "the files of openat; sysmon waits for its alarm",
        phases: &[Start, Steady],
        errors: &[EINTR, EIO, EISDIR, EAGAIN, EBADF],
        answers: &[
            on(&[Start, Steady], &[EINTR], GoesOn, "again"),
            on(
                &[Start, Steady],
                &[EPERM, ENOSYS, EIO, EISDIR, EAGAIN, EBADF],
                GoesOn,
                "there is no quota, debug::leaks returns the error; the alarm is a futex from then on",
            ),
        ],
        ..ROW
    },
    Call {
        name: "rt_sigaction",
        number: nr::__NR_rt_sigaction,
        only: &[
            (0, Is(nr::SIGSEGV)),
            (0, Is(nr::SIGBUS)),
            (0, Is(nr::SIGFPE)),
            (0, Is(nr::SIGILL)),
            (0, Is(nr::SIGQUIT)),
            (0, Is(nr::SIGABRT)),
            (0, Is(nr::SIGTRAP)),
            (0, Is(nr::SIGSYS)),
            (0, Is(nr::SIGSTKFLT)),
        ],
        why: "handlers of faults, and of the signals that are a death with a trace. With GOTRACEBACK=crash SIGABRT gets its default back before the end",
        flags: "SA_SIGINFO, SA_ONSTACK, SA_RESTART, SA_RESTORER; all signals masked",
        phases: &[Start],
        errors: &[EINVAL],
        answers: &[on(&[Start], &[], Fatal("start: no signal handlers: "), "")],
        ..ROW
    },
    Call {
        name: "rt_sigaction",
        number: nr::__NR_rt_sigaction,
        only: &[(0, Is(nr::SIGURG))],
        why: "the handler of preemption requests, with sysmon's start, not with GODEBUG=asyncpreemptoff=1; another one, and this one again, in debug::leaks",
        flags: "the same",
        phases: &[Threads, Steady],
        errors: &[EINVAL],
        answers: &[on(&[Threads], &[], Fatal("sysmon: no handler of SIGURG: "), ""), on(&[Steady], &[], GoesOn, "debug::leaks returns the error")],
        ..ROW
    },
    Call {
        name: "rt_sigprocmask",
        number: nr::__NR_rt_sigprocmask,
        only: &[(0, Is(nr::SIG_UNBLOCK))],
        why: "the signals of faults and of preemption are let in, whatever the parent has blocked",
        flags: "SIG_UNBLOCK: SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSTKFLT, SIGURG. Before a trace SIGSEGV and SIGBUS, with GOTRACEBACK=crash SIGABRT",
        phases: &[Start, Exit],
        answers: &[
            on(&[Start], &[], GoesOn, "ignored: they stay as they were"),
            on(&[Exit], &[], GoesOn, "ignored: a fault in the trace itself would end the process by its signal"),
        ],
        ..ROW
    },
    Call {
        name: "rt_sigprocmask",
        number: nr::__NR_rt_sigprocmask,
        only: &[(0, Is(nr::SIG_SETMASK))],
        why: "all signals masked around clone3, and before a thread ends",
        flags: "SIG_SETMASK",
        phases: &[Threads, Steady],
        answers: &[on(&[Threads, Steady], &[], GoesOn, "ignored: a signal may come to a thread that is not set up")],
        ..ROW
    },
    Call {
        name: "rt_sigreturn",
        number: nr::__NR_rt_sigreturn,
        why: "the end of a preemption signal's handler",
        phases: &[Steady],
        answers: &[on(&[Steady], &[], Killed(nr::SIGILL), "an illegal instruction, with all signals masked")],
        ..ROW
    },
    Call {
        name: "rt_tgsigqueueinfo",
        number: nr::__NR_rt_tgsigqueueinfo,
        why: "a preemption request, the end of a call that was cancelled, debug::leaks, for which a thread in a call holds still, or a thread that is to hold still for a trace, \
              as the program dies or for a moment for the stall report: to one thread",
        flags: "SIGURG, si_code SI_QUEUE, si_value a mark",
        phases: &[Steady],
        errors: &[EAGAIN, ESRCH, EINVAL],
        answers: &[
            on(&[Steady], &[EPERM, ENOSYS, EAGAIN], GoesOn, "tgkill"),
            on(&[Steady], &[ESRCH, EINVAL], GoesOn, "ignored: the thread has ended; else it is sent again after 2 ms"),
        ],
        ..ROW
    },
    Call {
        name: "sched_getaffinity",
        number: nr::__NR_sched_getaffinity,
        why: "NumCPU; with GODEBUG=updatemaxprocs=1 again each second",
        flags: "0, a mask of 8192 CPUs",
        phases: &[Start],
        errors: &[EINVAL],
        answers: &[on(&[Start], &[], GoesOn, "counts as one CPU")],
        ..ROW
    },
    Call {
        name: "sched_yield",
        number: nr::__NR_sched_yield,
        why: "a runtime lock that is held for long: its holder's thread has been descheduled; before a system call, a signal that another thread has announced and not sent yet; standard output that is full and does not block",
        phases: ALWAYS,
        rare: true,
        answers: &[on(ALWAYS, &[], GoesOn, "ignored")],
        ..ROW
    },
    Call {
        name: "sigaltstack",
        number: nr::__NR_sigaltstack,
        why: "the signal stack of each M; none, as a thread ends",
        flags: "64 KiB or more, ss_flags 0; SS_DISABLE",
        phases: &[Start, Threads, Steady],
        errors: &[ENOMEM],
        answers: &[
            on(&[Start], &[], Fatal("thread: M0 has no signal stack: "), ""),
            on(&[Threads, Steady], &[], Fatal("thread: M"), "`thread: M2 has no signal stack`, with the M's number. As a thread ends it is ignored"),
        ],
        ..ROW
    },
    Call {
        name: "tgkill",
        number: nr::__NR_tgkill,
        why: "a preemption request, or the end of a call that was cancelled, where rt_tgsigqueueinfo is answered by EPERM, ENOSYS or EAGAIN",
        flags: "SIGURG; with GOTRACEBACK=crash SIGABRT to the thread that dies, after its trace",
        phases: &[Steady],
        after: Some(("rt_tgsigqueueinfo", None, EPERM)),
        errors: &[EAGAIN, ESRCH, EINVAL],
        answers: &[
            on(&[Steady], &[EPERM, ENOSYS], GoesOn, "no goroutine is preempted any more: they give way at their calls"),
            on(&[Steady], &[EAGAIN, ESRCH, EINVAL], GoesOn, "ignored: the thread has ended; else it is sent again after 2 ms"),
        ],
        ..ROW
    },
    Call {
        name: "timerfd_create",
        number: nr::__NR_timerfd_create,
        why: "sysmon's alarm, once, with the first goroutine but main",
        flags: "CLOCK_MONOTONIC, TFD_CLOEXEC",
        phases: &[Threads],
        errors: &[EMFILE, ENFILE, ENODEV, ENOMEM, EINVAL],
        answers: &[on(&[Threads], &[], GoesOn, "the alarm is a futex")],
        ..ROW
    },
    Call {
        name: "timerfd_settime",
        number: nr::__NR_timerfd_settime,
        why: "a slice or a timer that needs sysmon earlier than its alarm is set to",
        flags: "TFD_TIMER_ABSTIME, it_interval 0",
        phases: &[Threads, Steady],
        errors: &[EBADF, EINVAL],
        answers: &[on(&[Threads, Steady], &[], GoesOn, "the alarm is a futex from then on")],
        ..ROW
    },
    Call {
        name: "write",
        number: nr::__NR_write,
        only: &[(0, Is(1))],
        why: "print!, println!",
        flags: "whole lines, as they are printed",
        phases: &[Threads, Steady, Exit],
        errors: &[EINTR, EAGAIN, EIO, EBADF, ENOSPC, EPIPE],
        answers: &[
            on(&[Threads, Steady, Exit], &[EINTR], GoesOn, "again"),
            on(&[Threads, Steady, Exit], &[EAGAIN], GoesOn, "again after sched_yield, until it is taken"),
            on(&[Threads, Steady, Exit], &[EPERM, ENOSYS, EIO, EBADF, ENOSPC, EPIPE], OutputLost, "ignored, as Go's Println does; SIGPIPE ends the process"),
        ],
        ..ROW
    },
    Call {
        name: "write",
        number: nr::__NR_write,
        only: &[(0, Is(2))],
        why: "eprint!, eprintln! (errors as on standard output), fatal errors, panics; the lines that GODEBUG asks for, at any time (lost on an error)",
        phases: &[Exit],
        errors: &[EINTR, EAGAIN, EIO, EBADF, ENOSPC, EPIPE],
        answers: &[
            on(&[Exit], &[EINTR], GoesOn, "again"),
            on(
                &[Exit],
                &[EPERM, ENOSYS, EAGAIN, EIO, EBADF, ENOSPC, EPIPE],
                MessageLost,
                "of a fatal error the rest of the message is lost, the exit status is 2 all the same",
            ),
        ],
        ..ROW
    },
];
