"""The scenarios that a program of Go and one of gort go through, and how what they print is compared.

Each is run by both programs at some values of GOMAXPROCS. What is printed is first put into a form that can be equal, as the scenario's kind says:

    words    standard output as it is
    deaths   standard output, and of standard error what is said, with the headers of goroutines; of a stack no more: its functions are the language's
    stacks   the headers of goroutines, and who has created them
    numbers  counts that are left to chance: a sentence about them, if they are within the bounds, else they themselves

Goroutines but the first are numbered as they are met, since Go's own take numbers too. Then both must be equal, line by line. A deviation is a list of lines of
Go's with those that gort prints in their place: each must be there, in both. A scenario that prints nothing has failed.

    place         gort says behind a panic's message where it was made; Go leaves that to the stack
    wake order    who waited for a close or a WaitGroup goes on in the order of waiting; Go has them reversed by a stack, and the last one jump the queue
    turns         a goroutine that has spent its slice of 10 ms waits for 100 µs at least if others only yield; in Go it is its turn after each has yielded once
    timer buffer  the channel of a timer has room for its one value, and shows it; Go's has none to show: what is promised of stop and reset is the same

Not compared: to unlock a mutex that is not locked (fatal in Go) cannot be written with guards; to send and receive at once what is being closed and the like is a
storm, not a scenario (`tests/select.rs`); panics that are recovered.
"""

import os
import re
import subprocess

AT = re.compile(r"\tat tests/programs/src/bin/scenarios\.rs:\d+:\d+$")
ID = re.compile(r"\bgoroutine (\d+)\b")
LIMIT_S = 30


def renumbered(lines):
    """Goroutines by the order in which they are met; the first one is 1 everywhere."""
    names = {"1": "1"}
    return [ID.sub(lambda found: "goroutine " + names.setdefault(found[1], f"#{len(names) + 1}"), line) for line in lines]


def words(run):
    return run.stdout.splitlines() + [f"stderr: {line}" for line in run.stderr.splitlines()]


def deaths(run):
    """What is said up to the first goroutine, and the headers."""
    said, headers, within = [], [], False
    for line in run.stderr.splitlines():
        if re.match(r"goroutine \d+ \[", line):
            within = True
            headers.append(line)
        elif not within and line:
            said.append("(place)" if AT.match(line) else line)
    return run.stdout.splitlines() + said + renumbered(headers)


def stacks(run):
    lines = [re.sub(r"^created by (?:main\.|scenarios::)", "created by ", line) for line in words(run)]
    return renumbered([line for line in lines if re.match(r"(own )?goroutine \d+ |created by |stderr", line)])


def numbers(judge):
    """`judge` makes a sentence of a line's name and its numbers; None: they are out of bounds."""

    def form(run):
        lines = []
        for line in words(run):
            name = re.sub(r"[\d ]+$", "", line)
            found = [int(number) for number in re.findall(r"\d+", line)]
            lines.append(judge(name, found) or f"{line} (out of bounds)")
        return lines

    return form


def shares(name, found):
    """Each of two hogs has a fifth at least."""
    if name == "hogs" and len(found) == 2 and min(found) * 5 >= sum(found):
        return "each hog has its share"


def turns(name, found):
    # Of 800 ms; a busy machine leaves fewer.
    if name == "hog ran in" and len(found) == 1 and found[0] >= 40:
        return "the hog has its share"
    if name == "yielders" and len(found) == 3 and min(found) >= 3 and max(found) <= 2 * min(found) + 3:
        # 800 ms are 80 slices of the hog.
        return "equal turns, one a slice" if max(found) <= 200 else "equal turns, many a slice" if min(found) >= 1000 else None


def evenly(rounds):
    """As often as the others, by chi-square: by chance it passes 60 once in 10^12 for three degrees of freedom."""

    def judge(name, found):
        if name == "never" and found == [0, 0, 0]:
            return "those that cannot go on are never chosen"
        if name != "chosen" or sum(found) != rounds:
            return None
        expected = rounds / len(found)
        if sum((count - expected) ** 2 / expected for count in found) < 60:
            return f"{len(found)} that can go on are chosen equally often"

    return judge


class Scenario:
    def __init__(self, name, form=words, procs=(1, 2, 8), attempts=1, deviations=None):
        # More attempts: where a machine that is busy for 10 ms can change the outcome, in either program.
        self.name, self.form, self.procs, self.attempts, self.deviations = name, form, procs, attempts, deviations or {}

    def died(self):
        return self.form is deaths


def in_order(name, deviations=None):
    """On one P: who goes on when is known."""
    return Scenario(name, procs=(1,), attempts=4, deviations=deviations)


def panics(name, *messages):
    """`messages`: each line behind which gort says where it was made; the end of the lines with Go."""
    pairs = [(message, message + "\n(place)") for message in messages]
    return Scenario(name, deaths, (1, 8), deviations={"place": pairs})


def deadlock(name):
    return Scenario("deadlock_" + name, deaths, (1, 8))


SCENARIOS = [
    Scenario("hogs", numbers(shares), (1,), 4),
    Scenario("hog_and_yielders", numbers(turns), (1,), 4, {"turns": [("equal turns, one a slice", "equal turns, many a slice")]}),
    Scenario("mutex_fair"),
    in_order("spawn_order"),
    in_order("receivers"),
    in_order("senders"),
    in_order("mixed"),
    in_order("mutex_order"),
    in_order("close_order", {"wake order": [("closed [0 4 3 2 1]", "closed [0 1 2 3 4]")]}),
    in_order("wait_group_order", {"wake order": [("waited [4 0 1 2 3]", "waited [0 1 2 3 4]")]}),
    Scenario("timer_order", procs=(1, 8), attempts=4),
    Scenario("select_fair", numbers(evenly(20_000)), (1, 2, 8)),
    Scenario("select_many", numbers(evenly(21_000)), (1, 2, 8)),
    Scenario("select_default"),
    Scenario("drain"),
    Scenario("buffered"),
    Scenario(
        "timer_results",
        deviations={"timer buffer": [("length 0 capacity 0", "length 0 capacity 1"), ("due: length 0", "due: length 1")]},
    ),
    Scenario("func_results"),
    Scenario("ticker", deviations={"timer buffer": [("ticks kept 1 after stop false capacity 0", "ticks kept 1 after stop false capacity 1")]}),
    Scenario("gomaxprocs"),
    Scenario("num_goroutine"),
    Scenario("stacks", stacks),
    Scenario("locked"),
    Scenario("deferred"),
    panics("send_closed", "panic: send on closed channel"),
    panics("send_closed_meanwhile", "panic: send on closed channel"),
    panics("select_send_closed", "panic: send on closed channel"),
    panics("close_closed", "panic: close of closed channel"),
    panics("close_nil", "panic: close of nil channel"),
    panics("negative", "panic: sync: negative WaitGroup counter"),
    panics("panic_text", "panic: with 42"),
    panics("panic_error", "panic: an error's words"),
    panics("panic_lines", "\tand another"),
    panics("panic_goroutine", "panic: in a goroutine"),
    panics("panic_deferred", "panic: the first", "\tpanic: the second"),
    panics("panic_after_goexit", "panic: hello"),
    panics("ticker_zero", "panic: non-positive interval for NewTicker"),
    panics("ticker_reset_zero", "panic: non-positive interval for Ticker.Reset"),
    Scenario("goexit_in_panic", deaths, (1, 8)),
    Scenario("exit", procs=(1, 8)),
    Scenario("main_returns", procs=(1, 8)),
    *map(
        deadlock,
        ["receive", "send", "nil_receive", "nil_send", "range", "select", "nothing", "mutex", "wait_group", "goexit", "locked", "of_many"],
    ),
]


def once(program, scenario, procs):
    """The exit status and what was printed, in the form that is compared."""
    env = {k: v for k, v in os.environ.items() if k not in ("GODEBUG", "GOTRACEBACK", "GOGC")} | {"GOMAXPROCS": str(procs)}
    try:
        run = subprocess.run([*program, scenario.name], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", timeout=LIMIT_S)
    except subprocess.TimeoutExpired as late:
        return None, [f"not done after {late.timeout} s"]
    return run.returncode, scenario.form(run)


def compared(scenario, go, gort):
    """What is wrong; None: nothing is."""
    (go_status, go_lines), (gort_status, gort_lines) = go, gort
    if None in (go_status, gort_status):
        return "not done in time"
    if not go_lines or not gort_lines:
        return "nothing was printed"
    if go_status != gort_status or (go_status != 2 if scenario.died() else go_status not in (0, 3)):
        return f"exit status {go_status} and {gort_status}"
    if any("(out of bounds)" in line for line in go_lines + gort_lines):
        return "out of bounds"
    expected = "\n".join(go_lines) + "\n"
    for name, pairs in scenario.deviations.items():
        for ours, theirs in pairs:
            if expected.count(ours + "\n") != 1:
                return f"the deviation `{name}` is listed and Go has no `{ours}`"
            expected = expected.replace(ours + "\n", theirs + "\n")
    return None if expected.splitlines() == gort_lines else "they differ"


def run(go, gort):
    """Yields (what, wrong or None, the deviations that were seen, what both printed)."""
    for scenario in SCENARIOS:
        for procs in scenario.procs:
            for _ in range(scenario.attempts):
                said = once(go, scenario, procs), once(gort, scenario, procs)
                wrong = compared(scenario, *said)
                if wrong is None:
                    break
            text = "".join(f"\n      {name}: exit status {status}\n        " + "\n        ".join(lines) for name, (status, lines) in zip(("Go", "gort"), said))
            yield f"{scenario.name} at GOMAXPROCS={procs}", wrong, set(scenario.deviations), text
