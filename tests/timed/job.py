# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One playbook through ansible-runner, as AWX runs it, which has to make its SSH connections first."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._version import collection_version
from tests.playbooks.runner import ANSIBLE, CHECKOUT, one_line
from tests.rehearsal.estate import Estate
from tests.rehearsal.timings import parsed
from tests.timed.events import Reader

# Where the lines of all runs go, incident by incident.
TIMINGS = CHECKOUT / ".cache" / "timings"
SECONDS = 900
# What the first line of each run says, and so does the file of all figures.
FACTS = {
    "version": collection_version(CHECKOUT),
    "host": socket.gethostname(),
    "environment": "staging",
    "rehearsal": True,
}


@dataclass(frozen=True)
class Job:
    """A playbook that has ended. ``lines``: its journal's; ``seconds``: from the command to its end."""

    playbook: str
    rc: int
    seconds: float
    lines: list[dict[str, Any]]
    output: str

    @property
    def problem(self) -> str:
        """Why it does not count; empty if all went well."""
        return "" if self.rc == 0 else f"{self.playbook} ended with {self.rc}: …{one_line(self.output)[-1500:]}"


@dataclass(frozen=True)
class Jobs:
    """What all runs of a session have in common. ``mark``: in the environment of everything that they start."""

    estate: Estate
    mark: tuple[str, str]

    def run(self, playbook: Path, run_id: str, incident_id: str, extra: Mapping[str, Any] | None = None) -> Job:
        """Run a playbook to its end, and keep its lines. One that takes longer than ``SECONDS`` is killed."""
        self.estate.site.disconnect()
        directory = Path(tempfile.mkdtemp(prefix="job-", dir=self.estate.state))
        began = time.time()
        reader = Reader(began, playbook.stem, FACTS)
        reader.name(TIMINGS, run_id, incident_id)

        def take(event: Mapping[str, Any]) -> bool:
            reader.take(event)
            # Only what becomes a line is kept of an event, because it has whatever a module has said.
            return False

        try:
            done = ansible_runner.run(
                private_data_dir=str(directory),
                project_dir=str(CHECKOUT),
                playbook=str(playbook),
                inventory=str(self.estate.inventory),
                extravars={"kanban_incident_id": incident_id, **(extra or {})},
                envvars=self._environment(),
                settings={"suppress_ansible_output": True, "pexpect_timeout": 1},
                timeout=SECONDS,
                event_handler=take,
                # Signals are ours to handle: an interrupted session cleans up.
                cancel_callback=lambda: False,
            )
            # At the last output of the run: what runner does after it is not part of the run.
            seconds = time.time() - began
            with done.stdout as said:
                output = said.read()
        finally:
            shutil.rmtree(directory, ignore_errors=True)
        if reader.problem:
            raise OSError(f"the lines of {run_id} could not be kept: {reader.problem}")
        # A run that did not reach its first play has none.
        text = reader.path.read_text(encoding="ascii") if reader.path is not None else ""
        return Job(playbook.stem, int(done.rc), seconds, parsed(text), output)

    def _environment(self) -> dict[str, str]:
        name, value = self.mark
        return {
            name: value,
            "ANSIBLE_HOME": str(ANSIBLE),
            "ANSIBLE_NOCOLOR": "1",
            # As in tests: what runner puts in front of it writes the events, and this one is what people read.
            "ANSIBLE_STDOUT_CALLBACK": "default",
            "HOME": str(self.estate.state / "home"),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
        }
