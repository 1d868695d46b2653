# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a report is made of, and its figures as people read them. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between, seen
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import Labels
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import HEADINGS, Words

MINUTE, HOUR = 60, 3600


@dataclass(frozen=True)
class Case:
    """One incident and all that is known about it.

    ``ledgers``: what each database's ledger said, with ``host``; empty if none was read. ``messages``: the outbox, each
    as in its file. ``spans``: for each run, when which host was at work in which phase. ``places``: ``dumps``,
    ``evidence`` and ``runbook``, paths on their hosts.
    """

    summary: Mapping[str, Any]
    label: Labels
    words: Words = field(default_factory=Words)
    ledgers: Sequence[Mapping[str, Any]] = ()
    messages: Sequence[Mapping[str, Any]] = ()
    contacts: Sequence[Mapping[str, Any]] = ()
    spans: Sequence[Mapping[str, Any]] = ()
    places: Mapping[str, str] = field(default_factory=dict)
    dashboard_url: str = ""

    @property
    def opened_at(self) -> str | None:
        """When it was first opened in a ledger; None if none was read."""
        return min((str(row["opened_at"]) for row in self.ledgers if row.get("opened_at")), default=None)

    @property
    def closed_at(self) -> str | None:
        """When it was closed in the last ledger; None while it is open in one, or if none was read."""
        closed = [row.get("closed_at") for row in self.ledgers]
        return max(map(str, closed)) if closed and all(closed) else None

    @property
    def resolved_at(self) -> str | None:
        """The moment from which follow-ups count: the stop, or else the last known moment."""
        moments = self.summary["moments"]
        found = moments["contained"] or moments["ended"] or moments["began"]
        return None if found is None else str(found)

    def routes(self) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Yield each message with each of its routes."""
        for message in self.messages:
            for route in message.get("routes") or []:
                if isinstance(route, Mapping):
                    yield message, route

    # Figures as people read them; a value that was not measured says so.

    def count(self, value: Any) -> str:
        """Return a number in the format of the language."""
        return self.label.count(value)

    def time(self, seconds: Any) -> str:
        """Return seconds as a time that can be compared at a glance."""
        if not number(seconds):
            return self.label("not_measured")
        if seconds < MINUTE:
            return f"{self.count(round(float(seconds), 1))} s"
        whole = round(seconds)
        if whole < HOUR:
            return f"{whole // MINUTE} min" + (f" {whole % MINUTE:02d} s" if whole % MINUTE else "")
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"

    def moment(self, at: str | None) -> str:
        """Return a moment to the second."""
        return f"{at[:10]} {at[11:19]}" if at else self.label("not_on_record")

    def later(self, at: str | None, hours: float) -> str:
        """Return the moment that many hours later, to the minute."""
        found = seen(at) if at else None
        return (found + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M UTC") if found else self.label("not_measured")

    def objective(self) -> str:
        """Return whether the objective was met, with the time taken and the limit."""
        goal = self.summary["objective"]
        if goal["met"] is None:
            return self.label("not_measured")
        took = self.label("took_of", took=self.time(goal["took"]), limit=self.time(goal["seconds"]))
        return f"{self.label('met' if goal['met'] else 'missed')}: {took}"

    def point(self) -> str:
        """Return what was written after the fence."""
        writes = self.summary["recovery_point"]["writes_after"]
        if not number(writes):
            return self.label("not_measured")
        return self.label("writes_after", n=self.count(writes)) if writes else self.label("no_writes_after")

    def companies(self) -> str:
        """Return how many companies were switched off, and of how many."""
        told = self.summary["companies"]
        if not number(told["switched_off"]):
            return self.label("not_measured")
        off = self.count(told["switched_off"])
        if not told["complete"]:
            return self.label("at_least", off=off)
        return self.label(
            "companies_of", off=off, before=self.count(told["on_before"]), total=self.count(told["total"])
        )

    def heading(self, name: str) -> str:
        """Return the heading of people's own words, in the language of the report."""
        return HEADINGS[name].get(self.label.locale, HEADINGS[name]["en"])

    def duration(self) -> str:
        """Return the time from the first known moment to the last one that ends the trouble."""
        moments = self.summary["moments"]
        ends = (moments["validated"], moments["data_validated"], moments["released"])
        ended = max((at for at in ends if at), default=None)
        return self.time(seconds_between(moments["detected"] or moments["began"], ended))

    def phase(self, line: Mapping[str, Any]) -> str:
        """Return the phase of a line of the timeline; empty for a line before any phase."""
        return self.label(f"phase_{line['phase']}") if line["phase"] else ""

    def done(self, line: Mapping[str, Any]) -> str:
        """Return what a line of the timeline says, in words."""
        return self.label(f"do_{line['what']}", playbook=line["figures"].get("playbook") or "?")

    def figures(self, line: Mapping[str, Any]) -> str:
        """Return the figures of a line of the timeline."""
        told = {name: value for name, value in line["figures"].items() if name != "playbook" and value != ""}
        if line["what"] in ("kill", "sweep", "returned", "withdrawn") and number(told.get("changed_count")):
            return f"{self.count(told['changed_count'])} / {self.count(told.get('total'))}"
        if line["what"] == "failover":
            lost = {name: self.count(told.get(f"lost_{name}")) for name in ("bytes", "priors")}
            return self.label("lost_by_failover", **lost)
        if line["what"] in ("plan", "fence_lowered"):
            return ""
        return ", ".join(self.count(value) if number(value) else self.label.word(value) for value in told.values())

    def moments(self) -> list[tuple[str, str]]:
        """Return the moments by name; a decision after a watch is only made in scenario 2."""
        told = self.summary["moments"]
        return [
            (self.label(name), self.moment(at) + (" UTC" if at else ""))
            for name, at in told.items()
            if at or name != "decided" or self.summary["scenario"] == "scenario2"
        ]

    def approvals(self) -> list[str]:
        """Return what was approved and done by whom, from the ledgers or else from the journals."""
        found = [one for row in self.ledgers for one in row.get("approvals") or []] or self.summary["approvals"]
        return [
            self.label(
                "approved_by",
                what=self.label(f"do_{one['what']}"),
                at=self.moment(one["at"]),
                approver=one["approved_by"] or "–",
                operator=one["operator"] or "–",
            )
            for one in found[:20]
        ]

    def title(self) -> str:
        """Return the title: an incident or a rehearsal, with its id."""
        kind = self.label("rehearsal" if self.summary["rehearsal"] else "incident")
        return f"{kind} {self.summary['incident_id']}"

    def scenario(self) -> str:
        """Return the scenario in words."""
        return self.label(self.summary["scenario"] or "no_scenario")

    def unmeasured(self) -> list[str]:
        """Return what should have been measured but was not, in words."""
        summary, label = self.summary, self.label
        lacking = {
            "objective": summary["objective"]["met"] is None,
            "users": not number(summary["users"]["affected"]),
            "recovery_point": summary["scenario"] == "scenario3" and not summary["recovery_point"]["measured"],
            "metrics": summary["metrics"]["verdict"] is None,
        }
        return [label(name) for name, is_lacking in lacking.items() if is_lacking]
