# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the command to the last screen on four hosts over SSH, against a playbook of as many pings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ..entry import Arm, Entry, Line, Sample, Settings
from ..four_hosts import four_hosts
from ..playbooks import SCENARIO, run_playbook, tasks_of, write_pings

TENANTS = 10_000


@contextmanager
def _arms(settings: Settings) -> Iterator[Mapping[str, Arm]]:
    with four_hosts(min(settings.tenants, TENANTS)) as hosts, tempfile.TemporaryDirectory() as directory:
        # A first run shows how many tasks each play has. It also compiles what Python compiles once.
        hosts.fresh()
        plays = tasks_of(run_playbook(hosts, SCENARIO, incident="INC-BENCH-0").output)
        all_ping, hosts_ping = Path(directory, "all_ping.yml"), Path(directory, "hosts_ping.yml")
        write_pings(all_ping, plays)
        write_pings(hosts_ping, plays, keep=["localhost"])

        def scenario(number: int) -> Sample:
            hosts.fresh()
            return {"seconds": run_playbook(hosts, SCENARIO, incident=f"INC-BENCH-{number + 1}").seconds}

        def pings(_number: int) -> Sample:
            return {"seconds": run_playbook(hosts, all_ping, incident="none").seconds}

        def fewer_pings(_number: int) -> Sample:
            return {"seconds": run_playbook(hosts, hosts_ping, incident="none").seconds}

        yield {"scenario": scenario, "all ping": pings, "hosts ping": fewer_pings}


ENTRY = Entry(
    "screen",
    "scenario3.yml on four hosts over SSH, connections yet to be made, ledger there, against as many pings",
    _arms,
    (
        Line("command to last screen, every task a ping", ("scenario", "seconds"), "s", 2.0, ("all ping", "seconds")),
        Line(
            "the controller's own tasks only set facts there",
            ("scenario", "seconds"),
            "s",
            2.0,
            ("hosts ping", "seconds"),
        ),
    ),
)
