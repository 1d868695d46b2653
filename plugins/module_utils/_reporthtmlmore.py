# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The later sections of the page: messages, checklists, runs, people's words, notes. Pure."""

from __future__ import annotations

from typing import Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import seconds_between
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportchecklist import checklists
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdown import holds, status_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportpage import facts, more, table, text, words

MOST_ROWS = 200


def messages_part(case: Case) -> str:
    """Return each message with each of its routes."""
    label = case.label
    rows = []
    for message in case.messages[:MOST_ROWS]:
        at = case.moment(str(message.get("at") or "") or None)
        start = [text(message.get("key") or "–", 80), text(at), text(message.get("subject") or "")]
        routes = [route for route in message.get("routes") or [] if isinstance(route, Mapping)]
        if not routes:
            rows.append([*start, text(label("no_route")), "", ""])
        for route in routes[:20]:
            kind = {"sent": "good-text", "failed": "bad-text"}.get(str(route.get("status")), "open-text")
            became = f'<span class="{kind}">{text(status_of(case, route).strip("` "))}</span>'
            rows.append([*start, text(route.get("route") or ""), became, text(route.get("error") or "")])
    if not rows:
        return f"<p>{text(label('no_messages'))}</p>"
    heads = [label(name) for name in ("message", "at", "subject", "route", "status", "error")]
    return table(label("messages"), heads, rows)


def lists_part(case: Case) -> str:
    """Return the checklists, with the evidence for each tick."""
    label, parts = case.label, []
    for found in checklists(case):
        rows = [
            [
                text(box.text),
                f'<span class="good-text"><span aria-hidden="true">☑</span> {text(label("yes"))}</span>'
                if box.ticked
                else f'<span class="open-text"><span aria-hidden="true">☐</span> {text(label("state_open"))}</span>',
                text(box.why),
            ]
            for box in found.boxes
        ]
        ticked = sum(box.ticked for box in found.boxes)
        heading = f"{found.heading}: {ticked} / {len(found.boxes)}"
        parts.append(more(heading, table(heading, [label(name) for name in ("what", "status", "because")], rows)))
    return "\n".join(parts)


def runs_part(case: Case) -> str:
    """Return who ran what, whether the journals are intact, and what was kept where."""
    label, rows = case.label, []
    for run in case.summary["runs"]:
        verdict = label("plan") if run["plan"] else label.word(run["verdict"] or "–")
        whole = run["holds"] and run["journal"]
        kind, sign = ("good-text", "✔") if whole else ("bad-text", "✖")
        whether = text(holds(case, run) if run["journal"] else label("no_journal"))
        said = f'<span class="{kind}"><span aria-hidden="true">{sign}</span> {whether}</span>'
        journal = f"{text(run['journal'])} {said}"
        took = case.time(seconds_between(run["began"], run["ended"]))
        told = (run["playbook"], run["operator"], run["host"], took, verdict)
        rows.append([text(case.moment(run["began"])), *(text(value, 80) for value in told), journal])
    heads = [label(name) for name in ("began", "playbook", "operator", "from", "took", "verdict", "journal")]
    kept, places = case.summary["preserved"], case.places
    told_kept = []
    if kept["dump_hosts"]:
        where = {"path": places.get("dumps", ""), "hosts": ", ".join(kept["dump_hosts"][:20])}
        told_kept.append((label("dump"), text(label("dump_on", rows=case.count(kept["rows"]), **where), 1000)))
    if kept["evidence_hosts"]:
        where = {"path": places.get("evidence", ""), "hosts": ", ".join(kept["evidence_hosts"][:20])}
        told_kept.append((label("evidence"), text(label("below_on", **where), 1000)))
    for row in kept["evidence_elsewhere"][:20]:
        told_kept.append((label("evidence"), text(label("elsewhere", path=row["path"], host=row["host"]), 1000)))
    left = case.summary["runs_left_out"]
    note = f"<p>{text(label('left_out', n=case.count(left)))}</p>" if left else ""
    where_kept = f"<h3>{text(label('kept'))}</h3>{facts(told_kept)}" if told_kept else ""
    return table(label("runs"), heads, rows) + note + where_kept


def words_part(case: Case) -> str:
    """Return people's own words."""
    said = case.words.said
    if not said:
        return f"<p>{text(case.label('no_words'))}</p>"
    heads = {name: case.heading(name) for name in said}
    return "\n".join(
        f"<h3>{text(heads[name])}</h3>\n<blockquote>{words(told)}</blockquote>" for name, told in said.items()
    )


def notes_part(case: Case) -> str:
    """Return what a reader has to know."""
    label = case.label
    notes = [label(note["what"], journal=note["journal"], where=note["where"]) for note in case.summary["notes"][:20]]
    lacking = case.unmeasured()
    notes += [label("bad_unmeasured", names=", ".join(lacking))] if lacking else []
    latched = sum(row.get("latched_writes") or 0 for row in case.ledgers)
    notes += [label("latched", n=case.count(latched))] if latched else []
    if label.missing:
        notes.append(label("label_missing", names=", ".join(sorted(label.missing))))
    return f"<ul>{''.join(f'<li>{text(note, 500)}</li>' for note in notes or [label('none')])}</ul>"
