# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is in ``awx/`` to what the modules of awx.awx take, and whether AWX has it already. Pure.

The modules compare field by field and so do not see a surplus node, a surplus edge or a removed value; and they report
a workflow with an approval, like anything with a secret, as changed on every run. So the comparison is made here.
"""

from __future__ import annotations

from typing import Any, Mapping, Sequence

_ENCRYPTED = "$encrypted$"
_EDGES = {"success": "success_nodes", "failure": "failure_nodes", "always": "always_nodes"}
# What a node may run: its name in awx/, the type that the module takes, and what AWX calls a run of it.
_KINDS = {
    "job_template": ("job_template", "job"),
    "project": ("project", "project_update"),
    "inventory_source": ("inventory_source", "inventory_update"),
    "workflow": ("workflow_job_template", "workflow_job"),
    "approval": ("workflow_approval", "workflow_approval"),
}


def workflow_nodes(nodes: Sequence[Mapping[str, Any]], organization: str) -> list[dict[str, Any]]:
    """Return the option ``workflow_nodes`` of awx.awx.workflow_job_template.

    :param nodes: as ``awx/workflows.yml`` has them: ``identifier``, what runs, ``extra_data``, and what follows.
    """
    return [_module_node(node, organization) for node in nodes]


def _module_node(node: Mapping[str, Any], organization: str) -> dict[str, Any]:
    kind = _kind(node)
    place = {"organization": {"name": organization}}
    if kind == "approval":
        template = {**node["approval"], "type": _KINDS[kind][0]}
    elif kind == "inventory_source":
        template = {"name": node[kind], "type": _KINDS[kind][0], "inventory": place}
    else:
        template = {"name": node[kind], "type": _KINDS[kind][0], **place}
    related = {
        theirs: [{"identifier": other} for other in node[ours]] for ours, theirs in _EDGES.items() if node.get(ours)
    }
    found = {"identifier": node["identifier"], "unified_job_template": template, "related": related}
    return {**found, "extra_data": dict(node["extra_data"])} if node.get("extra_data") else found


def _kind(node: Mapping[str, Any]) -> str:
    found = [kind for kind in _KINDS if kind in node]
    if len(found) != 1:
        raise ValueError(f"node {node.get('identifier')} runs {' and '.join(found) or 'nothing'}")
    return found[0]


def nodes_change(kept: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> str:
    """Return what to do with a workflow's nodes: ``nothing``, ``more`` (some are missing) or ``anew``.

    ``anew``: AWX has a node, an edge or a value that is not wanted, and the module removes none.

    :param kept: the nodes as AWX's API lists them; ``wanted``: as ``awx/workflows.yml`` has them.
    """
    names = {node["id"]: str(node["identifier"]) for node in kept}
    there = {str(node["identifier"]): _kept_node(node, names) for node in kept}
    here = {str(node["identifier"]): _wanted_node(node) for node in wanted}
    for name, (what, edges) in there.items():
        if name not in here or what != here[name][0] or not edges <= here[name][1]:
            return "anew"
    return "nothing" if there == here else "more"


def _wanted_node(node: Mapping[str, Any]) -> tuple[tuple[Any, ...], set[tuple[str, str]]]:
    kind = _kind(node)
    more = node["approval"] if kind == "approval" else {"name": node[kind]}
    what = (_KINDS[kind][1], more["name"], *_of_an_approval(kind, more), dict(node.get("extra_data") or {}))
    return what, {(edge, other) for edge in _EDGES for other in node.get(edge) or ()}


def _kept_node(node: Mapping[str, Any], names: Mapping[int, str]) -> tuple[tuple[Any, ...], set[tuple[str, str]]]:
    template = (node.get("summary_fields") or {}).get("unified_job_template") or {}
    kind = str(template.get("unified_job_type") or "")
    known = "approval" if kind == "workflow_approval" else ""
    what = (kind, template.get("name"), *_of_an_approval(known, template), dict(node.get("extra_data") or {}))
    edges = {(ours, names.get(other, "?")) for ours, theirs in _EDGES.items() for other in node.get(theirs) or ()}
    return what, edges


def _of_an_approval(kind: str, template: Mapping[str, Any]) -> tuple[Any, ...]:
    return (template.get("description") or "", template.get("timeout") or 0) if kind == "approval" else ()


def configuration_to_send(
    kept: Mapping[str, Any] | None, wanted: Mapping[str, Any], again: bool = False
) -> dict[str, Any]:
    """Return the configuration that a notification template has to get; empty if AWX has it already.

    Secrets cannot be compared. AWX keeps one that it has, unless another is given and is to be sent ``again``.

    :param kept: as AWX's API shows it; None if there is no such template.
    """
    if kept is None:
        return dict(wanted)
    secret = {name for name, value in wanted.items() if kept.get(name) == _ENCRYPTED}
    new = {name for name in secret if again and wanted[name]}
    if not new and all(kept.get(name) == value for name, value in wanted.items() if name not in secret):
        return {}
    return {name: _ENCRYPTED if name in secret - new else value for name, value in wanted.items()}
