# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""rehearse.yml where one host is not of the environment that the run is of."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.place import Database
from tests.integration.rehearsals import Staging


@pytest.fixture
def place(db: Database, directory: Path) -> Staging:
    """Forty tenants of which twelve are on, and rows that are corrupt already."""
    return Staging.load(db, directory)


def test_a_host_whose_own_variables_call_it_production_is_left_alone(place: Staging) -> None:
    before = place.rows()
    variables = place.directory / "host_vars"
    variables.mkdir()
    for host, environment, why in (
        ("db1", "production", "db1: This is 'production': rows are planted on rehearsal hosts only."),
        ("app1", "production", "app1: This is 'production': rows are planted on rehearsal hosts only."),
        ("db1", "qa", "db1: its kanban_environment is 'qa', but the run's is 'staging'"),
    ):
        file = variables / f"{host}.json"
        file.write_text(json.dumps({"kanban_environment": environment}))
        hosts = ("-i", "app1,", "-e", "kanban_app_hosts=app1") if host == "app1" else ()
        run = place.rehearse(*hosts, "-e", "kanban_rehearse=scenario1", kanban_watch_minutes={"scenario1": 0})
        assert (run.rc, place.db.has_ledger()) == (2, False), run.output
        assert "REFUSED: nothing was changed." in run.screen
        assert why in run.screen
        assert place.rows() == before
        file.unlink()
