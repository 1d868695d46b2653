# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook run in isolation: nothing of the caller's affects it, and all that it leaves is in one directory."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.integration.module import ROOT
from tests.playbooks.runner import Run, Running, beside, environment
from tests.support import accounts, terminal
from tests.support.processes import free_port

TIMEOUT_SECONDS = 120


def written(directory: Path, text: str) -> str:
    """Write a playbook and return its name for ``start`` and ``run``."""
    (directory / "play.yml").write_text(text)
    return "play.yml"


def inventory(directory: Path, variables: Mapping[str, Any], **groups: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write an inventory that only its owner can read, as it has passwords; return the options that name it.

    Nobody is notified of a run unless a test asks for it: messages have tests of their own.
    ``variables`` are for all hosts; each group maps its hosts to the variables of their own.
    """
    children = {group: {"hosts": hosts} for group, hosts in groups.items()}
    told = {"kanban_notify": False, **variables}
    accounts.write_private(directory / "inventory.json", json.dumps({"all": {"vars": told, "children": children}}))
    return ["-i", "inventory.json"]


def silent_where(now: str) -> dict[str, Any]:
    """Return variables of a host that is unreachable while ``now`` holds; registered results tell tasks apart."""
    return {
        "ansible_connection": f"{{{{ 'ssh' if {now} else 'local' }}}}",
        "ansible_host": "127.0.0.1",
        "ansible_port": free_port(),
    }


def given(directory: Path, variables: Mapping[str, Any]) -> list[str]:
    """Write extra variables in which no text is a template; return the options that name them."""
    accounts.write_private(directory / "vars.yml", no_template(variables))
    return ["-e", "@vars.yml"]


def no_template(value: Any) -> str:
    """Return YAML in which no text is a template: what a survey or a person gave must be passed on like this."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)}: {no_template(part)}" for name, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(no_template, value)) + "]"
    return f"!unsafe {json.dumps(value)}" if isinstance(value, str) else json.dumps(value)


def alone(directory: Path) -> dict[str, str]:
    """Return an environment in which a playbook has a directory to itself."""
    # As in the checkout's: otherwise a third of the controller's time goes into asking whether somebody has answered.
    (directory / "ansible.cfg").write_text("[defaults]\ninternal_poll_interval = 0.005\n")
    return {
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
        "ANSIBLE_CONFIG": str(directory / "ansible.cfg"),
        "ANSIBLE_HOME": str(directory / ".ansible"),
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ANSIBLE_REMOTE_TEMP": str(directory / "remote"),
        "ANSIBLE_NO_TARGET_SYSLOG": "1",
        "HOME": str(directory),
    }


def start(directory: Path, playbook: str, *options: str, prefix: Sequence[str] = (), **more: str) -> Running:
    """Start a playbook, a file's name or one of the collection's, and return at once.

    ``prefix`` is put before the command, for instance a namespace; ``more`` goes to the environment.
    """
    argv = [*prefix, beside("ansible-playbook"), *options, playbook]
    return Running(argv, directory / "output", directory, {**alone(directory), **more})


def shown(directory: Path, playbook: str, *options: str, timeout: float = TIMEOUT_SECONDS) -> tuple[Run, list[str]]:
    """Run a playbook on a wide terminal with the live view; return the run and what was drawn over on the last line."""
    around = {**environment(**alone(directory)), "ANSIBLE_STDOUT_CALLBACK": "chatia.kanban_rollback.live"}
    for chosen in ("CI", "JOB_ID"):
        around.pop(chosen, None)
    argv = [beside("ansible-playbook"), *options, playbook]
    began = time.monotonic()
    seen = terminal.run(argv, directory, {**around, "TERM": "xterm"}, columns=400, timeout=timeout)
    return Run(seen.rc, "\n".join(seen.lines), time.monotonic() - began), seen.drawn


def run(directory: Path, playbook: str, *options: str, prefix: Sequence[str] = (), **more: str) -> Run:
    """Run a playbook to its end, whatever that is."""
    return start(directory, playbook, *options, prefix=prefix, **more).wait(timeout=TIMEOUT_SECONDS)


def kept(directory: Path) -> dict[str, Any]:
    """Return what the playbook kept in ``result.json``."""
    found: dict[str, Any] = json.loads((directory / "result.json").read_text())
    return found
