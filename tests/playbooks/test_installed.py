# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by its full name from an installed tarball, elsewhere, with no ansible.cfg to be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.playbooks.place import ON, PRIMARIES, TENANTS, Site
from tests.playbooks.runner import Running, beside
from tests.support import tarball

COLLECTION = "chatia.kanban_rollback"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Return a collections path that holds what the tarball brings."""
    return tarball.install(tmp_path)


def test_independent_primaries_are_summed_up_stopped_and_undone_by_full_name(
    site: Site, installed: Path, tmp_path: Path
) -> None:
    before = [site.rows(host) for host in PRIMARIES]
    # With a comma Ansible splits a pattern at commas alone; the hosts of the other tiers are there all the same.
    inventory = site.inventory({"db1": {}, "db2": {}, "db3": {}}, {"kanban_db_hosts": "db1,db2,db3"})

    def play(name: str, *options: str) -> Running:
        running = Running(
            [beside("ansible-playbook"), "-i", str(inventory), *options, f"{COLLECTION}.{name}"],
            tmp_path / f"{name}.log",
            cwd=tmp_path,
            variables={"ANSIBLE_COLLECTIONS_PATH": str(installed), "HOME": str(tmp_path)},
        )
        site.running.append(running)
        return running

    run = play("scenario3", "-vv").wait()
    assert (run.rc, *map(site.on, PRIMARIES)) == (0, 0, 0), run.output
    # Nothing of the checkout was used.
    assert f"{installed}/ansible_collections/chatia/kanban_rollback/roles" in run.output
    assert "No config file found" in run.output or "config file = None" in run.output
    both = f"{2 * TENANTS} tenants ({2 * ON} were switched off now)"
    assert f"CONTAINED: Kanban V2 is off for all {both}" in run.screen
    assert site.incidents("db1") == site.incidents("db3") == [run.incident]
    # The recorder is loaded by itself.
    (journal,) = (tmp_path / ".local/state/kanban_rollback/incidents" / run.incident).glob("journal-*.jsonl")
    assert '"event":"run ended"' in journal.read_text(encoding="ascii").splitlines()[-1]
    undone = play("reenable", "-e", "kanban_reenable=all").wait()
    assert undone.rc == 0, undone.output
    assert f"RESTORED: {2 * ON} tenants were put back as before" in undone.screen
    assert [site.rows(host) for host in PRIMARIES] == before
