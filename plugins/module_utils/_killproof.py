# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From looks at application processes to the proof that all of them serve V1. Pure: neither Ansible nor a driver.

A process is proven when it served V1, never said otherwise since, and said so again after the very last process had
turned: so the proof is about processes that live at the end, and a process that goes back to V2 is detected. Moments
are seconds since the commit of the kill.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._killreading import UNKNOWN, V1, V2, Said

# Between the moment when the last process turned and the look that confirms it.
CONFIRM_SECONDS = 0.4
# How often one process must answer in a row at a URL of its own: two that take turns there do so once in 2,000 times.
SAME_LOOKS = 12
# A process that has fallen silent counts as gone once others have answered for so long, and for so many turns each.
GONE_SECONDS, GONE_TURNS = 1.0, 8
# If the number of processes is unknown: how long no new one may appear.
NOBODY_NEW_SECONDS = 2.0


class Look(NamedTuple):
    """One question: when it was sent, when its answer arrived, and what that said."""

    asked: float
    at: float
    said: Said
    question: str | None = None


@dataclass(eq=False)
class Process:
    """What is known about one process; ``url`` is how it was asked."""

    url: str
    questions: Sequence[str | None]
    pid: int | None = None
    tries: int = 0
    restarts: int = 0
    asked: float = 0.0
    silent: int = 0
    serves: str = UNKNOWN
    why: str | None = "it was not asked"
    same: int = 0
    """Answers in a row by this process id."""
    several: bool = False
    """Whether a process id came back after another had answered: a restarted process never does."""
    _earlier: set[int] = field(default_factory=set)
    _since: dict[str | None, float] = field(default_factory=dict)
    _last: dict[str | None, float] = field(default_factory=dict)

    def see(self, look: Look) -> None:
        """Record a reading; anything but V1 voids what is known of V1 for that question, a new process all of it."""
        said = look.said
        self.tries += 1
        self.silent = 0
        self.asked = max(self.asked, look.asked)
        if said.pid is not None and said.pid != self.pid:
            self.restarts += self.pid is not None
            self.several = self.several or said.pid in self._earlier
            self._earlier.add(said.pid)
            self.pid, self.same = said.pid, 0
            self._since.clear()
        self.same += 1
        if said.serves == V1:
            self._since.setdefault(look.question, look.at)
            self._last[look.question] = max(look.asked, self._last.get(look.question, 0.0))
            if self.turned_at is not None:
                self.serves, self.why = V1, None
            elif self.tries == 1:
                self.why = "it did not answer for every tenant"
            return
        self.serves, self.why = said.serves, said.why
        self._since.pop(look.question, None)
        if said.serves == UNKNOWN:
            # Without a clear answer, it may be another process by now.
            self._since.clear()

    @property
    def turned_at(self) -> float | None:
        """Since when it has served V1 for all questions, as far as is known; None while it does not."""
        return max(self._since.values()) if len(self._since) == len(self.questions) else None

    def confirmed(self, moment: float) -> bool:
        """Return whether it served V1 for every question, asked at that moment or later."""
        return self.turned_at is not None and all(self._last[one] >= moment for one in self.questions)

    def as_result(self, proven: bool) -> dict[str, Any]:
        """Return the process as the module's result shows it."""
        serves, why = self.serves, self.why
        understood = serves != UNKNOWN
        if serves == V1 and not proven:
            serves, why = UNKNOWN, "it served V1, and did not say so a second time"
        if self.restarts and not proven:
            several = "there are" if self.several else "there may be"
            why = f"{why}; its process id changed {self.restarts} times: behind one URL {several} several processes"
        return {
            "url": self.url,
            "pid": self.pid,
            "serves": V1 if proven else serves,
            "understood": understood,
            "seconds_from_commit": round(self.turned_at, 3) if proven and self.turned_at is not None else None,
            "tries": self.tries,
            "error": None if proven else why,
        }


def moment_of(processes: Sequence[Process]) -> float:
    """Return the moment from which a reading confirms: a little after the last of them turned."""
    return max((one.turned_at for one in processes if one.turned_at is not None), default=0.0) + CONFIRM_SECONDS


class Apart:
    """Processes that have a URL each."""

    def __init__(self, urls: Sequence[str], questions: Sequence[str | None]) -> None:
        self.processes = [Process(url, questions) for url in urls]

    def see(self, number: int, look: Look) -> None:
        """Record a reading of the process behind the URL of this number."""
        self.processes[number].see(look)

    def next_question(self, number: int) -> str | None:
        """Return what to ask: all questions in turn."""
        process = self.processes[number]
        return process.questions[process.tries % len(process.questions)]

    def confirms_from(self) -> float | None:
        """Return the moment from which looks confirm, None while a process has not turned."""
        turned = all(process.turned_at is not None for process in self.processes)
        return moment_of(self.processes) if turned else None

    def proven(self) -> list[Process]:
        """Return the processes that are proven, judged by the last of those that turned."""
        moment = moment_of(self.processes)
        alone = [one for one in self.processes if not one.several and (one.pid is None or one.same >= SAME_LOOKS)]
        return [process for process in alone if process.confirmed(moment)]

    def at_once(self, number: int) -> bool:
        """Return whether it serves V1, and further answers are to show that no other process does at its URL."""
        process = self.processes[number]
        return process.turned_at is not None and process.pid is not None and process.same < SAME_LOOKS

    def done(self, _now: float) -> bool:
        """Return whether there is nothing left to find out."""
        return len(self.proven()) == len(self.processes)

    def missing(self) -> list[dict[str, Any]]:
        """Return entries for processes that were never seen: none, as here each has its own entry."""
        return []

    def warnings(self) -> list[str]:
        """Return what a reader should know: two URLs may lead to one process."""
        pids = [process.pid for process in self.processes if process.pid is not None]
        twice = sorted({pid for pid in pids if pids.count(pid) > 1})
        return [f"Several URLs answered with the process id {pid}: they may lead to one process." for pid in twice]


class Shared:
    """Processes behind one port, where each new connection reaches any of them; told apart by the id in the answer.

    ``count``: how many there are, None if that is not known, and then nothing is proven. ``alive``: ids of processes
    known to be alive; the caller keeps it up to date.
    """

    def __init__(self, url: str, questions: Sequence[str | None], count: int | None, alive: Sequence[int] = ()) -> None:
        self._url, self._questions, self.count = url, questions, count
        self.alive = set(alive)
        self._seen: dict[int, Process] = {}
        self._nameless = Process(url, questions)
        self._turn = 0
        self._newest = 0.0

    @property
    def processes(self) -> list[Process]:
        """The processes that answered, by id, without those that have gone."""
        return [process for _pid, process in sorted(self._seen.items()) if not self._gone(process)]

    def see(self, _number: int, look: Look) -> None:
        """Record a reading, no matter which process answered."""
        if look.said.pid is None:
            self._nameless.see(look)
            return
        if look.said.pid not in self._seen:
            self._seen[look.said.pid] = Process(self._url, self._questions)
            self._newest = look.at
        for process in self._seen.values():
            process.silent += 1
        self._seen[look.said.pid].see(look)

    def next_question(self, _number: int) -> str | None:
        """Return what to ask: all questions in turn, no matter which process will answer."""
        self._turn += 1
        return self._questions[self._turn % len(self._questions)]

    def confirms_from(self) -> float | None:
        """Return the moment from which looks confirm, None while too few have turned."""
        turned = [process for process in self._seen.values() if process.turned_at is not None]
        return moment_of(turned) if turned and len(turned) >= (self.count or len(self._seen)) else None

    def at_once(self, _number: int) -> bool:
        """Return False: many ask a shared port already."""
        return False

    def proven(self) -> list[Process]:
        """Return the processes that are proven, judged by the last of those that turned."""
        moment = moment_of(list(self._seen.values()))
        return [process for process in self._seen.values() if process.confirmed(moment)]

    def _gone(self, process: Process) -> bool:
        others = [other for other in self._seen.values() if other is not process]
        turns = GONE_TURNS * max(len(others), self.count or 1) * len(self._questions)
        last = max((other.asked for other in others), default=0.0)
        return process.pid not in self.alive and process.silent >= turns and last - process.asked >= GONE_SECONDS

    def done(self, now: float) -> bool:
        """Return whether there is nothing left to find out: enough are proven, and there are no others."""
        proven = self.proven()
        if not proven or any(process not in proven for process in self.processes):
            return False
        if not self.alive <= {process.pid for process in proven}:
            return False
        if self.count is None:
            return now - self._newest >= NOBODY_NEW_SECONDS
        return len(proven) >= self.count

    def missing(self) -> list[dict[str, Any]]:
        """Return entries for processes that are known to exist and never answered."""
        seen = self.processes
        silent = sorted(self.alive - {process.pid for process in seen})
        entries = [{**self._nobody(self._word(len(seen))), "pid": pid} for pid in silent]
        if self.count is None:
            return [self._nobody(f"{len(seen)} answered, and how many there are is not known")]
        return entries + [self._nobody(self._word(len(seen)))] * (self.count - len(seen) - len(entries))

    def _word(self, seen: int) -> str:
        last = f"; the last that gave no process id: {self._nameless.why}" if self._nameless.tries else ""
        return f"it never answered, {seen} of {self.count} did{last}"

    def _nobody(self, why: str) -> dict[str, Any]:
        return {**self._nameless.as_result(False), "serves": UNKNOWN, "understood": False, "error": why}

    def warnings(self) -> list[str]:
        """Return what a reader should know."""
        extra = len(self.processes) - (self.count or len(self.processes))
        return [f"{extra} more processes answered than there should be."] if extra > 0 else []


def outcome(watched: Apart | Shared, done: bool) -> dict[str, Any]:
    """Return the judgement as the module's result: processes, what is proven, and the seconds."""
    proven = watched.proven()
    rows = [process.as_result(process in proven) for process in watched.processes] + watched.missing()
    seconds = [row["seconds_from_commit"] for row in rows if row["seconds_from_commit"] is not None]
    unproven = [row for row in rows if row["serves"] != V1]
    return {
        "processes": rows,
        "proven": done and bool(rows) and not unproven,
        "proven_count": len(rows) - len(unproven),
        "unproven": unproven,
        "serving_v2": sum(row["serves"] == V2 for row in rows),
        "p50_seconds": round(statistics.median(seconds), 3) if seconds else None,
        "max_seconds": max(seconds) if seconds else None,
        "warnings": watched.warnings(),
    }
