//! The contract: every system call that the library can make, and why (R14). Users assert on strace logs; this is what they may rely on.
//!
//! A program's own calls (through rustix, say) come on top. `tests/contract.rs` runs programs under strace and fails on a call that is not here.

/// One call of the contract.
pub struct Call {
    /// As strace prints it.
    pub name: &'static str,
    /// When and why it is made.
    pub why: &'static str,
}

/// All of them, by name.
pub const CALLS: &[Call] = &[
    Call { name: "arch_prctl", why: "start: ARCH_SET_FS for the first thread" },
    Call { name: "clone", why: "a new M, where clone3 is answered by ENOSYS or EPERM" },
    Call { name: "clone3", why: "a new M, with exactly seven flags" },
    Call { name: "close", why: "each file of openat, as soon as it has been read" },
    Call { name: "exit", why: "an M that was not needed for 5 s, or whose locked goroutine has ended, ends its thread" },
    Call { name: "exit_group", why: "main returned, runtime::exit, or a fatal error" },
    Call { name: "fcntl", why: "start: F_GETFD on descriptors 0 to 2" },
    Call { name: "futex", why: "FUTEX_WAIT_PRIVATE of an idle M on its note, FUTEX_WAKE_PRIVATE of it" },
    Call { name: "gettid", why: "start of each thread: its id; the end of a cancelled call, so that the signal has come before the next one" },
    Call { name: "getpid", why: "once, with sysmon's start: the process that signals go to" },
    Call { name: "madvise", why: "MADV_NOHUGEPAGE on stack arenas, MADV_GUARD_INSTALL below stacks, MADV_DONTNEED by the scavenger" },
    Call { name: "mmap", why: "stack arenas, heap, thread blocks, tables: anonymous, private, noreserve" },
    Call { name: "mprotect", why: "guards below stacks, where madvise has none" },
    Call { name: "mremap", why: "a large heap block grows or shrinks" },
    Call { name: "munmap", why: "a thread's block as it ends; large heap blocks" },
    Call { name: "nanosleep", why: "the pause before a thread creation that was answered by EAGAIN is tried again" },
    Call { name: "open", why: "start: /dev/null on a closed descriptor 0, 1 or 2" },
    Call {
        name: "openat",
        why: "start, if more than one CPU is allowed and the environment sets no GOMAXPROCS (else the first num_cpu): /proc/self/cgroup, /proc/self/mountinfo, and in our cgroup and those above it cpu.max, or \
              cpu.cfs_quota_us and cpu.cfs_period_us; with GODEBUG=updatemaxprocs=1 again each second. Always O_RDONLY, O_NONBLOCK, O_NOCTTY, O_CLOEXEC; \
              O_PATH, O_DIRECTORY, O_CLOEXEC on the way where a path is longer than PATH_MAX",
    },
    Call { name: "prctl", why: "PR_GET_AUXV once (the vDSO's address), PR_SET_NAME of each M, PR_SET_TIMERSLACK of one that sleeps until a time" },
    Call { name: "read", why: "sysmon waits for its alarm; the files of openat" },
    Call { name: "rt_sigaction", why: "start: SIGSEGV, SIGBUS, SIGFPE, SIGILL; SIGURG with sysmon's start" },
    Call { name: "rt_sigprocmask", why: "all signals masked around clone3, and before a thread ends" },
    Call { name: "rt_sigreturn", why: "the end of the handler of such a signal" },
    Call { name: "rt_tgsigqueueinfo", why: "a preemption request, or the end of a call that was cancelled: SIGURG, SI_QUEUE, to one thread" },
    Call { name: "sched_getaffinity", why: "start: NumCPU; with GODEBUG=updatemaxprocs=1 again each second" },
    Call { name: "sched_yield", why: "a runtime lock that is held for long: its holder's thread has been descheduled" },
    Call { name: "sigaltstack", why: "the signal stack of each M" },
    Call { name: "tgkill", why: "the same, where rt_tgsigqueueinfo is answered by EPERM, ENOSYS or EAGAIN" },
    Call { name: "timerfd_create", why: "sysmon's alarm, once, with the first goroutine but main" },
    Call { name: "timerfd_settime", why: "a slice or a timer that needs sysmon earlier than its alarm is set to" },
    Call { name: "write", why: "print!, println!, eprint!, eprintln!, and fatal errors" },
];
