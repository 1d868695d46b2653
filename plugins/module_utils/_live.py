# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of a run while it goes on: from events to lines. Pure: neither Ansible nor a driver.

A line is shown when a step has ended. If all hosts of a play go through a step together, there is one line for all with
the same outcome; if each goes on by itself, one for each. A play's heading comes with its first line, so that plays in
which nothing was done stay out of sight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livetext as text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livefields import map_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livelook import database_said
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._liverunning import Running
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livesteps import figure
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livetext import BAD, GOOD, HEADING, ODD, Line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import KEEP_OPEN

OK, FAILED, UNREACHABLE = "ok", "failed", "unreachable"
# At most so many databases are introduced one by one; a larger fleet is left to the screens.
_MOST_DATABASES = 5
_NUMBER = re.compile(r"(\d+)\.")
_SECONDS = re.compile(r"\d+(?:\.\d+)?")
_CLOSE = "This terminal may be closed while it watches; the same command again goes on."
_STAY = "This is a rehearsal: leave this terminal open, it is put back as before after the watch."
_SAFE = "It is safe to close this terminal."
_LEFT = "This terminal may be closed; what stands above says what holds and what is next."
# A step that took longer shows its time.
_LONG_SECONDS = 5.0
Facts = Mapping[str, Any]


@dataclass
class Step:
    """One task on one host, as it ended.

    ``task`` tells tasks of the same name apart. ``plan``: whether it only ever looks (``check_mode: true``).
    ``handled``: the run goes on by itself after this failure.
    """

    at: float
    task: str
    host: str
    name: str
    role: str
    module: str
    ours: bool
    plan: bool = False
    state: str = OK
    changed: bool = False
    handled: bool = False
    result: Facts = field(default_factory=dict)


@dataclass
class _Group:
    """Hosts with the same outcome of one task."""

    at: float
    name: str
    told: str
    kind: str
    hosts: list[str] = field(default_factory=list)


class Live:
    """One run of one playbook. ``said``: whether steps are shown; else only first lines, clocks and last lines are."""

    def __init__(self, at: float, playbook: str, check_mode: bool, said: bool = True) -> None:
        """Begin a run; ``playbook`` is its short name."""
        self.running = Running()
        # Whether the play that is under way has shown a screen.
        self.has_screen = False
        self._keep_open = False
        self._playbook, self._check_mode, self._said = playbook, check_mode, said
        self._began = self._clock_began = at
        self._objectives: Facts = {}
        self._misfire = False
        self._incident = self._named = ""
        self._agreed = False
        self._databases: set[str] = set()
        self._heading: tuple[float, str] | None = None
        self._last_play, self._objective = "", ""
        self._apart = False
        self._groups: dict[tuple[str, str, str], _Group] = {}
        self._watch = ""
        self._closing_said = False
        self._jobs: dict[tuple[str, str], str] = {}
        self._told_troubles: set[tuple[str, str, str]] = set()

    @property
    def incident(self) -> str:
        """The incident as known so far: from a ledger, else as the run has named it; empty without one."""
        return self._incident or self._named

    def first(self) -> list[Line]:
        """Return lines about what is known before anything is read."""
        purpose = text.PURPOSES.get(self._playbook, "")
        lines = [Line(f"{clean(self._playbook, 80)}.yml{f': {purpose}' if purpose else ''}", HEADING)]
        return lines + ([Line("CHECK MODE: this is the plan, nothing is changed", ODD)] if self._check_mode else [])

    def about(self, facts: Facts) -> list[Line]:
        """Take in what the profile says, and return the first lines.

        :param facts: ``environment``, ``operator``, ``hosts`` by tier, ``objectives`` in seconds, ``reenable``.
        """
        self._objectives, self._misfire = map_of(facts.get("objectives")), facts.get("reenable") == "all"
        environment = str(facts.get("environment") or "").strip()
        is_production = environment.lower().startswith("prod")
        shown = environment.upper() if is_production else environment or "NOT SAID: kanban_environment is empty"
        tiers = [f"{tier}: {text.hosts(names)}" for tier, names in map_of(facts.get("hosts")).items()]
        return [
            text.fact("Environment", shown, ODD if is_production or not environment else text.PLAIN),
            text.fact("Operator", str(facts.get("operator") or "unknown")),
            text.fact("Started", f"{text.moment(self._began)}"),
            *([text.fact("Hosts", "; ".join(tiers))] if tiers else []),
        ]

    def name(self, incident: str, given: bool, started: float | None = None) -> list[Line]:
        """Take in the run's name for its incident, whether a person gave it, and when the objective's clock began."""
        if started is not None:
            self._clock_began = started
        known, self._named, self._agreed = self._named, incident, given
        if known == incident:
            return []
        return [text.fact("Incident", incident if given else f"{incident}, unless a ledger has one open")]

    def play_began(self, at: float, heading: str, playbook: str, apart: bool) -> list[Line]:
        """Begin a play of a playbook; ``apart``: each host goes on by itself."""
        lines = [*self.task_began(at), *self._end_watch(at)]
        heading = clean(heading, 200)
        objective, last = text.OBJECTIVES.get(playbook, ("", -1))
        number = _NUMBER.match(heading)
        counts = number is not None and int(number[1]) <= last and (objective != "misfire" or self._misfire)
        self._objective = objective if counts else ""
        self._heading, self._apart, self._closing_said = (at, heading), apart, False
        self.has_screen = False
        self.running.clear()
        # Without steps, Ansible has shown the heading by now.
        return lines if self._said else [*lines, *self.heading()[-1:]]

    def task_began(self, at: float) -> list[Line]:
        """Return the lines about the previous task, one for all hosts with the same outcome."""
        groups, self._groups = list(self._groups.values()), {}
        return [line for group in groups for line in self._say(group)]

    def host_began(self, at: float, step: Step, limit: float | None) -> list[Line]:
        """Begin a task on a host; ``limit`` is how many seconds it may take, None if that is not known."""
        self.running.began(at, step.host, step.task, step.name, limit)
        if step.role != "observe" or self._closing_said or self._check_mode:
            return []
        self._closing_said = True
        return self._under_heading(at, [Line(_STAY if self._playbook == "rehearse" else _CLOSE, GOOD)])

    def ended(self, step: Step) -> list[Line]:
        """Take in a step's end on a host, and return the lines that are due."""
        began = self.running.ended(step.host, step.task)
        lines = self._introduce(step.result) if step.ours and step.result else []
        job, module = (step.host, str(step.result.get("ansible_job_id"))), step.module
        is_ours = step.ours
        if job in self._jobs and step.result.get("finished") and "erased" not in step.result:
            # Another module asks for the outcome of a job than the one that began it.
            is_ours, module = True, self._jobs[job]
        elif "ansible_job_id" in step.result and step.ours:
            self._jobs.setdefault(job, module)
        if step.state == OK and (step.role == "observe" or not (is_ours or step.changed)):
            return self._under_heading(step.at, lines)
        told, kind = self._told(step, module)
        if step.state != OK:
            # Each try of a watch fails in the same way.
            if (step.host, step.name, told) in self._told_troubles:
                return self._under_heading(step.at, lines)
            self._told_troubles.add((step.host, step.name, told))
        seconds = 0.0 if began is None else step.at - began
        if seconds >= _LONG_SECONDS:
            told = f"{told} ({text.clock(seconds)})" if told else f"took {text.clock(seconds)}"
        group = self._groups.setdefault((step.task, told, kind), _Group(step.at, step.name, told, kind))
        group.at = step.at
        group.hosts.append(step.host)
        return self._under_heading(step.at, lines) + (self.task_began(step.at) if self._apart else [])

    def skipped(self, host: str, task: str) -> None:
        """Forget a task that is skipped on a host."""
        self.running.ended(host, task)

    def message(self, at: float, name: str, role: str, message: Any) -> list[Line]:
        """Return what a debug task says: a screen is shown whole; what a line above has said is not repeated."""
        lines = self.task_began(at)
        if not self._said:
            return lines
        if text.is_screen(message):
            self.has_screen = True
            self._keep_open = self._keep_open or KEEP_OPEN in str(message)
            title = Line(clean(name, 200), HEADING)
            return [*lines, *self._under_heading(at, [Line(""), title, *text.screen(message)])]
        if role == "observe":
            self._watch = clean(message, text.LONGEST)
            return lines
        shown = f"{text.clock(at - self._clock_began)}  {clean(message, text.LONGEST)}"
        return [*lines, *self._under_heading(at, [Line(shown, text.PLAIN, 7)])]

    def status(self, at: float) -> str:
        """Return what is under way as one line, for the last line of a terminal; empty while nothing is slow."""
        if not self._said:
            return ""
        doing = self._watch or self.running.text(at)
        return f"{self._clock(at)}  {doing}" if doing else ""

    def slow(self, at: float) -> list[Line]:
        """Return what is under way as a line that stays, for output that is not a terminal."""
        line, self._watch = self.status(at), ""
        return [*self.heading(), Line(line, text.PLAIN, 7)] if line else []

    def last(self, at: float, failed: bool, failure: str, verdict: str, place: str) -> list[Line]:
        """Return the last lines.

        :param failed: whether the exit status is not 0.
        :param failure: what ended the run badly, in words; empty if nothing did, or a screen has said it.
        :param verdict: what the roles handed on, for instance ``contained``; may be empty.
        :param place: where the journal is; empty if there is none.
        """
        lines = [*self.task_began(at), *self._end_watch(at), Line("")]
        took = f"after {text.clock(at - self._began)}, {text.moment(at)}"
        if not failed:
            word = f" ({clean(verdict, 40)})" if verdict else ""
            done = "PLANNED, nothing was changed" if self._check_mode else f"DONE{word}"
            lines.append(Line(f"{done} {took}.", GOOD))
        else:
            ended = text.ENDS.get(verdict, "ENDED WITH A FAILURE")
            lines.append(Line(f"{ended}, {took}. The exit status is not 0.", BAD))
            lines += [Line(clean(failure, text.LONGEST), BAD)] if failure else []
        if place:
            lines.append(Line(f"Journal: {clean(place, text.LONGEST)}", text.PLAIN, None))
        if self._keep_open:
            return [*lines, Line(KEEP_OPEN, BAD)]
        return [*lines, Line(_LEFT) if failed else Line(_SAFE, GOOD)]

    def heading(self) -> list[Line]:
        """Return the heading of the play that is under way, unless it was shown already."""
        if self._heading is None:
            return []
        (at, heading), self._heading = self._heading, None
        return [Line(""), Line(heading, HEADING), Line(f"{self._clock(at)}   {text.moment(at)}")]

    def _clock(self, at: float) -> str:
        objective = str(self._objectives.get(self._objective)) if self._objective else ""
        return text.against(at - self._clock_began, float(objective) if _SECONDS.fullmatch(objective) else None)

    def _under_heading(self, at: float, lines: Sequence[Line]) -> list[Line]:
        return [*self.heading(), *self._end_watch(at), *lines] if lines else []

    def _say(self, group: _Group) -> list[Line]:
        if not self._said:
            return []
        line = text.step(group.at - self._clock_began, group.name, group.hosts, group.told, group.kind)
        return self._under_heading(group.at, [line])

    def _end_watch(self, at: float) -> list[Line]:
        watch, self._watch = self._watch, ""
        line = Line(f"{text.clock(at - self._clock_began)}  {watch}", text.PLAIN, 7)
        return [*self.heading(), line] if watch else []

    def _told(self, step: Step, module: str) -> tuple[str, str]:
        if step.state == OK:
            return figure(module, step.result, self._check_mode or step.plan) or ("done" if step.changed else ""), GOOD
        message = " ".join(str(step.result.get("msg") or "no reason given").split())
        word = "UNREACHABLE" if step.state == UNREACHABLE else "FAILED"
        if not step.handled:
            return f"{word}: {message}", BAD
        again = (step.host, "", message) in self._told_troubles
        self._told_troubles.add((step.host, "", message))
        return f"{word}, the run goes on: {'as above' if again else message}", ODD

    def _introduce(self, result: Facts) -> list[Line]:
        """Return lines about a database and an incident the first time they appear."""
        lines, database = [], map_of(result.get("database"))
        key = f"{database.get('cluster')} {database.get('name')} {database.get('writable')}"
        if database and key not in self._databases and len(self._databases) < _MOST_DATABASES:
            self._databases.add(key)
            lines.append(text.fact("Database", database_said(database, result)))
        incident = map_of(result.get("incident"))
        found = incident.get("incident_id") if incident.get("in_ledger") else None
        if isinstance(found, str) and found and not self._incident:
            self._incident = found
            how = "opened now" if incident.get("opened_now") else "open already, this run goes on with it"
            if incident.get("opened_now") or not self._agreed or found != self._named:
                lines.append(text.fact("Incident", f"{found}, {how}"))
        return lines
