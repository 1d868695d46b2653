# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No ledger, no disk, no home: containment goes on, and who had the feature is not lost."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.integration.crowd import FLAG, on, population
from tests.integration.flags import Case, cycle_off, documents
from tests.integration.ledgerless import files, without_ledger
from tests.integration.module import Modules
from tests.integration.place import Database

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a process disks of its own")


@pytest.mark.parametrize("kind", ["jsonb", "json", "text"])
def test_off_and_back_with_a_file(db: Database, directory: Path, kind: str) -> None:
    case: Case = documents(kind, quoted=False, uuids=False)
    case.make(db)
    cycle_off(db, case, without_ledger(db, directory))
    assert not db.has_ledger()


def test_the_file_is_named_and_private(db: Database, directory: Path) -> None:
    population(db)
    modules = without_ledger(db, directory)
    before = os.umask(0)
    try:
        done = modules.disable("INC-2026/../../etc: a 'b'")
    finally:
        os.umask(before)
    (path,) = files(directory)
    assert done["priors"] == {"kept_in": "file", "path": str(path), "unsaved": [], "file_name": path.name}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert any("no ledger" in warning for warning in done["warnings"])
    told = db.modules().ok("incident_info", state_dir=str(directory / "state"))
    assert str(path) in told["prior_files"]


def test_a_ledger_that_the_role_may_not_use_is_not_said_to_be_missing(db: Database, directory: Path) -> None:
    population(db)
    db.modules().ok("ledger")
    done = without_ledger(db, directory).disable("INC-1")
    assert (on(db), done["priors"]["kept_in"]) == ([], "file")
    (told,) = [warning for warning in done["warnings"] if "ledger" in warning]
    assert "This role may not use the ledger: " in told
    assert "bootstrap.yml grants it USAGE ON SCHEMA kanban_rollback." in told


def test_two_incidents_and_two_flags_have_a_file_each(db: Database, directory: Path) -> None:
    population(db)
    db.rows("""UPDATE companies SET settings = settings || '{"other": true}'""")
    before = db.snapshot("companies")
    modules = without_ledger(db, directory)
    modules.disable("INC-1", tenants=[1, 2])
    modules.disable("INC-2")
    modules.disable("INC-2", path=["other"])
    assert len(files(directory)) == 3
    assert modules.restore("INC-1")["changed_count"] == 2
    modules.restore("INC-2", path=["other"])
    modules.restore("INC-2")
    assert db.snapshot("companies").texts == before.texts


@pytest.mark.parametrize("again", [True, False], ids=["by the next kill", "by the undo"])
def test_a_file_is_taken_over_by_a_ledger_that_was_made_since(db: Database, directory: Path, again: bool) -> None:
    population(db)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory)
    modules.disable(tenants=[1, 2, 3])
    (path,) = files(directory)
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    assert modules.restore(check=True)["changed_count"] == 3
    assert modules.disable(check=True)["changed_count"] == 47
    assert path.exists(), "a plan took the file over"
    if again:
        assert modules.disable()["priors"]["kept_in"] == "ledger"
        assert not path.exists()
    undone = modules.restore()
    assert undone["changed_count"] == (50 if again else 3)
    assert db.snapshot("companies").texts == before.texts
    assert not path.exists()
    assert [one.suffix for one in files(directory)] == [".imported"]
    assert db.value("SELECT count(*) FROM kanban_rollback.flag_changes WHERE action = 'disabled'") == 1 + again
    assert not modules.restore()["changed"]


@pytest.mark.parametrize("kind", ["jsonb", "json"])
@pytest.mark.parametrize("large", [False, True])
def test_the_first_prior_wins_also_if_a_file_has_it(db: Database, directory: Path, kind: str, large: bool) -> None:
    modules = population(db, 5, kind=kind)
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": "sim"}' WHERE id = 3""")
    before = db.snapshot("companies")
    without_ledger(db, directory).disable()
    (path,) = files(directory)
    if large:  # What is no line of it is left out, and is as long to read.
        with path.open("a") as file:
            file.write("x" * 5_000_000 + "\n")
    # Somebody writes back what never stood there.
    db.rows("""UPDATE companies SET settings = '{"kanbanV2Enabled": true}' WHERE id = 3""")
    modules = modules.having(state_dir=str(directory / "state"))
    again = modules.disable()
    assert (again["changed_count"], again["priors"]["kept_in"]) == (1, "file" if large else "ledger")
    assert [str(path) in warning for warning in again["warnings"]] == [True] * large
    modules.restore()
    assert db.snapshot("companies").texts == before.texts


def test_a_run_that_finds_the_ledger_again_goes_on_with_the_incident_of_the_file(db: Database, directory: Path) -> None:
    """The controller makes the ids: nobody has to know what the run before was called."""
    population(db)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory).having(incident_adopt=True)
    modules.disable("INC-20261127-001")
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    planned = modules.disable("INC-20261127-002", check=True)
    again = modules.disable("INC-20261127-002")
    for told in (planned, again):
        assert told["incident"]["incident_id"] == "INC-20261127-001"
        assert any("This goes on with it" in warning for warning in told["warnings"])
    # It is known by both names; a new one is not known by those of an incident that was undone.
    assert modules.restore("INC-20261127-002")["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts
    db.modules().ok("incident", incident_id="INC-20261127-001", state="closed")
    assert modules.disable("INC-20261127-003")["incident"]["incident_id"] == "INC-20261127-003"


def test_a_file_that_was_undone_is_gone_on_with_by_nobody(db: Database, directory: Path) -> None:
    population(db)
    modules = without_ledger(db, directory).having(incident_adopt=True)
    modules.disable("INC-20261127-001")
    modules.restore("INC-20261127-001")
    db.modules().ok("ledger", grant_to=[modules.options["login_user"]])
    assert modules.disable("INC-20261127-002")["incident"]["incident_id"] == "INC-20261127-002"


def test_a_torn_last_line_spoils_nothing(db: Database, directory: Path) -> None:
    """The machine died while it wrote: that batch never committed."""
    population(db)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory)
    modules.disable()
    (path,) = files(directory)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines()[0][:40])
    assert modules.restore()["changed_count"] == 50
    assert db.snapshot("companies").texts == before.texts


def test_a_torn_line_does_not_swallow_the_next(db: Database, directory: Path) -> None:
    population(db)
    before = db.snapshot("companies")
    modules = without_ledger(db, directory)
    modules.disable(tenants=[1])
    (path,) = files(directory)
    with path.open("ab") as file:
        file.write(path.read_bytes().splitlines()[0][:40])
    modules.disable()
    modules.restore()
    assert db.snapshot("companies").texts == before.texts


def test_an_undo_without_ledger_or_file_says_so(db: Database, directory: Path) -> None:
    population(db)
    modules = without_ledger(db, directory)
    modules.disable()
    shutil.rmtree(directory / "state")
    after = db.snapshot("companies")
    modules.fails("unknown_incident", "feature_flag", state="restored", incident_id="INC-1")
    assert db.snapshot("companies") == after


def read_only(*places: str | Path) -> list[str]:
    """Return the lines of shell that make directories read-only, for root as well."""
    return [f"mount --bind {place} {place} && mount -o remount,bind,ro {place}" for place in places]


def with_disks(modules: Modules, directory: Path, *mounts: str, after: str = "true") -> Modules:
    """Return modules that run with disks of their own, gone with the process; ``after`` can still read them."""
    lines = " && ".join(["set -e", *mounts, '"$@" || status=$?', after, "exit ${status:-0}"])
    unshare = shutil.which("unshare")
    assert unshare
    prefix = [unshare, "--mount", "--propagation", "private", "/bin/sh", "-c", lines, "/bin/sh"]
    (directory / "state").mkdir()
    (directory / "home").mkdir()
    return Modules(modules.options, {"HOME": str(directory / "home")}, prefix)


# The places that are tried after the one that was asked for; the home is in the test's own directory.
PLACES = ("/var/lib", "/var/tmp", "/dev/shm")  # noqa: S108 - the names are what is tested


def tenants_of(db: Database, batches: list[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    for batch in batches:
        rows = db.rows("SELECT * FROM unnest(%s::text[], %s::text[])", (batch["tenants"], batch["priors"]))
        assert {prior for _tenant, prior in rows} == {"true"}
        found += [tenant for tenant, _prior in rows]
    return sorted(found, key=int)


@root_only
@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_where_no_disk_takes_the_priors_the_result_has_them(db: Database, directory: Path, disk: str) -> None:
    population(db)
    state = directory / "state"
    full = [f"mount -t tmpfs -o size=4k,mode=700 tmpfs {state}", f"head -c 4096 /dev/zero > {state}/other"]
    mounts = [*read_only(*PLACES), *(full if disk == "full" else [])]
    done = with_disks(without_ledger(db, directory), directory, *mounts).disable()
    assert done["enabled_after"] == 0
    assert on(db) == []
    assert (done["priors"]["kept_in"], done["priors"]["path"]) == ("result", None)
    assert tenants_of(db, done["priors"]["unsaved"]) == [str(tenant) for tenant in range(1, 51)]
    (warning,) = [warning for warning in done["warnings"] if "save it" in warning]
    assert ("No space left on device" if disk == "full" else "Read-only file system") in warning
    assert done["changed_count"] == 50


@root_only
def test_a_disk_that_fills_up_in_mid_kill(db: Database, directory: Path) -> None:
    """What the file took is whole, what it did not take is in the result, and together they are everybody."""
    tenants = 12_000
    population(db, tenants)
    before = db.snapshot("companies")
    state, saved = directory / "state", directory / "saved"
    saved.mkdir(mode=0o700)
    mounts = [*read_only(*PLACES), f"mount -t tmpfs -o size=100k,mode=700 tmpfs {state}"]
    mounts.append(f"mount --bind {saved} {saved} && mount -o remount,bind,rw {saved}")
    # The file goes with its disk, so it is copied out before.
    modules = with_disks(without_ledger(db, directory), directory, *mounts, after=f"cp {state}/* {saved}/")
    done = modules.disable(tenants=list(range(1, tenants + 1)))
    (path,) = saved.glob("*.jsonl")
    batches = [row for row in map(json.loads, path.read_bytes().splitlines()) if "tenants" in row]
    unsaved = done["priors"]["unsaved"]
    assert batches
    assert unsaved
    assert tenants_of(db, [*batches, *unsaved]) == [str(tenant) for tenant in range(1, tenants + 1)]
    # Appended to the others, one per line, they are what an undo needs.
    with path.open("a") as file:
        file.writelines(json.dumps(batch) + "\n" for batch in unsaved)
    undo = Modules({**modules.options, "state_dir": str(saved)})
    assert undo.restore()["changed_count"] == tenants
    assert db.snapshot("companies").texts == before.texts


@root_only
def test_a_read_only_home_leaves_the_next_place(db: Database, directory: Path) -> None:
    population(db)
    modules = without_ledger(db, directory)
    modules = with_disks(modules, directory, f"mount -t tmpfs tmpfs {PLACES[2]}", *read_only(*PLACES[:2]))
    done = modules.disable(state_dir=None)
    assert done["priors"]["kept_in"] == "file"
    assert done["priors"]["path"].startswith(f"{PLACES[2]}/kanban_rollback/INC-1-")


@root_only
def test_a_read_only_machine_needs_no_disk_where_there_is_a_ledger(db: Database, directory: Path) -> None:
    population(db)
    before = db.snapshot("companies")
    modules = with_disks(db.modules(**FLAG), directory, *read_only(*PLACES))
    done = modules.disable()
    assert (done["priors"]["kept_in"], done["warnings"]) == ("ledger", [])
    modules.restore()
    assert db.snapshot("companies").texts == before.texts
