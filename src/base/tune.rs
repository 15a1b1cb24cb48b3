//! Every constant of floor 2 and up, with its unit and its reason.

/// A contended runtime lock doubles its pause up to this many `pause` instructions. Measured: 64, 512 and 4096 do not differ.
pub const LOCK_SPINS_MAX: u32 = 512;
/// After so many pauses in one wait the holder's thread has been descheduled by the kernel: yield to it. About half a millisecond.
pub const LOCK_SPINS_BEFORE_YIELD: u32 = 20_000;

/// Buckets of the table of those who wait by address, as a power of two. Go has 251; they take 16 KiB, of which a program touches what it uses.
pub const SLEEPER_BUCKET_BITS: u32 = 8;

/// Slots of a P's shared ring: Go's number. A power of two.
pub const RING_SLOTS: u32 = 256;
/// Fresh spawns that a P keeps to itself, last in first out. A power of two, twice `SPAWN_CHILD_FIRST`.
pub const FRESH_SLOTS: u32 = 64;
/// From so many runnable spawns on, `go` runs the child first: few stacks are ever started at once. 8 to 250 measure alike in parmap; 32
/// keeps Go's order for small programs.
pub const SPAWN_CHILD_FIRST: u32 = 32;
/// Below so many fresh spawns a P takes the oldest first, as Go does; from there on the newest (depth first: few live stacks).
pub const FRESH_FIFO_BELOW: u32 = 16;
/// Every so many scheduler ticks a P looks at the global queue and the oldest of its ring first. A prime, as Go's, so that it does not
/// beat with the program's own rhythm.
pub const GLOBAL_TICKS: u32 = 61;

/// And not more often than this: the oldest may be the root of a large tree of spawns, and each that is begun besides is a page fault for every node
/// of it. Measured: skynet has 18 000 stacks without this bound, 800 with it.
pub const OLDEST_EACH_NS: u64 = 100_000;

/// Passes over all Ps when looking for work to steal; the last one takes runnexts too. Go's number.
pub const STEAL_PASSES: u32 = 4;
/// A runnext is stolen only if its P has not scheduled for this long: a pair that hands off in less is better left together. Go's number.
pub const RUNNEXT_GRACE_NS: u64 = 3_000;
/// How long a spinner looks for work before it sleeps. A futex wake costs 25 µs across cores here.
pub const SPIN_NS: u64 = 30_000;
/// After a spinner was woken in vain for a runnext, so many hand-offs at first pass before the next attempt; doubled each time in vain.
pub const RUNNEXT_WAKE_BACKOFF_MIN: u32 = 64;
/// The end of that doubling.
pub const RUNNEXT_WAKE_BACKOFF_MAX: u32 = 1 << 17;

/// How long a goroutine may run while others wait: Go's 10 ms.
pub const SLICE_NS: u64 = 10_000_000;
/// How long it may run at least before it is preempted for one whose time has come. Measured: 50 µs halve the compute that a storm of sleepers
/// leaves, 1 ms triples the lateness of a sleeper.
pub const MIN_SLICE_NS: u64 = 200_000;
/// A request to give way that is not heeded for so long goes to another P as well: the kernel has descheduled the first one's thread.
pub const ESCALATE_NS: u64 = 100_000;
/// After so long without effect a request is sent again: it may have been refused at an instruction where nothing can be injected.
pub const ASK_AGAIN_NS: u64 = 2_000_000;
/// How long a goroutine runs at least before it is preempted for one that comes back from a system call and finds no P. Measured: 200 µs
/// leave 0.42 of the compute, 1 ms 0.61, at the same pace of calls.
pub const LINE_SLICE_NS: u64 = 1_000_000;
/// A P that sysmon sees in the same system call for so long is taken, if somebody waits.
pub const RETAKE_NS: u64 = 20_000;
/// A call that gave its P away and returns before this need not have.
pub const CALL_IS_QUICK_NS: u64 = 20_000;
/// So many quick returns in a row, and a call site that was said to block keeps its P; a site whose P was retaken gives it away so many times.
pub const CALL_QUICK_TIMES: u8 = 8;
/// A system call that was cancelled and has not ended is sent its signal again after so long at first: the first one may have come just before the call.
pub const CANCEL_AGAIN_NS: u64 = 50_000;
/// The end of the doubling of that pause: who goes on for long in spite of it does not notice the signals.
pub const CANCEL_AGAIN_MAX_NS: u64 = 20_000_000;
/// So many of these signals are sent under one lock: some 10 µs.
pub const CANCELS_AT_ONCE: u32 = 8;
/// The buffer of a channel has fewer bytes than this: the end of Go's address space on this machine.
pub const CHANNEL_MAX_BYTES: usize = 1 << 48;
/// Goroutines that a close wakes under one lock, if some of them wait elsewhere too: some 20 µs.
pub const CLOSE_AT_ONCE: u32 = 256;
/// A select with so many cases keeps their order on its stack, a larger one in the heap.
pub const SELECT_ON_STACK: usize = 16;
/// Sleepers whose time has come that are taken from a heap at once: some 20 µs.
pub const TIMERS_AT_ONCE: usize = 256;

/// So long after an M went idle sysmon gives free memory back to the kernel, if nobody is busy then: whoever sleeps and wakes all the time
/// must not fault it in again and again.
pub const SCAVENGE_AFTER_NS: u64 = 100_000_000;

/// So long at most a thread that is about to make a system call waits for a signal that another thread has announced: as long as the kernel may keep that
/// one from sending it on a busy machine.
pub const SIGNAL_UNDER_WAY_NS: u64 = 100_000_000;

/// The M of a locked goroutine that waits for its turn looks for it so long before it sleeps: a futex wake costs as much.
pub const LOCKED_SPIN_NS: u64 = 10_000;

/// Who looks for leaked goroutines waits so long at most for a thread in a system call or in C to take a signal.
pub const LEAKS_HOLD_NS: u64 = 1_000_000_000;

/// Goroutine ids a P takes from the global counter at a time: Go's number.
pub const GOID_BATCH: u64 = 16;
/// Ms at most: Go's limit.
pub const MAX_THREADS: u32 = 10_000;
/// A file of /proc that goes on for longer is not read to its end: with as many mounts as Linux allows (100 000) it is about half as long.
pub const PROC_FILE_MAX_BYTES: usize = 64 << 20;
/// With `GODEBUG=updatemaxprocs=1`, how often the CPUs that may be used are counted again, at most: Go's 1 s.
pub const COUNT_CPUS_EACH_NS: u64 = 1_000_000_000;
/// Ps at most; a larger GOMAXPROCS counts as this. The table of Ps is reserved address space of 8 bytes each.
pub const MAX_PROCS: u32 = 1 << 20;
/// Thread creation answered by EAGAIN is tried so often, with pauses of 1, 2, 4, … ms between.
pub const THREAD_RETRIES: u32 = 6;
/// With every M blocked in a call, goroutines runnable and no thread to be had, the program waits so long for a call to return. Then it dies.
pub const EXHAUSTION_NS: u64 = 1_000_000_000;
/// Idle Ms beyond GOMAXPROCS and this many end their threads, if they stay idle.
pub const SPARE_THREADS: u32 = 4;
/// How long they must have been idle: a thread costs some 40 µs to make, so one that is needed less often than this is cheap to make anew.
pub const REAP_EACH_NS: u64 = 5_000_000_000;
/// So many Ms leave the idle list in one go, under the scheduler's lock: some 10 µs.
pub const REAP_AT_ONCE: u32 = 64;

/// Usable bytes of a g0 stack: the scheduler and fatal errors run there.
pub const G0_STACK_BYTES: usize = 64 << 10;
/// Bytes of a signal stack, or four times what the kernel asks for if that is more.
pub const SIGNAL_STACK_BYTES: usize = 64 << 10;
/// The stack that C runs on, one an M that calls C: what threads of a shell have.
pub const C_STACK_BYTES: usize = 8 << 20;
/// The guard below it: C does not probe its frames, so it is larger than those that a program has by mistake.
pub const C_GUARD_BYTES: usize = 1 << 20;
/// Guard below every stack: larger than any frame that Rust does not probe.
pub const GUARD_BYTES: usize = 16 << 10;
/// The smallest stack class; class k has this `<< k`, and one page more so that stack tops do not fall into the same cache sets.
pub const STACK_MIN_BYTES: usize = 64 << 10;
/// Stack classes: 64 KiB to 1 GiB.
pub const STACK_CLASSES: usize = 15;
/// The class of a goroutine that asks for nothing: 260 KiB of address space.
pub const STACK_CLASS_DEFAULT: usize = 2;
/// The class of main: 8 MiB, as threads of a shell have it.
pub const STACK_CLASS_MAIN: usize = 7;
/// The first arena of a class; each further one doubles, to the largest.
pub const ARENA_MIN_BYTES: usize = 16 << 20;
/// The largest arena.
pub const ARENA_MAX_BYTES: usize = 1 << 30;
/// Free stacks that a P keeps; beyond, half go to the class's central list.
pub const STACK_CACHE: u32 = 512;
/// Guard pages by `mprotect` (before Linux 6.13): as many as leave half of `vm.max_map_count` (65 530) to the program.
pub const PROTECTED_GUARDS_MAX: u32 = 16_000;
/// A closure larger than this goes to the heap instead of the new stack.
pub const CLOSURE_ON_STACK_BYTES: usize = 1024;
/// A mutex is spun on for so many pauses before its goroutine parks: a few microseconds.
pub const MUTEX_SPINS: u32 = 2_000;
/// After waiting for so long a goroutine gets the mutex handed over: Go's 1 ms.
pub const MUTEX_STARVES_NS: u64 = 1_000_000;
/// A pool keeps so many values of each P at most,
pub const POOL_KEPT: usize = 256;
/// and so many bytes of them: what lies in the values themselves.
pub const POOL_KEPT_BYTES: usize = 64 << 10;
/// Text up to this length is printed from the stack.
pub const PRINT_ON_STACK_BYTES: usize = 256;

/// Blocks that move at a time between a P's heap cache and the central lists, at most: a lock costs 20 to 100 ns, a block may bear 2 of it.
pub const HEAP_BATCH_BLOCKS: u32 = 32;
/// The same in bytes: a P keeps two batches a class, so large blocks move in smaller ones.
pub const HEAP_BATCH_BYTES: usize = 16 << 10;
/// Bytes of free blocks that a class keeps in batches; what is freed beyond goes back to its spans, one by one.
pub const HEAP_CENTRAL_BYTES: usize = 256 << 10;
/// Segments of 1 MiB that the heap maps at a time: doubled from one at first to this.
pub const HEAP_GROWTH_SEGMENTS: u32 = 64;
/// Free memory that the heap keeps when the program falls idle: whoever sleeps and wakes all the time must not fault it in again and again.
pub const HEAP_KEEP_BYTES: usize = 256 << 10;
/// Freed mappings of large blocks that are kept for the next ones: so many,
pub const HEAP_LARGE_KEPT: usize = 8;
/// and none larger than this.
pub const HEAP_LARGE_KEPT_BYTES: usize = 4 << 20;
/// A large mapping is unmapped in pieces of this size, since a system call cannot be preempted: some 0.3 ms each.
pub const HEAP_UNMAP_BYTES: usize = 8 << 20;
/// With metrics, one of so many goroutines that become runnable is sampled: Go's number.
pub const LATENCY_PERIOD: u32 = 8;
/// Samples of a P come about this far apart at least: a sample is two looks at the clock, some 50 ns, so 1 % of the time.
pub const LATENCY_SAMPLE_NS: u64 = 5_000;
/// Of a list that becomes runnable in one step, so many are counted for sampling: some 2 µs.
pub const SAMPLED_AT_ONCE: u32 = 256;
/// So often the period is doubled for that, at most: 1 of 512 costs a switch of 9 ns another 0.1.
pub const LATENCY_PERIOD_DOUBLINGS: u8 = 6;
/// `GODEBUG=schedtrace` prints with so much memory: lines about some 16 000 Ps are written whole.
pub const SCHEDTRACE_BYTES: usize = 64 << 10;
/// `GODEBUG=scheddetail` prints so many goroutines, and counts the rest.
pub const TRACE_GOROUTINES: u32 = 1_000;
