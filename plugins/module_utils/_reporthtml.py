# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of an incident as one page: the verdict first, then what it rests on. Pure."""

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reporthtmlmore import (
    lists_part,
    messages_part,
    notes_part,
    runs_part,
    words_part,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdown import (
    limit_of,
    value_of,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportpage import (
    bars,
    facts,
    more,
    page,
    section,
    table,
    text,
)

MOST_ROWS = 200
SHOWN_LINES = 40


def report_page(case: Case) -> str:
    """Return report.html."""
    label = case.label
    sections = [
        ("verdict", "in_short", _short(case)),
        ("timeline", "timeline", _timeline(case)),
        ("integrity", "integrity", _integrity(case)),
        ("stages", "stages", _stages(case)),
        ("metrics", "metrics", _metrics(case)),
        ("decision", "decision", _decision(case)),
        ("messages", "messages", messages_part(case)),
        ("lists", "checklists", lists_part(case)),
        ("runs", "runs", runs_part(case)),
        ("words", "words", words_part(case)),
        ("notes", "notes", notes_part(case)),
    ]
    links = "".join(f'<li><a href="#{name}">{text(label(key))}</a></li>' for name, key, _body in sections)
    body = "\n".join(section(name, label(key), found) for name, key, found in sections)
    return page(
        case.title(),
        label.language,
        f'<a class="skip" href="#main">{text(label("in_short"))}</a>\n<header>\n<h1>{text(case.title())}</h1>\n'
        f'<p class="soft">{text(_subtitle(case))}</p>\n{_cards(case)}\n</header>\n'
        f'<nav aria-label="{text(label("contents"))}"><ul>{links}</ul></nav>\n<main id="main">\n{body}\n</main>\n'
        f"<footer><p>chatia.kanban_rollback {text(case.summary['version'])}</p></footer>",
    )


def _subtitle(case: Case) -> str:
    summary, label = case.summary, case.label
    state = label("closed") if case.closed_at else label(f"state_{summary['state']}")
    parts = [case.scenario(), summary["severity"], summary["environment"], state]
    return " · ".join(part for part in parts if part)


def _card(kind: str, name: str, told: str) -> str:
    sign = {"good": "✔", "bad": "✖", "open": "?"}[kind]
    return f'<li class="card {kind}">{text(name)}<b><span aria-hidden="true">{sign}</span> {text(told)}</b></li>'


def _cards(case: Case) -> str:
    """Return the verdict on both objectives, and the extent of the incident."""
    summary, label = case.summary, case.label
    met, point = summary["objective"]["met"], summary["recovery_point"]["writes_after"]
    held = bool(summary["moments"]["contained"])
    off = summary["companies"]
    cards = [
        _card("open" if met is None else "good" if met else "bad", label("objective"), case.objective()),
        _card("open" if not number(point) else "bad" if point else "good", label("recovery_point"), case.point()),
        _card("good" if held else "bad", label("contained"), case.time(summary["seconds"]["contain"])),
        _card("good" if off["complete"] and held else "open", label("companies"), case.companies()),
    ]
    return f'<ul class="cards">{"".join(cards)}</ul>'


def _short(case: Case) -> str:
    summary, label = case.summary, case.label
    rows = [
        (label("scenario"), text(case.scenario())),
        (label("severity"), text(summary["severity"] or label("not_measured"))),
        (label("duration"), text(case.duration())),
        (label("users"), text(case.count(summary["users"]["affected"]))),
        (label("errors"), text(case.count(summary["errors"]["by_tenants"]))),
        (label("ledger"), text(_ledger(case))),
    ]
    return facts([*rows, *((name, text(at)) for name, at in case.moments())])


def _ledger(case: Case) -> str:
    if not case.ledgers:
        return case.label("not_read")
    opened = f"{case.label('opened')} {case.moment(case.opened_at)}"
    closed = f"{case.label('closed')} {case.moment(case.closed_at)}" if case.closed_at else case.label("still_open")
    broken = [str(row.get("host") or "") for row in case.ledgers if row.get("chain_broken_at")]
    chain = case.label("broken", where=", ".join(broken)) if broken else case.label("holds")
    return f"{opened}, {closed}; {case.label('chain')}: {chain}"


def _timeline(case: Case) -> str:
    """Return each run drawn to its own scale, then every line."""
    label = case.label
    drawn = "\n".join(_drawn(case, place, run) for place, run in enumerate(case.spans))
    lines = case.summary["timeline"]
    if not lines:
        return f"<p>{text(label('not_measured'))}</p>"
    rows = []
    for line in lines:
        host = line["host"] or (label("hosts_n", n=line["hosts"]) if line["hosts"] else "")
        said = text(case.done(line)) + (
            f' <span class="bad-text">{text(label("failed"))}</span>' if line["failed"] else ""
        )
        rows.append(
            [text(case.moment(line["at"])), text(case.phase(line)), text(host, 80), said, text(case.figures(line))]
        )
    heads = [label(name) for name in ("at", "phase", "host", "what", "figures")]
    left = case.summary["timeline_left_out"]
    note = f"<p>{text(label('left_out', n=case.count(left)))}</p>" if left else ""
    whole = table(label("timeline"), heads, rows)
    return drawn + note + (whole if len(rows) <= SHOWN_LINES else more(label("as_table"), whole))


def _drawn(case: Case, place: int, run: Mapping[str, Any]) -> str:
    label, rows = case.label, run["rows"]
    whole = seconds_between(run["began"], run["ended"]) or 0.1
    drawn, told = [], []
    for row in rows:
        parts = [
            ((seconds_between(run["began"], began) or 0.0) / whole, seconds_between(began, ended) or 0.0)
            for _play, began, ended in row["parts"]
        ]
        took = sum(seconds for _start, seconds in parts)
        name = f"{label('phase_' + row['phase'])} · {row['host'][:28]} · {case.time(took)}"
        name += f" · {label('failed')}" if row["failed"] else ""
        mark = {"label": name, "kind": _kind(row), "point": True}
        drawn += [
            {**mark, "start": start, "width": seconds / whole, "more": number > 0}
            for number, (start, seconds) in enumerate(parts)
        ]
        cells = (case.moment(row["began"]), case.time(took), case.count(row["tasks"]), case.count(row["failed"]))
        told.append([text(label(f"phase_{row['phase']}")), text(row["host"], 80), *map(text, cells)])
    title = f"{run['playbook']}, {case.moment(run['began'])} UTC, {case.time(whole)}"
    if not rows:
        return f"<h3>{text(title)}</h3>"
    axis = [case.time(whole * share) for share in (0.0, 0.5, 1.0)]
    described = label("to_scale", n=len(rows))
    svg = bars(f"run{place}", title, described, drawn, axis)
    heads = [label(name) for name in ("phase", "host", "began", "took", "lines", "failed")]
    twin = more(label("as_table"), table(title, heads, told, numbers=(4, 5)))
    left = f"<p>{text(label('rows_left_out', n=case.count(run['left_out'])))}</p>" if run["left_out"] else ""
    return f"<h3>{text(title)}</h3>\n{svg}\n{left}{twin}"


def _kind(row: Mapping[str, Any]) -> str:
    return "bad" if row["failed"] else "bar" if row["phase"] in ("contain", "recover", "release") else "bar2"


def _integrity(case: Case) -> str:
    label, summary = case.label, case.summary
    told = summary["integrity"]
    before, after = told["before"], told["after"]
    parts = []
    if number(before):
        most = max(before, after or 0, 1)
        rows = [
            {"label": f"{label('before')}: {case.count(before)}", "start": 0, "width": before / most, "kind": "bad"}
        ]
        width = after / most if number(after) else 0
        rows.append({"label": f"{label('after')}: {case.count(after)}", "start": 0, "width": width, "kind": "bar"})
        parts.append(bars("corrupt", label("corrupt_rows"), f"{case.count(before)} → {case.count(after)}", rows))
    rows_of = [
        [
            text(row["name"]),
            text(case.count(row["before"])),
            text(case.count(row["after"])),
            text(label.word(row["status"])),
        ]
        for row in told["checks"]
    ]
    rows_of.append([text(label("corrupt_rows")), text(case.count(before)), text(case.count(after)), ""])
    heads = [label(name) for name in ("check", "before", "after", "status")]
    parts.append(table(label("integrity"), heads, rows_of, numbers=(1, 2)))
    if summary["records"]:
        names = ("repaired", "deleted", "restored")
        found = [[text(row["table"]), *(text(case.count(row[name])) for name in names)] for row in summary["records"]]
        heads = [label(name) for name in ("table", *names)]
        parts += [f"<h3>{text(label('records'))}</h3>", table(label("records"), heads, found, numbers=(1, 2, 3))]
    return "\n".join(parts)


def _stages(case: Case) -> str:
    label, stages = case.label, case.summary["stages"]
    if not stages:
        return f"<p>{text(label('no_stages'))}</p>"
    most = max([row["on_after"] or 0 for row in stages] + [row["had_it"] or 0 for row in stages] + [1])
    drawn, rows = [], []
    for place, row in enumerate(stages[:MOST_ROWS], start=1):
        on = row["on_after"] or 0
        name = f"{label('stage')} {place} · {row['host'][:28]} · {case.count(row['on_after'])}"
        name += "" if row["back"] else f" · {label('withdrawn')}"
        drawn.append({"label": name, "start": 0, "width": on / most, "kind": "bar" if row["back"] else "bad"})
        switched = case.count(row["switched"]) + ("" if row["back"] else f" ({label('withdrawn')})")
        cells = (case.moment(row["at"]), switched, case.count(row["on_after"]), case.count(row["had_it"]))
        rows.append([str(place), text(row["host"], 80), *map(text, cells)])
    heads = [label(name) for name in ("stage", "host", "at", "switched", "on_then", "had_it")]
    svg = bars("stages-bars", label("stages"), label("to_scale", n=len(drawn[:20])), drawn[:20])
    return svg + table(label("stages"), heads, rows, numbers=(3, 4, 5))


def _metrics(case: Case) -> str:
    label, told = case.label, case.summary["metrics"]
    if not told["rows"]:
        return f"<p>{text(label('not_measured'))}</p>"
    rows = []
    for row in told["rows"]:
        good = row["verdict"] == "ok"
        kind, sign = ("good-text", "✔") if good else ("bad-text", "✖")
        verdict = (
            f'<span class="{kind}"><span aria-hidden="true">{sign}</span> {text(label.word(row["verdict"]))}</span>'
        )
        rows.append([text(row["name"]), text(value_of(case, row)), text(limit_of(case, row)), verdict])
    heads = [label(name) for name in ("metric", "value", "limit", "verdict")]
    watched = f"{label('watched')}: {case.time(told['watched_seconds'])}"
    return table(label("metrics"), heads, rows, numbers=(1, 2)) + f"<p>{text(watched)}</p>"


def _decision(case: Case) -> str:
    label, decision = case.label, case.summary["decision"]
    steps = [step for row in case.ledgers for step in (row.get("triage") or {}).get("path") or []][:20]
    parts = []
    if steps:
        names = ("question", "answer", "because")
        rows = [[text(step.get(name) or "") for name in names] for step in steps]
        parts.append(table(label("decision"), [label(name) for name in names], rows))
    elif not decision["triage"]:
        parts.append(f"<p>{text(label('no_triage'))}</p>")
    told = [(label("scenario"), text(case.scenario()))]
    told += [(label("matrix"), text(decision["matrix"]))] if decision["matrix"] else []
    told.append((label("playbooks"), text(" → ".join(decision["path"]), 1000)))
    told += [(label("approvals"), text(found, 300)) for found in case.approvals()]
    overrides = [text(found) for row in case.ledgers for found in row.get("overrides") or []][:20]
    told += [(label("overrides"), found) for found in overrides]
    return "\n".join([*parts, facts(told)])
