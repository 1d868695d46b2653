"""Run parts of a round of drills side by side, each lane in a checkout of its own.

An estate belongs to a checkout, so the first lane is this one and each further lane a clone of its commit below
`.cache/lanes`, with the same environments. A lane takes the next part as soon as it has none. What a part prints is in
`.cache/log/<part>.log` and is shown in one piece when it has ended; of a single lane it is passed through.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.gates import CACHE, ROOT, end, run, start, tell

LOGS = CACHE / "log"
_CLONES = CACHE / "lanes"
# Hosts of two estates that start in the same seconds keep each other from being ready in time.
_STAGGER = 45
# How often it is said where each part is, in seconds.
_HEARTBEAT = 300
_DOWN = [sys.executable, "-m", "tests.drills", "down"]


@dataclass(frozen=True)
class Part:
    """What one process of pytest runs, for at most `timeout` seconds."""

    name: str
    argv: Sequence[str]
    env: dict[str, str]
    timeout: float


class Lane:
    """A checkout with at most one part that runs in it."""

    def __init__(self, where: Path, alone: bool) -> None:
        """Run nothing yet; `alone`: no other lane prints, so output is passed through."""
        self.where, self._alone = where, alone
        self.process: subprocess.Popen[str] | None = None
        self._part: Part | None = None
        self._began = 0.0

    def begin(self, part: Part) -> None:
        """Start a part."""
        self._part, self._began = part, time.monotonic()
        if self._alone:
            self.process = start(part.argv, cwd=self.where, env=part.env)
            return
        LOGS.mkdir(parents=True, exist_ok=True)
        with (LOGS / f"{part.name}.log").open("wb") as out:
            self.process = start(part.argv, cwd=self.where, env=part.env, stdout=out, stderr=subprocess.STDOUT)

    def step(self) -> str | None:
        """Return the complaint about a part that has ended or is over its time, "" for none; None while it runs."""
        part, process = self._part, self.process
        if part is None or process is None:
            return None
        seconds = time.monotonic() - self._began
        over = seconds > part.timeout
        if process.poll() is None and not over:
            return None
        end([process])
        self._part = self.process = None
        if not self._alone:
            print(f"#### {part.name}: what it printed in {seconds:.0f} s", flush=True)
            sys.stdout.buffer.write((LOGS / f"{part.name}.log").read_bytes())
            sys.stdout.buffer.flush()
        status = process.returncode
        complaint = f"not finished after {part.timeout:.0f} s" if over else f"exit status {status}" if status else ""
        return f"{part.name}: {complaint}" if complaint else ""

    def tell(self) -> None:
        """Say where it is, unless that is passed through."""
        if self._part and not self._alone:
            tell(self._part.name, LOGS / f"{self._part.name}.log", time.monotonic() - self._began)

    def down(self) -> str:
        """Remove its estate; return a complaint, or nothing."""
        complaint = run(_DOWN, cwd=self.where)
        return f"the estate of {self.where.name} is not down: {complaint}" if complaint else ""


def checkouts(number: int) -> list[Path]:
    """Return this checkout and fresh clones of its commit for the other lanes; `clear` removes them."""
    clear()
    clones = [_CLONES / str(lane) for lane in range(2, number + 1)]
    for clone in clones:
        _call(["git", "clone", "--quiet", "--no-tags", str(ROOT), str(clone)], ROOT)
        for environment in ROOT.glob(".venv*"):
            (clone / environment.name).symlink_to(environment)
        # What decides whether the clone is as committed must not see them.
        with (clone / ".git" / "info" / "exclude").open("a") as exclude:
            exclude.write(".venv*\n")
        _call(["make", "--silent", "link"], clone)
    return [ROOT, *clones]


def clear() -> None:
    """Remove clones, with the estates that a killed call has left in them."""
    for clone in sorted(_CLONES.glob("*")):
        if (clone / ".venv").exists() and (complaint := run(_DOWN, cwd=clone)):
            raise SystemExit(f"the estate of an earlier lane is not down, so its checkout stays: {complaint}")
    shutil.rmtree(_CLONES, ignore_errors=True)


def play(parts: Sequence[Part], where: Sequence[Path]) -> list[str]:
    """Run all parts in these checkouts, the first ones first, and remove the estates; return complaints."""
    complaints: list[str] = []
    lanes = [Lane(one, alone=len(where) == 1) for one in where]
    try:
        for complaint in _watch(parts, lanes):
            complaints += [complaint] if complaint else []
    finally:
        end([lane.process for lane in lanes if lane.process])
        complaints += [complaint for lane in lanes if (complaint := lane.down())]
    return complaints


def _watch(parts: Sequence[Part], lanes: Sequence[Lane]) -> Iterator[str]:
    """Begin parts where a lane is free, and yield the complaint about each that has ended."""
    begun = ended = 0
    next_start, told = 0.0, time.monotonic()
    while ended < len(parts):
        for lane in lanes:
            if begun < len(parts) and not lane.process and time.monotonic() >= next_start:
                part = parts[begun]
                begun += 1
                next_start = time.monotonic() + (_STAGGER if begun < len(lanes) else 0)
                print(f"#### {part.name} begins, {begun} of {len(parts)}, in {lane.where.name}", flush=True)
                lane.begin(part)
            if (complaint := lane.step()) is not None:
                ended += 1
                yield complaint
        if time.monotonic() > told + _HEARTBEAT:
            told = time.monotonic()
            for lane in lanes:
                lane.tell()
        time.sleep(0.2)


def _call(argv: Sequence[str], where: Path) -> None:
    complaint = run(argv, cwd=where, timeout=300)
    if complaint:
        raise SystemExit(f"{' '.join(argv)}: {complaint}")
