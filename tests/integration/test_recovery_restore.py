# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""scenario3.yml with kanban_recovery=restore: a backup's rows come back as approved, are validated, and go again."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.integration.integrity import load
from tests.integration.place import Database
from tests.integration.points import past
from tests.integration.repairs import whole
from tests.integration.restores import backup
from tests.integration.test_recovery import TABLES, Place
from tests.playbooks.runner import ZONE, Run
from tests.playbooks.turns import EACH, killed_in_turn

# What went wrong after the backup: tags are off cards, tickets are gone with theirs, others have a new last message;
# and what is newer than it, which stays.
UNTAGGED, GONE, MOVED, NEWER = 40, 5, 7, 3
DAMAGE = (
    f"""DELETE FROM "TicketTags" WHERE id IN (SELECT id FROM "TicketTags" ORDER BY id LIMIT {UNTAGGED})""",
    f"""CREATE TEMPORARY TABLE gone AS SELECT id FROM "Tickets" ORDER BY id DESC LIMIT {GONE}""",
    """DELETE FROM "TicketTags" WHERE "ticketId" IN (SELECT id FROM gone)""",
    """DELETE FROM "Tickets" WHERE id IN (SELECT id FROM gone)""",
    f"""UPDATE "Tickets" SET "lastMessage" = 'Olá' WHERE id <= {MOVED}""",
    f"""INSERT INTO "Tags" (name, "companyId", "createdAt", "updatedAt")
        SELECT 'novo', 1, now(), now() FROM generate_series(1, {NEWER})""",
)
RESTORE = {"kanban_recovery": "restore"}


@dataclass
class Damaged:
    """A place whose data lost rows after its backup: how it was, how it is now, and where the backup is."""

    place: Place
    source: dict[str, str]
    then: dict[str, list[str]]
    now: dict[str, list[str]]

    def missing(self, table: str) -> int:
        """Return how many rows are gone, as whole rows."""
        changed = MOVED if table == '"Tickets"' else 0
        return len(set(self.then[table]) - set(self.now[table])) - changed

    @property
    def coming(self) -> int:
        """How many rows are to come back."""
        return sum(self.missing(table) for table in TABLES)


@pytest.fixture
def damaged(db: Database, directory: Path) -> Damaged:
    """The backup is beside the inventory; nothing that a check finds is wrong."""
    data = load(db, corruption=False)
    source = backup(db, directory, "custom", "Tags", "Tickets", "TicketTags", zone=ZONE)
    then = whole(db, *TABLES)
    past(db, *DAMAGE)
    return Damaged(Place(db, data, directory), source, then, whole(db, *TABLES))


def typed(run: Run) -> dict[str, object]:
    """Return the variables of the line to type, as a shell and Ansible parse it, without who approves it."""
    line = re.search(r"To apply it:\W+(ansible-playbook .*? -e kanban_approved_by=)", run.screen)
    assert line, run.screen
    words = shlex.split(line[1])
    assert words[1] == "chatia.kanban_rollback.scenario3"
    given = [word for option, word in itertools.pairwise(words) if option == "-e"]
    found: dict[str, object] = {}
    for word in given[:-1]:
        name, _is, value = word.partition("=")
        found.update(yaml.safe_load(word) if word.startswith("{") else {name: value})
    return found


@pytest.mark.timeout(400)
def test_compared_refused_where_it_is_late_approved_brought_back_and_validated(damaged: Damaged) -> None:
    place, db = damaged.place, damaged.place.db
    stopped = place.run(**RESTORE, kanban_restore_source=damaged.source)
    assert stopped.rc == 0, stopped.output
    for table, words in (
        ("TicketTags", f"{damaged.missing(TABLES[2])} missing"),
        ("Tickets", f"{GONE} missing, {MOVED} changed"),
        ("Tags", f"{NEWER} newer; tenants 1 ({NEWER} newer)"),
    ):
        line = rf"public\.{table}: \d+ rows in the backup, \d+ now: {re.escape(words)}"
        assert re.search(line, stopped.screen), stopped.screen
    assert f"the plan would bring {damaged.coming} rows back" in stopped.screen
    assert f"changed: lastMessage in {MOVED}" in stopped.screen
    assert "the incident was opened then, and no check tells an earlier moment" in stopped.screen
    assert "Not validated: that comes with the restore" in stopped.screen
    # The undo of a misfire would switch V2 on over this.
    assert "misfire" not in stopped.screen
    # What people wrote is theirs.
    assert "Olá" not in stopped.output
    assert whole(db, *TABLES) == damaged.now
    given = typed(stopped)
    assert given.items() >= {**RESTORE, "kanban_restore_source": damaged.source}.items()
    file = re.search(r"in full in (\S+plan-[0-9a-f]{16}\.json)", stopped.screen)
    assert file, stopped.screen
    kept = json.loads(Path(file[1]).read_text())
    assert (kept["plan_hash"], kept["rows"]) == (given["kanban_plan_hash"], damaged.coming)
    assert kept["databases"]["db1"]["source"]["path"] == damaged.source["path"]
    assert kept["since"]["db1"]["at"] in stopped.screen

    # The run's own dump shows the data as it is.
    own = {"kind": "dump", "path": str(next((place.directory / "dumps").iterdir()))}
    late = place.run(
        **{**given, "kanban_restore_source": own},
        kanban_approved_by="ana",
        kanban_dump_tables=[],
        kanban_sweep_seconds=1,
    )
    assert late.rc != 0
    assert "CONTAINED: Kanban V2 is off" in late.screen, late.output
    assert "the data on db1 is not compared with a backup" in late.screen
    assert f"{own['path']} shows the data at" in late.screen
    assert "Not validated: not every database was compared with its backup" in late.screen
    assert (whole(db, *TABLES), place.events) == (damaged.now, [("validate", "data not validated")])

    done = place.run(**given, kanban_approved_by="ana")
    assert done.rc == 0, done.output
    assert f"{damaged.coming} rows came back, the data is validated" in done.screen
    assert "0 writes were accepted since the fence" in done.screen
    assert re.search(rf"public\.Tickets: \d+ rows in the dump, \d+ now: {GONE} brought back", done.screen), done.screen
    assert place.events[1:] == [("recover", "planned"), ("recover", "restored"), ("validate", "data validated")]
    as_restored(damaged)


def as_restored(damaged: Damaged) -> None:
    """Check that what was missing is there, and that what was changed or is newer stayed."""
    after = whole(damaged.place.db, *TABLES)
    assert after['"TicketTags"'] == damaged.then['"TicketTags"']
    assert set(damaged.now['"Tickets"']) < set(after['"Tickets"'])
    assert len(after['"Tickets"']) == len(damaged.then['"Tickets"'])
    assert after['"Tags"'] == damaged.now['"Tags"']


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_typed_again_there_is_nothing_left_and_an_undo_takes_it_away_again(damaged: Damaged) -> None:
    place, db = damaged.place, damaged.place.db
    # If no source is named, everything else is done, and the backup that exists is reported.
    named = place.run(**RESTORE, kanban_backup_sources=[{"kind": "pg_dump", "path": damaged.source["path"]}])
    assert named.rc != 0
    assert "CONTAINED: Kanban V2 is off" in named.screen, named.output
    assert "the dump is proven" in named.screen
    assert "kanban_restore_source is not given, so there is nothing to compare with; the newest usable" in named.screen
    assert damaged.source["path"] in named.screen
    assert whole(db, *TABLES) == damaged.now

    given = typed(place.run(**RESTORE, kanban_restore_source=damaged.source))
    unnamed = place.run(**given)
    assert unnamed.rc != 0
    assert "Not restored: kanban_approved_by is not given" in unnamed.screen, unnamed.output
    for words in (
        f"{damaged.coming} rows came back, the data is validated",
        "nothing to bring back, the data is validated",
    ):
        run = place.run(**given, kanban_approved_by="ana")
        assert run.rc == 0, run.output
        assert words in run.screen
        as_restored(damaged)

    back = place.run(kanban_recovery="undo", kanban_approved_by="ana")
    assert back.rc == 0, back.output
    assert f"and {GONE} that a restore put there went" in back.screen
    assert whole(db, *TABLES) == damaged.now
    assert db.modules().ok("incident_info", incident_id=back.incident)["validation"] is None


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_late_backup_comes_back_where_that_is_overridden_with_a_reason_which_is_recorded(damaged: Damaged) -> None:
    place = damaged.place
    broken = {"what": ["late_backup"], "reason": "the tags went after that hour"}
    asked = {**RESTORE, "kanban_restore_source": damaged.source, "kanban_corrupt_since": "2020-01-01T00:00:00Z"}
    refused = place.run(**asked)
    assert "it is corrupt since 2020-01-01" in refused.screen, refused.output
    # Anyone who asks for this has lost something, whatever the checks say.
    assert "misfire" not in refused.screen
    given = typed(place.run(**asked, kanban_break_glass=broken))
    assert given["kanban_break_glass"] == broken
    done = place.run(**given, kanban_approved_by="ana")
    assert done.rc == 0, done.output
    assert [event for phase, event in place.events if phase == "recover"] == ["override", "planned", "restored"]
    assert (
        place.db.value("SELECT data->>'reason' FROM kanban_rollback.events WHERE event = 'override'")
        == broken["reason"]
    )
    as_restored(damaged)


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_a_tag_that_is_on_its_card_again_is_named_and_left_out_where_that_is_asked_for(damaged: Damaged) -> None:
    place, db = damaged.place, damaged.place.db
    # By a newer row, which the old one would double; if the schema itself refuses that, the old one just stays away.
    db.rows('ALTER TABLE "TicketTags" DROP CONSTRAINT "TicketTags_ticketId_tagId_key"')
    again = db.rows(
        """INSERT INTO "TicketTags" (id, "ticketId", "tagId", "createdAt", "updatedAt")
           SELECT (q.r).id + 900000, (q.r)."ticketId", (q.r)."tagId", now(), now()
           FROM (SELECT unnest(%s::text[])::"TicketTags" AS r) AS q RETURNING id""",
        (sorted(set(damaged.then['"TicketTags"']) - set(damaged.now['"TicketTags"']))[:2],),
    )
    before = whole(db, *TABLES)
    asked = {**RESTORE, "kanban_restore_source": damaged.source}
    # A stop has validated the data before, because no check finds what is gone.
    validated = place.run()
    assert "the data is validated" in validated.screen, validated.output
    refused = place.run(**typed(place.run(**asked)), kanban_approved_by="ana")
    assert refused.rc != 0
    assert "restore NOT DONE: After the restore duplicate_ticket_tags counts 2 after 0" in refused.screen, (
        refused.output
    )
    assert "in the way: public.TicketTags: 2 rows that a check names: id" in refused.screen
    assert "-e kanban_restore_conflicts=skip" in refused.screen
    assert "what was to come back from the backup did not" in refused.screen
    assert not db.modules().ok("incident_info", incident_id=refused.incident)["validation"]["passed"]
    assert whole(db, *TABLES) == before
    given = typed(place.run(**asked, kanban_restore_conflicts="skip"))
    assert given["kanban_restore_conflicts"] == "skip"
    done = place.run(**given, kanban_approved_by="ana")
    assert done.rc == 0, done.output
    assert f"{damaged.coming - len(again)} rows came back, the data is validated" in done.screen
    assert "public.TicketTags: 2 rows stay away, for a check names them (superseded), for instance id" in done.screen


@pytest.mark.drill
@pytest.mark.timeout(600)
def test_rows_that_went_with_what_they_belong_to_are_no_sound_data(damaged: Damaged) -> None:
    place, db = damaged.place, damaged.place.db
    # Tickets are not asked for. Tags that are only off their cards come back; the rest belongs to tickets that went.
    lost = damaged.missing(TABLES[2]) - UNTAGGED
    assert lost
    place.variables["kanban_restore_tables"] = ["TicketTags"]
    only = {**RESTORE, "kanban_restore_source": damaged.source}
    some = typed(place.run(**only))
    assert place.run(**some, kanban_approved_by="ana").rc == 0
    run = place.run(**only)
    assert run.rc == 0, run.output
    for words in (
        "Before anything is repaired or released: the data on db1 is not validated",
        f"{lost} rows of the backup are gone and nothing would bring them back",
        f"data NOT VALIDATED: public.TicketTags: {lost} rows of the backup are gone and nothing brings them back",
        "where its table, too, stands in kanban_restore_tables",
    ):
        assert words in run.screen, run.output
    assert "the data is validated" not in run.screen
    assert not db.modules().ok("incident_info", incident_id=run.incident)["validation"]["passed"]


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_killed_at_each_task_it_is_as_before_or_as_approved_and_the_next_run_goes_on(damaged: Damaged) -> None:
    place, db = damaged.place, damaged.place.db
    place.variables["kanban_sweep_seconds"] = 1
    given = typed(place.run(**RESTORE, kanban_restore_source=damaged.source))
    states = [damaged.now]

    def left(task: str) -> None:
        state = place.left(task)
        if state != states[-1]:
            states.append(state)

    done, tasks = killed_in_turn(
        lambda: place.start(**given, kanban_approved_by="ana"), left, moments=EACH, since="5. Assess"
    )
    assert done.rc == 0, done.output
    for words in ("Compare with the backup", "Restore by the approved plan", "Compare every row with the dump"):
        assert any(words in task for task in tasks), tasks
    assert "the data is validated" in done.screen
    assert len(states) == 2, "before, and as approved"
    assert whole(db, *TABLES) == states[-1]
    assert [event for _phase, event in place.events if event == "restored"] == ["restored"]
