"""The workloads, in the order of the table. What each of them does is in README.md."""

# name -> the program that every ratio is taken to
BASE = {w: "go" for w in """yield pingpong1 pingpong2 ring pipe spawn_join skynet fib chan_mpmc select4 sieve mutex rwmutex parked timers preempt
    syscall block_syscall locked_pingpong thread_create call_handoff tcp_echo http_raw http startup parmap""".split()}
BASE.update({w: "glibc" for w in ("memcpy", "alloc")})

# The programs of benches/host, which have the workloads of base glibc and no other.
HOST = ("glibc", "talc")

# A few seconds each, no server, no memory-bound one: what `--quick` runs.
QUICK = "yield pingpong1 pingpong2 ring spawn_join skynet fib chan_mpmc mutex startup".split()

# Whether pages fault fast or slowly depends on what ran before. One run of the same program and size is discarded before each
# counted one, so that every program has itself as its predecessor.
COLD = ("parked", "timers")

# Driven from outside by wrk.
SERVERS = ("http", "http_raw")

# Metrics of which more is better, besides all whose unit is something a second. Of every other, less is better.
MORE_IS_BETTER = ("samples", "spin_min_over_max", "compute_retained", "speedup")


def has(program, workload):
    """Whether the program is asked for the workload at all."""
    return program == "gort" or (program in HOST) == (BASE[workload] == "glibc")


def more_is_better(metric, unit):
    return metric in MORE_IS_BETTER or unit.endswith("/s")


def derive(workload, metrics):
    """Adds what is computed from two metrics of one run: what a system call costs beyond the bare instruction."""
    if workload == "syscall" and ("syscall", "ns") in metrics and ("rawsyscall", "ns") in metrics:
        metrics["over_raw", "ns"] = metrics["syscall", "ns"] - metrics["rawsyscall", "ns"]
