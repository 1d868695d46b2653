# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES of the modules as written, and the options that each module takes."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest import mock

import yaml
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

from tests.documents.commands import ROOT

MODULES = ROOT / "plugins" / "modules"
PREFIX = "chatia.kanban_rollback."
PACKAGE = "ansible_collections.chatia.kanban_rollback.plugins.modules."
# What a template could yield, by the type of its option.
_SAMPLES = {"bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}, "bytes": "1M", "bits": "1M", "raw": "x"}


@dataclass(frozen=True)
class Taken:
    """The arguments with which a module makes its AnsibleModule."""

    argument_spec: Mapping[str, Any]
    rules: Mapping[str, Any]
    check_mode: bool


class _Made(Exception):
    """Ends a module once it has said which options it takes."""


def names() -> list[str]:
    """Return the names of all modules."""
    return sorted(path.stem for path in MODULES.glob("*.py"))


def text_of(name: str) -> str:
    """Return a module's EXAMPLES."""
    for node in ast.parse((MODULES / f"{name}.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES":
            return str(ast.literal_eval(node.value))
    raise AssertionError(f"{name} has no EXAMPLES")


def tasks_of(name: str) -> list[dict[str, Any]]:
    """Return the tasks of a module's EXAMPLES."""
    found: list[dict[str, Any]] = yaml.safe_load(text_of(name))
    return found


def module_of(task: Mapping[str, Any]) -> str | None:
    """Return the short name of our module that a task calls; None if it is another's."""
    return next((key.removeprefix(PREFIX) for key in task if key.startswith(PREFIX)), None)


@cache
def taken(name: str) -> Taken:
    """Return what a module takes, according to its own main(), which gets no further."""
    module = importlib.import_module(PACKAGE + name)
    with mock.patch.object(module, "AnsibleModule", side_effect=_Made) as made:
        try:
            module.main()
        except _Made:
            pass
    given = dict(made.call_args.kwargs)
    return Taken(
        given.pop("argument_spec"),
        {key: given[key] for key in given if key in _RULES},
        given.get("supports_check_mode", False),
    )


_RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")


def complaints(name: str, options: Mapping[str, Any]) -> Iterator[str]:
    """Yield what Ansible would refuse in a task's options, provided that templates yield the right type."""
    spec = taken(name)
    result = ModuleArgumentSpecValidator(spec.argument_spec, **spec.rules).validate(
        _filled(options, spec.argument_spec)
    )
    yield from result.error_messages


def _filled(value: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _one(given, spec.get(name, {})) for name, given in value.items()}


def _one(given: Any, about: Mapping[str, Any]) -> Any:
    inner = about.get("options")
    if isinstance(given, str) and "{{" in given:
        return (about.get("choices") or [_SAMPLES.get(about.get("type", "str"), "x")])[0]
    if inner and isinstance(given, Mapping):
        return _filled(given, inner)
    if inner and isinstance(given, list):
        return [_filled(one, inner) if isinstance(one, Mapping) else one for one in given]
    return given
