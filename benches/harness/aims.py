"""What gort aims at, and whether it is met.

An aim is a bound on gort's median: times the median of another program in the same run, or on the value itself. A row is

    met       every aim of the row holds, and no comparable peer is more than SLACK better
    behind X  every aim holds, but the comparable peer X is more than SLACK better
    not met   an aim does not hold
    no aim    the row is there to be looked at
    not yet   gort has no such workload so far
    failed    gort failed it
    needs X   an aim is a ratio to X, which was not measured
"""

from dataclasses import dataclass
from typing import Callable, Optional

from .workloads import more_is_better

SLACK = 1.10


@dataclass(frozen=True)
class Aim:
    most: Optional[float] = None
    least: Optional[float] = None
    of: Optional[str] = None  # the program it is a ratio to; None: a bound on the value itself
    unit: str = ""  # of a bound on the value itself
    when: Callable = lambda medians: True  # whether the aim applies

    def text(self):
        sign, bound = ("≤", self.most) if self.least is None else ("≥", self.least)
        return f"{sign} {bound:g}" + (f" × {self.of}" if self.of else f" {self.unit}".rstrip())

    def holds(self, medians):
        bound = (self.most if self.least is None else self.least) * (medians[self.of] if self.of else 1)
        return medians["gort"] <= bound if self.least is None else medians["gort"] >= bound


def _go(most=None, least=None):
    return [Aim(most, least, "go")]


def _go_keeps_half(medians):
    return medians.get("go", 0) > 0.5


AIMS = {
    ("yield", "per_switch"): _go(0.12),
    ("pingpong1", "round_trip"): _go(0.15),
    ("pingpong2", "round_trip"): _go(0.15),
    ("ring", "per_hop"): _go(0.20),
    ("pipe", "per_item"): [Aim(0.55, of="go"), Aim(1.1, of="tokio", when=lambda m: "tokio" in m)],
    ("spawn_join", "per_goroutine"): _go(0.30),
    ("skynet", "total"): _go(0.12),
    ("fib", "total"): _go(0.12),
    ("chan_mpmc", "per_msg"): _go(0.35),
    ("select4", "per_msg"): _go(0.25),
    ("sieve", "total"): _go(0.20),
    ("mutex", "per_op"): _go(0.80),
    ("parked", "rss"): [Aim(4400, unit="B")],
    ("parked", "spawn"): _go(1.0),
    ("parked", "wake"): _go(0.40),
    ("timers", "wall"): _go(0.35),
    ("timers", "late_p99"): [Aim(10_000, unit="us")],
    ("preempt", "late_p50"): [Aim(100, unit="us")],
    ("preempt", "late_p99"): [Aim(500, unit="us")],
    ("preempt", "spin_min_over_max"): [Aim(least=0.9)],
    ("syscall", "over_raw"): [Aim(8, unit="ns")],
    ("block_syscall", "wall"): _go(0.35),
    # How much Go keeps swings from run to run. Where it is more than half, 1.5 times as much would be more than there is: there
    # the bare threads are the measure.
    ("block_syscall", "compute_retained"): [
        Aim(least=1.5, of="go", when=lambda m: not _go_keeps_half(m)),
        Aim(least=0.75, of="threads", when=_go_keeps_half),
    ],
    ("tcp_echo", "rate"): _go(least=1.4),
    ("http_raw", "rate"): _go(least=1.3),
    ("startup", "wall"): _go(0.35),
    ("startup", "max_rss"): _go(0.5),
    ("startup", "syscalls"): _go(0.15),
    ("startup", "stripped_size"): [Aim(0.1, of="go"), Aim(130, unit="KiB")],
    ("parmap", "p2"): _go(0.90),
}

_UNBOUNDED = "may's channels are unbounded: no send ever waits"
_SMALLER = "its N is smaller"
_STACKLESS = "a tokio task has no stack"
_NO_PREEMPTION = "tokio and may do not preempt: one sample"

# (workload, metric or None for all of them, program) -> why it is no measure for gort
NOT_COMPARABLE = {
    ("chan_mpmc", None, "may"): _UNBOUNDED,
    ("sieve", None, "may"): _UNBOUNDED,
    ("pipe", None, "may"): _UNBOUNDED,
    ("skynet", None, "may"): _SMALLER,
    ("fib", None, "may"): _SMALLER,
    ("parmap", None, "may"): _SMALLER,
    ("parked", "rss", "tokio"): _STACKLESS,
    ("parked", "spawn", "tokio"): _STACKLESS,
    ("preempt", None, "tokio"): _NO_PREEMPTION,
    ("preempt", None, "may"): _NO_PREEMPTION,
    ("syscall", "syscall", "tokio"): "tokio's is spawn_blocking",
    ("syscall", "over_raw", "tokio"): "tokio's is spawn_blocking",
    ("timers", None, "may"): _SMALLER,
    ("timers", None, "threads"): _SMALLER,
}


def why_not_comparable(workload, metric, program):
    """The reason, or None when the program's number can be held against gort's."""
    return NOT_COMPARABLE.get((workload, metric, program)) or NOT_COMPARABLE.get((workload, None, program))


def applying(workload, metric, medians):
    """The aims of a row, as far as they apply to these medians."""
    return [a for a in AIMS.get((workload, metric), []) if a.when(medians)]


def best_peer(workload, metric, unit, medians, base):
    """The best comparable program besides gort and the base, and gort's ratio to it; None where there is none."""
    peers = {p: v for p, v in medians.items() if p not in ("gort", base) and v > 0 and not why_not_comparable(workload, metric, p)}
    if not peers or "gort" not in medians:
        return None
    name = (max if more_is_better(metric, unit) else min)(peers, key=peers.get)
    return name, medians["gort"] / peers[name]


def verdict(workload, metric, unit, medians, base):
    """The verdict on a row that gort has measured."""
    aims = applying(workload, metric, medians)
    if not aims:
        return "no aim"
    missing = [a.of for a in aims if a.of and a.of not in medians]
    if not all(a.holds(medians) for a in aims if a.of not in missing):
        return "not met"
    if missing:
        return f"needs {missing[0]}"
    best = best_peer(workload, metric, unit, medians, base)
    if best and (best[1] < 1 / SLACK if more_is_better(metric, unit) else best[1] > SLACK):
        return f"behind {best[0]}"
    return "met"
