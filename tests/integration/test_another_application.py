# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/another-application.md exactly as written: its schema, its inventory, and its commands in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from tests.documents.commands import Play, commands_of, form, wanted
from tests.integration import playbook
from tests.integration.another import DOCUMENT, Helpdesk, block, blocks, helpdesk, unsaid
from tests.integration.module import ROOT
from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.test_recovery import hash_of
from tests.playbooks.runner import Run

# Counted by hand, from what the document's SQL inserts.
DAMAGE = {
    "orphan_tags": 1,
    "duplicate_ticket_tags": 2,
    "tags_of_other_companies": 1,
    "tickets_in_two_lanes": 4,
    "next_lanes_that_are_gone": 1,
    "tickets_without_card": 1,
}
APPROVED = {"kanban_recovery": "surgical", "kanban_approved_by": "ana"}
TABLES = ('"Tags"', '"Tickets"', '"TicketTags"')
BLOCK = "agenda:emergency:write-block"
READ = """
- name: Read it
  hosts: db
  gather_facts: false
  module_defaults:
    group/chatia.kanban_rollback.postgresql: "{{ __kanban_postgresql }}"
    chatia.kanban_rollback.feature_flag_info: "{{ __kanban_flag }}"
  roles: [chatia.kanban_rollback.kanban]
  tasks:
    - name: Who is on
      chatia.kanban_rollback.feature_flag_info: {}
      register: flag
    - name: What is corrupt
      chatia.kanban_rollback.integrity_info:
        checks: "{{ __kanban_integrity_checks }}"
      register: integrity
    - name: Keep it
      ansible.builtin.copy:
        content: "{{ {'flag': flag, 'integrity': integrity} | to_json }}"
        dest: "{{ result_file }}"
        mode: "0600"
"""


@pytest.fixture
def place() -> Iterator[Helpdesk]:
    with helpdesk() as made:
        yield made


def flags(place: Helpdesk) -> list[tuple[int | None, str | None]]:
    """Return the rows of the flag, read without any code of the collection."""
    rows = place.db.rows(
        """SELECT "companyId", value FROM "Settings" WHERE key = 'agendaEnabled' ORDER BY 1 NULLS LAST, 2"""
    )
    return [(row[0], row[1]) for row in rows]


def refused(place: Helpdesk, statement: str) -> bool:
    """Tell whether the fence refuses a statement of the application, which is a superuser here."""
    try:
        place.db.rows(statement)
    except psycopg2.Error as error:
        if error.pgcode != "KB001":
            raise
        return True
    return False


def sound(place: Helpdesk) -> bool:
    """Tell whether what the agenda has broken is repaired, by this test's own queries."""
    found = place.db.rows("""
        SELECT (SELECT count(*) FROM (SELECT FROM "TicketTags" l JOIN "Tags" t ON t.id = l."tagId" AND t.kanban = 1
                                      GROUP BY l."ticketId" HAVING count(*) > 1) AS twice),
               (SELECT count(*) FROM "TicketTags" l JOIN "Tags" t ON t.id = l."tagId"
                JOIN "Tickets" k ON k.id = l."ticketId" WHERE t."companyId" IS DISTINCT FROM k."companyId"),
               (SELECT count(*) FROM "Tags" WHERE "companyId" IS NULL),
               (SELECT count(*) FROM "Tags" WHERE "nextLaneId" NOT IN (SELECT id FROM "Tags"))""")
    return bool(found == [(0, 0, 0, 0)])


def test_the_inventory_is_what_the_profile_takes() -> None:
    specs = yaml.safe_load((ROOT / "roles/profile/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
    given: dict[str, Any] = yaml.safe_load(block("yaml"))["all"]["vars"]
    told = ArgumentSpecValidator(specs["options"]).validate(given)
    assert told.error_messages == []


def test_its_flag_and_its_damage_are_read(place: Helpdesk) -> None:
    owner = {"kanban_postgresql_user": place.db.server.user, "kanban_postgresql_password": place.db.server.password}
    given = playbook.given(
        place.directory, {**place.places, **owner, "result_file": str(place.directory / "result.json")}
    )
    done = playbook.run(place.directory, playbook.written(place.directory, READ), "-i", "inventory.yml", *given)
    assert done.rc == 0, done.output
    told = playbook.kept(place.directory)
    # Company 4 has no row, and the default of all is on.
    assert (told["flag"]["total"], told["flag"]["tenants_on"]) == (6, ["1", "3", "4", "5"])
    assert told["flag"]["global_default"] == "on"
    counted = {check["name"]: check["count"] for check in told["integrity"]["checks"] if check["count"]}
    assert counted == DAMAGE


def test_the_queries_that_it_asks_with_are_answered(db: Database) -> None:
    db.rows(block("sql"))
    answers = [db.rows(query) for query in blocks("psql")]
    assert len(answers) == 5
    # One of them counts what came in since the statistics were last read.
    assert all(answers)
    assert ("agendaEnabled", "enabled", 4, 3) in answers[0]


@pytest.mark.drill
@pytest.mark.timeout(1800)
def test_what_the_document_says_is_done_in_its_order(place: Helpdesk) -> None:
    runs: list[Run] = []
    page = [line for line in commands_of(DOCUMENT.read_text()) if line.startswith("ansible-playbook ")]
    # What that command does is done below: it would install packages on its host as well.
    assert ".bootstrap " in page.pop(0)

    def typed(name: str, *options: str, **extra: Any) -> Run:
        asked = wanted(form(page.pop(0)))
        assert asked
        assert Play(name, frozenset(options), extra).covers(asked)
        runs.append(place.play(name, *options, **extra))
        assert runs[-1].rc == 0, runs[-1].output
        return runs[-1]

    settings = place.db.snapshot('"Settings"', '"companyId"').texts
    flag_before, before = flags(place), whole(place.db, *TABLES)
    bootstrapped = place.bootstrap()
    assert bootstrapped.rc == 0, bootstrapped.output
    place.back_up()
    typed("preflight")
    typed("scenario3", "--check", "--diff")
    assert (flags(place), whole(place.db, *TABLES)) == (flag_before, before)

    stopped = typed("scenario3")
    # Both rows of 3, the word that nobody reads, and the global default; 6 has no value, and stays as it is.
    off = [(1, "disabled"), (2, "disabled"), (3, "disabled"), (3, "disabled"), (5, "disabled"), (6, None)]
    assert flags(place) == [*off, (None, "disabled")]
    for statement in ('DELETE FROM "TicketTags"', 'UPDATE "Tags" SET name = name', 'DELETE FROM "Tickets"'):
        assert refused(place, f"{statement} WHERE false")
    assert not refused(place, """UPDATE "Tickets" SET "lastMessage" = "lastMessage" WHERE id = 1""")
    with place.cache.client() as client:
        assert client.get(BLOCK) == "true"
    assert whole(place.db, *TABLES) == before

    repaired = typed("scenario3", **APPROVED, kanban_plan_hash=hash_of(stopped))
    assert "the data is validated" in repaired.screen
    assert sound(place)
    # Nothing else was touched: ticket 120 still has no card, and nobody's last message has changed.
    assert place.db.value('SELECT count(*) FROM "TicketTags"') == len(before['"TicketTags"']) - 9
    assert whole(place.db, '"Tickets"')['"Tickets"'] == before['"Tickets"']

    typed("release")
    assert not refused(place, 'DELETE FROM "TicketTags" WHERE false')
    with place.cache.client() as client:
        assert client.exists(BLOCK) == 0
    typed("scenario3", kanban_recovery="undo", kanban_approved_by="ana")
    assert whole(place.db, *TABLES) == before
    assert refused(place, 'DELETE FROM "TicketTags" WHERE false')

    typed("reenable", kanban_reenable="all")
    assert not refused(place, 'DELETE FROM "TicketTags" WHERE false')
    assert place.db.snapshot('"Settings"', '"companyId"').texts == settings
    assert page == []
    assert unsaid(runs) == []
