# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook by its full name from a tarball, reduced to what Ansible's rules let a playbook use."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration import awxplace, playbook
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.integration.preflightplace import Place
from tests.support import tarball
from tests.support.app_process import applications
from tests.support.awxapi import awx
from tests.support.redis_server import Redis
from tests.support.servers import workspace

pytestmark = [pytest.mark.drill, pytest.mark.timeout(900)]

COLLECTION = "chatia.kanban_rollback"
USED = {"meta", "playbooks", "plugins", "roles"}
# The files by which Galaxy and ansible-galaxy recognize an installed collection.
MANIFEST = {"MANIFEST.json", "FILES.json"}
# Parts of other playbooks, which nobody types.
PARTS = {"triage_act", "triage_decide"}
ALERT = {"kanban_alert_name": "KanbanDown", "kanban_alert_scenario": "scenario1", "kanban_alert_environment": "staging"}


def _typed(**variables: Any) -> list[str]:
    """Return variables as they are typed."""
    return [word for name, value in variables.items() for word in ("-e", json.dumps({name: value}))]


# In the order of an incident: the playbook, its options, its exit status, and words of its last screen.
STORY: list[tuple[str, list[str], int, str]] = [
    ("status", [], 0, "NOTHING IS STOPPED."),
    ("preflight", [], 0, "READY"),
    ("bootstrap", ["--check"], 0, "PLAN, nothing was changed: 2 of 2 hosts would be set up."),
    # The decision is made; acting on it is up to the person who typed it.
    ("triage", _typed(kanban_declared="corruption"), 2, "SCENARIO 3, P0 CRITICAL"),
    (
        "alert",
        _typed(kanban_alert_began_at="2026-11-27T03:12:00Z", **ALERT),
        0,
        "which kanban_auto_contain does not name",
    ),
    ("scenario2", [], 0, "nobody is on the list"),
    # Nobody could be asked whether V1 is served.
    ("scenario1", [], 2, "CONTAINED: Kanban V2 is off for all 30 tenants (10 were switched off now)"),
    ("scenario3", [], 0, "Also: the fence is proven, the write block is held, evidence is kept, the dump is proven"),
    ("release", [], 2, "RELEASED, NOT TESTED"),
    ("reenable", _typed(kanban_reenable="all", kanban_close=True), 0, "RESTORED: 10 tenants were put back as before"),
    ("report", [], 0, "report.html"),
    ("rehearse", ["--check"], 0, "PLAN"),
    ("tell", [], 0, ""),
]


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """A collections path that was empty, with what the tarball installs and a playbook may use."""
    with workspace() as directory:
        target = tarball.install(directory)
        where = target / "ansible_collections/chatia/kanban_rollback"
        assert {path.name for path in where.iterdir()} > USED | MANIFEST
        for path in where.iterdir():
            if path.is_dir() and path.name not in USED:
                shutil.rmtree(path)
            elif path.is_file() and path.name not in MANIFEST:
                path.unlink()
        yield target


@pytest.fixture
def place(db: Database, directory: Path) -> Iterator[Place]:
    """A database and a Redis; nobody is notified, nothing is watched, and there is no application."""
    with workspace() as own, Redis(own / "redis") as cache, applications() as processes:
        made = Place(db, cache, processes.start([(0, "v2")]), directory)
        made.prepare()
        made.variables |= {
            "kanban_app_hosts": "none",
            "kanban_metrics": dict.fromkeys(("error_rate", "socket_latency", "dnd_p95", "query_p95", "memory")),
            "kanban_validate_seconds": 1,
            "kanban_watch_minutes": dict.fromkeys(("scenario1", "scenario2"), 0),
        }
        yield made


def test_an_incident_from_preflight_to_report(installed: Path, place: Place) -> None:
    ours = installed / "ansible_collections/chatia/kanban_rollback"
    hosts = playbook.inventory(place.directory, place.variables, **place.hosts)
    for name, options, status, words in STORY:
        argv = [f"{COLLECTION}.{name}", *hosts, "-vvv", *options]
        run = playbook.start(place.directory, *argv, ANSIBLE_COLLECTIONS_PATH=str(installed)).wait(timeout=300)
        assert (run.rc, words in run.text) == (status, True), f"{name}: {run.output}"
        used = set(re.findall(r"(?:task path: |Using module file )(\S*kanban_rollback/\S+)", run.output))
        assert used, f"{name}: {run.output}"
        assert [path for path in used if not path.startswith(f"{ours}/")] == []
        assert str(ROOT) not in run.output.replace(sys.prefix, "")


def test_awx_is_given_what_the_role_brings(installed: Path, tmp_path: Path) -> None:
    with awx(tmp_path) as server:
        run = awxplace.run(tmp_path, server, installed)
        assert run.rc == 0, run.output
        assert "Kanban scenario 3" in run.output


def test_each_playbook_is_here() -> None:
    known = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert known - PARTS == {name for name, *_others in STORY} | {"awx"}
