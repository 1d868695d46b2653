# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One or all application hosts are a black hole: only their evidence is missing, and the screen says so."""

from __future__ import annotations

import pytest

from tests.drills.drill import HASTY, Drill
from tests.hosts.host import Host


@pytest.mark.drill
@pytest.mark.parametrize("hosts", [("app1",), ("app1", "app2")], ids=["one", "all"])
def test_application_host_cut_off(drill: Drill, hosts: tuple[str, ...]) -> None:
    drill.messages_wait = True
    for host in hosts:
        drill.fault(host, Host.blackhole)
    lacking = [f"no evidence of {host}" for host in hosts]
    rest = ["db1: fence proven for", "redis1: write block held by", "db1: dump of"]
    drill.stop(fails=True, says=[*lacking, *rest], never=["evidence is kept"], extra=HASTY)
    drill.finish()
