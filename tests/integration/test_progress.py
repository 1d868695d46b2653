# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a dump is, and what became of it, as Ansible's file about its job says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import wait_for
from tests.integration.module import Result
from tests.integration.place import Database
from tests.support.processes import job_process

ROWS = 200_000
_READER = """
import json, sys, psycopg2
session = psycopg2.connect(**json.loads(sys.stdin.readline()))
session.cursor().copy_expert('COPY "Tickets" TO STDOUT', sys.stdout.buffer)
"""


@contextmanager
def copying(db: Database, role: str | None = None) -> Iterator[None]:
    """Have the table copied by a session that is named like a dump's, and whose client reads nothing of it."""
    given = {**db.server.parameters(db.name), "application_name": "chatia.kanban_rollback pg_dump 0a1b"}
    given.update({"user": role, "password": db.roles[role]} if role else {})
    process = subprocess.Popen([sys.executable, "-c", _READER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        wait_for(lambda: db.value("SELECT count(*) FROM pg_stat_progress_copy") == 1, "somebody copies")
        yield
    finally:
        process.kill()
        process.communicate()


def ask(db: Database, path: Path) -> Result:
    return db.modules().ok("progress_info", results_file=str(path))


def test_while_it_runs_tables_and_rows_are_told_and_a_silent_server_is_no_failure(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "j1.2"
    path.write_text(json.dumps({"started": 1, "finished": 0, "ansible_job_id": "j1.2"}))
    with job_process("j1"):
        before = ask(db, path)
    assert (before["finished"], before["progress"], before["changed"]) == (0, [], False)
    db.rows(f"""CREATE TABLE "Tickets" AS SELECT n, repeat('x', 100) AS t FROM generate_series(1, {ROWS}) AS n""")
    db.rows('ANALYZE "Tickets"')
    db.needs(14, "a server does not say how far a COPY is")
    with job_process("j1"), copying(db):
        (told,) = ask(db, path)["progress"]
        elsewhere = db.modules().ok("progress_info", results_file=str(path), login_host="127.0.0.1", login_port=1)
    with job_process("j1"), copying(db, db.role("app", 'SELECT ON "Tickets"')):
        assert ask(db, path)["progress"] == [], "another role's copy is no dump of ours"
    assert (told["table"], told["about"]) == ("Tickets", ROWS)
    assert 0 < told["rows"] < ROWS
    assert (elsewhere["finished"], elsewhere["progress"]) == (0, [])


def test_what_became_of_it_is_told_as_the_job_said_it(db: Database, tmp_path: Path) -> None:
    path = tmp_path / "j1.2"
    path.write_text(json.dumps({"changed": True, "rows": 7, "toc_entries": 3}))
    done = ask(db, path)
    assert (done["finished"], done["changed"], done["rows"], done["ansible_job_id"]) == (1, True, 7, "j1.2")
    path.write_text(json.dumps({"failed": True, "msg": "No room.", "error": {"code": "no_room"}}))
    failed = db.modules().run("progress_info", results_file=str(path))
    assert (failed["failed"], failed["msg"], failed["finished"]) == (True, "No room.", 1)
    # As ansible-core writes it from 2.19 on, and before.
    warned = {"event": {"msg": "Triggers fire.", "__ansible_type": "Event"}, "__ansible_type": "WarningSummary"}
    path.write_text(json.dumps({"changed": True, "warnings": [warned, "As before.", {"event": 7}], "deprecations": []}))
    first, second = ask(db, path)["warnings"]
    assert ("Triggers fire." in first, "As before." in second) == (True, True)
    path.write_text("")
    with job_process("j1"):
        assert ask(db, path)["finished"] == 0


@pytest.mark.parametrize(("text", "code"), [(None, "no_job"), ("{", "unreadable_job"), ("[1]", "unreadable_job")])
def test_a_job_that_nobody_knows_anything_of(db: Database, tmp_path: Path, text: str | None, code: str) -> None:
    path = tmp_path / "j1.2"
    if text is not None:
        path.write_text(text)
    failed = db.modules().fails(code, "progress_info", results_file=str(path))
    assert "Type the same command again" in failed["msg"] or "type the same command again" in failed["msg"]


@pytest.mark.parametrize(("options", "told"), [({}, "There is no dump of it"), ({"run_id": "r"}, "rolled back")])
def test_a_job_without_a_process_is_lost_and_not_waited_for(
    db: Database, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    path = tmp_path / "j20261127.2"
    path.write_text(json.dumps({"started": 1, "finished": 0}))
    lost = db.modules().fails("job_lost", "progress_info", results_file=str(path), **options)
    assert told in lost["msg"]
    assert "restarted" not in lost["msg"]
    # From before this machine, or container, was started.
    os.utime(path, (1, 1))
    assert "The host was restarted meanwhile." in db.modules().fails(
        "job_lost", "progress_info", results_file=str(path), **options
    )["msg"]  # fmt: skip
