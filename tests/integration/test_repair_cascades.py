# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes along with rows that are deleted is planned, kept and brought back, exactly, whatever its type."""

from __future__ import annotations

from typing import Any

from tests.integration.module import failed
from tests.integration.place import Database
from tests.integration.repairs import parts, plan, ready, repair, undo, whole

ORPHANS: dict[str, Any] = {
    "name": "orphan_tags",
    "kind": "orphan",
    "table": "Tags",
    "column": "companyId",
    "references": {"table": "Companies", "column": "id"},
}
_TABLES = (
    'CREATE TABLE "Companies" (id integer PRIMARY KEY)',
    'CREATE TABLE "Tags" (id integer PRIMARY KEY, "companyId" integer)',
    'INSERT INTO "Companies" VALUES (1)',
    'INSERT INTO "Tags" SELECT g, CASE WHEN g > 2 THEN 1 ELSE 9 END FROM generate_series(0, 20) AS g',
)


def board(db: Database, *more: str) -> None:
    """Make companies and tags; 1 and 2 are orphans, and 0, the default of some, is not."""
    for statement in (*_TABLES, 'UPDATE "Tags" SET "companyId" = 1 WHERE id = 0', *more):
        db.rows(statement)


def link(name: str, effect: str, column: str = '"tagId" integer') -> list[str]:
    """Return the statements for a table whose rows refer to tags: 2 to each, and no key."""
    return [
        f'CREATE TABLE {name} ({column} REFERENCES "Tags" ON DELETE {effect}, note text)',
        f"INSERT INTO {name} SELECT g / 2, 'n' || g FROM generate_series(0, 41) AS g",
    ]


def test_cascades_of_every_kind(db: Database) -> None:
    board(
        db,
        *link("goes", "CASCADE"),
        *link("nulls", "SET NULL"),
        *link("defaults", "SET DEFAULT", '"tagId" integer DEFAULT 0'),
        "ALTER TABLE goes ADD id serial PRIMARY KEY",
        "CREATE TABLE deeper (a integer REFERENCES goes (id) ON DELETE CASCADE)",
        "INSERT INTO deeper SELECT g FROM generate_series(1, 10) AS g",
    )
    modules = ready(db, ["Tags"])
    before = whole(db)
    planned = plan(modules, [ORPHANS])
    assert sorted(parts(planned)) == [
        ("orphan_tags", "Tags", "delete", 2, None),
        ("orphan_tags", "deeper", "delete", 4, "CASCADE"),
        ("orphan_tags", "defaults", "update", 4, "SET DEFAULT"),
        ("orphan_tags", "goes", "delete", 4, "CASCADE"),
        ("orphan_tags", "nulls", "update", 4, "SET NULL"),
    ]
    assert {row["table"] for row in planned["plan"]["unindexed"]} >= {"public.nulls", "public.deeper"}
    assert whole(db) == before
    done = repair(modules, [ORPHANS])
    assert done["quarantined"] == 18
    assert len(whole(db)["deeper"]) == 6
    assert db.value('SELECT count(*) FROM nulls WHERE "tagId" IS NULL') == 4
    assert db.value('SELECT count(*) FROM defaults WHERE "tagId" = 0') == 2 + 4
    undo(modules)
    assert whole(db) == before


def test_a_key_that_forbids_it_is_said_beforehand(db: Database) -> None:
    board(db, *link("refers", "NO ACTION"), *link("cannot", "SET NULL", '"tagId" integer NOT NULL'))
    modules = ready(db, ["Tags"])
    before = whole(db)
    planned = plan(modules, [ORPHANS])
    assert sorted((row["code"], row["table"], row["rows"]) for row in planned["plan"]["refused"]) == [
        ("restricted", "public.cannot", 4),
        ("restricted", "public.refers", 4),
    ]
    modules.fails("restricted", "integrity_repair", checks=[ORPHANS], plan_hash=planned["plan_hash"])
    assert whole(db) == before
    # Rows that a check of their own mends no longer forbid it.
    first = [
        {
            "name": name,
            "kind": "orphan",
            "table": name,
            "column": "tagId",
            "references": {"table": "mended", "column": "id"},
        }
        for name in ("refers", "cannot")
    ]
    db.rows('CREATE VIEW nothing AS SELECT 1; CREATE TABLE mended AS SELECT id FROM "Tags" WHERE "companyId" = 1')
    modules.ok("write_fence", tables=["Tags", "refers", "cannot"])
    assert repair(modules, [*first, ORPHANS])["quarantined"] == 2 + 4 + 4
    undo(modules)
    assert whole(db, '"Tags"', "refers", "cannot") == {name: before[name] for name in ('"Tags"', "refers", "cannot")}


def test_rows_that_refer_to_themselves_and_partitions(db: Database) -> None:
    board(
        db,
        'ALTER TABLE "Tags" ADD above integer REFERENCES "Tags" ON DELETE CASCADE',
        'UPDATE "Tags" SET above = CASE id WHEN 5 THEN 1 WHEN 6 THEN 5 WHEN 7 THEN 6 END',
        'CREATE TABLE parts ("tagId" integer REFERENCES "Tags" ON DELETE CASCADE, kind text) PARTITION BY LIST (kind)',
        'CREATE TABLE parts_a (kind text, "tagId" integer)',
        "ALTER TABLE parts ATTACH PARTITION parts_a FOR VALUES IN ('a')",
        "CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b')",
        "INSERT INTO parts SELECT g % 10, CASE WHEN g % 3 = 0 THEN 'a' ELSE 'b' END FROM generate_series(1, 100) AS g",
    )
    modules = ready(db, ["Tags"])
    before = whole(db)
    done = repair(modules, [ORPHANS])
    assert sorted(parts(done)) == [
        ("orphan_tags", "Tags", "delete", 2, None),
        ("orphan_tags", "Tags", "delete", 3, "CASCADE"),
        ("orphan_tags", "parts", "delete", 50, "CASCADE"),
    ]
    undo(modules)
    assert whole(db) == before


def test_a_row_of_every_type_comes_back_exactly(db: Database) -> None:
    db.rows("CREATE TYPE mood AS ENUM ('a', 'b, (c)')")
    db.rows("CREATE DOMAIN short AS varchar(9) CHECK (VALUE <> 'x')")
    db.rows("CREATE TYPE pair AS (a text, b numeric[])")
    # Both came with PostgreSQL 14.
    several, endless = ("int4multirange", "Infinity") if db.version >= 14 else ("text", "NaN")
    board(
        db,
        """CREATE TABLE odd (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
           "tagId" integer REFERENCES "Tags" ON DELETE CASCADE, dropped text, m mood, s short, p pair, j json, jb jsonb,
           b bytea, n numeric, f8 float8, f4 float4, ts timestamptz, naive timestamp, d date, t timetz, i interval,
           ip inet, u uuid, x text[], bits varbit, r int4range, mr int4multirange, mo money, v tsvector, pt point,
           c "char", names name, g integer GENERATED ALWAYS AS (id * 2) STORED, "we ird""%" text DEFAULT 'z')
        """.replace("int4multirange", several),
        "ALTER TABLE odd DROP dropped",
        r"""INSERT INTO odd ("tagId", m, s, p, j, jb, b, n, f8, f4, ts, naive, d, t, i, ip, u, x, bits, r, mr, mo, v,
             pt, c, names, "we ird""%") VALUES (1, 'b, (c)', '', ROW('q"\', ARRAY[1.10, 'NaN'])::pair,
             '{"a":1,  "a":2, "b":"\u0041"}', '{"k": [null]}',
             '\x00ff5c27', 12345678901234567890.123400, 0.1::float8 + 0.2, 1.1::float4,
             '2026-01-01 00:00:00.123456-03', 'infinity', '0044-03-15 BC',
             '10:00:00.5-03', '1 mon -3 days 04:05:06.789',
             '10.0.0.1/8', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', ARRAY['a,b', NULL, 'NULL', '', E'\n\t"\\{}', '日本'],
             B'10101', '[1,5)', '{[1,3),[7,9)}', 12.34, 'a:1A b', '(0.1,1e-300)', 'y', 'n m', E'%s %(x)s \\ '' " é'),
           (2, NULL, NULL, ROW(NULL, NULL)::pair, 'null', 'null', '', 'Infinity', 'NaN', '-0',
             '-infinity', NULL, 'infinity', NULL, NULL, NULL, NULL, '{}', '', 'empty',
             '{}', NULL, '', NULL, '', '', NULL)""".replace("'', 'Infinity'", f"'', '{endless}'"),
    )
    modules = ready(db, ["Tags"])
    db.rows("ALTER DATABASE " + db.name + " SET extra_float_digits = -15")
    db.rows("ALTER DATABASE " + db.name + " SET DateStyle = 'SQL, DMY'")
    bytes_of = """SELECT array_agg(encode(record_send(odd), 'hex') ORDER BY id) FROM odd"""
    before, texts = db.value(bytes_of), whole(db)
    sequence = db.value("SELECT last_value FROM odd_id_seq")
    assert repair(modules, [ORPHANS], max_fraction=1)["quarantined"] == 4
    assert db.value("SELECT count(*) FROM odd") == 0
    undo(modules)
    assert db.value(bytes_of) == before
    assert whole(db) == texts
    assert db.value("SELECT last_value FROM odd_id_seq") == sequence


def test_what_a_trigger_keeps_back_ends_it_all(db: Database) -> None:
    board(db, *link("goes", "CASCADE"))
    db.rows("CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    db.rows("CREATE TRIGGER keep BEFORE DELETE ON goes FOR EACH ROW WHEN (OLD.note = 'n3') EXECUTE FUNCTION keep()")
    modules = ready(db, ["Tags"])
    before = whole(db)
    planned = plan(modules, [ORPHANS])
    assert planned["plan"]["triggers"] == ["goes.keep"]
    result = modules.run("integrity_repair", checks=[ORPHANS], plan_hash=planned["plan_hash"])
    failed(result, "not_as_planned")
    assert whole(db) == before
    assert db.value("SELECT count(*) FROM kanban_rollback.quarantined") == 0


def test_tables_that_others_inherit_from_are_refused(db: Database) -> None:
    board(db, 'CREATE TABLE more (extra text) INHERITS ("Tags")', "INSERT INTO more VALUES (99, 9, 'x')")
    modules = ready(db, ["Tags"])
    before = whole(db)
    modules.fails("inherited", "integrity_repair", True, checks=[ORPHANS])
    assert whole(db) == before
