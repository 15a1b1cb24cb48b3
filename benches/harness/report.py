"""The table: a row a metric, a column a program, as Markdown."""

import statistics

from . import aims
from .workloads import BASE


def number(v):
    """Three figures, or all of them before the point."""
    return f"{v:.0f}" if abs(v) >= 99.95 else f"{v:.3g}"


def cell(values):
    """`median [min..max]`; one value alone as it is."""
    if len(values) == 1:
        return number(values[0])
    return f"{number(statistics.median(values))} [{number(min(values))}..{number(max(values))}]"


class Results:
    """What was measured: a list of values for each workload, metric, unit and program, and who failed or lacks what.

    `values`: {(workload, metric, unit): {program: [value, …]}}; `failed`: {(workload, program): reason};
    `skipped`: {(workload, program)}. A failure wins over the values of earlier rounds.
    """

    def __init__(self):
        self.values, self.failed, self.skipped = {}, {}, set()

    def add(self, workload, program, metrics):
        if metrics is None:
            self.skipped.add((workload, program))
            return
        for (metric, unit), value in metrics.items():
            self.values.setdefault((workload, metric, unit), {}).setdefault(program, []).append(value)

    def over(self, workload, program):
        """Nothing more is to be learned of this program from this workload."""
        return (workload, program) in self.failed or (workload, program) in self.skipped

    def to_json(self):
        return {
            "values": {" ".join(key): programs for key, programs in self.values.items()},
            "failed": {" ".join(key): reason for key, reason in self.failed.items()},
            "skipped": sorted(" ".join(key) for key in self.skipped),
        }

    @staticmethod
    def from_json(data):
        results = Results()
        results.values = {tuple(key.split()): programs for key, programs in data["values"].items()}
        results.failed = {tuple(key.split()): reason for key, reason in data["failed"].items()}
        results.skipped = {tuple(key.split()) for key in data["skipped"]}
        return results


def _rows(results, programs):
    """(workload, metric, unit, {program: [value, …]}) in the order of the table; a workload that all failed has one row."""
    keys = list(results.values) + [(w, "—", "—") for w, _ in results.failed if not any(k[0] == w for k in results.values)]
    order = {w: i for i, w in enumerate(BASE)}
    for key in dict.fromkeys(sorted(keys, key=lambda k: order.get(k[0], len(order)))):
        values = results.values.get(key, {})
        yield (*key, {p: values[p] for p in programs if p in values and (key[0], p) not in results.failed})


def _judge(results, workload, metric, unit, values, base):
    """The last columns of a row: ratio, aim, best other, verdict."""
    medians = {p: statistics.median(v) for p, v in values.items()}
    ratio = f"{medians['gort'] / medians[base]:.2f}" if "gort" in medians and medians.get(base) else ""
    aim = ", ".join(a.text() for a in aims.applying(workload, metric, medians))
    best = aims.best_peer(workload, metric, unit, medians, base)
    if (workload, "gort") in results.failed:
        verdict = "failed"
    elif (workload, "gort") in results.skipped:
        verdict = "not yet"
    elif "gort" in medians:
        verdict = aims.verdict(workload, metric, unit, medians, base)
    else:
        verdict = ""
    return ratio, aim, f"{best[0]} {best[1]:.2f}" if best else "", verdict


def _table(results, programs, base, notes):
    """One table, all of whose ratios are to `base`; no lines when nothing of it was measured."""
    rows = [r for r in _rows(results, programs) if BASE.get(r[0], "go") == base]
    shown = [p for p in programs if any(p in r[3] or (r[0], p) in results.failed for r in rows)]
    if not rows:
        return [], []
    ours = "gort" in programs
    head = ["workload", "metric", "unit", *shown] + ([f"gort/{base}", "aim", "gort/best other", "verdict"] if ours else [])
    lines, verdicts = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"], []
    for workload, metric, unit, values in rows:
        line = [workload, metric, unit]
        for p in shown:
            if (workload, p) in results.failed:
                line.append("failed")
            elif p not in values:
                line.append("—")
            else:
                why = p not in ("gort", base) and aims.why_not_comparable(workload, metric, p)
                line.append(cell(values[p]) + (f" ({notes.setdefault(why, len(notes) + 1)})" if why else ""))
        if ours:
            judged = _judge(results, workload, metric, unit, values, base)
            verdicts.append(judged[-1])
            line += judged
        lines.append("| " + " | ".join(line) + " |")
    return lines, verdicts


def report(results, programs, header, left_out):
    """The whole report. `programs`: the columns in order; `left_out`: {program: reason}."""
    notes, verdicts, text = {}, [], [header, ""]
    for base in dict.fromkeys(BASE.values()):
        lines, judged = _table(results, programs, base, notes)
        verdicts += judged
        text += lines + [""] if lines else []
    counts = {}
    for v in verdicts:
        kind = "behind a peer" if v.startswith("behind") else v
        counts[kind] = counts.get(kind, 0) + 1
    text += [", ".join(f"{n} {kind}" for kind, n in sorted(counts.items(), key=lambda c: -c[1]) if kind) + ".", ""] if any(counts) else []
    text += [f"({i}) not comparable: {why}." for why, i in notes.items()]
    text += [f"{program} is left out: {reason}." for program, reason in left_out.items()]
    text += [f"{program} failed {workload}: {reason}." for (workload, program), reason in results.failed.items()]
    return "\n".join(text).rstrip() + "\n"
