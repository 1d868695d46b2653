# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A disk is full: the dump's, a host's for evidence, the database's for its data or its log."""

from __future__ import annotations

import re

import pytest

from tests.drills.disks import DATA, LOG, fill, fill_database, fill_later, give_back, own_disk
from tests.drills.drill import HASTY, Drill
from tests.drills.names import let_names_differ
from tests.drills.test_database_mute import SAYS
from tests.hosts.host import Host, until
from tests.hosts.machine import HostsError
from tests.playbooks.place import KEPT, LAID_DOWN

_DUMPS = "/var/lib/postgresql/dumps"
# More than what a dump leaves free, which is looked at before it begins.
_ROOM_FOR_A_DUMP = 1100
_IN_MEMORY = "/dev/shm/kanban_rollback"  # noqa: S108 - on a host
# Without room in existing pages nothing at all can be written. An autovacuum makes such room, and removes the file that
# a new session reads first, which then cannot be written: neither is left to chance here.
_ROOM = """
ALTER SYSTEM SET autovacuum = off;
UPDATE "Companies" SET settings = settings;
CREATE SCHEMA room;
DO $do$ BEGIN
  FOR one IN 1..40 LOOP
    EXECUTE format('CREATE TABLE room.t%s (a bigint PRIMARY KEY, b text NOT NULL CHECK (b > $$ $$), c jsonb)', one);
    EXECUTE format('COMMENT ON TABLE room.t%s IS $$A row of every catalog that a fence is written to.$$', one);
    EXECUTE format('CREATE FUNCTION room.f%s() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$', one);
    EXECUTE format('CREATE TRIGGER f AFTER INSERT ON room.t%1$s EXECUTE FUNCTION room.f%1$s()', one);
  END LOOP;
END $do$;
DROP SCHEMA room CASCADE;
VACUUM (TRUNCATE false);
"""
_SWITCH = "SELECT pg_switch_wal()"


def _full(drill: Drill, host: Host, directory: str) -> None:
    """Put a full disk at a directory until the fault is mended."""
    own_disk(host, directory, 1)
    drill.after(give_back, host, directory)
    fill(host, directory)


def _disk_for_dumps(drill: Drill, mebibytes: int) -> Host:
    """Give the primary's dumps a disk of their own until the fault is mended; return their host."""
    db1 = drill.estate.fleet["db1"]
    drill.after(db1.run, ["rm", "-rf", _DUMPS])
    db1.run(["install", "-d", "-o", "postgres", "-m", "0700", _DUMPS])
    own_disk(db1, _DUMPS, mebibytes)
    drill.after(give_back, db1, _DUMPS)
    return db1


@pytest.mark.drill
def test_disk_full_of_the_dump(drill: Drill) -> None:
    """It is reported with what helps; the stop does not need that disk."""
    fill(_disk_for_dumps(drill, 1), _DUMPS)
    drill.stop(
        fails=True,
        says=["the fence is proven", "the write block is held", "NOT WELL: no proven dump of db1"],
        never=["the dump is proven", "NOT SOUND"],
        extra={**HASTY, "kanban_dump_dir": f"{_DUMPS}/here"},
    )
    drill.finish()


@pytest.mark.drill
def test_disk_full_in_the_middle_of_the_dump(drill: Drill) -> None:
    """There was room when it began; what had been written is gone at once, as the database may live on that disk."""
    db1 = _disk_for_dumps(drill, _ROOM_FOR_A_DUMP)
    fill_later(db1, _DUMPS, f"{_DUMPS}/here/.*.partial-*")
    said = drill.stop(
        fails=True,
        says=["the fence is proven", "the write block is held", "NOT WELL: no proven dump of db1"],
        never=["the dump is proven", "NOT SOUND"],
        extra={**HASTY, "kanban_dump_dir": f"{_DUMPS}/here"},
    )
    assert re.search(r"bytes were left at \S+ while writing|No space left on device", said.screen), said.screen
    assert db1.run(["find", _DUMPS, "-name", ".*.partial-*"]).stdout == ""
    drill.finish()


@pytest.mark.drill
def test_disk_full_of_evidence(drill: Drill) -> None:
    """A host's evidence finds no room on its disk: it is kept in memory, and the screen says so."""
    app1 = drill.estate.fleet["app1"]
    for directory in (KEPT[0], LAID_DOWN[0], "/var/tmp"):  # noqa: S108 - on a host
        app1.run(["mkdir", "-p", directory])
        _full(drill, app1, directory)
    kept = drill.stop(extra=HASTY)
    assert re.search(rf"app1: \d+ files of evidence, .* in {_IN_MEMORY}/.* could not be written there", kept.screen)
    try:
        # It is still there at the end.
        drill.finish()
    finally:
        app1.run(["rm", "-rf", _IN_MEMORY])


@pytest.mark.drill
def test_disk_full_of_data(drill: Drill) -> None:
    """No table can grow: a file on the host keeps who had the flag, and everything else is done and reported."""
    drill.place.psql(_ROOM)
    fill_database(drill, DATA)
    says = ["the fence is proven", "the write block is held", "60 tenants switched off, 0 of 200 on; who had it: file"]
    drill.stop(fails=True, says=[*says, "No space left on device"], extra=HASTY)
    drill.finish()


@pytest.mark.drill
def test_disk_full_of_log(drill: Drill) -> None:
    """The server ends itself when it needs another file for its log: nothing can be switched off in it."""
    fill_database(drill, LOG)

    def ended() -> bool:
        try:
            drill.estate.fleet["db1"].psql(_SWITCH)
        except HostsError:
            return True
        return False

    until(ended, "the server to find no room", timeout=60)
    drill.stop(
        fails=True,
        says=SAYS,
        extra=HASTY,
        bound=None,
    )
    # The block has a name that no ledger has, and the second run gets another one.
    let_names_differ(drill)
    drill.finish()
