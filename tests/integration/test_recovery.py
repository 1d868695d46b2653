# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scenario3.yml after the stop: the plan, its approval, the repair, the validated data, and the undo of it all."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.integration import journals, playbook
from tests.integration.crowd import wait_for
from tests.integration.integrity import load
from tests.integration.journals import lines, tasks
from tests.integration.place import Database
from tests.integration.points import past
from tests.integration.repairs import slow_deletes, whole
from tests.playbooks.runner import Run, Running
from tests.playbooks.turns import EACH, killed_in_turn
from tests.support.binaries import postgres
from tests.support.dataset import DataSet

TABLES = ('"Tags"', '"Tickets"', '"TicketTags"')
APPROVED = {"kanban_recovery": "surgical", "kanban_approved_by": "ana"}


@dataclass
class Place:
    """A database with damage in it, and what a person types."""

    db: Database
    data: DataSet
    directory: Path
    variables: dict[str, Any] = field(default_factory=dict)

    def run(self, *options: str, **extra: Any) -> Run:
        """Run scenario3.yml to its end."""
        return self.start(*options, **extra).wait(timeout=300)

    def start(self, *options: str, **extra: Any) -> Running:
        """Start scenario3.yml."""
        return playbook.start(self.directory, *self._typed(extra), *options)

    def shown(self, **extra: Any) -> tuple[Run, list[str]]:
        """Run scenario3.yml as a person sees it; also return what was drawn over on the last line."""
        return playbook.shown(self.directory, *self._typed(extra), timeout=300)

    def play(self, name: str, **extra: Any) -> Run:
        """Run another playbook to its end."""
        return playbook.start(self.directory, *self._typed(extra, name)).wait(timeout=300)

    def _typed(self, extra: dict[str, Any], name: str = "scenario3") -> list[str]:
        """Return the playbook and its arguments."""
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "kanban_postgresql_host": self.db.server.host,
            "kanban_postgresql_port": self.db.server.port,
            "kanban_postgresql_db": self.db.name,
            "kanban_postgresql_user": self.db.server.user,
            "kanban_postgresql_password": self.db.server.password,
            "kanban_postgresql_bin_dir": str(postgres()),
            "kanban_incidents_dir": str(self.directory / "incidents"),
            "kanban_dump_dir": str(self.directory / "dumps"),
            "kanban_redis_hosts": "none",
            "kanban_app_hosts": "none",
            "kanban_operator": "rui",
            "kanban_sweep_seconds": 5,
            # The home that a task sees is the caller's own.
            "ansible_async_dir": str(self.directory / "jobs"),
            **self.variables,
        }
        hosts = playbook.inventory(self.directory, variables, db=extra.pop("hosts", {"db1": {}}))
        given = playbook.given(self.directory, extra) if extra else []
        return [f"chatia.kanban_rollback.{name}", *hosts, *given]

    def left(self, task: str) -> dict[str, list[str]]:
        """Return the tables as a killed run leaves them: what it began goes on without its controller, to its end."""
        # A job that works renews its lease until it has ended.
        held = "SELECT count(*) FROM kanban_rollback.leases WHERE expires_at > clock_timestamp() + interval '45 s'"
        wait_for(lambda: not self._jobs and not self.db.value(held), f"the end of {task}", 60)
        return whole(self.db, *TABLES)

    @property
    def _jobs(self) -> list[Path]:
        """Files of jobs that run; one that is being replaced is empty."""
        files = {path: path.read_text() for path in (self.directory / "jobs").glob("j*") if path.is_file()}
        told = {path: json.loads(text) if text else {"started": True} for path, text in files.items()}
        return [path for path, job in told.items() if job.get("started") and not job.get("finished")]

    @property
    def events(self) -> list[tuple[str, str]]:
        """What the ledger has of repairs and validations, oldest first."""
        return [
            (row[0], row[1])
            for row in self.db.rows("""SELECT phase, event FROM kanban_rollback.events
                                       WHERE phase IN ('recover', 'validate') ORDER BY at""")
        ]


@pytest.fixture
def place(db: Database, directory: Path) -> Place:
    """The plan's damage; the checks find each row of it."""
    return Place(db, load(db), directory)


def hash_of(run: Run) -> str:
    """Return the plan's hash from the screen, as a person reads it."""
    found = re.search(r"kanban_plan_hash=([0-9a-f]{64})", run.screen)
    assert found, run.screen
    return found[1]


def moves_with_the_ledger(drawn: str, doubled: int, orphans: int) -> None:
    """Check that the last line went through the tables, with the rows that were done."""
    for table, rows in (("1 of 2 (public.TicketTags)", 0), ("2 of 2 (public.Tags)", doubled)):
        assert f": delete, table {table}, {rows} of {doubled + orphans} rows: Wait until it is repaired [db1]" in drawn


def is_recorded(place: Place, run: Run, mended: int) -> None:
    """Check that the journal has a job as what it was, and not as the task that asked for its result."""
    found = lines(journals.Place(place.db, place.directory).journals(run.incident)[-1])
    figures = [task["figures"] for task in tasks(found, "integrity_repair") if task["role"] == "recover"]
    assert [one.get("quarantined") for one in figures] == [None, mended]
    jobs = {line["phase"] for line in found if "for the job" in line["data"].get("task", "")}
    assert jobs == {"preserve", "recover"}


@pytest.mark.drill
def test_found_planned_approved_repaired_validated_and_back(place: Place) -> None:
    damage = place.data.expected_corruption()
    mended = sum(damage.values()) - damage["tickets_without_company"]
    plan = place.run("--check", "--diff")
    assert plan.rc == 0, plan.output
    assert f"orphan_tags (critical): {damage['orphan_tags']} rows" in plan.screen
    assert re.search("Plan [0-9a-f]{64}", plan.screen)
    # By the time of the stop the data may have another plan.
    assert "kanban_plan_hash" not in plan.screen
    assert not (place.directory / "incidents").exists()
    before = whole(place.db, *TABLES)
    stopped = place.run()
    assert stopped.rc == 0, stopped.output
    for name, rows in damage.items():
        assert re.search(rf"{name} \(\w+\): {rows} rows", stopped.screen), (name, stopped.screen)
    assert f"the plan would repair {mended} rows" in stopped.screen
    # The undo of a misfire would switch V2 on over this.
    assert "misfire" not in stopped.screen
    assert "Not validated: that comes with the repair" in stopped.screen
    file = re.search(r"in full in (\S+plan-[0-9a-f]{16}\.json)", stopped.screen)
    assert file, stopped.screen
    kept = json.loads(Path(file[1]).read_text())
    assert (kept["plan_hash"], kept["rows"]) == (hash_of(stopped), mended)
    assert Path(file[1]).stat().st_mode & 0o777 == 0o600
    assert (whole(place.db, *TABLES), place.events) == (before, [])

    with slow_deletes(place.db, *TABLES):
        done, drawn = place.shown(**APPROVED, kanban_plan_hash=hash_of(stopped))
    assert done.rc == 0, done.output
    moves_with_the_ledger("\n".join(drawn), damage["duplicate_ticket_tags"], damage["orphan_tags"])
    assert "Wait until it is repaired [db1]: " in done.text
    assert f"{mended} rows repaired, the data is validated" in done.screen
    assert re.search(r"public\.TicketTags: \d+ rows in the dump, \d+ now: \d+ in quarantine", done.screen), done.screen
    assert "0 writes were accepted since the fence" in done.screen
    is_recorded(place, done, mended)
    left = damage["tickets_without_company"]
    assert f"noted: tickets_without_company: counts {left}" in done.screen
    assert "chatia.kanban_rollback.release" in done.screen
    assert place.events == [("recover", "planned"), ("recover", "repaired"), ("validate", "data validated")]
    after = whole(place.db, *TABLES)
    assert after != before
    told = place.db.modules().ok("incident_info", incident_id=done.incident)["validation"]
    assert told["passed"]
    assert told["data"]["writes"] == 0

    # The same command again: nothing to repair, and the data is validated again.
    again = place.run(**APPROVED, kanban_plan_hash=hash_of(stopped))
    assert again.rc == 0, again.output
    assert "nothing to repair, the data is validated" in again.screen
    assert whole(place.db, *TABLES) == after

    back = place.run(kanban_recovery="undo", kanban_approved_by="ana")
    assert back.rc == 0, back.output
    assert "the repair is undone" in back.screen
    assert "Not validated: the data is as before the repair" in back.screen
    assert whole(place.db, *TABLES) == before
    assert place.db.modules().ok("incident_info", incident_id=done.incident)["validation"] is None


@pytest.mark.drill
def test_nothing_corrupt_is_validated_at_once(db: Database, directory: Path) -> None:
    data = load(db, corruption=False)
    run = Place(db, data, directory).run()
    assert run.rc == 0, run.output
    assert "the checks found nothing corrupt, the data is validated" in run.screen
    # It may have been a misfire, and people may work again.
    assert "kanban_reenable=all" in run.screen
    assert "chatia.kanban_rollback.release" in run.screen


def test_what_is_not_approved_is_not_done(place: Place) -> None:
    place.variables["kanban_dump_tables"] = []
    before = whole(place.db, *TABLES)
    plan = hash_of(place.run())
    run = place.run(**{**APPROVED, "kanban_plan_hash": "f" * 64, "kanban_approved_by": "Rui "})
    assert run.rc != 0
    assert "CONTAINED: Kanban V2 is off" in run.screen, run.output
    for why in ("rui may not approve what rui does", f"the plan is {plan} by now, and f{{64}} was approved"):
        assert re.search(rf"Not repaired: .*{why}", run.screen), run.screen
    assert (whole(place.db, *TABLES), place.events) == (before, [])


@pytest.mark.drill
def test_an_override_is_recorded_before_it_is_used(place: Place) -> None:
    place.variables["kanban_dump_tables"] = []
    approved = {**APPROVED, "kanban_plan_hash": hash_of(place.run()), "kanban_approved_by": "rui"}
    broken = {"what": ["approval"], "reason": " "}
    run = place.run(**approved, kanban_break_glass=broken)
    assert run.rc != 0
    assert re.search("Not repaired: .*has no reason", run.screen), run.output
    assert place.events == []
    broken["reason"] = "nobody else is awake"
    run = place.run(**approved, kanban_break_glass=broken)
    assert run.rc == 0, run.output
    assert place.events[0] == ("recover", "override")
    data = place.db.value("SELECT data->>'reason' FROM kanban_rollback.events WHERE event = 'override'")
    assert data == broken["reason"]
    assert "rows and writes since the stop were not compared: there is no dump" in run.screen


@pytest.mark.drill
def test_without_a_proven_dump_nothing_is_repaired(place: Place) -> None:
    stopped = place.run()
    place.variables["kanban_postgresql_bin_dir"] = str(place.directory)
    for dump in (place.directory / "dumps").iterdir():
        shutil.rmtree(dump)
    run = place.run(**APPROVED, kanban_plan_hash=hash_of(stopped))
    assert run.rc != 0
    assert "Not repaired: no proven dump of the tables is there" in run.screen, run.output


@pytest.mark.drill
def test_a_row_that_changed_since_the_plan_is_looked_at_again(place: Place) -> None:
    place.variables["kanban_dump_tables"] = []
    stopped = place.run()
    past(
        place.db,
        """INSERT INTO "TicketTags" ("ticketId", "tagId", "createdAt", "updatedAt")
           SELECT "ticketId", "tagId", now(), now() FROM "TicketTags" ORDER BY 1, 2 LIMIT 1""",
    )
    before = whole(place.db, *TABLES)
    run = place.run(**APPROVED, kanban_plan_hash=hash_of(stopped))
    assert run.rc != 0
    assert re.search("Not repaired: the plan is .{64} by now", run.screen), run.output
    assert whole(place.db, *TABLES) == before


# By then the repair that it began is at work.
MOMENTS = ("Wait until it is repaired",)


# Some sixty-five runs: 41 minutes beside two estates of hosts.
@pytest.mark.timeout(3600)
@pytest.mark.drill
@pytest.mark.parametrize("moments", [MOMENTS, EACH])
def test_killed_on_its_way_it_is_as_before_or_as_planned_and_the_next_run_goes_on(
    place: Place, moments: Sequence[str]
) -> None:
    place.variables["kanban_sweep_seconds"] = 1
    approved = {**APPROVED, "kanban_plan_hash": hash_of(place.run())}
    states = [whole(place.db, *TABLES)]

    def left(task: str) -> None:
        state = place.left(task)
        if state != states[-1]:
            states.append(state)

    done, _tasks = killed_in_turn(lambda: place.start(**approved), left, moments=moments, since="5. Assess")
    assert done.rc == 0, done.output
    assert "the data is validated" in done.screen
    assert len(states) == 2, "before, and as planned"
    assert whole(place.db, *TABLES) == states[-1]
    assert [event for _phase, event in place.events if event == "repaired"] == ["repaired"]
