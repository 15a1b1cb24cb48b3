"""Runs one program on one workload and reads what it printed.

A program prints `WORKLOAD METRIC VALUE UNIT`, a line a metric, and exits 0; `WORKLOAD skip 0 -` is a workload that it does not have.
Anything else is `Broken`, with the reason: another exit status, a line of another form, a metric twice, no metric, too long a run.
"""

import math
import os
import re
import select
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time
import urllib.request

from .workloads import SERVERS, derive


class Broken(Exception):
    """The program failed the workload."""


def parse(text, workload):
    """The metrics in a program's output, {(metric, unit): value}; None for a skip."""
    metrics = {}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 4 or fields[0] != workload:
            raise Broken(f"printed {line!r}")
        _, metric, value, unit = fields
        if metric == "skip":
            return None
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise Broken(f"printed {line!r}")
        if (metric, unit) in metrics:
            raise Broken(f"printed {metric} twice")
        metrics[metric, unit] = number
    if not metrics:
        raise Broken("printed no metric")
    derive(workload, metrics)
    return metrics


def _end(process):
    """Kills a program that still runs, with all it has started, and reaps it."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _output(command, timeout):
    """What a command printed; Broken when it fails or takes too long."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace", start_new_session=True)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Broken(f"still ran after {timeout:g} s") from None
    finally:
        _end(process)
    if process.returncode:
        status = f"exit {process.returncode}" if process.returncode > 0 else signal.Signals(-process.returncode).name
        said = err.strip().splitlines()
        raise Broken(f"{status}: {said[0]}" if said else status)
    return out


def run_one(program, workload, timeout, wrk_seconds):
    """One run of a program: its metrics, None when it has no such workload, or Broken."""
    if workload == "startup":
        return _startup(program, timeout) if program.hello else None
    if workload in SERVERS:
        return _serve(program, workload, timeout, wrk_seconds)
    return parse(_output([program.binary, workload], timeout), workload)


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _serve(program, workload, timeout, wrk_seconds):
    """Starts a server, asks it once, drives it with wrk, kills it."""
    port = _free_port()
    process = subprocess.Popen([program.binary, workload, str(port)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True)
    try:
        if not select.select([process.stdout], [], [], timeout)[0]:
            raise Broken(f"not ready after {timeout:g} s")
        line = process.stdout.readline()
        if line != "ready\n":
            return parse(line, workload)
        url = f"http://127.0.0.1:{port}/"
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                status, body = reply.status, reply.read(100)
        except OSError as e:
            raise Broken(f"no reply: {e}") from None
        if (status, body) != (200, b"Hello, World!"):
            raise Broken(f"replied {status} {body!r}")
        return read_wrk(_output(["wrk", "-t1", "-c64", f"-d{wrk_seconds}s", "--latency", url], wrk_seconds + timeout))
    finally:
        _end(process)


def read_wrk(text):
    """The metrics in wrk's report. Requests that it gave up waiting for count as its own, broken connections as the server's."""
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+)", text)
    if not rate or "Non-2xx" in text or errors and any(int(n) for n in errors.groups()):
        raise Broken("wrk saw errors")
    metrics = {("rate", "req/s"): float(rate[1])}
    for quantile in ("50", "99"):
        value, unit = re.search(rf"^\s+{quantile}%\s+([\d.]+)(us|ms|s)\s*$", text, re.M).groups()
        metrics[f"lat_p{quantile}", "us"] = float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]
    return metrics


def _startup(program, timeout):
    """The smallest program: wall time from fork to exit, peak memory, system calls, size. A metric without its tool is left out."""
    hello = program.hello
    if _output([hello], timeout) != "hello\n":
        raise Broken("hello did not print hello")
    metrics = {("wall", "us"): _wall_us(hello, timeout)}
    if "peak_rss" in program.tools:
        metrics["max_rss", "KiB"] = statistics.median(int(_output([program.tools["peak_rss"], hello], timeout)) for _ in range(5))
    with tempfile.TemporaryDirectory() as scratch:
        if "strace" in program.tools:
            log = os.path.join(scratch, "strace")
            _output([program.tools["strace"], "-f", "-o", log, hello], timeout)
            with open(log, errors="replace") as lines:
                metrics["syscalls", "count"] = count_calls(lines)
        if "strip" in program.tools:
            stripped = os.path.join(scratch, "hello")
            _output([program.tools["strip"], "-o", stripped, hello], timeout)
            metrics["stripped_size", "KiB"] = os.path.getsize(stripped) / 1024
    return metrics


def _wall_us(command, timeout, runs=21):
    """The median time from fork to exit. A wait with a timeout would poll, so one timer ends whatever runs when it fires."""
    running = []
    timer = threading.Timer(timeout, lambda: running[-1].kill())
    walls = []
    timer.start()
    try:
        for _ in range(runs):
            start = time.perf_counter()
            running.append(subprocess.Popen([command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            status = running[-1].wait()
            walls.append((time.perf_counter() - start) * 1e6)
            if status:
                raise Broken(f"hello: exit {status}")
    finally:
        timer.cancel()
    return statistics.median(walls)


def count_calls(lines):
    """The system calls in an `strace -f` log: every line that starts one."""
    return sum(1 for line in lines if re.match(r"\d+ +[a-z_0-9]+\(", line))
