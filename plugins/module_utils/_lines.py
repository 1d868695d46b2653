# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host's answer in words, for the last screen. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import (
    PAGE,
    led_to,
    with_page,
    without_page,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import priors_of

# What Ansible says about itself: the Python it has found, and its own directory, made at its first login as a user.
_ANSIBLES_OWN = ("discovered Python interpreter", "remote_tmp")
# From 2.19 on, it puts this before the message.
_ANSIBLES_WORD = "Task failed: "
SHOWN = 5  # Blockers and tenants named per database; the module's result has more.

Answer = Mapping[str, Any]


def one_line(text: object) -> str:
    """Return text from anywhere as one line of at most 300 characters; one that is cut ends with an ellipsis.

    The address of an error's page is left out of the text; ``paged`` adds it to the line.
    """
    line, _page = without_page(" ".join(str(text).split()))
    return line if len(line) <= 300 else line[:299] + "…"


def paged(line: str, answer: Answer) -> str:
    """Return the line about a failure with the address of its page at the end; a screen has each address once."""
    error = answer.get("error")
    page = error.get("page") if isinstance(error, Mapping) else None
    return led_to(line, page) if isinstance(page, str) and page.startswith(PAGE) else line


@dataclass(frozen=True)
class Host:
    """One host of the group: its first answer (the kill, or the undo), a later one (the sweep), and the last look.

    Any of them may be missing. ``earlier``: answers of this run that these have replaced.
    """

    name: str
    first: Answer
    later: Answer
    still: Answer = field(default_factory=dict)
    earlier: Sequence[Answer] = ()

    @property
    def last(self) -> Answer:
        """The answer that says how it is now."""
        answer = self.later if "database" in self.later else self.first
        what = self._since(answer) if "on_again" in self.still else ""
        if not what:
            return answer
        now = {"enabled_after": self.still["on_again"], "global_default": self.still.get("global_default")}
        return {**answer, **now, "failed": True, "error": {"what": what}}

    def _since(self, answer: Answer) -> str:
        """Return what the last look found that the stop had not left so."""
        again, unreadable = self.still["on_again"], self.still.get("unreadable_count")
        undone = "Unless somebody undid this on purpose, type the same command again"
        if self.still.get("global_default") == "on" and answer.get("global_default") == "off":
            who = f", and {again:,} tenants have it again" if again else ""
            return f"the default of all tenants is on again, since the sweep{who}. {undone}"
        if again:
            return f"{again:,} tenants have it again, switched on after the sweep. {undone}"
        if unreadable:
            return (
                f"the settings of {unreadable:,} tenants are no JSON since the sweep, so nobody can tell whether they "
                "have it. Mend them in the application, then type the same command again"
            )
        return ""

    @property
    def answered(self) -> bool:
        """Whether a database behind this host said anything."""
        return "database" in self.last

    @property
    def is_replica(self) -> bool:
        """Whether it is in recovery, so that there is nothing to do on it."""
        return self.answered and not self.last["database"]["writable"]

    @property
    def cluster(self) -> str:
        """The database's identity: the same on a primary and its replicas."""
        return str(self.last["database"]["cluster"])

    @property
    def changed_count(self) -> int:
        """Tenants switched in both answers together."""
        return int(self.first.get("changed_count", 0)) + int(self.later.get("changed_count", 0))

    @property
    def joined(self) -> bool:
        """Whether the incident was in the ledger before the kill; a sweep always finds it there."""
        incident = self.first.get("incident", {})
        return bool(incident.get("in_ledger")) and not incident.get("opened_now")

    @property
    def failed(self) -> bool:
        """Whether the answer that counts is a failure."""
        return bool(self.last.get("failed")) or not self.answered

    @property
    def in_part(self) -> bool:
        """Whether it failed only because its name does not say which of several tables is meant, and all are off."""
        same_name, error = self.last.get("same_name", []), self.last.get("error") or {}
        return error.get("code") == "same_name" and all(row.get("table") for row in same_name)

    @property
    def sweep_lost(self) -> bool:
        """Whether the sweep after the kill was due and gave no answer: then nobody watches what is written back."""
        return bool(self.later) and "database" not in self.later and not self.later.get("skipped")

    @property
    def gone(self) -> bool:
        """Whether the last reading got no answer: then it is unknown whether the stop is still in effect."""
        return bool(self.still) and "database" not in self.still and not self.still.get("skipped")

    @property
    def handed_over(self) -> bool:
        """Whether it certainly is not a primary, or can no longer be asked as one."""
        follows = "database" in self.still and not self.still["database"]["writable"]
        return self.sweep_lost or self.gone or self.is_replica or follows

    def took_over_from(self, name: str) -> bool:
        """Return whether it has taken the place of the server of that name since the kill."""
        failover = self.last.get("failover") or {}
        return bool(failover.get("host") == name)

    @property
    def switched(self) -> int:
        """Tenants switched off or put back by this run; if a server took over, as far as its ledger knows."""
        recorded = (self.last.get("failover") or {}).get("recorded")
        return self.changed_count if recorded is None else int(recorded)

    @property
    def sweep_open(self) -> bool:
        """Whether transactions from before the kill are still open."""
        return not self.later.get("sweep", {}).get("settled", True)

    @property
    def why_not(self) -> str:
        """Why nothing came back, in one line."""
        if not self.first:
            return "was not asked (the run ended before its turn)"
        return why_silent(self.first)


def why_silent(answer: Answer) -> str:
    """Return why nothing came back, in one line, from what Ansible says about it."""
    if answer.get("timedout"):
        # A host that is silent now may still have received the whole task.
        within = f" within {answer['timedout']['period']} s" if "period" in answer["timedout"] else ""
        return f"no answer{within}; what was begun there may have been done all the same"
    why = one_line(answer.get("msg") or "no reason given")
    why = why[len(_ANSIBLES_WORD) :] if why.startswith(_ANSIBLES_WORD) else why
    return f"could not be reached: {why}" if answer.get("unreachable") else why


def warnings_of(answer: Answer) -> list[str]:
    """Return a module's warnings, one line each, without Ansible's about itself, which need no action."""
    told = [one_line(text) for text in answer.get("warnings") or []]
    return [text for text in told if not any(own in text for own in _ANSIBLES_OWN)]


def database_line(host: Host, kind: str, plan: bool = False) -> str:
    """Return one line about the state of one database."""
    last, where = host.last, host.last["database"]
    place = f"{host.name}: {one_line(where['name'])} at {where['address']}"
    place += f" (PostgreSQL {where['server_version'].split()[0]}"
    place += ", through a pooler)" if where.get("pooled") else ")"
    place += f", {one_line(last['table'])}" if last.get("table") else ""
    if "enabled_after" not in last:
        if "msg" in last:
            return f"{place}: {one_line(last['msg'])}"
        return with_page(f"{place}: nothing is recorded here under this incident", "unknown_incident")
    would, counted = "would be " if plan else "", f"{last['enabled_after']:,} of {last['total']:,}"
    if kind == "restore":
        text = f"{place}: {host.changed_count:,} tenants {would}as before, {counted} {would}on"
        if last.get("global_default") == "on":
            without = last.get("without_row")
            who = "whoever has no row has" if without is None else f"{without:,} tenants without a row have"
            text += f", {who} it by the default of all"
        if last.get("already_count"):
            text += f", {last['already_count']:,} were so already"
        return text
    text = f"{place}: {host.changed_count:,} tenants {would}switched off, {counted} {would}on"
    if last.get("without_row") and last.get("global_default") in ("on", "off"):
        text += f", {last['without_row']:,} of these have no row and follow the default of all"
    priors = _priors((host.first, host.later))
    kept = {str(one.get("kept_in")) for one in priors} & {"ledger", "file", "result"}
    if kept:
        paths = [str(one["path"]) for one in priors if one.get("path")]
        text += f"; who had it: {', '.join(sorted(kept))}" + (f" {paths[0]}" if paths else "")
    return text


def steps_line(host: Host) -> str:
    """Return how long each step took on one database, and what keeps the flag off there from now on."""
    steps = [f"kill {host.first.get('contained_ms', 0) / 1000:.2f} s"] if "contained_ms" in host.first else []
    if "elapsed_ms" in host.later:
        steps.append(f"sweep and latch {host.later['elapsed_ms'] / 1000:.2f} s")
        latch = "the latch is up" if host.later.get("latch", {}).get("raised") else "no latch"
        settled = host.later.get("sweep", {}).get("settled")
        steps.append(latch + ("; every earlier transaction has ended" if settled else ""))
    return f"{host.name}: {', '.join(steps)}" if steps else ""


def blocked_line(row: Answer) -> str:
    """Return one line about what could not be switched, with the statement that ends its holder."""
    whose = "the table" if row["tenant"] is None else f"tenant {one_line(row['tenant'])}"
    whose = "the default of all tenants" if row.get("default_of_all") else whose
    if row.get("refused"):
        return f"{whose} could not be written: {one_line(row['refused'])}"
    if row.get("pid") is None:
        return f"{whose} is held, by whom could not be seen"
    age = row.get("transaction_age")
    since = "" if age is None else f", in its transaction for {age:.0f} s"
    name = one_line(row.get("application_name") or "no name")
    return f"{whose} is held by pid {row['pid']} ({name}{since}); to end it: {one_line(row['to_end_it'])}"


def _priors(answers: Sequence[Answer]) -> list[Answer]:
    return [priors for answer in answers for priors in priors_of(answer)]


def unsaved_lines(host: Host) -> list[str]:
    """Return prior values that only this screen could take; there is no limit, because nothing else has them."""
    found = []
    for priors in _priors((*host.earlier, host.first, host.later)):
        if priors.get("unsaved"):
            found.append(
                f"{host.name}: SAVE THE NEXT {len(priors['unsaved'])} LINES, who had the flag stands nowhere else: as "
                f"/var/lib/kanban_rollback/{priors.get('file_name', '')} (0600) on this host, the undo reads them"
            )
            found += [json.dumps(change, separators=(",", ":")) for change in priors["unsaved"]]
    return found


def notes(host: Host) -> list[str]:
    """Return what a reader must know about one database apart from its figures."""
    found: list[str] = []
    last = host.last
    if last.get("failed") and "enabled_after" in last:
        said = one_line(last.get("error", {}).get("what") or last.get("msg", ""))
        found.append(paged(f"{host.name}: {said}", last))
    if host.sweep_lost:
        found.append(f"{host.name}: the sweep after the kill gave no answer: {why_silent(host.later)}")
    if host.gone:
        found.append(
            f"{host.name}: it gave no answer in the end, so nobody knows whether it holds: {why_silent(host.still)}; "
            "where a replica takes over, type the same command again"
        )
    found += unsaved_lines(host)
    found += [f"{host.name}: {blocked_line(row)}" for row in last.get("blocked", [])[:SHOWN]]
    for name, text in (
        ("unreadable", "have settings that are no JSON and were left"),
        ("changed_since", "were left alone: somebody changed their flag since"),
        ("missing", "no longer exist"),
    ):
        if last.get(f"{name}_count"):
            found.append(
                f"{host.name}: {last[f'{name}_count']:,} tenants {text}: {', '.join(map(one_line, last[name][:SHOWN]))}"
            )
    if last.get("failed") and (last.get("error") or {}).get("code") == "default_left_on":
        found.append(f"{host.name}: to switch off the default of all tenants: -e kanban_global_default=true")
    sweep = last.get("sweep")
    if sweep and sweep.get("switched_again"):
        found.append(
            f"{host.name}: {sweep['switched_again']} tenants were written back by earlier transactions; "
            "they are switched off again"
        )
    if sweep and not sweep.get("settled", True):
        who = ", ".join(
            f"pid {row['pid']} ({row['application_name'] or 'no name'})" for row in sweep["waiting_for"][:SHOWN]
        )
        found.append(
            f"{host.name}: transactions from before the kill are still open and could write back: {who}; "
            "run the same command again when they have ended"
        )
    warnings = [*warnings_of(host.first), *warnings_of(host.later)]
    return found + [f"{host.name}: {text}" for text in dict.fromkeys(warnings)]
