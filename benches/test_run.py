#!/usr/bin/env python3
"""Tests of `run`, with shell scripts for programs: they build nothing and take about a second."""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from harness import aims  # noqa: E402
from harness.report import Results, cell, number, report  # noqa: E402
from harness.run_one import Broken, count_calls, parse, read_wrk  # noqa: E402
from harness.workloads import BASE  # noqa: E402


class Reading(unittest.TestCase):
    def test_metrics_are_read(self):
        got = parse("parked rss 4096 B\nparked spawn 1.5e3 ns\n", "parked")
        self.assertEqual(got, {("rss", "B"): 4096, ("spawn", "ns"): 1500})

    def test_a_skip_is_no_result(self):
        self.assertIsNone(parse("http skip 0 -\n", "http"))

    def test_anything_else_is_broken(self):
        for text in ("", "yield a 1\n", "yield a x ns\n", "yield a nan ns\n", "ring a 1 ns\n", "hello\n", "yield a 1 ns\nyield a 2 ns\n"):
            with self.subTest(text=text), self.assertRaises(Broken):
                parse(text, "yield")

    def test_the_cost_over_the_raw_call_is_derived(self):
        got = parse("syscall syscall 250 ns\nsyscall rawsyscall 245 ns\n", "syscall")
        self.assertEqual(got["over_raw", "ns"], 5)

    def test_a_report_of_wrk_is_read(self):
        text = "  50%  690.00us\n  75%    1.20ms\n  99%    1.50ms\nRequests/sec:  61596.25\n"
        self.assertEqual(read_wrk(text), {("rate", "req/s"): 61596.25, ("lat_p50", "us"): 690, ("lat_p99", "us"): 1500})
        for bad in ("Non-2xx or 3xx responses: 4\n", "Socket errors: connect 0, read 3, write 0, timeout 0\n"):
            with self.subTest(bad=bad), self.assertRaises(Broken):
                read_wrk(text + bad)
        read_wrk(text + "Socket errors: connect 0, read 0, write 0, timeout 7\n")

    def test_calls_are_counted_once(self):
        log = ["7 execve(\"x\") = 0", "7 futex(0x1, 0 <unfinished ...>", "8 <... futex resumed>) = 0", "7 --- SIGURG ---", "7 +++ exited with 0 +++"]
        self.assertEqual(count_calls(log), 2)


class Judging(unittest.TestCase):
    def verdict(self, workload, metric, unit="ns", **medians):
        return aims.verdict(workload, metric, unit, medians, "go")

    def test_a_ratio_decides_at_its_bound(self):
        self.assertEqual(self.verdict("yield", "per_switch", gort=12, go=100), "met")
        self.assertEqual(self.verdict("yield", "per_switch", gort=12.1, go=100), "not met")

    def test_of_a_rate_more_is_better(self):
        self.assertEqual(self.verdict("tcp_echo", "rate", "req/s", gort=140, go=100), "met")
        self.assertEqual(self.verdict("tcp_echo", "rate", "req/s", gort=139, go=100), "not met")
        self.assertEqual(self.verdict("tcp_echo", "rate", "req/s", gort=140, go=100, tokio=160), "behind tokio")

    def test_a_bound_on_the_value_needs_no_peer(self):
        self.assertEqual(self.verdict("parked", "rss", "B", gort=4400), "met")
        self.assertEqual(self.verdict("parked", "rss", "B", gort=4401), "not met")

    def test_without_the_base_nothing_is_met(self):
        self.assertEqual(self.verdict("yield", "per_switch", gort=1), "needs go")
        self.assertEqual(self.verdict("startup", "stripped_size", "KiB", gort=100), "needs go")
        self.assertEqual(self.verdict("startup", "stripped_size", "KiB", gort=131), "not met")

    def test_a_better_peer_is_named_beyond_the_slack(self):
        self.assertEqual(self.verdict("mutex", "per_op", gort=10, go=20, threads=9.5, tokio=90), "met")
        self.assertEqual(self.verdict("mutex", "per_op", gort=10, go=20, threads=9, tokio=90), "behind threads")

    def test_an_incomparable_peer_does_not_count(self):
        self.assertEqual(self.verdict("sieve", "total", "ms", gort=10, go=100, may=1), "met")
        self.assertEqual(self.verdict("sieve", "total", "ms", gort=10, go=100, tokio=1), "behind tokio")
        self.assertIsNone(aims.best_peer("sieve", "total", "ms", {"gort": 10, "go": 100, "may": 1}, "go"))

    def test_the_aim_of_kept_compute_depends_on_what_go_keeps(self):
        row = ("block_syscall", "compute_retained", "ratio")
        self.assertEqual(self.verdict(*row, gort=0.601, go=0.4, threads=0.62), "met")
        self.assertEqual(self.verdict(*row, gort=0.59, go=0.4), "not met")
        self.assertEqual(self.verdict(*row, gort=0.6, go=0.7, threads=0.9), "not met")
        self.assertEqual(self.verdict(*row, gort=0.6, go=0.7), "needs threads")

    def test_the_rows_of_preemption_and_calls_have_bounds_of_their_own(self):
        for metric, unit, bound in (("late_p50", "us", 100), ("late_p99", "us", 500)):
            self.assertEqual(self.verdict("preempt", metric, unit, gort=bound, go=39_000), "met")
            self.assertEqual(self.verdict("preempt", metric, unit, gort=bound + 1, go=39_000), "not met")
        self.assertEqual(self.verdict("preempt", "spin_min_over_max", "ratio", gort=0.9, go=0.95), "met")
        self.assertEqual(self.verdict("preempt", "spin_min_over_max", "ratio", gort=0.89, go=0.5), "not met")
        self.assertEqual(self.verdict("timers", "late_p99", "us", gort=10_001, go=70_000), "not met")
        self.assertEqual(self.verdict("syscall", "over_raw", gort=8, go=41), "met")
        self.assertEqual(self.verdict("syscall", "over_raw", gort=8.1, go=41), "not met")
        self.assertEqual(self.verdict("syscall", "over_raw", gort=-0.4, go=41), "met")
        self.assertEqual(self.verdict("block_syscall", "wall", "ms", gort=176, go=500), "not met")

    def test_pipe_is_held_against_tokio_where_it_is_there(self):
        self.assertEqual(self.verdict("pipe", "per_item", "us", gort=80, go=150), "met")
        self.assertEqual(self.verdict("pipe", "per_item", "us", gort=80, go=150, tokio=72), "not met")

    def test_every_aim_is_of_a_workload_and_every_text_reads(self):
        for (workload, _), row in aims.AIMS.items():
            self.assertIn(workload, BASE)
            for aim in row:
                self.assertRegex(aim.text(), r"^[≤≥] [\d.]+( × \w+| \w+)?$")


class Listing(unittest.TestCase):
    def test_gort_has_every_workload_but_those_of_sockets_and_select(self):
        with open(f"{HERE}/gort/src/main.rs") as source:
            there = re.findall(r'^    \("(\w+)", [\d_]+, ', source.read(), re.M)
        lacking = ("tcp_echo", "http_raw", "http")
        self.assertEqual(there, [w for w in BASE if w not in lacking and w != "startup"])

    def test_the_readme_says_what_each_workload_does(self):
        with open(f"{HERE}/README.md") as text:
            rows = re.findall(r"^\| ([a-z][\w, ]*) \| [^|]+ \| [^|]{30,} \|", text.read(), re.M)
        self.assertEqual(sorted(w for names in rows for w in names.split(", ") if w != "name"), sorted(BASE))


class Showing(unittest.TestCase):
    def test_numbers_have_three_figures(self):
        self.assertEqual([number(x) for x in (0, 0.1234, 9.996, 99.96, 999.6, 12345.6)], ["0", "0.123", "10", "100", "1000", "12346"])
        self.assertEqual(cell([3, 1, 2]), "2 [1..3]")

    def test_a_failure_wins_over_earlier_rounds(self):
        results = Results()
        results.add("yield", "gort", {("per_switch", "ns"): 5.0})
        results.add("yield", "go", {("per_switch", "ns"): 50.0})
        results.failed["yield", "gort"] = "exit 2"
        text = report(results, ["gort", "go"], "head", {})
        self.assertIn("| yield | per_switch | ns | failed | 50 |  | ≤ 0.12 × go |  | failed |", text)
        self.assertIn("gort failed yield: exit 2.", text)

    def test_a_workload_that_all_failed_has_a_row(self):
        results = Results()
        results.failed["fib", "gort"] = "SIGSEGV"
        self.assertIn("| fib | — | — | failed |", report(results, ["gort"], "head", {}))

    def test_an_incomparable_number_has_its_reason_below(self):
        results = Results()
        for program, value in (("gort", 10.0), ("go", 100.0), ("may", 1.0)):
            results.add("sieve", program, {("total", "ms"): value})
        text = report(results, ["gort", "go", "may"], "head", {"tokio": "no network"})
        self.assertIn("| sieve | total | ms | 10 | 100 | 1 (1) | 0.10 | ≤ 0.2 × go |  | met |", text)
        self.assertIn("(1) not comparable: may's channels are unbounded", text)
        self.assertIn("tokio is left out: no network.", text)
        self.assertIn("\n1 met.\n", text)

    def test_saved_results_read_back(self):
        results = Results()
        results.add("yield", "gort", {("per_switch", "ns"): 5.0})
        results.add("http", "gort", None)
        results.failed["fib", "may"] = "exit 101"
        back = Results.from_json(json.loads(json.dumps(results.to_json())))
        self.assertEqual(vars(back), vars(results))


class Running(unittest.TestCase):
    """`run` itself, on scripts."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir, self.env = scratch.name, dict(os.environ, GORT_BENCH_BUILD=os.path.join(scratch.name, "build"))
        for name in [k for k in self.env if k.startswith(("PEER_", "HELLO_"))]:
            del self.env[name]

    def script(self, name, body):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(f"#!/bin/sh\necho {name} $1 >>{self.dir}/log\n{body}\n")
        os.chmod(path, 0o755)
        return path

    def peer(self, name, body):
        self.env[f"PEER_{name}"] = self.script(name, body)

    def run_it(self, *args):
        done = subprocess.run([f"{HERE}/run", "--no-build", *args], env=self.env, capture_output=True, text=True, timeout=60)
        self.said = done.stdout + done.stderr
        return done.returncode, done.stdout

    def log(self):
        with open(f"{self.dir}/log") as f:
            return f.read().split("\n")[:-1]

    def test_rounds_interleave_and_the_table_has_the_ratio(self):
        self.peer("gort", "echo $1 per_switch 10 ns")
        self.peer("go", "echo $1 per_switch 100 ns")
        status, table = self.run_it("-w", "yield", "-p", "gort,go", "-r", "2", "-o", f"{self.dir}/out.json")
        self.assertEqual(status, 0, self.said)
        self.assertIn("| yield | per_switch | ns | 10 [10..10] | 100 [100..100] | 0.10 | ≤ 0.12 × go |  | met |", table)
        self.assertEqual(self.log(), ["gort yield", "go yield"] * 2)
        with open(f"{self.dir}/out.json") as f:
            self.assertEqual(json.load(f)["values"], {"yield per_switch ns": {"gort": [10, 10], "go": [100, 100]}})
        self.assertEqual(self.run_it("--table", f"{self.dir}/out.json"), (0, table))

    def test_a_cold_workload_runs_once_unseen_before_each_round(self):
        self.peer("gort", f"echo $1 rss $(wc -l <{self.dir}/log) B")
        status, table = self.run_it("-w", "parked", "-p", "gort", "-r", "2")
        self.assertEqual(status, 0, self.said)
        self.assertEqual(len(self.log()), 4)
        self.assertIn("3 [2..4]", table)

    def test_a_peer_that_fails_is_shown_and_forgiven(self):
        self.peer("gort", "echo $1 per_switch 10 ns")
        self.peer("go", "echo boom >&2; exit 3")
        status, table = self.run_it("-w", "yield", "-p", "gort,go", "-r", "2")
        self.assertEqual(status, 0, self.said)
        self.assertIn("| yield | per_switch | ns | 10 [10..10] | failed |  | ≤ 0.12 × go |  | needs go |", table)
        self.assertIn("go failed yield: exit 3: boom.", table)
        self.assertEqual(self.log().count("go yield"), 1)

    def test_gort_must_not_fail(self):
        for body in ("echo wrong sum >&2; exit 2", "kill -SEGV $$", "echo nonsense", "true", "exec sleep 9"):
            with self.subTest(body=body):
                self.peer("gort", body)
                status, table = self.run_it("-w", "yield", "-p", "gort", "-r", "1", "--timeout", "0.3")
                self.assertEqual(status, 1, self.said)
                self.assertIn("gort failed yield: ", table)

    def test_what_gort_lacks_is_no_failure(self):
        self.peer("gort", "echo $1 skip 0 -")
        self.peer("go", "echo $1 late_p50 20000 us")
        status, table = self.run_it("-w", "preempt", "-p", "gort,go", "-r", "2")
        self.assertEqual(status, 0, self.said)
        self.assertIn("| preempt | late_p50 | us | 20000 [20000..20000] |  | ≤ 100 us |  | not yet |", table)

    def test_a_peer_that_cannot_be_had_is_left_out(self):
        self.peer("gort", "echo $1 per_switch 10 ns")
        self.env["PEER_go"] = f"{self.dir}/nothing"
        status, table = self.run_it("-w", "yield", "-p", "gort,go,threads", "-r", "1")
        self.assertEqual(status, 0, self.said)
        self.assertIn("threads is left out: ", table)
        self.assertIn(f"go is left out: {self.dir}/nothing is not there.", table)
        self.assertIn("| yield | per_switch | ns | 10 |  | ≤ 0.12 × go |  | needs go |", table)

    def test_gort_must_be_there(self):
        self.peer("go", "echo $1 per_switch 100 ns")
        status, _ = self.run_it("-w", "yield", "-p", "gort,go", "-r", "1")
        self.assertEqual(status, 1, self.said)
        self.assertIn("run without --no-build", self.said)

    def test_go_that_cannot_be_installed_is_left_out_with_a_reason(self):
        self.peer("gort", "echo $1 per_switch 10 ns")
        self.env["GO"] = f"{self.dir}/no-go"
        done = subprocess.run([f"{HERE}/run", "-w", "yield", "-p", "gort,go", "-r", "1"], env=self.env, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("go is left out: go build: No such file or directory", done.stdout)

    def test_startup_measures_the_hello_program(self):
        self.peer("gort", "exit 9")
        self.env["HELLO_gort"] = "/bin/echo"
        status, table = self.run_it("-w", "startup", "-p", "gort", "-r", "1")
        self.assertIn("gort failed startup: hello did not print hello.", table)
        self.assertEqual(status, 1)
        self.env["HELLO_gort"] = self.script("hello", "echo hello")
        self.env["PATH"] = self.dir + ":" + self.env["PATH"]
        self.script("strip", '[ "$1" != -o ] || head -c 2048 /dev/zero >"$2"')
        status, table = self.run_it("-w", "startup", "-p", "gort", "-r", "1")
        self.assertEqual(status, 0, self.said)
        self.assertRegex(table, r"\| startup \| wall \| us \| \d+")
        self.assertRegex(table, r"\| startup \| stripped_size \| KiB \| 2 \|")

    def test_bad_arguments_are_refused_by_name(self):
        for args, word in ((["-w", "nonsense"], "nonsense"), (["-p", "perl"], "perl"), (["-r", "0"], "'0'"), (["--timeout", "x"], "'x'"), (["-w", ""], "none")):
            with self.subTest(args=args):
                self.assertEqual(self.run_it(*args)[0], 2)
                self.assertIn(word, self.said)
        self.assertEqual(self.run_it("-o", f"{self.dir}/no/such")[0], 2)


if __name__ == "__main__":
    unittest.main()
