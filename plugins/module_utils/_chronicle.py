# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One journal, read once: what a person wants to know about its run, in bounded memory. Pure.

A journal of a hundred thousand lines has a few hundred that matter: what our modules did, plays, and from when to when
each host worked in each phase. The rest is only counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _journal as journal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._events import Event

# How much is kept of one run.
MOST_STEPS = 5000
MOST_PLAYS = 300
MOST_SPANS = 2000
MOST_PARTS = 20
# Modules that only read what others have done.
_READERS = ("incident_info", "feature_flag_info", "write_block_info", "write_fence_info")
_KEPT = frozenset(journal.FIGURES) - frozenset(_READERS)
# The roles that pass on a decision, by set_stats.
_DECIDING = ("selective", "triage")
_STATS = "ansible.builtin.set_stats"
_BEGINS = ("ansible.builtin.include_", "ansible.builtin.import_")
SCENARIOS = ("scenario1", "scenario2", "scenario3")


@dataclass(frozen=True)
class Step:
    """What one module did on one host; moments are text in UTC, ``started`` may be null."""

    at: str
    started: str | None
    phase: str
    source: str
    host: str
    task: str
    role: str
    play: int
    changed: bool
    failed: bool
    unreachable: bool
    error: str
    figures: Mapping[str, Any]
    details: Mapping[str, Any]

    @property
    def ok(self) -> bool:
        """Whether it did what it was for."""
        return not self.failed and not self.unreachable

    @property
    def place(self) -> str:
        """The database that it acted on, or the host if that is not known."""
        return str(self.details.get("database") or self.host)


@dataclass
class Span:
    """From when to when a host worked in a phase, in how many tasks, and how many of them failed.

    ``parts`` has these times by play, each after the play's number: containment is looked at again at the end of a
    run, and what the host did in between is not containment.
    """

    phase: str
    host: str
    began: str
    ended: str
    tasks: int = 0
    failed: int = 0
    parts: list[tuple[int, str, str]] = field(default_factory=list)


@dataclass
class Play:
    """A play by its heading; ``seconds`` is null until it has ended."""

    number: int
    heading: str
    began: str
    seconds: float | None = None
    failed: int = 0
    unreachable: int = 0


@dataclass
class RunRecord:
    """One run. ``left_out`` counts steps beyond ``MOST_STEPS``; ``reading`` says whether the journal is intact.

    Without a ``file`` it has no journal, and is made from a ledger's events (``_chronicleledger``). ``from_ledger``
    counts the last of its steps, which its journal lacks.
    """

    file: str
    reading: journal.Reading
    facts: dict[str, Any] = field(default_factory=dict)
    exit: dict[str, Any] = field(default_factory=dict)
    recap: dict[str, Any] = field(default_factory=dict)
    plays: list[Play] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    spans: dict[tuple[str, str], Span] = field(default_factory=dict)
    aliases: set[str] = field(default_factory=set)
    hosts: int | None = None
    left_out: int = 0
    from_ledger: int = 0

    @property
    def is_plan(self) -> bool:
        """Whether it was a run with ``--check``, which did nothing."""
        return bool(self.facts.get("check_mode"))

    @property
    def playbook(self) -> str:
        """Its short name."""
        return str(self.facts.get("playbook") or "")

    @property
    def verdict(self) -> str:
        """What its last screen said; empty if it has none."""
        return str(self.exit.get("kanban_verdict") or "")

    @property
    def ended_at(self) -> str | None:
        """When it ended, or showed its last screen if the journal goes no further; null if it did neither."""
        return self.reading.last_at if self.reading.ended or (self.verdict and self.reading.holds) else None

    def of(self, *sources: str, role: str = "") -> list[Step]:
        """Return steps of some modules, in the order in which they ended."""
        return [step for step in self.steps if step.source in sources and (not role or step.role == role)]


def read_run(lines: Iterable[bytes], file: str) -> RunRecord:
    """Verify a journal and keep what matters in it.

    Anything after a line that was changed is not trusted, and so is left out.
    """
    run = RunRecord(file, journal.Reading())
    # A metric is looked at hundreds of times; the last look of each gate on each host is the outcome.
    looks: dict[tuple[Any, ...], int] = {}

    def see(event: Event) -> None:
        if event.event == journal.TASK_ENDED:
            _task(run, event, looks)
        elif event.event == journal.RUN_BEGAN:
            run.facts = dict(event.data)
        elif event.event == journal.RUN_ENDED:
            run.exit.update(_map(event.data.get("exit")))
            run.recap = _map(event.data.get("recap"))
            run.hosts = event.data.get("hosts")
        else:
            _play(run, event)

    run.reading = journal.read_journal(lines, see)
    requested = run.facts.get("requested")
    if requested and requested != run.reading.incident_id:
        run.aliases.add(str(requested))
    if not run.reading.ended and run.ended_at:
        # What the run's end would say, for a run that has shown its last screen.
        run.hosts = len({host for _phase, host in run.spans})
        run.recap = {name: sum(getattr(play, name) for play in run.plays) for name in ("failed", "unreachable")}
    return run


def _map(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _play(run: RunRecord, event: Event) -> None:
    data = event.data
    if event.event == journal.PLAY_BEGAN and len(run.plays) < MOST_PLAYS:
        run.plays.append(Play(int(data.get("number") or 0), str(data.get("play") or ""), event.at))
    elif event.event == journal.PLAY_ENDED and run.plays and run.plays[-1].number == data.get("number"):
        last = run.plays[-1]
        last.seconds, last.failed, last.unreachable = data.get("seconds"), data["failed"], data["unreachable"]


def _task(run: RunRecord, event: Event, looks: dict[tuple[Any, ...], int]) -> None:
    data = event.data
    host = str(data.get("host") or "")
    bad = bool(data.get("failed") or data.get("unreachable")) and not data.get("ignored")
    # A task that starts other tasks, or tells people, is not work of a phase by itself.
    if not event.source.startswith(_BEGINS) and data.get("role") != "communicate":
        _span(run, event.phase, host, int(data.get("play") or 0), (str(data.get("started") or event.at), event.at), bad)
    deciding = event.source == _STATS and data.get("role") in _DECIDING
    figures, details = data.get("figures") or {}, data.get("details") or {}
    # The run's end has all of it, but may be missing.
    run.exit.update(_map(details.get("exit")))
    if event.source not in _KEPT and not deciding and "users_count" not in figures:
        return
    if event.source == "metric_gate" and "metrics" not in details and not bad:
        # A sample; the judgement comes with the next task.
        return
    step = Step(
        at=event.at,
        started=data.get("started"),
        phase=event.phase,
        source=event.source,
        host=host,
        task=str(data.get("task") or ""),
        role=str(data.get("role") or ""),
        play=int(data.get("play") or 0),
        changed=bool(data.get("changed")),
        failed=bool(data.get("failed")),
        unreachable=bool(data.get("unreachable")),
        error=str(data.get("error") or ""),
        figures=figures,
        details=details,
    )
    if step.source == "metric_gate":
        key = (step.play, step.role, step.host, step.task)
        if key in looks:
            run.steps[looks[key]] = step
            return
        looks[key] = len(run.steps)
    if len(run.steps) < MOST_STEPS:
        run.steps.append(step)
    else:
        looks.pop((step.play, step.role, step.host, step.task), None)
        run.left_out += 1


def _span(run: RunRecord, phase: str, host: str, play: int, when: tuple[str, str], bad: bool) -> None:
    began, ended = when
    span = run.spans.get((phase, host))
    if span is None:
        if len(run.spans) >= MOST_SPANS:
            return
        span = run.spans[phase, host] = Span(phase, host, began, ended)
    span.began, span.ended = min(span.began, began), max(span.ended, ended)
    span.tasks += 1
    span.failed += bad
    if span.parts and (span.parts[-1][0] == play or len(span.parts) >= MOST_PARTS):
        last = span.parts[-1]
        span.parts[-1] = (play, min(last[1], began), max(last[2], ended))
    else:
        span.parts.append((play, began, ended))
