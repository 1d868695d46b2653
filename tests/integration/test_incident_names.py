# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The other names by which the ledger knows an incident."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import yaml
from jinja2 import Environment

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._answers import _MADE_UP
from tests.integration.crowd import population
from tests.integration.module import Modules
from tests.integration.place import Database


def without(db: Database, *tables: str) -> Modules:
    """Return modules of a role that may insert no row into these tables of the ledger, which exists."""
    role = db.role("ops", "SELECT, UPDATE ON companies", "pg_read_all_stats")
    lacking = ", ".join(f"kanban_rollback.{table}" for table in tables)
    db.rows(
        f"GRANT USAGE ON SCHEMA kanban_rollback TO {role};"
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA kanban_rollback TO {role};"
        f"REVOKE INSERT ON {lacking} FROM {role}"
    )
    return db.modules(role, table="companies", column="settings", path=["kanbanV2Enabled"])


def test_a_role_that_may_note_no_other_name_goes_on_with_what_is_open(db: Database) -> None:
    modules = population(db)
    before = db.snapshot("companies")
    modules.disable("INC-20261125-001", tenants=[1, 2])
    theirs = without(db, "incident_aliases")
    done = theirs.disable("INC-20261125-007", incident_adopt=True)
    assert (done["incident"]["incident_id"], done["incident"]["opened_now"]) == ("INC-20261125-001", False)
    assert (done["priors"]["kept_in"], done["enabled_after"]) == ("ledger", 0)
    (warning,) = done["warnings"]
    assert "that INC-20261125-007 means it as well could not be noted: permission denied" in warning
    (row,) = db.modules().ok("incident_info")["incidents"]
    assert (row["incident_id"], row["aliases"]) == ("INC-20261125-001", [])
    assert modules.restore("INC-20261125-001")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_priors_on_the_host_lie_where_the_undo_of_what_is_open_looks(db: Database, tmp_path: Path) -> None:
    state = str(tmp_path)
    modules = population(db)
    modules.disable("INC-20261125-001", tenants=[1, 2])
    theirs = without(db, "incident_aliases", "flag_changes")
    done = theirs.disable("INC-20261125-007", incident_adopt=True, state_dir=state)
    assert (done["incident"]["incident_id"], done["incident"]["noted"]) == ("INC-20261125-001", False)
    assert (done["priors"]["kept_in"], done["enabled_after"]) == ("file", 0)
    assert modules.restore("INC-20261125-001", state_dir=state)["changed_count"] == 50


def test_an_alias_that_means_another_incident_stays_its_own(db: Database) -> None:
    modules, ledger = population(db), db.modules()
    modules.disable("INC-1", tenants=[1])
    ledger.ok("incident", incident_id="INC-1", aliases=["INC-1b"])
    ledger.ok("incident", incident_id="INC-1", state="closed")
    modules.disable("INC-2", tenants=[2])
    done = ledger.ok("incident", incident_id="INC-2", aliases=["INC-1", "INC-1b", "INC-3"])
    assert (done["changed"], done["names"]) == (True, ["INC-2", "INC-3"])
    (row,) = ledger.ok("incident_info", incident_id="INC-2")["incidents"]
    assert row["aliases"] == ["INC-3"]
    assert not ledger.ok("incident", incident_id="INC-2", aliases=["INC-1", "INC-1b", "INC-3"])["changed"]


def test_runs_that_follow_each_other_make_ids_of_their_own() -> None:
    path = Path(__file__).parents[2] / "roles/kanban/vars/main.yml"
    made_up = yaml.safe_load(path.read_text(encoding="utf-8"))["__kanban_new_incident_id"]

    def made() -> str:
        time.sleep(0.001)
        # As Ansible's own function of that name.
        return Environment().from_string(made_up).render(now=lambda utc: datetime.now(UTC if utc else None))  # noqa: S701

    ids = [made() for _run in range(20)]
    assert len({*ids}) == len(ids)
    # A write block that such a run left is recognized by its owner's form.
    assert all(_MADE_UP.fullmatch(one) for one in ids)
