# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine as a target host, with directories of its own, for what bootstrap.yml lays down.

Ansible's connection ``local`` is the controller, where nothing is laid down; a connection of another name that does the
same as ``local`` is a host. So it is root's part that runs here, in directories of the test.
"""

from __future__ import annotations

import json
import venv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ansible
import psycopg2

from tests.integration import playbook
from tests.integration.place import Database
from tests.playbooks.runner import Run

# Only read, never imported: with the controller's half of Ansible in the process, modules of other tests would show
# their warnings themselves instead of returning them.
_LOCAL = Path(ansible.__file__).parent / "plugins" / "connection" / "local.py"
# A run of every tier, on a machine with other things to do.
_SECONDS = 240
# A package manager that has one package: it lets an interpreter have what another one has.
_PACKAGES = """
from pathlib import Path
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule(dict(name=dict(), state=dict()), supports_check_mode=True)
link = Path({link!r})
missing = not link.exists()
if missing and not module.check_mode:
    link.write_text({site!r})
module.exit_json(changed=missing)
"""


@dataclass
class Machine:
    """Hosts that are this machine, and a database that they reach by TCP."""

    db: Database
    directory: Path
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make what stands for the machine."""
        self.lib, self.runbooks = self.directory / "lib", self.directory / "opt" / "runbooks"
        self.state, self.record = self.lib / "state", self.lib / "state.bootstrap"
        self.lib.mkdir(mode=0o755)
        for name in ("connections", "modules"):
            (self.directory / name).mkdir()
        # Ansible reads a connection's options from its own file.
        source = _LOCAL.read_text(encoding="utf-8").replace("name: local", "name: here")
        source = source.replace("transport = 'local'", "transport = 'here'")
        (self.directory / "connections" / "here.py").write_text(source, encoding="utf-8")

    def without_driver(self) -> dict[str, Any]:
        """Return variables of a host whose Python has no driver until its package is installed."""
        place = self.directory / "python"
        venv.create(place, symlinks=True)
        (site,) = place.glob("lib/python*/site-packages")
        own = str(Path(psycopg2.__file__).parents[1])
        text = _PACKAGES.format(link=str(site / "driver.pth"), site=f"{own}\n")
        (self.directory / "modules" / "here_packages.py").write_text(text, encoding="utf-8")
        return {"ansible_python_interpreter": str(place / "bin/python"), "ansible_package_use": "here_packages"}

    @property
    def variables(self) -> dict[str, Any]:
        """The inventory's variables for all hosts."""
        return {
            **self.db.variables,
            "ansible_connection": "here",
            "ansible_become": False,
            "kanban_environment": "staging",
            "kanban_flag": {"table": "companies"},
            "kanban_fence": False,
            "kanban_dump_tables": [],
            "kanban_operator": "rui",
            "kanban_redis_hosts": "none",
            "kanban_app_hosts": "none",
            "kanban_incidents_dir": str(self.directory / "incidents"),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_role": "",
            "kanban_runbooks_dir": str(self.runbooks),
            "bootstrap_state_dir": str(self.state),
            **self.options,
        }

    def run(
        self,
        *options: str,
        db: Mapping[str, Mapping[str, Any]],
        app: Mapping[str, Mapping[str, Any]] | None = None,
        prefix: tuple[str, ...] = (),
        **extra: Any,
    ) -> Run:
        """Type bootstrap.yml for these hosts; ``extra`` goes into the inventory."""
        variables = {**self.variables, **({"kanban_app_hosts": "app"} if app else {}), **extra}
        hosts = playbook.inventory(self.directory, variables, db=db, **({"app": app} if app else {}))
        (self.directory / "inventory.json").chmod(0o644)
        around = {
            "ANSIBLE_CONNECTION_PLUGINS": str(self.directory / "connections"),
            "ANSIBLE_LIBRARY": str(self.directory / "modules"),
        }
        name = "chatia.kanban_rollback.bootstrap"
        started = playbook.start(self.directory, name, *hosts, *options, prefix=prefix, **around)
        return started.wait(timeout=_SECONDS)

    def absent(self, *options: str, **how: Any) -> Run:
        """Take it away again, whatever other tests have left where all modules on this machine look."""
        glass = {"what": ["ledger"], "reason": "prior values of other tests"}
        return self.run("-e", json.dumps({"kanban_state": "absent", "kanban_break_glass": glass}), *options, **how)

    @property
    def has_ledger(self) -> bool:
        """Whether the database has a ledger."""
        return self.db.has_ledger()

    @property
    def recorded(self) -> list[str]:
        """The lines of the record."""
        return self.record.read_text(encoding="utf-8").splitlines() if self.record.exists() else []
