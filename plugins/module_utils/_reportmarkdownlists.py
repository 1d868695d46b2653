# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checklists as Markdown, with whom to call and where to look. Pure: neither Ansible nor a driver."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import code, table
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportblocks import Block
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportcase import Case
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportchecklist import checklists
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportmarkdown import MOST_ROWS, plain

# Whom the plan says to call, if nobody has named anybody yet.
ROLES = ("role_oncall", "role_dba", "role_devops", "role_cto", "role_product")


def checklist(case: Case) -> list[Block]:
    """Return the blocks of checklists.md."""
    label = case.label
    blocks = [Block("head", [f"# {label('checklists')}: {code(case.title())}", "", f"_{label('generated')}_"])]
    for section in checklists(case):
        lines = [f"## {section.heading}", ""]
        for box in section.boxes:
            lines.append(f"- [{'x' if box.ticked else ' '}] **{box.text}** — {plain(box.why)}")
        blocks.append(Block(section.name, lines, [box.name for box in section.boxes]))
    blocks.append(Block("contacts", [f"## {label('contacts')}", "", *_contacts(case)]))
    blocks.append(Block("tools", [f"## {label('tools')}", "", *_tools(case)]))
    return blocks


def _contacts(case: Case) -> list[str]:
    label = case.label
    heads = [label(name) for name in ("role", "primary", "secondary", "phone")]
    if not case.contacts:
        return [label("no_contacts"), "", *table(heads, [[label(name), "–", "–", "–"] for name in ROLES])]
    fields = ("role", "primary", "secondary", "phone")
    return table(heads, [[code(row.get(name) or "–", 80) for name in fields] for row in case.contacts[:MOST_ROWS]])


def _tools(case: Case) -> list[str]:
    label = case.label
    lines = [f"- {label('dashboard')}: {code(case.dashboard_url, 300)}"] if case.dashboard_url else []
    runbook = case.places.get("runbook")
    lines += [f"- {label('runbook')}: {code(runbook, 300)}"] if runbook else []
    return [*lines, ""]
