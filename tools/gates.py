"""Run checks in order, stream their output, and leave a JUnit file that the summary counts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache"
JUNIT = CACHE / "junit"


@dataclass(frozen=True)
class Gate:
    """One check.

    Either `argv` (run in `cwd`; fails on a non-zero exit, or when a line of its output matches `forbidden`) or
    `check`, a function that returns complaints. `timeout` is in seconds and holds for `argv`.
    """

    name: str
    argv: Sequence[str] = ()
    check: Callable[[], list[str]] | None = None
    cwd: Path = ROOT
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 600
    forbidden: str = ""


@dataclass(frozen=True)
class Result:
    """The result of a gate; `complaint` is empty for success."""

    name: str
    seconds: float
    complaint: str


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for tools: the running interpreter's own scripts come first on PATH."""
    env = dict(os.environ)
    env["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["VIRTUAL_ENV"] = sys.prefix
    # If inherited from an outer make, these make an inner one print its directory or wait for a job server.
    for name in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL"):
        env.pop(name, None)
    return {**env, **(extra or {})}


def run(
    argv: Sequence[str],
    *,
    cwd: Path = ROOT,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    forbidden: str = "",
) -> str:
    """Run a command in a process group of its own, streaming its output.

    After `timeout` seconds the whole group is interrupted, so that test fixtures tear down what they set up, and
    killed a minute later. The same happens when this process is interrupted. Returns "" for success, otherwise the
    complaint in one line.
    """
    process = start(
        argv,
        cwd=cwd,
        env=env,
        stdout=subprocess.PIPE if forbidden else None,
        stderr=subprocess.STDOUT if forbidden else None,
    )
    output = ""
    try:
        output = process.communicate(timeout=timeout)[0] or ""
    except subprocess.TimeoutExpired:
        return f"not finished after {timeout:.0f} s"
    finally:
        end([process])
    print(output, end="")
    if process.returncode:
        return f"exit status {process.returncode}"
    found = re.search(forbidden, output, re.MULTILINE) if forbidden else None
    return f"printed: {found.group(0)}" if found else ""


def start(
    argv: Sequence[str], *, cwd: Path = ROOT, env: Mapping[str, str] | None = None, **streams: Any
) -> subprocess.Popen[str]:
    """Start a command in a process group of its own, without input; the caller must `end` it."""
    return subprocess.Popen(  # noqa: S603 - the commands are this repository's own
        argv,
        cwd=cwd,
        env=environment(env),
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
        **streams,
    )


def heed_signals() -> None:
    """Do as Ctrl-C does on SIGTERM and on a lost terminal, so that what was begun is taken down."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup's wish: the terminal may go.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def end(processes: Sequence[subprocess.Popen[str]], *, grace: float = 60) -> None:
    """End what is left of all commands at once: leaders get `grace` seconds to clean up, then groups are killed."""
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    until = time.monotonic() + grace
    for process in processes:
        try:
            process.wait(timeout=max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # nothing is left of it
        process.wait(timeout=30)


def run_gates(suite: str, gates: Sequence[Gate]) -> int:
    """Run every gate, even after one has failed; write `.cache/junit/<suite>.xml`; return an exit status."""
    results: list[Result] = []
    for gate in gates:
        print(f"\n== {suite}: {gate.name}", flush=True)
        began = time.monotonic()
        if gate.check:
            complaints = gate.check()
            print("\n".join(complaints) or "nothing to say")
            complaint = f"{len(complaints)} found" if complaints else ""
        else:
            complaint = run(gate.argv, cwd=gate.cwd, env=gate.env, timeout=gate.timeout, forbidden=gate.forbidden)
        results.append(Result(gate.name, time.monotonic() - began, complaint))
        sys.stdout.flush()
    write_junit(suite, results)
    print()
    for result in results:
        print(f"{suite}: {result.name:<22} {result.seconds:6.1f} s  {result.complaint or 'ok'}")
    return 1 if any(result.complaint for result in results) else 0


def write_junit(suite: str, results: Sequence[Result]) -> None:
    """Write the results of a suite as JUnit XML to `.cache/junit/<suite>.xml`."""
    JUNIT.mkdir(parents=True, exist_ok=True)
    failures = sum(1 for result in results if result.complaint)
    root = ElementTree.Element("testsuite", name=suite, tests=str(len(results)), failures=str(failures))
    for result in results:
        case = ElementTree.SubElement(root, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}")
        if result.complaint:
            ElementTree.SubElement(case, "failure", message=result.complaint)
    ElementTree.ElementTree(root).write(JUNIT / f"{suite}.xml", encoding="utf-8", xml_declaration=True)
