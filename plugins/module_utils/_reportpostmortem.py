# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The post-mortem: the plan's lessons-learned template with known facts filled in and the rest marked open. Pure."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclefacts import number
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean, code
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import Block
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportchecklist import action_items
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdown import quoted, timeline


def postmortem(case: Case) -> list[Block]:
    """Return the blocks of postmortem.md."""
    label, summary = case.label, case.summary
    began = summary["moments"]["detected"] or summary["moments"]["began"]
    date = began[:10] if began else label("not_measured")
    head = [
        f"# {label('postmortem')}: {date}",
        "",
        f"**{label('incident_id')}:** {code(summary['incident_id'])}",
        f"**{label('severity')}:** {summary['severity'] or label('open_field')}",
        f"**{label('duration')}:** {case.duration()}",
        f"**{label('users')}:** {case.count(summary['users']['affected'])}",
        f"**{label('companies')}:** {case.companies()}",
        "",
        f"_{label('generated')}_",
    ]
    return [
        # Two trailing spaces are a line break in Markdown.
        Block("head", [f"{line}  " if line.startswith("**") else line for line in head]),
        Block("timeline", [f"## {label('timeline')}", "", *timeline(case)]),
        Block("happened", [f"## {label('what_happened')}", "", *_said(case, "what_happened")]),
        Block("cause", [f"## {label('root_cause')}", "", *_said(case, "root_cause")]),
        Block("well", [f"## {label('went_well')}", "", *_well(case)]),
        Block("improve", [f"## {label('improve')}", "", *_improve(case)]),
        Block("actions", [f"## {label('action_items')}", "", *_actions(case)]),
    ]


def _said(case: Case, name: str) -> list[str]:
    text = case.words.said.get(name)
    return [*(quoted(text) if text else [case.label("open_field")]), ""]


def _well(case: Case) -> list[str]:
    label, summary = case.label, case.summary
    goal, found = summary["objective"], []
    if goal["met"]:
        found.append(label("well_objective", took=case.time(goal["took"]), limit=case.time(goal["seconds"])))
    if summary["recovery_point"]["writes_after"] == 0:
        found.append(label("well_rpo"))
    if summary["preserved"]["dump_hosts"]:
        found.append(label("well_dump"))
    return [*(f"- {text}" for text in found), *([""] if found else []), *_said(case, "went_well")]


def _improve(case: Case) -> list[str]:
    label, summary = case.label, case.summary
    goal, found = summary["objective"], []
    if goal["met"] is False:
        found.append(label("bad_objective", took=case.time(goal["took"]), limit=case.time(goal["seconds"])))
    writes = summary["recovery_point"]["writes_after"]
    if number(writes) and writes > 0:
        found.append(label("bad_rpo", n=case.count(writes)))
    if summary["companies"]["silent"]:
        found.append(label("bad_hosts"))
    lacking = case.unmeasured()
    if lacking:
        found.append(label("bad_unmeasured", names=", ".join(lacking)))
    return [*(f"- {text}" for text in found), *([""] if found else []), *_said(case, "improve")]


def _actions(case: Case) -> list[str]:
    """Return each item with owner and due date; what people left out is marked open."""
    label = case.label
    items = action_items(case.words.said.get("action_items", ""))
    open_field = label("open_field")
    lines = []
    for item in items or [{"what": "", "owner": "", "due": "", "done": False}]:
        fields = [_plain(item[name]) or open_field for name in ("what", "owner", "due")]
        box = "x" if item["done"] else " "
        lines.append(f"- [{box}] {fields[0]} - {label('owner')}: {fields[1]} - {label('due')}: {fields[2]}")
    return [*lines, ""]


def _plain(text: str) -> str:
    return clean(text, 500).replace("&", "&amp;").replace("<", "&lt;")
