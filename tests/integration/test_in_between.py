# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in between, or is not the primary: a pooler, a standby, a seat belt against writing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import cycle_off, documents
from tests.integration.place import Database
from tests.support.servers import PgBouncer, Postgres, workspace


@pytest.fixture(scope="module")
def pooler(server: Postgres) -> Iterator[PgBouncer]:
    if missing := PgBouncer.missing():
        pytest.skip(missing)
    with workspace() as directory, PgBouncer(directory / "pooler", server.dsn) as started:
        yield started


@pytest.fixture(scope="module")
def standby(server: Postgres) -> Iterator[Postgres]:
    with workspace() as directory:
        second = Postgres(directory / "standby", fsync=False)
        try:
            second.standby_of(server)
            yield second
        finally:
            second.stop()


@pytest.mark.parametrize("kind", ["jsonb", "text"])
def test_through_a_pooler(db: Database, pooler: PgBouncer, kind: str) -> None:
    case = documents(kind, quoted=True, uuids=False)
    modules = case.make(db).having(login_host=pooler.host, login_port=pooler.port)
    cycle_off(db, case, modules)
    done = modules.disable("INC-2")
    assert done["database"]["pooled"] is True
    assert any("pooler" in warning for warning in done["warnings"])


def test_nothing_of_ours_leaks_to_the_next_client_of_a_pooler(db: Database, pooler: PgBouncer) -> None:
    population(db)
    modules = db.modules(**FLAG, login_host=pooler.host, login_port=pooler.port)
    modules.disable(latch=True)
    names = ("lock_timeout", "statement_timeout", "synchronous_commit", "row_security", "kanban_rollback.passage")
    with pooler.connect(db.name) as session, session.cursor() as cursor:
        for name in names:
            cursor.execute("SELECT current_setting(%s, true)", (name,))
            assert cursor.fetchone() in [("0",), ("on",), ("",), (None,)], name
    with db.transaction("UPDATE companies SET id = id WHERE id = 7") as holder:
        db.rows("UPDATE companies SET settings = settings WHERE id <> 7")
        assert not holder.closed
    assert modules.restore()["changed_count"] == 50


def test_a_held_row_through_a_pooler_is_named_by_its_backend(db: Database, pooler: PgBouncer) -> None:
    population(db)
    modules = db.modules(**FLAG, login_host=pooler.host, login_port=pooler.port)
    with db.transaction("UPDATE companies SET id = id WHERE id = 7") as holder:
        result = modules.fails("still_on", "feature_flag", incident_id="INC-1", deadline=1.5)
        assert [row["pid"] for row in result["blocked"]] == [holder.info.backend_pid]


def test_a_direct_connection_is_not_called_pooled(db: Database) -> None:
    done = population(db).disable()
    assert done["database"]["pooled"] is False
    assert done["warnings"] == []


def test_a_standby_is_refused_and_told_from_the_primary(db: Database, standby: Postgres) -> None:
    population(db)
    standby.wait_for_replay()
    there = db.modules(**FLAG, login_port=standby.port)
    result = there.fails("read_only_server", "feature_flag", incident_id="INC-1")
    assert "replica" in result["error"]["what"]
    assert (result["total"], result["enabled_before"], result["changed"]) == (50, 50, False)
    assert not db.has_ledger()
    assert len(on(db)) == 50
    for state in ("enabled", "restored"):
        there.fails("read_only_server", "feature_flag", incident_id="INC-1", state=state)
    here = db.modules(**FLAG).ok("feature_flag_info")
    assert here["database"]["writable"] is True
    assert there.ok("feature_flag_info")["database"]["writable"] is False
    assert here["database"]["cluster"] == result["database"]["cluster"]


def test_a_standby_may_be_skipped_with_what_it_sees(db: Database, standby: Postgres) -> None:
    population(db)
    standby.wait_for_replay()
    there = db.modules(**FLAG, login_port=standby.port)
    skipped = there.disable(on_replica="skip")
    assert (skipped["skipped"], skipped["changed"], skipped["enabled_after"]) == (True, False, 50)
    assert "primary" in skipped["skipped_reason"]
    db.modules(**FLAG).disable()
    standby.wait_for_replay()
    assert there.disable(on_replica="skip")["enabled_after"] == 0


@pytest.mark.parametrize("name", ["incident", "ledger"])
def test_a_standby_takes_no_record(db: Database, standby: Postgres, name: str) -> None:
    population(db)
    standby.wait_for_replay()
    options: dict[str, Any] = {"incident_id": "INC-1"} if name == "incident" else {}
    db.modules(login_port=standby.port).fails("read_only_server", name, **options)
    assert db.modules(login_port=standby.port).ok("incident_info")["incidents"] == []


def test_a_seat_belt_against_writing_does_not_stop_the_kill(db: Database, directory: Path) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    db.rows(f"ALTER DATABASE {db.name} SET default_transaction_read_only = on")
    done = modules.disable(state_dir=str(directory))
    assert (done["enabled_after"], done["priors"]["kept_in"]) == (0, "ledger")
    assert any("default_transaction_read_only" in warning for warning in done["warnings"])
    assert on(db) == []
    modules.restore()
    assert db.snapshot("companies").texts == before.texts
    db.modules().ok("incident", incident_id="INC-1", state="closed")
    db.modules().ok("ledger", state="absent")
    assert not db.has_ledger()
