# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another controller knows what was announced, from ledgers that only their own hosts reach, over SSH."""

from __future__ import annotations

import pytest

from tests.hosts.host import Host
from tests.integration.people import people
from tests.playbooks.place import Site
from tests.playbooks.runner import Run

KEPT = """SELECT string_agg(DISTINCT data ->> 'name', ',') FROM kanban_rollback.events
          WHERE source = 'incident_documents'"""
PATIENT = ("-e", "communicate_look_seconds=30", "-e", "communicate_keep_seconds=30")


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_another_controller_knows_it_from_whichever_primary_answers(site: Site) -> None:
    """Pause the roll-out three times, each time from another controller; each database is reached through its host."""
    servers = site.directory / "servers"
    servers.mkdir()
    with people(servers) as everybody:

        def run(where: str) -> Run:
            known = {
                **everybody.services,
                "kanban_incidents_dir": str(site.directory / where),
                "kanban_connect_timeout": 3,
            }
            pause = {"kanban_pause": True}
            hosts = ("db1", "db2", "db3")
            return site.run("scenario2", *PATIENT, hosts=hosts, variables=known, extra=pause, timeout=400)

        first = run("one")
        assert (first.rc, "Messages: 3 sent" in first.text) == (0, True), first.output
        told = everybody.headlines
        assert {who: len(texts) for who, texts in told.items()} == {
            "#kanban-v2-rollout": 1, "#incident": 1, "tech_leads": 1,
        }  # fmt: skip
        # Each primary has it, and the replica of one of them has it from its primary.
        assert [site.psql(name, KEPT) for name in ("db1", "db3")] == ["messages/scenario2-update-paused"] * 2
        second = run("two")
        assert (second.rc, everybody.headlines) == (0, told), second.output
        site.fault("db1", Host.blackhole)
        third = run("three")
        # The only thing that is announced again is that a primary did not answer.
        assert third.rc != 0, third.output
        line = f"P1 ATUALIZAÇÃO: Kanban V2 NÃO contido, incidente {first.incident}"
        new = {who: texts[len(told.get(who, [])) :] for who, texts in everybody.headlines.items()}
        assert new == {who: [line] for who in told}
