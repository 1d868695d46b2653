# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook of the checkout as a person types it, on a terminal, with the checkout's own ansible.cfg."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.place import Database
from tests.playbooks.runner import CHECKOUT, beside, environment
from tests.support import terminal
from tests.support.terminal import Shown


def person(db: Database, directory: Path, name: str, *options: str, **extra: Any) -> tuple[list[str], dict[str, str]]:
    """Return what a person types in the checkout, and an environment in which its ansible.cfg applies."""
    variables = {
        **db.variables,
        "kanban_incidents_dir": str(directory / "incidents"),
        "kanban_dump_dir": str(directory / "dumps"),
        "kanban_dump_tables": [],
        "kanban_fence_tables": ["tickets"],
        "kanban_redis_hosts": "none",
        "kanban_app_hosts": "none",
        "kanban_environment": "production",
        "kanban_operator": "rui",
        "kanban_sweep_seconds": 5,
        "kanban_flag": {"table": "companies"},
        "kanban_integrity_checks_default": {},
        **extra,
    }
    hosts = playbook.inventory(directory, variables, db={"db1": {}})
    around = environment(
        ANSIBLE_CONFIG=str(CHECKOUT / "ansible.cfg"),
        HOME=str(directory),
        ANSIBLE_HOME=str(directory / ".ansible"),
        TERM="xterm",
    )
    # The checkout's ansible.cfg chooses these.
    for chosen in ("ANSIBLE_STDOUT_CALLBACK", "ANSIBLE_NOCOLOR", "CI"):
        around.pop(chosen, None)
    return [beside("ansible-playbook"), hosts[0], str(directory / hosts[1]), *options, f"playbooks/{name}.yml"], around


def seen(db: Database, directory: Path, name: str, *options: str, columns: int = 80, **extra: Any) -> Shown:
    """Run a playbook of the checkout on a terminal."""
    argv, around = person(db, directory, name, *options, **extra)
    return terminal.run(argv, CHECKOUT, around, columns=columns)


def holds(lines: list[str], pattern: str) -> list[int]:
    """Return the numbers of the lines that a pattern is found in."""
    return [number for number, line in enumerate(lines) if re.search(pattern, line)]
