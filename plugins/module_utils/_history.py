# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All incidents and rehearsals by their timings: the index, each step's trend, and the last green rehearsal. Pure."""

from __future__ import annotations

from statistics import median
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicle import SCENARIOS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number, numbers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import code, table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportlabels import Labels
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportpage import page, section, spark, text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportpage import table as html_table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporttimings import STEPS

SCHEMA = 1
MOST_SHOWN = 500
MOST_DRAWN = 50
_WHOLE = ("contain", "validate", "whole")
# Seconds below this have two decimals.
_SMALL = 10
# What is shown of a trend, in the order of the columns.
_TOLD = ("median", "last", "worst")
_COLUMNS = ("col_disable", "col_verify", "col_total")
_FIELDS = ("incident_id", "rehearsal", "began", "scenario", "severity", "environment", "version", "state", "green")


def history(found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the index: ``incidents``, newest first, and ``trends``, by scenario and step.

    :param found: files of timings that are complete.
    """
    rows = sorted(found, key=lambda row: (row.get("began") or "", row["incident_id"]), reverse=True)
    incidents = [
        {
            **{name: row[name] for name in _FIELDS},
            "objective": {name: row["objective"].get(name) for name in ("seconds", "took", "met")},
            "seconds": {name: row["seconds"].get(name) for name in ("disable", "verify", "total")},
        }
        for row in rows
    ]
    trends = {name: _trends([row for row in rows if row["scenario"] == name]) for name in SCENARIOS}
    return {"schema": SCHEMA, "incidents": incidents, "trends": {name: told for name, told in trends.items() if told}}


def together(here: Iterable[Mapping[str, Any]], elsewhere: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the timings of each incident once: those that cover more runs or, if equal, those that are here."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for one in (*here, *elsewhere):
        key = (str(one["environment"]), str(one["incident_id"]))
        there = found.setdefault(key, one)
        if numbers([one.get("runs")]) > numbers([there.get("runs")]):
            found[key] = one
    return list(found.values())


def _trends(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each step with ``count``, ``median``, ``last``, ``worst`` and ``values``, oldest first."""
    seen: dict[str, list[float]] = {}
    for row in reversed(rows):
        seconds = row["seconds"]
        whole = {"contain": seconds.get("disable"), "whole": seconds.get("total"), "validate": _validated(seconds)}
        for name, value in {**whole, **row["steps"]}.items():
            if number(value) and name in (*_WHOLE, *STEPS):
                seen.setdefault(name, []).append(value)
    return [
        {
            "step": name,
            "count": len(seen[name]),
            "median": round(median(seen[name]), 3),
            "last": seen[name][-1],
            "worst": max(seen[name]),
            "values": seen[name][-MOST_DRAWN:],
        }
        for name in (*_WHOLE, *STEPS)
        if name in seen
    ]


def _validated(seconds: Mapping[str, Any]) -> Any:
    parts = numbers([seconds.get("disable"), seconds.get("verify")])
    return round(sum(parts), 1) if len(parts) > 1 else None


def last_green(incidents: Iterable[Mapping[str, Any]], version: str) -> dict[str, Any] | None:
    """Return the newest green rehearsal of a version; None if there is none."""
    found = [
        row for row in incidents if row["rehearsal"] and row["green"] and row["version"] == version and row["began"]
    ]
    return dict(max(found, key=lambda row: str(row["began"]))) if found else None


def _verdict(label: Labels, row: Mapping[str, Any]) -> str:
    met = row["objective"]["met"]
    goal = label("not_measured") if met is None else label("met" if met else "missed")
    return f"{label('state_' + str(row['state']))}, {goal}"


def _seconds(label: Labels, value: Any) -> str:
    return label.count(value, 2 if number(value) and value < _SMALL else 1)


def index_markdown(index: Mapping[str, Any], label: Labels) -> str:
    """Return index.md."""
    lines = [f"# {label('history')} ({label('seconds')})", ""]
    rows = []
    for row in index["incidents"][:MOST_SHOWN]:
        kind = label("rehearsal" if row["rehearsal"] else "incident")
        seconds = row["seconds"]
        rows.append(
            [
                (row["began"] or "–")[:16].replace("T", " "),
                kind,
                code(row["incident_id"]),
                label(row["scenario"] or "no_scenario"),
                _verdict(label, row),
                *(_seconds(label, seconds[name]) for name in ("disable", "verify", "total")),
            ]
        )
    heads = [label(name) for name in ("date", "kind", "incident_id", "scenario", "verdict", *_COLUMNS)]
    lines += table(heads, rows) if rows else [label("no_history"), ""]
    left = len(index["incidents"]) - MOST_SHOWN
    lines += [label("left_out", n=left), ""] if left > 0 else []
    for name, steps in index["trends"].items():
        lines += [f"## {label('trends')}: {label(name)}", ""]
        heads = [label(key) for key in ("step", "count", "median", "last", "worst")]
        cells = [
            [label(f"step_{step['step']}"), str(step["count"]), *(_seconds(label, step[key]) for key in _TOLD)]
            for step in steps
        ]
        lines += table(heads, cells)
    return "\n".join(lines)


def index_page(index: Mapping[str, Any], label: Labels) -> str:
    """Return index.html."""
    rows = []
    for row in index["incidents"][:MOST_SHOWN]:
        sign, kind = ("✔", "good-text") if row["objective"]["met"] else ("✖", "bad-text")
        if row["objective"]["met"] is None:
            sign, kind = "?", "open-text"
        verdict = f'<span class="{kind}"><span aria-hidden="true">{sign}</span> {text(_verdict(label, row))}</span>'
        seconds = [text(_seconds(label, row["seconds"][name])) for name in ("disable", "verify", "total")]
        what = label("rehearsal" if row["rehearsal"] else "incident")
        scenario = label(row["scenario"] or "no_scenario")
        began = (row["began"] or "–")[:16].replace("T", " ")
        rows.append([text(row["incident_id"]), text(began), text(what), text(scenario), verdict, *seconds])
    heads = [label(name) for name in ("incident_id", "date", "kind", "scenario", "verdict", *_COLUMNS)]
    shown = html_table(f"{label('history')} ({label('seconds')})", heads, rows, numbers=(5, 6, 7))
    left = len(index["incidents"]) - MOST_SHOWN
    note = f"<p>{text(label('left_out', n=left))}</p>" if left > 0 else ""
    parts = [section("all", label("history"), shown + note if rows else f"<p>{text(label('no_history'))}</p>")]
    for name, steps in index["trends"].items():
        cells = []
        for step in steps:
            told = label(f"step_{step['step']}")
            title = label("trend_title", name=told, n=len(step["values"]))
            drawn = spark(f"{name}-{step['step']}", title, step["values"])
            figures = [text(_seconds(label, step[key])) for key in _TOLD]
            cells.append([text(told), str(step["count"]), *figures, drawn])
        heads = [label(key) for key in ("step", "count", "median", "last", "worst", "trend")]
        heading = f"{label('trends')}: {label(name)}"
        shown = html_table(f"{heading} ({label('seconds')})", heads, cells, numbers=(1, 2, 3, 4))
        parts.append(section(name, heading, shown))
    body = "\n".join(parts)
    return page(
        label("history"),
        label.language,
        f'<header>\n<h1>{text(label("history"))}</h1>\n</header>\n<main id="main">\n{body}\n</main>',
    )
