# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the AWX of ``awx.py``: what it accepts and refuses in a body, how it shows them, which fit a filter."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import awxrules as rules
from tests.support.awx import API, KINDS, LEADS, RUNS, Refused, Row, Store

ENCRYPTED = "$encrypted$"
ROOT = Path(__file__).resolve().parent.parent.parent
PLAYBOOKS = [str(path.relative_to(ROOT)) for path in ROOT.glob("playbooks/*.yml")]


def given(kind: str, body: Row, old: Row | None = None) -> Row:
    """Return what the API takes from a body: fields that it has, null for text as empty, kept secrets as they were."""
    fields = {"name": "", "description": "", **KINDS[kind].fields}
    found: Row = {
        name: ("" if value is None and fields[name] == "" else value) for name, value in body.items() if name in fields
    }
    for name in ("inputs", "notification_configuration"):
        if old and isinstance(found.get(name), Mapping):
            found[name] = {
                key: old[name].get(key, "") if value == ENCRYPTED else value for key, value in found[name].items()
            }
    return found


def cleaned(store: Store, kind: str, row: Row, old: Row | None = None) -> Row:
    """Return a whole object as it is kept; raises Refused for what AWX refuses."""
    for name, other in LEADS.items():
        if row.get(name) is not None and row[name] not in store.rows[other]:
            raise Refused(400, {name: [f'Invalid pk "{row[name]}" - object does not exist.']})
    template = store.runs(row.get("unified_job_template"))
    survey = store.surveys.get(row.get("unified_job_template") or 0)
    if kind == "workflow_job_template_nodes" and template is None:
        row["extra_data"] = {}
    if kind == "job_templates" and row["project"]:
        row["organization"] = store.rows["projects"][row["project"]]["organization"]
    if kind == "inventory_sources" and row["inventory"]:
        row["organization"] = store.rows["inventories"][row["inventory"]]["organization"]
    said: Any = ""
    if kind == "credential_types":
        said = rules.credential_type(row)
    elif kind == "credentials":
        said = rules.inputs(store.rows["credential_types"][row["credential_type"]], row["inputs"])
        said = said or ("" if row["organization"] else "Missing 'user', 'team', or 'organization'.")
    elif kind == "notification_templates":
        said = rules.notification(row)
    elif kind == "job_templates":
        said = rules.template(row, PLAYBOOKS, row["ask_inventory_on_launch"])
    elif kind == "schedules":
        needed = {one["variable"] for one in (survey or {}).get("spec", []) if one["required"]}
        said = rules.rule(row["rrule"]) or ("variables needed" if needed - set(row["extra_data"]) else "")
    if kind in ("schedules", "workflow_job_template_nodes") and template and not said:
        said = rules.answers(survey, row["extra_data"], template[1].get("ask_variables_on_launch", False))
    same = [one for one in store.rows[kind].values() if KINDS[kind].unique and one is not old
            and all(one[name] == row[name] for name in KINDS[kind].unique)]  # fmt: skip
    if said or same:
        raise Refused(400, {"__all__": [said or f"{KINDS[kind].type} with this name already exists."]})
    return row


def created(store: Store, kind: str, body: Row) -> Row:
    """Make an object, and return it as the API shows it."""
    row = {"name": "", "description": "", **copy.deepcopy(dict(KINDS[kind].fields)), **given(kind, body)}
    made = shown(store, kind, store.add(kind, cleaned(store, kind, row)))
    if kind == "projects":
        made["summary_fields"]["current_update"] = {"id": made["id"], "status": "pending"}
    return made


def survey(store: Store, id: int, method: str, body: Row) -> Any:
    """Read, keep or remove the survey of a template."""
    if method == "POST":
        if said := rules.survey(body):
            raise Refused(400, {"error": said})
        store.surveys[id] = body
        return {}
    if method == "DELETE":
        store.surveys.pop(id, None)
        return {}
    return store.surveys.get(id, {})


def shown(store: Store, kind: str, row: Row) -> Row:
    """Return an object as the API shows it: with links and summaries, and without secrets."""
    url = f"{API}/{kind}/{row['id']}/"
    related: Row = {name: f"{url}{name}/" for name in ("survey_spec", "update", "create_approval_template")}
    summary: Row = {name: brief(store, LEADS[name], row[name]) for name in LEADS if row.get(name)}
    found = {**copy.deepcopy(row), "type": KINDS[kind].type, "url": url, "related": related, "summary_fields": summary}
    if template := store.runs(row.get("unified_job_template")):
        related["unified_job_template"] = f"{API}/{template[0]}/{template[1]['id']}/"
        summary["unified_job_template"] = {**brief(store, *template), "unified_job_type": RUNS[template[0]]}
        if "timeout" in template[1]:
            summary["unified_job_template"]["timeout"] = template[1]["timeout"]
    secret: Any = rules.SECRETS.get(row.get("notification_type", ""), [])
    if kind == "credentials":
        fields = store.rows["credential_types"][row["credential_type"]]["inputs"].get("fields", [])
        secret = [one["id"] for one in fields if one.get("secret")]
    for name in ("inputs", "notification_configuration"):
        if secret and name in found:
            found[name] = {key: ENCRYPTED if key in secret and value else value for key, value in found[name].items()}
    for role in KINDS[kind].roles:
        number = row["id"] * 100 + KINDS[kind].roles.index(role)
        summary.setdefault("object_roles", {})[f"{role}_role"] = {"id": number, "name": role}
    if kind == "workflow_job_nodes" and row["job"]:
        status = row.get("job_status", "running")
        summary["job"] = {"id": row["job"], "type": row.get("job_type", "job"), "status": status}
    people = {"approved_or_denied_by": row.get("decided"), "created_by": row.get("launched_by")}
    summary.update({role: {"id": 9, "username": name} for role, name in people.items() if name})
    return found


def brief(store: Store, kind: str, what: int | Row) -> Row:
    """Return the summary of an object."""
    row = store.rows[kind][what] if isinstance(what, int) else what
    return {"id": row["id"], "name": row["name"], "description": row["description"]}


def chosen(store: Store, found: list[Row], query: Mapping[str, str]) -> list[Row]:
    """Return those that fit every filter, and at least one of the filters with ``or__``."""
    either = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
    every = {
        name: value for name, value in query.items() if not name.startswith("or__") and not name.startswith("page")
    }
    return [
        row
        for row in found
        if all(fits(store, row, *one) for one in every.items())
        and (not either or any(fits(store, row, *one) for one in either.items()))
    ]


def fits(store: Store, row: Row, name: str, value: str) -> bool:
    """Return whether an object fits one filter: ``field`` or ``field__name``, perhaps followed by ``__in``."""
    values = value.split(",") if name.endswith("__in") else [value]
    column, _dash, deeper = name.removesuffix("__in").partition("__")
    if column not in row:
        raise Refused(400, {"detail": f"{row['type']} has no field named '{column}'"})
    held = row["summary_fields"].get(column, {}).get(deeper) if deeper == "name" else row[column]
    if deeper == "organization":
        held = store.rows[LEADS[column]][row[column]]["organization"] if row[column] else None
    return str(held) in values


def page(found: list[Row], query: Mapping[str, str], path: str) -> Row:
    """Return one page of a list, 25 objects unless another size is asked for."""
    size, number = min(200, int(query.get("page_size", 25))), int(query.get("page", 1))
    kept = "&".join(f"{name}={value}" for name, value in query.items() if name != "page")
    more = number * size < len(found)
    return {
        "count": len(found),
        "next": f"{path}?{kept}&page={number + 1}" if more else None,
        "previous": None,
        "results": found[(number - 1) * size : number * size],
    }
