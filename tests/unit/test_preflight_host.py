# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a dump is to go: room as the dump asks for it, and a directory that can be made there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _preflighthost as host
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpclient import Programs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumplook import Source

GIGABYTE = 2**30
SERVER = Server("chatia_db", "rollback", "17.2", False, "db1:5432", "main", False, False, True, "")


def test_a_place_that_is_yet_to_be_made_is_fine(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "dumps", tmp_path / "a/b/dumps"):
        disk = host.disk(str(place), 7)
        assert (disk["writable"], disk["needed_bytes"]) == (True, 7)
        assert host.place_check(disk) is None
    assert not (tmp_path / "a").exists()
    assert host.place_check(host.disk(None, 7)) is None


def test_a_place_below_one_that_nobody_may_write_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    below_a_file = host.disk(str(tmp_path / "file/dumps"), 7)
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path and may(path, mode))
    for disk in (below_a_file, host.disk(str(tmp_path / "a/dumps"), 7)):
        check = host.place_check(disk)
        assert check
        assert (disk["writable"], check.name, check.ok, check.severity) == (False, "disk", False, "must")
        assert check.what.startswith(str(disk["path"]))
        assert check.why
        assert check.todo


def test_the_room_is_no_less_than_the_dump_itself_asks_for() -> None:
    assert host.room_for(100 * GIGABYTE, 1.2) == 120 * GIGABYTE
    # A small dump needs at least what has to stay free.
    assert host.room_for(0, 1.2) == GIGABYTE
    assert host.room_for(GIGABYTE, 1.2) == GIGABYTE + GIGABYTE // 2
    # The numbers are the module's own.
    source = (Path(host.__file__).parents[1] / "modules/pg_dump.py").read_text(encoding="utf-8")
    assert '"min_free": {"type": "bytes", "default": "1G"}' in source
    assert f'"free_space_factor": {{"type": "float", "default": {host.FACTOR}}}' in source
    assert host.MIN_FREE == GIGABYTE


@pytest.mark.parametrize(
    ("user", "may_create", "where"), [(26, False, "an instance"), (0, True, "a database"), (0, False, "")]
)
def test_where_a_dump_can_be_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, may_create: bool, where: str
) -> None:
    for name in ("initdb", "postgres", "createdb"):
        (tmp_path / name).touch(mode=0o755)
    # PostgreSQL does not let root make an instance.
    monkeypatch.setattr(os, "geteuid", lambda: user)
    programs = Programs(str(tmp_path), 17, "17.2")
    check = host.proof_check(programs, Source(SERVER, 17, "UTF8", may_create, ()))
    assert (check.name, check.ok, check.severity) == ("dump_proof", bool(where), "must")
    if where:
        assert f"into {where} of its own" in check.what
    else:
        assert "CREATEDB" in check.what
        assert check.why
        assert check.todo
