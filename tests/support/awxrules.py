# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What AWX 24.6 refuses, as it is documented: surveys, injectors, notifications, rules of schedules, prompts, edges.

Each function returns what the API says if it refuses something, and an empty text if it accepts it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

Row = dict[str, Any]
# The types that a default may have, by the type of the question.
SURVEY_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,), "textarea": (str,), "password": (str,), "multiplechoice": (str,), "multiselect": (str,),
    "integer": (int,), "float": (int, float),
}  # fmt: skip
_NO_ENV = {"PATH", "PYTHONPATH", "VIRTUAL_ENV", "JOB_ID", "INVENTORY_ID"}
_FIELD = {"id", "label", "type", "help_text", "multiline", "secret", "format", "choices", "default"}
# What notifications may refer to.
_STUB = {
    "job": {"id": 1, "name": "x", "status": "failed", "type": "job"},
    "job_friendly_name": "Job", "url": "x", "job_metadata": "x",
    "approval_status": "x", "approval_node_name": "x", "workflow_url": "x",
}  # fmt: skip
_NOTIFIES: Mapping[str, Mapping[str, type]] = {
    "slack": {"token": str, "channels": list},
    "webhook": {"url": str, "http_method": str, "headers": dict},
    "email": {
        "host": str, "port": int, "username": str, "password": str, "use_tls": bool, "use_ssl": bool,
        "sender": str, "recipients": list,
    },
}  # fmt: skip
SECRETS = {"slack": ["token"], "webhook": ["password"], "email": ["password"]}


def survey(spec: Any) -> str:
    """Check that a survey has a name, a description and questions, each in the shape of its type."""
    if not isinstance(spec, Mapping) or {"name", "description", "spec"} - set(spec):
        return "Field is missing from survey spec."
    if not isinstance(spec["spec"], list) or not spec["spec"]:
        return "'spec' doesn't contain any items."
    seen: set[str] = set()
    for number, asked in enumerate(spec["spec"]):
        said = _question(asked)
        if said or asked["variable"] in seen:
            return f"survey question {number}: {said or 'variable duplicated'}"
        seen.add(asked["variable"])
    return ""


def _question(asked: Any) -> str:
    return next(_wrong_in_question(asked), "")


def _wrong_in_question(asked: Any) -> Iterator[str]:
    for name, kind in (("type", str), ("question_name", str), ("variable", str), ("required", bool)):
        if not isinstance(asked.get(name), kind):
            yield f"'{name}' is missing or no {kind.__name__}"
    if asked["type"] not in SURVEY_TYPES:
        yield f"'{asked['type']}' is not an allowed question type"
    default = asked.get("default", "")
    if default != "" and not isinstance(default, SURVEY_TYPES[asked["type"]]):
        yield "default of another type"
    if any(not isinstance(asked[name], int) for name in ("min", "max") if asked.get(name) is not None):
        yield "a limit that is no integer"
    if asked["type"] in ("multiplechoice", "multiselect"):
        choices = asked.get("choices")
        if not choices:
            yield "must specify choices"
        if any(one not in choices for one in default.splitlines()):
            yield "default choice must be one of the choices"


def answers(spec: Mapping[str, Any] | None, given: Mapping[str, Any], extra: bool) -> str:
    """Check that the survey asks for each variable, unless any may be given, and that each answer fits."""
    asked = {one["variable"]: one for one in (spec or {}).get("spec", [])}
    for name, value in given.items():
        if name not in asked:
            if not extra:
                return f"Variables {name} are not allowed on launch."
            continue
        one = asked[name]
        good: Callable[[], bool] = {
            "multiplechoice": lambda one=one, value=value: value in one["choices"],
            "multiselect": lambda one=one, value=value: isinstance(value, list) and set(value) <= set(one["choices"]),
        }.get(one["type"], lambda one=one, value=value: isinstance(value, SURVEY_TYPES[one["type"]]))
        if not good():
            return f"Value {value} for '{name}' is not expected."
    return ""


def credential_type(row: Mapping[str, Any]) -> str:
    """Check that fields have unique ids, and that injectors refer to nothing else."""
    return next(_wrong_in_type(row), "")


def _wrong_in_type(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("kind") not in ("cloud", "net"):
        yield f"Must be 'cloud' or 'net', not {row.get('kind')}"
    fields = row["inputs"].get("fields", [])
    ids = [field.get("id") for field in fields]
    if len(set(ids)) != len(ids) or "tower" in ids or not all(ids):
        yield "field IDs must be unique"
    for field in fields:
        if set(field) - _FIELD or not field.get("label") or field.get("type") not in ("string", "boolean"):
            yield f"{field} is not valid"
    if set(row["inputs"].get("required", [])) - set(ids):
        yield "required fields must exist"
    if set(row["injectors"]) - {"env", "file", "extra_vars"}:
        yield "unknown injector"
    for name, text in row["injectors"].get("env", {}).items():
        if name.startswith("ANSIBLE_") or name in _NO_ENV or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            yield f"Environment variable {name} is not allowed"
        if said := rendered(text, dict.fromkeys(ids, "EXAMPLE")):
            yield said


def rendered(text: str, known: Mapping[str, Any]) -> str:
    """Check that one of AWX's templates refers only to what is known."""
    try:
        ImmutableSandboxedEnvironment(undefined=jinja2.StrictUndefined).from_string(text).render(known)
    except jinja2.TemplateError as error:
        return f"uses an undefined field ({error})"
    return ""


def inputs(kind: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """Check that a credential has only fields of its type; none is required."""
    unknown = set(given) - {field["id"] for field in kind["inputs"].get("fields", [])}
    return f"Additional properties are not allowed ({', '.join(sorted(unknown))})" if unknown else ""


def notification(row: Mapping[str, Any]) -> str:
    """Check that a notification has all that it needs, and that messages are one line that refers to what is known."""
    needed = _NOTIFIES.get(row["notification_type"])
    if needed is None:
        return "Missing required fields for Notification Configuration: notification_type"
    given = row["notification_configuration"]
    for name, kind in needed.items():
        if not isinstance(given.get(name), kind) or (kind is list and not given[name]):
            return f"Missing required fields for Notification Configuration: ['{name}']."
    events: dict[str, Any] = dict(row["messages"] or {})
    approvals = events.pop("workflow_approval", None) or {}
    if set(events) - {"started", "success", "error"} or set(approvals) - {"running", "approved", "timed_out", "denied"}:
        return "Event invalid"
    for one in (*events.values(), *approvals.values()):
        for name, text in (one or {}).items():
            if name not in ("message", "body") or (name == "message" and "\n" in text):
                return "Message type invalid"
            if said := rendered(text, _STUB):
                return said
    return ""


def rule(text: str) -> str:
    """Check that a schedule's rule has one beginning with a zone, and an interval."""
    if len(re.findall(r"DTSTART(?:;TZID=[^:]+)?:\d{8}T\d{6}Z?", text)) != 1:
        return "Valid DTSTART required in rrule."
    if re.search(r"DTSTART:\d{8}T\d{6}(?!Z)", text):
        return "DTSTART cannot be a naive datetime."
    rules = re.findall(r"RRULE:(\S+)", text)
    if not rules:
        return "One or more rule required in rrule."
    for one in rules:
        parts = dict(part.split("=") for part in one.split(";"))
        if "INTERVAL" not in parts or parts["FREQ"] == "SECONDLY" or re.search(r"\d", parts.get("BYDAY", "")):
            return "INTERVAL required in rrule"
    return ""


def template(row: Mapping[str, Any], playbooks: Sequence[str], asks: bool) -> str:
    """Check that a job template has a project with its playbook, and has an inventory or asks for one."""
    if not row.get("project"):
        return "Job Templates must have a project assigned."
    if row.get("playbook") not in playbooks:
        return "Playbook not found for project."
    return "" if row.get("inventory") or asks else "You must either set a default value or ask to prompt on launch."


def edge(nodes: Mapping[int, Row], parent: int, child: int, kind: str) -> str:
    """Check that no node follows itself, even indirectly, or follows another in two ways."""
    others = [name for name in ("success_nodes", "failure_nodes", "always_nodes") if name != kind]
    if any(child in nodes[parent][name] for name in others):
        return "Relationship not allowed."
    seen, left = set[int](), [child]
    while left:
        one = left.pop()
        if one == parent:
            return "Cycle detected."
        seen.add(one)
        left += [b for name in (*others, kind) for b in nodes[one][name] if b not in seen]
    return ""
