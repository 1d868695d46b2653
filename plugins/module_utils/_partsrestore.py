# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the last screen of scenario 3 says about a restore: what came back, and what stays away and why. Pure.

Rows are named by their keys: whatever else they hold is people's own.
"""

from __future__ import annotations

from typing import Any, Iterator, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._lines import (
    SHOWN,
    Answer,
    one_line,
    warnings_of,
)

# Rows of the backup that do not come back, and why.
_AWAY = {
    "without_parent": "what they belong to is gone",
    "taken": "another row has by now what only one may have",
    "reused": "their key is another row's by now",
    "superseded": "a check names them",
}


def away_rows(table: Mapping[str, Any]) -> int:
    """Return how many rows of a compared table stay away."""
    return sum(table[kind] for kind in _AWAY)


def away_lines(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the rows of a compared table that stay away, and why."""
    for kind, why in _AWAY.items():
        if table[kind]:
            yield named(f"{one_line(table['table'])}: {table[kind]:,} rows stay away, for {why} ({kind})", table, kind)


def named(start: str, table: Mapping[str, Any], kind: str) -> str:
    """Return a line with some rows of one kind by their keys."""
    keys = [key_of(sample) for sample in table["samples"].get(kind, [])[:SHOWN]]
    return start + (f", for instance {'; '.join(keys)}" if any(keys) else "")


def key_of(sample: Mapping[str, Any]) -> str:
    """Return the key that names one row."""
    return one_line(", ".join(f"{name} {value}" for name, value in (sample.get("key") or {}).items()))


def restored_lines(answer: Answer, plan: bool) -> Iterator[str]:
    """Yield the outcome of one database's restore, or what it would be."""
    made = answer["plan"]
    if not answer.get("changed"):
        yield "nothing to bring back"
    else:
        yield (
            f"{made['total_rows']:,} rows {'would come' if plan else 'came'} back"
            + (f" and are noted in quarantine as restore {answer['repair_id']}" if not plan else "")
            + f" in {answer['elapsed_ms'] / 1000:.1f} s"
        )
        yield from (_written(row, plan) for row in made["parts"])
    for table in made["tables"]:
        yield from away_lines(table)
    for row in answer.get("sequences", []):
        if row["set"]:
            yield f"the sequence {one_line(row['sequence'])} was at {row['before']}, and is at {row['after']}"
    for check in made["checks"]:
        if check["remaining"] is not None and check["remaining"] != check["count"]:
            yield f"{one_line(check['name'])}: {check['count']:,} before, {check['remaining']:,} now"
    yield from warnings_of(answer)


def _written(row: Mapping[str, Any], plan: bool) -> str:
    verb = "{} their old values back" if row["action"] == "update" else "{} back"
    word = ("would get" if plan else "got") if row["action"] == "update" else "would come" if plan else "came"
    return f"{one_line(row['table'])}: {row['rows']:,} {one_line(row['check'])} rows {verb.format(word)}"


def conflict_lines(answer: Answer) -> Iterator[str]:
    """Yield the rows that a check named, because of which all of a restore was rolled back."""
    for row in answer.get("in_conflict", [])[:SHOWN]:
        keys = "; ".join(key_of(sample) for sample in row["samples"][:SHOWN])
        yield f"in the way: {one_line(row['table'])}: {row['rows']:,} rows that a check names: {keys}"
