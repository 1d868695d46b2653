# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rulebook in a real ansible-rulebook on loopback, and what Alertmanager sends to it."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import subprocess
import textwrap
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.integration import playbook
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.playbooks.runner import Running
from tests.support.processes import free_port, wait_until
from tests.support.redis_server import Certificates

VENV = ROOT / ".venv-eda"
RULEBOOK = "chatia.kanban_rollback.alerts"
TOKEN, ENVIRONMENT = "a-token-of-the-test", "staging"
# A listener ends with the process of the tests, however that ends.
WITH_US = ("setpriv", "--pdeathsig", "KILL")
# What each run of alert.yml says once, and what a run that triages says.
RUN = "PLAY [2. Decide what the alert may start]"
TRIAGE = r"Decided [0-9.]+ s after the command"
# A Java machine starts, beside everything else that runs here.
START_SECONDS = 90
Alert = dict[str, Any]


@functools.cache
def environment() -> Path:
    """Return the programs of the environment that has ansible-rulebook; it is made from the pins if it is missing."""
    subprocess.run(["tools/venv", VENV.name, "requirements/eda.txt"], cwd=ROOT, check=True, timeout=1500)
    return VENV / "bin"


def alert(
    name: str = "KanbanDown",
    scenario: str | None = "scenario1",
    *,
    status: str = "firing",
    began: str = "",
    of: str = ENVIRONMENT,
    **labels: Any,
) -> Alert:
    """Return one alert as Alertmanager sends it, by default firing since a moment ago."""
    asked = {} if scenario is None else {"kanban_scenario": scenario}
    return {
        "status": status,
        "labels": {"alertname": name, "service": "kanban-v2", "environment": of, "instance": "app1", **asked, **labels},
        "annotations": {"summary": "nobody serves the board"},
        "startsAt": began or moment(0),
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": "8e1c9b3c2a9d4f10",
    }


def moment(seconds: float) -> str:
    """Return the moment so many seconds ago, as Alertmanager writes it."""
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def post(port: int, body: Any, *, token: str | None = TOKEN, path: str = "alerts") -> int:
    """Send a body, as JSON if it is not bytes; return the status of the answer."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}", data, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - a server of ours on loopback
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code


@dataclass
class Receiver:
    """An ansible-rulebook that listens, with one inventory."""

    running: Running
    port: int

    def hears(self, *alerts: Alert, token: str | None = TOKEN) -> int:
        """Send alerts as one notification; return the status of the answer."""
        return post(self.port, {"version": "4", "status": "firing", "alerts": list(alerts)}, token=token)

    @property
    def said(self) -> str:
        """What it and its runs have said, without the repeated output of a run that fails."""
        return re.sub(
            r"run_playbook - ERROR - .*?PLAY RECAP \*+\n(?:\S[^\n]*\n)+", "\n", self.running.output, flags=re.DOTALL
        )

    @property
    def runs(self) -> int:
        """How many runs of alert.yml have reached their decision."""
        return self.said.count(RUN)

    @property
    def triages(self) -> int:
        """How many runs have triaged."""
        return len(re.findall(TRIAGE, self.said))

    def has_ended(self, runs: int, seconds: float = 300) -> bool:
        """Wait until so many runs have ended."""
        return wait_until(lambda: self.said.count("PLAY RECAP") >= runs, seconds)


@dataclass
class Place:
    """One small database, its inventory, and the rulebook that is started for it."""

    db: Database
    directory: Path

    @property
    def stops(self) -> int:
        """How many kills the ledger has, including those that found nobody on; 0 without a ledger."""
        if not self.db.has_ledger():
            return 0
        number: int = self.db.value(
            "SELECT count(*) FROM kanban_rollback.events WHERE source = 'feature_flag' AND event = 'disabled'"
        )
        return number

    @property
    def open_incident(self) -> str:
        """The one incident that is open."""
        ((found,),) = self.db.rows("SELECT incident_id FROM kanban_rollback.incidents WHERE closed_at IS NULL")
        return str(found)

    @property
    def fence(self) -> str:
        """Whether the fence is proven, raised, or absent."""
        return self.fences("TicketTags")

    def fences(self, *tables: str) -> str:
        """Return what ``fence`` says, of these tables."""
        return str(self.db.modules().ok("write_fence_info", tables=list(tables), prove=True)["status"])

    def variables(self, **more: Any) -> dict[str, Any]:
        """Return an inventory's variables, without an application, and with a watch that ends at once."""
        return {
            "ansible_connection": "local",
            "ansible_python_interpreter": str(VENV / "bin/python"),
            "kanban_environment": ENVIRONMENT,
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_incidents_dir": str(self.directory / "incidents"),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_dump_tables": [],
            "kanban_state_dir": str(self.directory / "state"),
            "kanban_fence": False,
            "kanban_sweep_seconds": 2,
            "kanban_app_pm2": "",
            "kanban_flag": {"table": "companies"},
            "kanban_metrics": dict.fromkeys(("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")),
            "kanban_thresholds": dict.fromkeys(("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")),
            "kanban_integrity_checks": {},
            "kanban_triage_seconds": 10,
            "kanban_watch_minutes": {"scenario1": 0},
            "kanban_validate_seconds": 1,
            # Enough for a busy machine to read what holds.
            "alert_look_seconds": 60,
            "kanban_evidence_seconds": 1,
            **more,
        }

    @contextlib.contextmanager
    def receiver(
        self, rulebook: str = RULEBOOK, port: int = 0, redis: Alert | None = None, **more: Any
    ) -> Iterator[Receiver]:
        """Start the rulebook and yield it once it listens; everything it has started ends with it."""
        groups = {"db": {"db1": {}}, "redis": redis or {}, "app": {}}
        _i, inventory = playbook.inventory(self.directory, self.variables(**more), **groups)
        with rulebook_of(self.directory, rulebook, port=port, inventory=str(self.directory / inventory)) as receiver:
            yield receiver


@contextlib.contextmanager
def rulebook_of(
    directory: Path, rulebook: str, *options: str, port: int = 0, inventory: str = "", **more: str
) -> Iterator[Receiver]:
    """Start a rulebook and yield it once it listens; everything it has started ends with it."""
    port = port or free_port()
    given = {
        "ANSIBLE_INVENTORY": inventory,
        "KANBAN_ALERTS_TOKEN": TOKEN,
        "KANBAN_ALERTS_ENVIRONMENT": ENVIRONMENT,
        "KANBAN_ALERTS_PORT": str(port),
    }
    names = ",".join([*given, *(name for name in more if name.startswith("KANBAN_"))])
    argv = [*WITH_US, str(environment() / "ansible-rulebook"), "-v", "-r", rulebook, "-E", names, *options]
    around = {**playbook.alone(directory), **given, **programs(), **more, "TMPDIR": str(directory)}
    running = Running(argv, directory / f"rulebook-{port}", directory, around)
    try:
        assert wait_until(lambda: "Waiting for events" in running.output or not running.alive, START_SECONDS)
        assert running.alive, running.output
        yield Receiver(running, port)
    finally:
        running.clear()


def programs() -> Mapping[str, str]:
    """Return the PATH that finds the environment's own Ansible first."""
    return {"PATH": os.pathsep.join((str(environment()), os.environ.get("PATH", os.defpath)))}


def with_tls(directory: Path, certificates: Certificates) -> str:
    """Return the rulebook with the TLS lines of docs/alerts.md, with these certificates for both sides."""
    text = (ROOT / "extensions/eda/rulebooks/alerts.yml").read_text(encoding="utf-8")
    lines = textwrap.indent(documented("certfile:"), " " * 8)
    for name, path in (
        ("certfile", certificates.certificate),
        ("keyfile", certificates.key),
        ("cafile", certificates.ca),
    ):
        lines, count = re.subn(rf"(?m)^( *{name}: )\S+", rf"\g<1>{path}", lines)
        assert count == 1, name
    token = '        token: "{{ KANBAN_ALERTS_TOKEN }}"\n'
    assert token in text
    made = directory / "tls.yml"
    made.write_text(text.replace(token, token + lines), encoding="utf-8")
    return str(made)


def documented(begins: str) -> str:
    """Return the block of docs/alerts.md that begins with these words."""
    text = (ROOT / "docs/alerts.md").read_text(encoding="utf-8")
    (block,) = (part for part in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if part.startswith(begins))
    return str(block)


def impatient(directory: Path) -> str:
    """Return the rulebook with throttles of seconds, so that a minute shows what takes hours."""
    text = (ROOT / "extensions/eda/rulebooks/alerts.yml").read_text(encoding="utf-8")
    assert "once_within: 2 minutes" in text
    assert "once_within: 5 minutes" in text
    made = directory / "impatient.yml"
    made.write_text(re.sub(r"(?<=once_within: )[25] minutes", "10 seconds", text), encoding="utf-8")
    return str(made)
