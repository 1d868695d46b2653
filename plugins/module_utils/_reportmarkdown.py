# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The incident's record as Markdown, in blocks. Pure: neither Ansible nor a driver.

Names of hosts, operators and any other foreign text are set as code, in which Markdown knows no markup. People's own
words are quoted line by line, with HTML made harmless.
"""

from __future__ import annotations

from typing import Any, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean, code, table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import Block
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._words import LONGEST_SECTION

MOST_ROWS = 200
MOST_NAMES = 20


def quoted(text: str) -> list[str]:
    """Return people's words as a quotation: line ends stay, and nothing in them becomes our markup or HTML."""
    lines = []
    for line in text.splitlines():
        # The indentation of a list is significant.
        indent = " " * min(12, len(line) - len(line.lstrip(" ")))
        lines.append(f"> {indent}{clean(line, LONGEST_SECTION).replace('&', '&amp;').replace('<', '&lt;')}".rstrip())
    return lines


def names(values: Sequence[Any], most: int = MOST_NAMES) -> str:
    """Return foreign names as code, up to a maximum number."""
    shown = ", ".join(code(value, 60) for value in values[:most])
    return shown + (f" (+{len(values) - most})" if len(values) > most else "") if values else "–"


def record(case: Case) -> list[Block]:
    """Return the blocks of incident.md."""
    label = case.label
    return [
        Block("head", [f"# {label('record')}: {code(case.title())}", "", f"_{label('generated')}_"]),
        Block("facts", [f"## {label('in_short')}", "", *_facts(case)]),
        Block("moments", [f"## {label('moments')}", "", *_moments(case)]),
        Block("timeline", [f"## {label('timeline')}", "", *timeline(case)]),
        Block("runs", [f"## {label('runs')}", "", *_runs(case)]),
        Block("decision", [f"## {label('decision')}", "", *_decision(case)]),
        Block("integrity", [f"## {label('integrity')}", "", *_integrity(case)]),
        Block("metrics", [f"## {label('metrics')}", "", *_metrics(case)]),
        Block("stages", [f"## {label('stages')}", "", *_stages(case)]),
        Block("messages", [f"## {label('messages')}", "", *_messages(case)]),
        Block("kept", [f"## {label('kept')}", "", *_kept(case)]),
        Block("words", [f"## {label('words')}", "", *_words(case)]),
        Block("notes", [f"## {label('notes')}", "", *_notes(case)]),
    ]


def plain(text: str) -> str:
    """Return a reason with foreign text in it (a message's key, a route) made harmless."""
    return clean(text, 200).replace("&", "&amp;").replace("<", "&lt;").replace("`", "'")


def _facts(case: Case) -> list[str]:
    label, summary = case.label, case.summary
    state = label("closed") if case.closed_at else label(f"state_{summary['state']}")
    rows = [
        (label("incident_id"), code(summary["incident_id"])),
        (label("severity"), summary["severity"] or label("not_measured")),
        (label("scenario"), case.scenario()),
        (label("state"), state),
        (label("objective"), case.objective()),
        (label("recovery_point"), case.point()),
        (label("duration"), case.duration()),
        (label("companies"), case.companies()),
        (label("users"), case.count(summary["users"]["affected"])),
        (label("errors"), case.count(summary["errors"]["by_tenants"])),
        (label("environment"), code(summary["environment"])),
        (label("operators"), names(summary["operators"])),
        (label("version"), code(summary["version"])),
        (label("ledger"), _ledger(case)),
    ]
    return table(["", ""], rows)


def _ledger(case: Case) -> str:
    label = case.label
    if not case.ledgers:
        return label("not_read")
    opened = f"{label('opened')} {case.moment(case.opened_at)}"
    closed = f"{label('closed')} {case.moment(case.closed_at)}" if case.closed_at else label("still_open")
    broken = [row for row in case.ledgers if row.get("chain_broken_at")]
    chain = label("broken", where=names([row.get("host") for row in broken])) if broken else label("holds")
    return f"{opened}, {closed}; {label('chain')}: {chain}"


def _moments(case: Case) -> list[str]:
    return table(["", ""], case.moments())


def timeline(case: Case) -> list[str]:
    """Return the timeline as a table."""
    label, lines = case.label, case.summary["timeline"]
    days = sorted({line["at"][:10] for line in lines})
    rows = []
    for line in lines[:MOST_ROWS]:
        at = case.moment(line["at"]) if len(days) > 1 else line["at"][11:19]
        host = code(line["host"], 60) if line["host"] else label("hosts_n", n=line["hosts"]) if line["hosts"] else ""
        said = case.done(line) + (f" **{label('failed')}**" if line["failed"] else "")
        rows.append([at, case.phase(line), host, said, plain(case.figures(line))])
    if not rows:
        return [label("not_measured"), ""]
    left = case.summary["timeline_left_out"]
    more = [label("left_out", n=case.count(left)), ""] if left else []
    heads = [label(name) for name in ("at", "phase", "host", "what", "figures")]
    return [", ".join(days[:10]), "", *table(heads, rows), *more]


def _runs(case: Case) -> list[str]:
    label = case.label
    heads = [label(name) for name in ("began", "playbook", "operator", "from", "took", "verdict", "journal")]
    rows = []
    for run in case.summary["runs"]:
        took = case.time(seconds_between(run["began"], run["ended"]))
        verdict = label("plan") if run["plan"] else code(label.word(run["verdict"])) if run["verdict"] else "–"
        journal = f"{code(run['journal'])}: {holds(case, run)}" if run["journal"] else label("no_journal")
        who = [code(run["operator"], 60), code(run["host"], 60)]
        rows.append([case.moment(run["began"]), code(run["playbook"]), *who, took, verdict, journal])
    left = case.summary["runs_left_out"]
    return table(heads, rows) + ([label("left_out", n=case.count(left)), ""] if left else [])


def holds(case: Case, run: Any) -> str:
    """Return in words whether a run's journal is intact."""
    if not run["holds"]:
        return case.label("broken", where=clean(run["broken_at"], 100).replace("|", "¦"))
    return case.label("cut" if run["cut"] else "holds" if run["ended"] else "unended")


def _decision(case: Case) -> list[str]:
    label, decision = case.label, case.summary["decision"]
    steps = [step for row in case.ledgers for step in (row.get("triage") or {}).get("path") or []][:20]
    lines = []
    if steps:
        rows = [[plain(str(step.get(name) or "")) for name in ("question", "answer", "because")] for step in steps]
        lines += table([label(name) for name in ("question", "answer", "because")], rows)
    elif not decision["triage"]:
        lines += [label("no_triage"), ""]
    lines.append(f"- {label('scenario')}: {case.scenario()}")
    if decision["matrix"]:
        lines.append(f"- {label('matrix')}: {code(decision['matrix'])}")
    lines.append(f"- {label('playbooks')}: {names(decision['path'])}")
    lines += [f"- {label('approvals')}: {code(text, 300)}" for text in case.approvals()]
    overrides = [text for row in case.ledgers for text in row.get("overrides") or []][:20]
    lines += [f"- {label('overrides')}: {code(text)}" for text in overrides]
    return [*lines, ""]


def _integrity(case: Case) -> list[str]:
    label, summary = case.label, case.summary
    told = summary["integrity"]
    heads = [label(name) for name in ("check", "before", "after", "status")]
    rows = [
        [code(row["name"]), case.count(row["before"]), case.count(row["after"]), code(label.word(row["status"]))]
        for row in told["checks"]
    ]
    rows.append([f"**{label('corrupt_rows')}**", case.count(told["before"]), case.count(told["after"]), ""])
    lines = [*table(heads, rows), f"{label('recovery_point')}: {case.point()}", ""]
    if summary["records"]:
        heads = [label(name) for name in ("table", "repaired", "deleted", "restored")]
        found = [
            [code(row["table"]), *(case.count(row[name]) for name in ("repaired", "deleted", "restored"))]
            for row in summary["records"]
        ]
        lines += [f"### {label('records')}", "", *table(heads, found)]
    return lines


def _metrics(case: Case) -> list[str]:
    label, told = case.label, case.summary["metrics"]
    if not told["rows"]:
        return [label("not_measured"), ""]
    heads = [label(name) for name in ("metric", "value", "limit", "verdict")]
    rows = [
        [code(row["name"]), value_of(case, row), limit_of(case, row), code(label.word(row["verdict"]))]
        for row in told["rows"]
    ]
    watched = f"{label('watched')}: {case.time(told['watched_seconds'])}"
    return [*table(heads, rows), watched, ""]


def value_of(case: Case, row: Any) -> str:
    """Return a metric's value with its unit."""
    value = row["value"]
    unit = f" {row['unit']}" if row.get("unit") else ""
    return case.label("not_measured") if value is None else f"{case.count(round(value, 3))}{unit}"


def limit_of(case: Case, row: Any) -> str:
    """Return the limits of a metric."""
    signs = {"max": "≤", "min": "≥"}
    told = [f"{sign} {case.count(row[name])}" for name, sign in signs.items() if row.get(name) is not None]
    return " ".join(told) + (f" {row['unit']}" if told and row.get("unit") else "") if told else "–"


def _stages(case: Case) -> list[str]:
    label, stages = case.label, case.summary["stages"]
    if not stages:
        return [label("no_stages"), ""]
    heads = [label(name) for name in ("at", "host", "switched", "on_then", "had_it")]
    rows = [
        [
            case.moment(row["at"]),
            code(row["host"], 60),
            case.count(row["switched"]) + ("" if row["back"] else f" ({label('withdrawn')})"),
            case.count(row["on_after"]),
            case.count(row["had_it"]),
        ]
        for row in stages[:MOST_ROWS]
    ]
    return table(heads, rows)


def status_of(case: Case, route: Any) -> str:
    """Return what became of a message on a route, in words."""
    status = str(route.get("status") or "")
    known = ("pending", "sent", "failed", "unknown", "dry_run")
    return case.label(status) if status in known else code(status)


def _messages(case: Case) -> list[str]:
    label = case.label
    heads = [label(name) for name in ("at", "message", "subject", "route", "status", "error")]
    rows = []
    for message in case.messages[:MOST_ROWS]:
        at = case.moment(str(message.get("at") or "") or None)
        start = [at, code(message.get("key"), 60), code(message.get("subject"), 80)]
        routes = [route for route in message.get("routes") or [] if isinstance(route, dict)]
        if not routes:
            rows.append([*start, label("no_route"), "", ""])
        for route in routes[:MOST_NAMES]:
            rows.append([*start, code(route.get("route"), 60), status_of(case, route), code(route.get("error") or "")])
    return table(heads, rows) if rows else [label("no_messages"), ""]


def _kept(case: Case) -> list[str]:
    label, kept = case.label, case.summary["preserved"]
    lines = []
    if kept["dump_hosts"]:
        where = {"path": code(case.places.get("dumps", "")), "hosts": names(kept["dump_hosts"])}
        lines.append(f"- {label('dump')}: {label('dump_on', rows=case.count(kept['rows']), **where)}")
    if kept["evidence_hosts"]:
        where = {"path": code(case.places.get("evidence", "")), "hosts": names(kept["evidence_hosts"])}
        lines.append(f"- {label('evidence')}: {label('below_on', **where)}")
    for row in kept["evidence_elsewhere"][:MOST_NAMES]:
        where = {"path": code(row["path"]), "host": code(row["host"])}
        lines.append(f"- {label('evidence')}: {label('elsewhere', **where)}")
    return [*(lines or [label("nothing_kept")]), ""]


def _words(case: Case) -> list[str]:
    said = case.words.said
    if not said:
        return [case.label("no_words"), ""]
    lines: list[str] = []
    for name, text in said.items():
        lines += [f"**{case.heading(name)}**", "", *quoted(text), ""]
    return lines


def _notes(case: Case) -> list[str]:
    notes = [
        f"- {case.label(note['what'], journal=code(note['journal']), where=code(note['where']))}"
        for note in case.summary["notes"][:MOST_NAMES]
    ]
    lacking = case.unmeasured()
    notes += [f"- {case.label('bad_unmeasured', names=', '.join(lacking))}"] if lacking else []
    latched = sum(row.get("latched_writes") or 0 for row in case.ledgers)
    notes += [f"- {case.label('latched', n=case.count(latched))}"] if latched else []
    return [*(notes or [case.label("none")]), ""]
