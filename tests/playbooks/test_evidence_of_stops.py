# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each stop of an incident has evidence of its own, also under an id that was typed for an earlier one."""

from __future__ import annotations

import json

import pytest

from tests.playbooks.place import ON, Site

TYPED = {"kanban_incident_id": "INC-TYPED"}
STOP = {**TYPED, "kanban_app_hosts": "none", "kanban_dump_tables": [], "kanban_evidence_seconds": 5}
INDEXES = "find / -xdev -path '*/incidents/*/evidence/t0/*/index.json' -exec cat {} +"


def taken(site: Site, host: str) -> list[tuple[str, str]]:
    """Return run and scenario of each collection on a host, oldest first."""
    text, found = site.fleet[host].run(["sh", "-c", INDEXES]).stdout.strip(), []
    while text:
        index, end = json.JSONDecoder().raw_decode(text)
        found.append((index["taken_at"], index["run_id"], index["scenario"]))
        text = text[end:].lstrip()
    return [(run, scenario) for _at, run, scenario in sorted(found)]


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_stop_after_an_undo_is_witnessed_anew_and_the_same_again_is_not(site: Site) -> None:
    first = site.run("scenario3", whole=True, extra=STOP)
    assert (first.rc, site.on()) == (0, 0), first.output
    undone = site.run("reenable", whole=True, extra={**TYPED, "kanban_app_hosts": "none", "kanban_reenable": "all"})
    assert (undone.rc, site.on()) == (0, ON), undone.output
    second = site.run("scenario3", whole=True, extra=STOP)
    assert (second.rc, site.on()) == (0, 0), second.output
    again = site.run("scenario3", whole=True, extra=STOP)
    assert (again.rc, site.on()) == (0, 0), again.output
    assert "(0 were switched off now)" in again.screen

    of_redis = taken(site, "redis1")
    assert [scenario for _run, scenario in of_redis] == ["scenario3"] * 2
    assert len({run for run, _scenario in of_redis}) == 2
    # Of a database with every kill, because nobody knows before it whether it finds anybody on.
    of_database = taken(site, "db1")
    assert len({run for run, _scenario in of_database}) == len(of_database) == 3
    assert set(of_redis) < set(of_database)

    # Writes were let through since, and are refused again: another stop, though nobody was on.
    released = site.run("release", whole=True, extra={**TYPED, "kanban_app_hosts": "none"})
    assert "RELEASED, NOT TESTED" in released.screen, released.output
    third = site.run("scenario3", whole=True, extra=STOP)
    assert third.rc == 0, third.output
    assert "(0 were switched off now)" in third.screen
    assert len(taken(site, "redis1")) == 3
