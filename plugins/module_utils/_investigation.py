# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of all tiers in the investigation, as one document. Pure: neither Ansible nor a driver.

The same answers give the same document, byte for byte: nothing in it depends on when it is made.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import together, why_not
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._investigationtext import (
    application_section,
    database_section,
    locks_section,
    redis_section,
    silent_section,
    sockets_section,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import SHOWN, Answer, one_line
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import (
    code,
    megabytes,
    number,
    percent,
)

JSON_BYTES = 1024 * 1024
MARKDOWN_BYTES = 256 * 1024
LETTERS = 2000
# How many rows of each list to keep; tried in turn until the document is small enough.
_STEPS = (200, 50, 20, 10, 5, 2, 0)
# What Ansible adds to a result, including options and passwords; and what is long and says little afterwards.
_LEFT_OUT = frozenset(
    ("invocation", "ansible_facts", "changed", "failed", "skipped", "exception", "stdout", "stderr", "memory_samples")
)

# Kinds of answers: their tier, the field without which it is no answer, and their name in words.
_KINDS = {
    "database": ("db", "queries", "statements and locks"),
    "database_total": ("db", "queries", "statements since the counters began"),
    "redis": ("redis", "operations", "Redis"),
    "application": ("app", "processes", "processes and memory"),
    "sockets": ("app", "messages", "sockets"),
}


def investigation_report(
    tiers: Mapping[str, Sequence[str]],
    answers: Mapping[str, Sequence[Answer]],
    *,
    incident_id: str = "",
    environment: str = "",
) -> dict[str, Any]:
    """Return ``data`` and ``markdown``, two forms of one document, ``lines`` that sum it up, and ``silent``.

    :param tiers: names of the hosts by tier (db, redis, app); a tier that is not used is left out or empty.
    :param answers: by kind (database, database_total, redis, application, sockets), each in the order of its tier's
        hosts, with nothing for a host that gave none. A kind that was not asked is left out.
    :return: ``silent`` lists who did not answer what: ``host``, ``tier``, ``what`` and ``why``.
    """
    found: dict[str, dict[str, Any]] = {}
    silent = []
    for kind, (tier, field, words) in _KINDS.items():
        if kind not in answers:
            continue
        found[kind] = {}
        for name, answer in together(tiers.get(tier, ()), answers[kind]):
            if answer.get("skipped") and not answer.get("skip_reason"):
                continue  # The module itself says that there is nothing of the kind here.
            if field in answer and not answer.get("failed"):
                found[kind][name] = answer
            elif name is not None:
                silent.append({"host": name, "tier": tier, "what": words, "why": why_not(answer)})
    data = _bounded(
        {"incident_id": incident_id, "environment": environment, "answers": found, "silent": silent}, JSON_BYTES
    )
    return {
        "data": data,
        "markdown": _cut(_document(data), MARKDOWN_BYTES),
        "lines": _lines(found),
        "silent": silent,
    }


def _document(data: Mapping[str, Any]) -> str:
    answers, rows = data["answers"], data["rows_kept"]
    environment = f", environment {code(data['environment'])}" if data["environment"] else ""
    parts = [
        f"# Investigation of {code(data['incident_id'])}{environment}",
        "",
        *(
            []
            if rows == _STEPS[0]
            else [f"There was too much to keep all of it: lists have at most {rows} entries.", ""]
        ),
        *silent_section(data["silent"]),
        *database_section(answers.get("database", {}), answers.get("database_total", {})),
        *locks_section(answers.get("database", {})),
        *(application_section(answers["application"]) if "application" in answers else ()),
        *redis_section(answers.get("redis", {})),
        *(sockets_section(answers["sockets"]) if "sockets" in answers else ()),
    ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _lines(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return what matters most, for the last screen."""
    lines = []
    for name, answer in found.get("database", {}).items():
        lines += _database_lines(name, answer)
    for name, answer in found.get("redis", {}).items():
        memory, keys = answer["memory"], answer["keyspace"]
        share = "" if memory["used_share"] is None else f" ({percent(memory['used_share'])} of its limit)"
        lines.append(
            f"{name}: Redis does {number(answer['operations']['per_second'])} operations per second, has "
            f"{megabytes(memory['used_bytes'])}{share}, evicts {number(keys['evicted_per_second'], 1)} keys per second"
        )
    for name, answer in found.get("application", {}).items():
        lines += [f"{name}: {one_line(problem)}" for problem in answer.get("problems", [])[:SHOWN]]
        memory = [row.get("memory_bytes") or 0 for row in answer["processes"]]
        lines.append(f"{name}: {len(memory)} processes with {megabytes(sum(memory))} of memory")
    return lines


def _database_lines(name: str, answer: Answer) -> list[str]:
    lines = []
    if not answer.get("available"):
        why = (answer.get("reason") or {}).get("what", "no reason given")
        lines.append(f"{name}: which statements are slow is not known: {one_line(why)}")
    elif answer["queries"]:
        worst = answer["queries"][0]
        when = "since the counters began"
        if answer.get("interval_seconds") is not None:
            when = f"in {answer['interval_seconds']:.0f} s"
        lines.append(
            f"{name}: {percent(worst['share'])} of the time {when}, mean {number(worst['mean_ms'], 1)} ms: "
            f"{one_line(worst['query'])}"
        )
    waiting = answer.get("waiting") or []
    if waiting:
        first = [row for waiter in waiting for row in waiter["blocked_by"] if not row["waits_itself"]]
        ends = list(dict.fromkeys(one_line(row["to_end_it"]) for row in first if row["to_end_it"]))[:SHOWN]
        lines.append(
            f"{name}: {len(waiting)} sessions wait for locks"
            + (f"; to end who holds them: {'; '.join(ends)}" if ends else "")
        )
    return lines


class _TooMuch(Exception):
    """The copy would be too large; it is given up early, because the answers of many hosts are large."""


class _Copy:
    """Copies a document with lists of at most ``rows`` entries, unless its texts exceed ``most`` letters in total."""

    def __init__(self, rows: int, most: int) -> None:
        self._rows = rows
        self._left = most

    def of(self, value: Any) -> Any:
        """Return the copy; raises _TooMuch. Maps are sorted by name, so that the same answers give the same text."""
        if isinstance(value, Mapping):
            return {str(name): self.of(value[name]) for name in sorted(value, key=str) if name not in _LEFT_OUT}
        if isinstance(value, (list, tuple)):
            return [self.of(one) for one in value[: self._rows]]
        if value is None or isinstance(value, (bool, int, float)):
            self._spend(1)
            return value
        text = str(value)
        text = text if len(text) <= LETTERS else f"{text[:LETTERS]}…"
        self._spend(len(text))
        return text

    def _spend(self, letters: int) -> None:
        self._left -= letters
        if self._left < 0:
            raise _TooMuch


def _bounded(data: dict[str, Any], most: int) -> dict[str, Any]:
    """Return the document with lists so short that it has at most ``most`` bytes; ``rows_kept`` says how short."""
    for rows in _STEPS:
        try:
            kept: dict[str, Any] = _Copy(rows, most).of({**data, "rows_kept": rows})
        except _TooMuch:
            continue
        # Measured as it is written: indented by four, and every letter beyond ASCII escaped.
        if len(json.dumps(kept, indent=4)) <= most:
            return kept
    # More hosts than there is room for: the list of silent hosts is given up last.
    least = {**data, "answers": {}, "silent": data["silent"][:100], "rows_kept": 0}
    found: dict[str, Any] = _Copy(100, most).of(least)
    return found


def _cut(text: str, most: int) -> str:
    """Return the text with at most ``most`` bytes, cut at the end of a line."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= most:
        return raw.decode("utf-8")
    note = "\n\nThe rest was cut; the file beside this one, in JSON, has more.\n"
    kept = raw[: most - len(note)]
    return kept[: kept.rfind(b"\n")].decode("utf-8", "ignore") + note
