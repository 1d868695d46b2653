# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A name has one meaning: a fact that a task sets outlives its file, and would take the place of a role's variable."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[2] / "roles"


class _Loader(yaml.SafeLoader):
    """Reads tasks whose values may have tags of Ansible's."""


_Loader.add_multi_constructor("!", lambda loader, suffix, node: None)


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(), _Loader)  # noqa: S506 (a SafeLoader)


def _set_by(node: Any) -> Iterator[str]:
    """Yield the names of facts and registered results."""
    if isinstance(node, dict):
        yield from node.get("ansible.builtin.set_fact") or {}
        if isinstance(node.get("register"), str):
            yield node["register"]
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _set_by(one)


def test_no_task_sets_what_is_a_variable_of_a_role() -> None:
    variables = {
        name: path
        for kind in ("vars", "defaults")
        for path in ROLES.glob(f"*/{kind}/**/*.yml")
        for name in _read(path) or {}
    }
    tasks = sorted(ROLES.glob("*/tasks/*.yml"))
    assert len(variables) > 100
    assert len(tasks) > 100
    both = [
        (str(path.relative_to(ROLES)), name) for path in tasks for name in _set_by(_read(path)) if name in variables
    ]
    assert both == []
