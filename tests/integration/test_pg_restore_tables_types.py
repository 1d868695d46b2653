# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of every kind come back exactly, even if the table has changed since it was backed up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.place import Database
from tests.integration.repairs import whole
from tests.integration.restores import backup, codes, compare, figures, make, ready, restore, table

_TYPES = (
    "CREATE TYPE mood AS ENUM ('open', 'it''s \"closed\"')",
    "CREATE TYPE place AS (street text, number integer)",
    "CREATE DOMAIN short AS varchar(20) CHECK (length(VALUE) > 0)",
    r"""CREATE TABLE kinds (
      id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "a ""b"" %% c" text, e mood, es mood[], n numeric, f float8,
      j json, jb jsonb, b bytea, t timestamptz, d date, i interval, x xml, p point, u uuid, ip inet, r int4range,
      v varchar(5), c char(5), o boolean, m place, s short, ts tsvector, arr text[], "ctid_" text,
      doubled integer GENERATED ALWAYS AS (1 + length(v)) STORED)""",
    r"""INSERT INTO kinds ("a ""b"" %% c", e, es, n, f, j, jb, b, t, d, i, x, p, u, ip, r, v, c, o, m, s, ts, arr)
      VALUES (E'tab\tline\nback\\slash \\N \\. "q" {x} %%s \r Olá', 'it''s "closed"', '{open,NULL}', 1.50, 0.1,
              '{"b": 1,  "a": [null, "x"]}', '{"b": 1.0, "a": "\u00e1"}', '\x00ff0a5c', '2026-01-01 00:00:00.123456+03',
              '0044-03-15 BC', '1 mon -2 days 03:04:05.6', '<a>x</a>', '(1,2)', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
              '10.0.0.0/8', '[1,5)', 'abc', 'ab', true, '("R. 1",5)', 'short', 'a fat cat', '{"x,y",NULL,""}')""",
    "INSERT INTO kinds (n, f, j) VALUES ('NaN', '-Infinity', 'null'), (0, '-0', '\"\"'), (NULL, NULL, NULL)",
    "INSERT INTO kinds (es, arr, v) VALUES ('{}', '{}', ''), (NULL, '{{a,b},{c,d}}', NULL)",
)


def kinds(db: Database) -> None:
    make(db, *(statement.replace("%%", "%") for statement in _TYPES))


@pytest.mark.parametrize("kind", ["dump", "plain"])
@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_every_type_comes_back_to_the_letter(db: Database, directory: Path, kind: str, key: bool) -> None:
    kinds(db)
    if not key:
        make(db, "ALTER TABLE kinds DROP CONSTRAINT kinds_pkey", "INSERT INTO kinds (v) VALUES ('x'), ('x')")
    then = whole(db)
    source = backup(db, directory, kind, "kinds")
    modules = ready(db)
    # What is the same reads as the same.
    assert figures(compare(modules, source, "kinds"), "kinds") == {}
    make(db, "DELETE FROM kinds WHERE id <> 3")
    done = restore(modules, source, "kinds", max_fraction=1.0)
    assert done["restored"] == len(then["kinds"]) - 1
    assert whole(db) == then
    assert [text for text in done["warnings"] if "made something else" in text] == []
    modules.ok("pg_restore_tables", state="undone")
    assert db.value("SELECT count(*) FROM kinds") == 1


def test_every_type_gets_its_old_value_back(db: Database, directory: Path) -> None:
    kinds(db)
    make(db, "CREATE TABLE plain AS TABLE kinds", "ALTER TABLE plain ADD PRIMARY KEY (id)")
    then = whole(db)["plain"]
    source = backup(db, directory, "dump", "plain")
    names = [
        row[0]
        for row in db.rows("SELECT attname::text FROM pg_attribute WHERE attrelid = 'plain'::regclass AND attnum > 1")
    ]
    sets = ", ".join('"{}" = o."{}"'.format(*[name.replace('"', '""')] * 2) for name in names)
    # Each row gets the values of another one.
    make(db, f"UPDATE plain AS p SET {sets} FROM kinds AS o WHERE o.id = 1 + p.id % (SELECT max(id) FROM kinds)")
    modules = ready(db)
    before = whole(db)
    found = compare(modules, source, "plain", changed="restore", max_fraction=1.0)
    assert figures(found, "plain")["changed"] == len(then)
    restore(modules, source, "plain", changed="restore", max_fraction=1.0)
    assert whole(db)["plain"] == then
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_json_that_is_written_otherwise_and_a_number_of_more_digits_are_changes(db: Database, directory: Path) -> None:
    make(
        db,
        "CREATE TABLE t (id integer PRIMARY KEY, j json, n numeric)",
        """INSERT INTO t VALUES (1, '{"a": 1}', 1.0)""",
    )
    make(db, "INSERT INTO t VALUES (2, '[]', 1), (3, NULL, NULL)")
    source = backup(db, directory, "dump", "t")
    make(db, """UPDATE t SET j = '{"a":1}' WHERE id = 1""", "UPDATE t SET n = 1.00 WHERE id = 2")
    found = table(compare(ready(db), source, "t"), "t")
    assert found["columns"] == [{"column": "j", "rows": 1}, {"column": "n", "rows": 1}]


@pytest.mark.parametrize("kind", ["dump", "custom", "plain"])
@pytest.mark.parametrize("key", [True, False], ids=["key", "no key"])
def test_a_partitioned_table(db: Database, directory: Path, kind: str, key: bool) -> None:
    primary = ", PRIMARY KEY (id, at)" if key else ""
    make(
        db,
        f"CREATE TABLE logs (id integer, at date NOT NULL, x text{primary}) PARTITION BY RANGE (at)",
        "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        # Attached later, with its columns in another order.
        "CREATE TABLE logs_2 (x text, at date NOT NULL, id integer" + (" NOT NULL)" if key else ")"),
        "ALTER TABLE logs ATTACH PARTITION logs_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01')",
        "INSERT INTO logs SELECT g, '2026-01-01'::date + g, 'x' || g FROM generate_series(1, 50) AS g",
    )  # fmt: skip
    then = whole(db)
    source = backup(db, directory, kind, *(["logs"] if kind == "dump" else []))
    make(db, "DELETE FROM logs WHERE id % 5 = 0", "INSERT INTO logs VALUES (99, '2026-02-20', 'new')")
    modules = ready(db)
    before = whole(db)
    done = restore(modules, source, "logs")
    assert (done["restored"], figures(done, "logs")) == (10, {"missing": 10, "newer": 1})
    assert set(whole(db)["logs"]) - set(then["logs"]) == {"(99,2026-02-20,new)"}
    assert len(whole(db)["logs"]) == len(then["logs"]) + 1
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before


def test_a_column_that_came_since_and_one_that_went(db: Database, directory: Path) -> None:
    make(
        db,
        "CREATE TABLE t (id integer PRIMARY KEY, old text, kept text)",
        "INSERT INTO t VALUES (1, 'a', 'k'), (2, 'b', 'k')",
    )
    make(db, "INSERT INTO t VALUES (3, 'c', 'k')")
    source = backup(db, directory, "dump", "t")
    make(
        db,
        "ALTER TABLE t DROP old, ADD added text DEFAULT 'default', ADD at integer",
        "UPDATE t SET added = 'mine', kept = 'x' WHERE id = 2",
        "DELETE FROM t WHERE id = 1",
    )
    modules = ready(db)
    before = whole(db)
    done = restore(modules, source, "t", changed="restore", max_fraction=1.0)
    one = table(done, "t")
    assert (one["dropped_columns"], one["added_columns"]) == (["old"], ["added", "at"])
    assert whole(db)["t"] == ["(1,k,default,)", "(2,k,mine,)", "(3,k,default,)"]
    assert len([text for text in done["warnings"] if "old" in text or "added" in text]) == 2
    modules.ok("pg_restore_tables", state="undone")
    assert whole(db) == before
    # There would be nothing to write into this column.
    make(db, "ALTER TABLE t ADD needed integer", "UPDATE t SET needed = 1", "ALTER TABLE t ALTER needed SET NOT NULL")
    assert codes(compare(modules, source, "t", max_fraction=1.0)) == ["no_default"]


def test_a_column_of_another_type_by_now(db: Database, directory: Path) -> None:
    make(db, "CREATE TABLE t (id integer PRIMARY KEY, n text)", "INSERT INTO t VALUES (1, '1'), (2, '2')")
    source = backup(db, directory, "dump", "t")
    make(db, "ALTER TABLE t ALTER n TYPE integer USING n::integer", "DELETE FROM t WHERE id = 2")
    modules = ready(db)
    restore(modules, source, "t")
    assert whole(db)["t"] == ["(1,1)", "(2,2)"]
    make(db, "CREATE TYPE tone AS ENUM ('x')", "ALTER TABLE t ALTER n TYPE tone USING 'x'")
    given: dict[str, Any] = {"source": source, "tables": ["t"]}
    told = modules.fails("dump_does_not_fit", "pg_restore_tables", check=True, **given)
    assert told["table"] == "public.t"


def test_a_key_that_was_none_then(db: Database, directory: Path) -> None:
    make(
        db,
        "CREATE TABLE t (id integer NOT NULL, x text)",
        "INSERT INTO t VALUES (1, 'a'), (1, 'b'), (2, 'c'), (2, 'c')",
    )
    source = backup(db, directory, "dump", "t")
    make(db, "DELETE FROM t WHERE id = 2 OR x = 'b'", "ALTER TABLE t ADD PRIMARY KEY (id)")
    assert codes(compare(ready(db), source, "t", max_fraction=1.0)) == ["not_unique"]


def test_another_encoding(db: Database, directory: Path) -> None:
    make(db, "CREATE TABLE t (id integer PRIMARY KEY, x text)", "INSERT INTO t VALUES (1, 'ação'), (2, 'é')")
    then = whole(db)
    source = backup(db, directory, "plain", "t", arguments=["--encoding=LATIN1"])
    make(db, "DELETE FROM t WHERE id = 1")
    restore(ready(db), source, "t")
    assert whole(db) == then
