"""Run jobs side by side: a lane that is free takes the next one, in the order in which they are given.

What a job prints is in `.cache/log/<name>.log` and is shown in one piece when it has ended. Until then a line now and
then says how far it is.
"""

from __future__ import annotations

import math
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.gates import CACHE, end, start

LOGS = CACHE / "log"


@dataclass(frozen=True)
class Job:
    """What a lane runs, for at most `timeout` seconds."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    timeout: float = math.inf


@dataclass(frozen=True)
class Ended:
    """A job that has ended: its complaint, empty for success, and what it printed, unless that was passed through."""

    name: str
    seconds: float
    complaint: str
    said: bytes


class Running:
    """A job that runs in a directory. End its process, then `finish` it."""

    def __init__(self, job: Job, cwd: Path, through: bool) -> None:
        """Start the process."""
        self._job, self._began = job, time.monotonic()
        self._log = None if through else LOGS / f"{job.name}.log"
        if self._log is None:
            self.process = start(job.argv, cwd=cwd, env=job.env)
            return
        LOGS.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as out:
            self.process = start(job.argv, cwd=cwd, env=job.env, stdout=out, stderr=subprocess.STDOUT)

    def due(self) -> str | None:
        """Return "" for a job that has ended, a complaint for one that is over its time, None for one that may run."""
        if self.process.poll() is not None:
            return ""
        over = time.monotonic() > self._began + self._job.timeout
        return f"not finished after {self._job.timeout:.0f} s" if over else None

    def tell(self) -> None:
        """Say in a line where it is, unless that is passed through: the last line that it has printed, truncated."""
        if self._log is None:
            return
        lines = self._log.read_bytes()[-1000:].decode(errors="replace").splitlines()
        last = next((line.strip()[-70:] for line in reversed(lines) if line.strip()), "")
        print(f"{self._job.name:<8} {(time.monotonic() - self._began) / 60:3.0f} min: {last}", flush=True)

    def finish(self, complaint: str) -> Ended:
        """Show what it printed; its exit status is a complaint where there is no other."""
        seconds, said = time.monotonic() - self._began, b""
        if self._log is not None:
            said = self._log.read_bytes()
            print(f"\n#### {self._job.name}: what it printed in {seconds:.0f} s", flush=True)
            sys.stdout.buffer.write(said)
            sys.stdout.buffer.flush()
        status = self.process.returncode
        return Ended(self._job.name, seconds, complaint or (f"exit status {status}" if status else ""), said)


@dataclass
class Queue:
    """Lanes that run jobs, each in its directory.

    `on_end` is called with each job that has ended. Every `heartbeat` seconds it is said where each one is. After
    `total` seconds all that still runs is ended. `stagger` seconds lie between the first jobs of the lanes. `through`:
    nothing is kept in logs, which suits a single lane.
    """

    where: Sequence[Path]
    on_end: Callable[[Ended], None]
    heartbeat: float
    total: float = math.inf
    stagger: float = 0.0
    through: bool = False
    _running: dict[int, Running] = field(default_factory=dict, init=False)

    def run(self, jobs: Sequence[Job]) -> None:
        """Run all jobs, also after one has failed.

        An interruption ends them as the time does, all with the same minute to clean up, and is raised afterwards.
        """
        complaint = ""
        try:
            complaint = self._watch(jobs)
        except KeyboardInterrupt:
            complaint = "interrupted"
            raise
        finally:
            end([one.process for one in self._running.values()])
            for one in self._running.values():
                self.on_end(one.finish(complaint))

    def _watch(self, jobs: Sequence[Job]) -> str:
        """Step until everything has ended or the time is over, and return what to say about jobs that still run."""
        began = told = next_start = time.monotonic()
        waiting = deque(enumerate(jobs, 1))
        while waiting or self._running:
            for lane, one in list(self._running.items()):
                if (complaint := one.due()) is not None:
                    end([one.process])
                    del self._running[lane]
                    self.on_end(one.finish(complaint))
            for lane, cwd in enumerate(self.where):
                if waiting and lane not in self._running and time.monotonic() >= next_start:
                    number, job = waiting.popleft()
                    place = f", in {cwd.name}" if len(set(self.where)) > 1 else ""
                    print(f"#### {job.name} begins, {number} of {len(jobs)}{place}", flush=True)
                    self._running[lane] = Running(job, cwd, self.through)
                    next_start = time.monotonic() + (self.stagger if number < len(self.where) else 0)
            if time.monotonic() > began + self.total:
                return f"not finished when {self.total:.0f} s were over"
            if time.monotonic() > told + self.heartbeat:
                told = time.monotonic()
                for one in self._running.values():
                    one.tell()
            time.sleep(0.2)
        return ""
