# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An AWX in memory, by the documentation of API v2 of 24.6: objects are made, changed, associated, removed, approved.

It runs no jobs. What it refuses is in ``awxrules.py``, how it is asked in ``awxapi.py``.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

API = "/api/v2"
Row = dict[str, Any]
_NOTIFY = ("notification_templates_started", "notification_templates_success", "notification_templates_error")
_ASK = {
    f"ask_{name}_on_launch": False
    for name in ("scm_branch", "diff_mode", "variables", "limit", "tags", "skip_tags", "job_type", "verbosity",
                 "inventory", "credential", "execution_environment", "labels", "forks", "job_slice_count", "timeout",
                 "instance_groups")
}  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """One kind of object: its ``type``, its fields with their defaults, and what names it."""

    type: str
    fields: Mapping[str, Any]
    unique: tuple[str, ...] = ("name",)
    associations: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "organizations": Kind("organization", {"max_hosts": 0, "default_environment": None}, roles=("admin", "execute")),
    "execution_environments": Kind(
        "execution_environment", {"organization": None, "image": "", "credential": None, "pull": ""}
    ),
    "projects": Kind(
        "project",
        {"organization": None, "scm_type": "", "scm_url": "", "scm_branch": "", "scm_refspec": "", "scm_clean": False,
         "scm_update_on_launch": False, "scm_update_cache_timeout": 0, "allow_override": False, "credential": None,
         "default_environment": None, "scm_revision": "", "status": "successful", "timeout": 0},
        ("name", "organization"), _NOTIFY, ("admin", "use", "update", "read"),
    ),
    "inventories": Kind(
        "inventory",
        {"organization": None, "kind": "", "host_filter": None, "variables": "", "pending_deletion": False},
        ("name", "organization"), (), ("admin", "use", "update", "adhoc", "read"),
    ),
    "inventory_sources": Kind(
        "inventory_source",
        {"inventory": None, "organization": None, "source": "", "source_path": "", "source_vars": "",
         "source_project": None, "overwrite": False, "overwrite_vars": False, "update_on_launch": False,
         "update_cache_timeout": 0, "scm_branch": "", "status": "never updated", "timeout": 0},
        ("name", "inventory"), _NOTIFY,
    ),
    "credential_types": Kind(
        "credential_type", {"kind": "", "namespace": None, "managed": False, "inputs": {}, "injectors": {}}
    ),
    "credentials": Kind(
        "credential", {"organization": None, "credential_type": None, "inputs": {}},
        ("name", "organization", "credential_type"), (), ("admin", "use", "read"),
    ),
    "notification_templates": Kind(
        "notification_template",
        {"organization": None, "notification_type": "", "notification_configuration": {}, "messages": None},
        ("name", "organization"),
    ),
    "job_templates": Kind(
        "job_template",
        {"organization": None, "job_type": "run", "inventory": None, "project": None, "playbook": "", "scm_branch": "",
         "forks": 0, "limit": "", "verbosity": 0, "extra_vars": "", "job_tags": "", "skip_tags": "", "timeout": 0,
         "execution_environment": None, "survey_enabled": False, "become_enabled": False, "diff_mode": False,
         "allow_simultaneous": False, "job_slice_count": 1, **_ASK},
        ("name", "organization"), (*_NOTIFY, "credentials", "labels", "instance_groups"), ("admin", "execute", "read"),
    ),
    "workflow_job_templates": Kind(
        "workflow_job_template",
        {"organization": None, "extra_vars": "", "survey_enabled": False, "allow_simultaneous": False,
         "inventory": None, "limit": None, "scm_branch": None, **_ASK},
        ("name", "organization"), (*_NOTIFY, "notification_templates_approvals", "labels"),
        ("admin", "execute", "read", "approval"),
    ),
    "workflow_job_template_nodes": Kind(
        "workflow_job_template_node",
        {"identifier": "", "workflow_job_template": None, "unified_job_template": None, "extra_data": {},
         "all_parents_must_converge": False, "inventory": None, "limit": None, "success_nodes": [], "failure_nodes": [],
         "always_nodes": []},
        ("identifier", "workflow_job_template"), ("success_nodes", "failure_nodes", "always_nodes", "credentials"),
    ),
    "workflow_approval_templates": Kind("workflow_approval_template", {"timeout": 0}, ()),
    "schedules": Kind(
        "schedule", {"unified_job_template": None, "rrule": "", "enabled": True, "extra_data": {}, "inventory": None},
        ("name", "unified_job_template"), ("credentials", "labels"),
    ),
    "teams": Kind("team", {"organization": None}, ("name", "organization")),
    "workflow_jobs": Kind("workflow_job", {"status": "running"}, ()),
    "workflow_job_nodes": Kind("workflow_job_node", {"workflow_job": None, "job": None}, ()),
    "workflow_approvals": Kind("workflow_approval", {"status": "pending", "finished": None}, ()),
}  # fmt: skip
# Templates that workflows and schedules run, and what a run of each is called.
RUNS = {"job_templates": "job", "workflow_job_templates": "workflow_job", "projects": "project_update",
        "inventory_sources": "inventory_update", "workflow_approval_templates": "workflow_approval"}  # fmt: skip
# The kind of object that a field refers to.
LEADS = {
    "organization": "organizations", "project": "projects", "source_project": "projects", "inventory": "inventories",
    "credential_type": "credential_types", "execution_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates", "workflow_job": "workflow_jobs",
}  # fmt: skip
MACHINE = {"fields": [{"id": name, "label": name, "type": "string"} for name in ("username", "ssh_key_data")]}
PLATFORM = {"fields": [{"id": name, "label": name, "type": "string", "secret": name in ("password", "oauth_token")}
                       for name in ("host", "username", "password", "oauth_token", "verify_ssl")]}  # fmt: skip


# What is removed together with the object that its field refers to.
_GO_ALONG = (
    ("workflow_job_template_nodes", "workflow_job_template"),
    ("inventory_sources", "inventory"),
    ("schedules", "unified_job_template"),
)


class Refused(Exception):
    """A refusal of the API: its ``status`` and what it says."""

    def __init__(self, status: int, said: Any) -> None:
        super().__init__(said)
        self.status, self.said = status, said


@dataclass
class Store:
    """All objects by kind and id, what is associated, and surveys by template."""

    rows: dict[str, dict[int, Row]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    links: dict[str, list[int]] = field(default_factory=dict)
    surveys: dict[int, Any] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def add(self, kind: str, given: Row) -> Row:
        """Store an object as it is."""
        row = {"id": next(self.ids), "name": "", "description": "", **copy.deepcopy(dict(KINDS[kind].fields)), **given}
        self.rows[kind][row["id"]] = row
        return row

    def runs(self, id: int | None) -> tuple[str, Row] | None:
        """Return a template that can be run, with its kind."""
        return next(((kind, self.rows[kind][id]) for kind in RUNS if id in self.rows[kind]), None)

    def remove(self, kind: str, id: int) -> None:
        """Remove an object, and what goes with it."""
        row = self.rows[kind].pop(id)
        self.surveys.pop(id, None)
        # An id belongs to one object only, whatever its kind; a role's id is made of its object's.
        self.links = {
            name: [one for one in ids if one != id]
            for name, ids in self.links.items()
            if int(name.split("/")[1]) // (100 if name.startswith("roles/") else 1) != id
        }
        for other, column in _GO_ALONG:
            for child in [one["id"] for one in self.rows[other].values() if one[column] == id]:
                self.remove(other, child)
        for node in self.rows["workflow_job_template_nodes"].values():
            node["unified_job_template"] = None if node["unified_job_template"] == id else node["unified_job_template"]
            for name in ("success_nodes", "failure_nodes", "always_nodes"):
                node[name] = [one for one in node[name] if one != id]
        if (
            kind == "workflow_job_template_nodes"
            and row["unified_job_template"] in self.rows["workflow_approval_templates"]
        ):
            self.remove("workflow_approval_templates", row["unified_job_template"])


def started() -> Store:
    """Return an AWX that has just been installed."""
    store = Store()
    store.add("organizations", {"name": "Default", "description": "The default organization"})
    for name, kind, inputs in (("Machine", "ssh", MACHINE), ("Red Hat Ansible Automation Platform", "cloud", PLATFORM)):
        store.add("credential_types", {"name": name, "kind": kind, "managed": True, "inputs": inputs})
    return store
