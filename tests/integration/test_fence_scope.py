# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a raised fence refuses and what passes: for whom, by which statement, on which relation."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest

from tests.integration.fences import INBOUND, MOVES, TABLES, board, refused, run, table
from tests.integration.place import Database

KINDS = pytest.mark.parametrize("dormant", [True, False], ids=["dormant", "on demand"])
PARTITIONED = (
    'CREATE TABLE moves (id integer, at date, lane integer, note text, "odd ""name%" text) PARTITION BY RANGE (at)',
    "CREATE TABLE moves_1 PARTITION OF moves FOR VALUES FROM ('2026-01-01') TO ('2026-07-01') PARTITION BY HASH (id)",
    "CREATE TABLE moves_1_a PARTITION OF moves_1 FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE moves_1_b PARTITION OF moves_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
    "CREATE TABLE moves_2 PARTITION OF moves FOR VALUES FROM ('2026-07-01') TO ('2027-01-01')",
    "INSERT INTO moves SELECT g, '2026-02-01', 1, '' FROM generate_series(1, 4) AS g",
)
RELATIONS = ["public.moves", "public.moves_1", "public.moves_1_a", "public.moves_1_b", "public.moves_2"]


@KINDS
def test_moves_are_refused_and_inbound_messages_are_not(db: Database, dormant: bool) -> None:
    fence = board(db)
    if dormant:
        installed = fence.ok("write_fence", state="dormant")
        assert (installed["status"], installed["kind"], installed["changed"]) == ("dormant", "dormant", True)
        assert refused(db, (*MOVES, *INBOUND)) == []
    done = fence.ok("write_fence", incident_id="INC-1", operator="ana")
    assert (done["status"], done["changed"], done["incident_id"]) == ("proven", True, "INC-1")
    assert done["kind"] == ("dormant" if dormant else "on_demand")
    assert refused(db, (*MOVES, *INBOUND)) == list(MOVES)
    assert table(done, "Tags")["refused"] == ["INSERT", "UPDATE", "DELETE"]
    assert table(done, "Tags")["proof"]["TRUNCATE"] == "catalog"
    assert table(done, "Tickets")["refused"] == ["UPDATE", "DELETE"]
    assert table(done, "Tickets")["columns"] == ["kanbanLane", "kanbanOrder"]
    counted = "SELECT n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables WHERE relname = 'TicketTags'"
    assert tuple(done["counters"]["public.TicketTags"].values()) == db.rows(counted)[0]
    assert done["counters"]["public.TicketTags"]["inserted"] >= 20
    assert done["drained_at"] > done["raised_at"]
    assert done["raised_ms"] < 5000

    again = fence.ok("write_fence", incident_id="INC-1")
    assert (again["status"], again["changed"], again["raised_ms"]) == ("proven", False, None)
    for name in ("raised_at", "drained_at", "lsn", "counters"):
        assert again[name] == done[name], name

    lowered = fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert (lowered["status"], lowered["changed"]) == ("lowered" if dormant else "absent", True)
    assert refused(db, (*MOVES, *INBOUND)) == []
    again = fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert (again["status"], again["changed"]) == ("dormant" if dormant else "absent", False)


def test_the_message_tells_an_applications_log_why(db: Database) -> None:
    incident = "INC-%s'1\\"
    board(db).ok("write_fence", incident_id=incident, operator='ana "%s"')
    with db.connect() as session, session.cursor() as cursor, pytest.raises(psycopg2.Error) as caught:
        cursor.execute("""UPDATE "Tickets" SET "kanbanLane" = 2""")
    said = caught.value.diag
    assert (said.sqlstate, said.schema_name, said.table_name) == ("KB001", "public", "Tickets")
    assert said.message_primary == f'kanban is write-protected: incident {incident} (UPDATE of "Tickets" refused)'
    assert (said.message_detail or "").endswith('raised by ana "%s".')
    assert "Do not retry" in (said.message_hint or "")


def test_every_way_to_write(db: Database) -> None:
    board(db, 'CREATE VIEW tags_view AS SELECT * FROM "Tags"').ok("write_fence", incident_id="INC-1")
    upsert = 'INSERT INTO "Tickets" (id, "companyId") VALUES (1, 1) ON CONFLICT (id) DO UPDATE SET '
    merge = 'MERGE INTO "Tickets" t USING (VALUES (1)) v (id) ON t.id = v.id WHEN MATCHED THEN '
    stopped = [
        'COPY "TicketTags" FROM STDIN',
        f'{upsert} "kanbanLane" = 3',
        f'{merge} UPDATE SET "kanbanLane" = 3',
        f"{merge} DELETE",
        'WITH gone AS (DELETE FROM "TicketTags" RETURNING *) SELECT count(*) FROM gone',
        "UPDATE tags_view SET name = 'x'",
        'UPDATE "Tickets" SET "kanbanLane" = 2 WHERE false',
        # Cascades, though nothing is written to a fenced table by name.
        'DELETE FROM "Companies" WHERE id = 1',
        'TRUNCATE "Companies" CASCADE',
    ]
    passing = [
        f"""{upsert} "lastMessage" = 'x'""",
        f"""{merge} UPDATE SET "lastMessage" = 'x'""",
        'SELECT * FROM "TicketTags" FOR UPDATE',
        'ANALYZE "TicketTags"',
    ]
    assert refused(db, [*stopped, *passing]) == stopped


@pytest.mark.parametrize("role", ["superuser", "replica", "owner", "writer"])
def test_nobody_passes(db: Database, role: str) -> None:
    fence = board(db)
    fence.ok("write_fence", state="dormant")
    fence.ok("write_fence", incident_id="INC-1")
    name = None
    if role in ("owner", "writer"):
        name = db.role(role, 'ALL ON "TicketTags"', 'ALL ON "Tags"', 'ALL ON "Tickets"')
        if role == "owner":
            db.rows(f'ALTER TABLE "TicketTags" OWNER TO {name}')
    with db.as_role(name) if name else db.connect() as session:
        if role == "replica":
            session.cursor().execute("SET session_replication_role = replica")
        # Anybody may make the setting; alone it is not enough.
        if name:
            session.cursor().execute("SET kanban_rollback.passage = 'INC-1'")
        session.commit()
        assert run(session, MOVES[0]) == "KB001"
    db.rows('ALTER TABLE "TicketTags" OWNER TO postgres')
    db.rows(f"DROP OWNED BY {name}") if name else None


def test_the_passage_needs_the_setting_and_the_role(db: Database) -> None:
    fence = board(db)
    rights = [f'ALL ON "{name}"' for name in ("Companies", "TicketTags", "Tags", "Tickets")]
    mender, other = db.role("mender", *rights), db.role("other", *rights)
    fence.ok("write_fence", state="dormant", grant_to=[mender])
    fence.ok("write_fence", incident_id="INC-1")
    cascade = 'DELETE FROM "Companies" WHERE id = 1'
    for role, passage, ends in (
        (mender, "INC-1", None),
        (mender, "INC-2", "KB001"),
        (mender, "", "KB001"),
        (other, "INC-1", "KB001"),
    ):
        with db.as_role(role) as session, session.cursor() as cursor:
            cursor.execute("SELECT set_config('kanban_rollback.passage', %s, false)", (passage,))
            for statement in (*MOVES[:3], cascade):
                assert run(session, statement) == ends, (role, passage, statement)
    # Dropping the role must not turn a refusal into another error.
    fence.ok("write_fence", state="absent", purge=True, incident_id="INC-1")


@KINDS
def test_partitions_are_fenced_one_by_one(db: Database, dormant: bool) -> None:
    fence = board(db, *PARTITIONED, tables=[{"name": "moves", "columns": ["lane", 'odd "name%']}])
    if dormant:
        fence.ok("write_fence", state="dormant")
    done = fence.ok("write_fence", incident_id="INC-1")
    assert (done["status"], sorted(done["tables"][0]["relations"])) == ("proven", RELATIONS)
    relations = ["moves", "moves_1", "moves_1_a", "moves_2"]
    forms = ("UPDATE {} SET lane = 2", "DELETE FROM {}", "TRUNCATE {}", """UPDATE ONLY {} SET "odd ""name%" = '' """)
    stopped = [form.format(name) for name in relations for form in forms]
    stopped += ["INSERT INTO moves VALUES (9, '2026-02-01')", "INSERT INTO moves_2 VALUES (9, '2026-08-01')"]
    assert refused(db, [*stopped, "UPDATE moves SET note = 'x'", "UPDATE moves_1_a SET note = 'x'"]) == stopped
    assert done["counters"]["public.moves"]["inserted"] == 4
    assert fence.ok("write_fence", incident_id="INC-1")["changed"] is False
    fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert refused(db, stopped) == []


def test_a_partition_that_came_later_is_found_and_fenced(db: Database) -> None:
    fence = board(db, *PARTITIONED, tables=["moves"])
    fence.ok("write_fence", state="dormant")
    db.rows("CREATE TABLE moves_3 PARTITION OF moves FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')")
    told = fence.ok("write_fence_info")
    assert told["status"] == "not_fenced"
    assert "moves_3" in told["tables"][0]["reason"]
    done = fence.ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven"
    assert refused(db, ["DELETE FROM moves_3", "DELETE FROM moves_1_a"]) == [
        "DELETE FROM moves_3",
        "DELETE FROM moves_1_a",
    ]


def test_inheritance_children(db: Database) -> None:
    more = ('CREATE TABLE old_tags () INHERITS ("Tags")', "INSERT INTO old_tags VALUES (99, 'x')")
    fence = board(db, *more, tables=["tags"])
    db.rows('ALTER TABLE "Tags" RENAME TO tags')
    done = fence.ok("write_fence", incident_id="INC-1")
    assert done["tables"][0]["relations"] == ["public.tags", "public.old_tags"]
    stopped = ["DELETE FROM old_tags", "DELETE FROM tags", "UPDATE ONLY tags SET name = ''"]
    assert refused(db, stopped) == stopped


@KINDS
def test_when_changed_lets_full_row_saves_pass(db: Database, dormant: bool) -> None:
    tables: list[Any] = [
        {
            "name": "Tickets",
            "columns": ["kanbanLane", "extra"],
            "operations": ["update", "delete"],
            "when_changed": True,
        },
        {"name": "moves", "columns": ["lane"], "operations": ["UPDATE"], "when_changed": True},
    ]
    shift = """CREATE FUNCTION shift() RETURNS trigger LANGUAGE plpgsql AS
               'BEGIN IF NEW."lastMessage" = ''shift'' THEN NEW."kanbanLane" := 77; END IF; RETURN NEW; END'"""
    more = (
        *PARTITIONED,
        """ALTER TABLE "Tickets" ADD extra json DEFAULT '{}'""",
        shift,
        'CREATE TRIGGER other BEFORE UPDATE ON "Tickets" FOR EACH ROW EXECUTE FUNCTION shift()',
    )
    fence = board(db, *more, tables=tables)
    if dormant:
        fence.ok("write_fence", state="dormant")
    done = fence.ok("write_fence", incident_id="INC-1")
    assert done["status"] == "proven", done
    assert table(done, "Tickets")["proof"] == {"UPDATE": "catalog", "DELETE": "canary"}
    assert table(done, "moves")["proof"] == {"UPDATE": "catalog"}
    stopped = [
        'UPDATE "Tickets" SET "kanbanLane" = 2, "lastMessage" = \'x\' WHERE id = 1',
        'UPDATE "Tickets" SET "kanbanLane" = NULL WHERE id = 1',
        """UPDATE "Tickets" SET extra = '{"a": 1}' WHERE id = 1""",
        """UPDATE "Tickets" SET "lastMessage" = 'shift' WHERE id = 1""",
        'DELETE FROM "Tickets" WHERE id = 1',
        "UPDATE moves SET lane = 2",
        "UPDATE moves_1_a SET lane = 2",
        "UPDATE moves SET lane = 2, at = '2026-08-01'",
    ]
    passing = [
        """UPDATE "Tickets" SET "kanbanLane" = 1, "kanbanOrder" = 5, extra = '{}', "lastMessage" = 'x' WHERE id = 1""",
        'INSERT INTO "Tickets" ("kanbanLane") VALUES (3)',
        "UPDATE moves SET at = '2026-08-01', lane = 1",
        "DELETE FROM moves",
    ]
    assert refused(db, [*stopped, *passing]) == stopped
    with db.connect() as session, session.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for statement in ('UPDATE "Tickets" SET "kanbanLane" = 2', "UPDATE moves_2 SET lane = 9"):
            assert run(session, statement) == ("KB001" if "Tickets" in statement else None)
        assert run(session, "UPDATE moves_1_b SET lane = 9") == run(session, "UPDATE moves SET lane = 9") == "KB001"
    fence.ok("write_fence", state="absent", incident_id="INC-1")
    assert refused(db, [*stopped, *passing]) == []


def test_entries_for_one_table_add_up(db: Database) -> None:
    fence = board(db, tables=[{"name": "tags_", "operations": ["DELETE"]}, {"name": "public.tags_", "columns": ["name"],
                  "operations": "UPDATE"}])  # fmt: skip
    db.rows('ALTER TABLE "Tags" RENAME TO tags_')
    done = fence.ok("write_fence", incident_id="INC-1")
    (only,) = done["tables"]
    assert (only["operations"], only["columns"]) == (["UPDATE", "DELETE"], ["name"])
    statements = ["DELETE FROM tags_", "UPDATE tags_ SET name = ''", "UPDATE tags_ SET id = 9 WHERE id = 5"]
    assert refused(db, statements) == statements[:2]


@pytest.mark.parametrize("state", ["present", "dormant"])
def test_a_table_that_is_not_there(db: Database, state: str) -> None:
    fence = board(db, tables=[*TABLES, "TicketTagz", {"name": "Companies", "columns": ["nam"]}])
    result = fence.fails("missing_table" if state == "dormant" else "not_fenced", "write_fence", state=state,
                         incident_id="INC-1")  # fmt: skip
    if state == "dormant":
        assert "TicketTags" in result["error"]["todo"]
        assert db.has_ledger() is False
        return
    # The others are raised anyway.
    assert refused(db, MOVES) == list(MOVES)
    assert (result["status"], result["changed"]) == ("not_fenced", True)
    assert table(result, "TicketTagz")["status"] == table(result, "Companies")["status"] == "not_fenced"
    assert "nam" in table(result, "Companies")["reason"]
    assert table(result, "Tickets")["status"] == "proven"
    only = fence.having(tables=["TicketTagz"])
    assert "TicketTags" in only.fails("missing_table", "write_fence", incident_id="INC-1")["error"]["todo"]


@pytest.mark.parametrize(
    "tables",
    [
        [{"name": "Tags", "operation": ["DELETE"]}],
        [{"name": "Tags", "operations": ["DROP"]}],
        [{"name": "Tags", "operations": ["DELETE"], "columns": ["name"]}],
        [{"name": "Tags", "when_changed": True}],
        [{"operations": ["DELETE"]}],
        [["Tags"]],
        [""],
    ],
)
def test_what_makes_no_sense_is_refused(db: Database, tables: list[Any]) -> None:
    board(db).fails("bad_tables", "write_fence", tables=tables, incident_id="INC-1")
    assert db.has_ledger() is False
