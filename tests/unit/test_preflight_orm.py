# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves of whole rows are told apart from moves by the text of the statement alone, as each ORM writes it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightorm import (
    Update,
    cut,
    plain,
    read_updates,
    saves_whole_row,
)

FENCED = ("laneId", "lane_id", "kanbanOrder")
MOVE = 'UPDATE "Tickets" SET "laneId"=$1,"kanbanOrder"=$2,"updatedAt"=$3 WHERE "id" = $4'

# Each save of a whole row, by its sender; all of them to Tickets or tickets.
SAVES = {
    "Sequelize save": 'UPDATE "Tickets" SET "id"=$1,"status"=$2,"companyId"=$3,"laneId"=$4,"kanbanOrder"=$5,'
    '"updatedAt"=$6 WHERE "id" = $7 RETURNING "id","status","companyId","laneId","kanbanOrder","updatedAt"',
    "Sequelize with a schema": 'UPDATE "public"."Tickets" SET "status"=$1,"unread"=$2,"userId"=$3,"laneId"=$4 '
    'WHERE ("id" = $5)',
    "Sequelize upsert": 'INSERT INTO "Tickets" ("id","status","laneId","createdAt","updatedAt") VALUES '
    '($1,$2,$3,$4,$5) ON CONFLICT ("id") DO UPDATE SET "status"=EXCLUDED."status","laneId"=EXCLUDED."laneId",'
    '"updatedAt"=EXCLUDED."updatedAt" RETURNING "id","status","laneId";',
    "TypeORM save": 'UPDATE "Tickets" SET "status" = $1, "title" = $2, "userId" = $3, "laneId" = $4, '
    '"updatedAt" = CURRENT_TIMESTAMP WHERE "id" IN ($5) RETURNING "updatedAt"',
    "TypeORM upsert": 'INSERT INTO "Tickets"("id", "status", "laneId", "createdAt") VALUES ($1, $2, $3, DEFAULT) '
    'ON CONFLICT ( "id" ) DO UPDATE SET "status" = EXCLUDED."status", "laneId" = EXCLUDED."laneId"  '
    'RETURNING "createdAt"',
    "Prisma update": 'UPDATE "public"."Tickets" SET "status" = $1, "title" = $2, "userId" = $3, "laneId" = $4 WHERE '
    '("public"."Tickets"."id" = $5 AND 1=1) RETURNING "public"."Tickets"."id", "public"."Tickets"."laneId" '
    "/* traceparent='00-0000000000000000000000000000000a-000000000000000a-01' */",
    "Prisma upsert": 'INSERT INTO "public"."Tickets" ("id","laneId") VALUES ($1,$2) ON CONFLICT ("id") DO UPDATE '
    'SET "laneId" = $3 WHERE ("public"."Tickets"."id" = $4 AND 1=1) RETURNING "public"."Tickets"."id"',
    "Knex, Objection": 'update "tickets" set "status" = $1, "title" = $2, "user_id" = $3, "lane_id" = $4 where '
    '"id" = $5',
    "Knex merge": 'insert into "tickets" ("id", "lane_id", "status") values ($1, $2, $3) on conflict ("id") do update '
    'set "id" = excluded."id", "lane_id" = excluded."lane_id", "status" = excluded."status" returning "id"',
    "Hibernate": "update tickets set company_id=$1,lane_id=$2,status=$3,title=$4,version=$5 where id=$6 and version=$7",
    "Hibernate with comments": "/* update\n for com.acme.Ticket */update tickets set company_id=$1, lane_id=$2,"
    " status=$3, title=$4 where id=$5",
    "Hibernate upsert": "merge into tickets as t using (select cast($1 as bigint) id, cast($2 as varchar) status, "
    "cast($3 as bigint) lane_id) as s on (t.id=s.id) when not matched then insert (id, status, lane_id) values "
    "(s.id, s.status, s.lane_id) when matched then update set status=s.status, lane_id=s.lane_id",
    "Django save": 'UPDATE "tickets" SET "company_id" = $1, "status" = $2, "lane_id" = $3, "title" = $4, '
    '"updated_at" = $5::timestamptz WHERE "tickets"."id" = $6 '
    "/*controller='tickets',framework='django%3A5.0',route='tickets/%3Cid%3E'*/",
    "Django bulk_update": 'UPDATE "tickets" SET "status" = (CASE WHEN ("tickets"."id" = $1) THEN $2 WHEN '
    '("tickets"."id" = $3) THEN $4 ELSE NULL END)::varchar, "title" = (CASE WHEN ("tickets"."id" = $5) THEN $6 ELSE '
    'NULL END)::text, "user_id" = $7, "lane_id" = (CASE WHEN ("tickets"."id" = $8) THEN $9 ELSE NULL END)::integer '
    'WHERE "tickets"."id" IN ($10, $11)',
    "ActiveRecord": 'UPDATE "tickets" SET "status" = $1, "title" = $2, "user_id" = $3, "lane_id" = $4, "updated_at" = '
    '$5 WHERE "tickets"."id" = $6 /*application:Crm,controller:tickets,action:update*/',
    "ActiveRecord upsert_all": 'INSERT INTO "tickets" ("id","status","lane_id") VALUES ($1, $2, $3) ON CONFLICT ("id") '
    'DO UPDATE SET updated_at=(CASE WHEN ("tickets"."status" IS NOT DISTINCT FROM excluded."status") THEN '
    '"tickets".updated_at ELSE CURRENT_TIMESTAMP END),"status"=excluded."status","lane_id"=excluded."lane_id" '
    'RETURNING "id"',
    "SQLAlchemy": "UPDATE tickets SET company_id=$1, status=$2, lane_id=$3, title=$4, updated_at=now() "
    "WHERE tickets.id = $5 RETURNING tickets.updated_at",
    "SQLAlchemy upsert": "INSERT INTO tickets (id, status, lane_id) VALUES ($1, $2, $3) ON CONFLICT (id) DO UPDATE SET "
    "status = excluded.status, lane_id = excluded.lane_id",
    "SQLAlchemy merge of a table": "MERGE INTO tickets AS t USING staged AS s ON s.id = t.id WHEN MATCHED AND "
    "s.gone THEN DELETE WHEN MATCHED THEN UPDATE SET a = s.a, b = s.b, c = CASE WHEN s.c THEN 1 ELSE 2 END, "
    "lane_id = s.lane_id",
    "ONLY": 'UPDATE ONLY "Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4',
    "ONLY in brackets": 'UPDATE ONLY ("Tickets") SET a=$1,b=$2,c=$3,"laneId"=$4',
    "an alias": 'UPDATE "Tickets" AS t SET a=$1,b=$2,c=$3,"laneId"=v.lane FROM (VALUES ($4,$5)) AS v(id, lane)',
    "a short alias": 'UPDATE public."Tickets" t SET a=$1,b=$2,c=$3,"laneId"=$4',
    "a CTE": 'WITH x AS (UPDATE "Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4 WHERE id=$5 RETURNING *) SELECT * FROM x',
    "after a CTE": 'WITH x AS MATERIALIZED (SELECT 1) UPDATE "Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4 FROM x',
    "an upsert in a CTE": 'WITH x AS (INSERT INTO "Tickets" AS t ("laneId") VALUES ($1) ON CONFLICT (id) WHERE a DO '
    'UPDATE SET "laneId" = excluded."laneId" WHERE t.b) SELECT 1',
    "a list": 'UPDATE "Tickets" SET ("a","b",c,"laneId") = ($1,$2,$3,$4) WHERE id=$5',
    "a row": 'UPDATE "Tickets" SET a=$1, ("b",c,"laneId") = (SELECT x, y, z FROM w WHERE v) WHERE id=$5',
    "the table's name in front": 'UPDATE "Tickets" SET "Tickets"."a"=$1,"Tickets".b=$2,"Tickets".c=$3,'
    '"Tickets"."laneId"=$4',
    "lines and comments": '-- save\nUPDATE\n\t"Tickets" /* the /* whole */ row */\nSET\n  a = $1, -- one\n  b = $2,\n'
    '  c = $3,\n  "laneId" /* lane */ = $4\nWHERE id = $5',
    "a comparison": 'UPDATE "Tickets" SET a = b IS DISTINCT FROM $1, b = $2, c = $3, "laneId" = $4',
    "literals": """UPDATE "Tickets" SET a = 'it''s, WHERE', b = E'\\' WHERE', c = $x$ WHERE "$x$, "laneId" = $4""",
}


def saves(query: str, table: str = "Tickets", schema: str = "public") -> bool:
    return any(saves_whole_row(update, schema, table, FENCED) for update in read_updates(query))


@pytest.mark.parametrize("who", SAVES)
def test_a_save_of_the_whole_row_is_seen_however_it_is_written(who: str) -> None:
    query = SAVES[who]
    table = "Tickets" if '"Tickets"' in query else "tickets"
    assert saves(query, table)
    assert not saves(query, "tickets" if table == "Tickets" else "Tickets")
    assert not saves(query, f"{table}_old")


@pytest.mark.parametrize(
    "query",
    [
        MOVE,
        # The column is only compared, returned, read or mentioned.
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=$4 WHERE "laneId" = $5',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=$4 WHERE id=$5 RETURNING "laneId"',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d="laneId"',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=(SELECT "laneId" FROM x WHERE "laneId" = $4)',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=\'"laneId"=1, "laneId"=2\'',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=$x$, "laneId"=1$x$ /* , "laneId"=$1 */ -- , "laneId"=$1',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,d=$4 FROM "Lanes" AS "laneId" WHERE true',
        # Another column, table or schema with a similar name.
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,"laneIdOld"=$4',
        'UPDATE "Tickets" SET a=$1,b=$2,c=$3,laneId=$4',
        'UPDATE "TicketsArchive" SET a=$1,b=$2,c=$3,"laneId"=$4',
        'UPDATE "archive"."Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4',
        'UPDATE "Lanes" AS "Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4',
        'UPDATE "Lanes" SET a=$1,b=$2,c=$3,"laneId"=$4 FROM "Tickets" WHERE true',
        'WITH x AS (UPDATE "Lanes" SET a=$1,b=$2,c=$3,"laneId"=$4 RETURNING *) INSERT INTO "Tickets" SELECT * FROM x',
        'INSERT INTO "Lanes" SELECT * FROM "Tickets" ON CONFLICT (id) DO UPDATE SET "laneId" = excluded."laneId"',
        # Not an update of it.
        'INSERT INTO "Tickets" ("laneId") VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = excluded."laneId"',
        'INSERT INTO "Tickets" ("laneId") VALUES ($1) ON CONFLICT DO NOTHING',
        'SELECT "laneId" FROM "Tickets" WHERE a = \'UPDATE "Tickets" SET "laneId"=1\' FOR UPDATE',
        'WITH x AS (SELECT "laneId" FROM "Tickets" FOR NO KEY UPDATE) SELECT a, b, c FROM x',
        'EXPLAIN UPDATE "Tickets" SET a=$1,b=$2,c=$3,"laneId"=$4',
        'CREATE TABLE x (a int REFERENCES "Tickets" ON UPDATE SET NULL)',
        "DO $$ UPDATE tickets SET a=1,b=2,c=3,lane_id=4 $$",
        "<insufficient privilege>",
        "UPDATE",
        "",
    ],
)
def test_what_only_looks_like_it_does_not_count(query: str) -> None:
    assert not saves(query)
    assert not saves(query, "tickets")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (MOVE, Update("Tickets", ("laneId", "kanbanOrder", "updatedAt"))),
        (
            "update only public . tickets * as t set Lane = $1 from x where t.id = x.id",
            Update("tickets", ("lane",), "public"),
        ),
        ('UPDATE "my.schema"."Ti""ckets" t SET a = ($1, b = $2), c=$3', Update('Ti"ckets', ("a", "c"), "my.schema")),
        ("UPDATE setters SET setting = $1", Update("setters", ("setting",))),
        (
            "UPDATE tickets SET a = ARRAY[$1, $2], b[1] = $3, c.field = 'it''s', d = $4",
            Update("tickets", ("a", "b", "c", "d")),
        ),
        (
            "INSERT INTO s.t AS x VALUES ($1) ON CONFLICT (id) DO UPDATE SET a = $1",
            Update("t", ("a",), "s", inserts=True),
        ),
        ("MERGE INTO t USING s ON true WHEN MATCHED THEN UPDATE SET a = 1", Update("t", ("a",))),
        ("PREPARE p AS UPDATE t SET a = $1", Update("t", ("a",))),
    ],
)
def test_what_an_update_sets(query: str, found: Update) -> None:
    assert read_updates(query) == [found]


def test_each_update_of_a_statement_is_read() -> None:
    query = "WITH a AS (UPDATE one SET x = 1), b AS (UPDATE two SET y = 1 RETURNING z) UPDATE three SET w = 1"
    assert read_updates(query) == [Update("one", ("x",)), Update("two", ("y",)), Update("three", ("w",))]


def test_three_others_are_many_and_two_may_belong_to_a_move() -> None:
    assert saves('UPDATE "Tickets" SET "laneId"=$1, a=$2, b=$3, c=$4')
    assert not saves('UPDATE "Tickets" SET "laneId"=$1, a=$2, b=$3')
    # An upsert makes rows, too, and every one of them would be refused.
    assert saves('INSERT INTO "Tickets" VALUES ($1) ON CONFLICT (id) DO UPDATE SET "laneId" = excluded."laneId"')


def test_names_are_folded_as_the_server_does() -> None:
    assert [plain(name) for name in ("Tickets", '"Tickets"', ' "a""b" ')] == ["tickets", "Tickets", 'a"b']


def test_a_text_is_cut_to_one_line() -> None:
    assert cut("UPDATE\n  x") == "UPDATE x"
    assert len(cut("x" * 500)) == 200


@given(st.one_of(st.text(max_size=200), st.text("\"'$/*-()[],;.eE ast=\\\n", max_size=60)))
def test_no_text_breaks_it(text: str) -> None:
    for start in ("", "UPDATE t SET ", "UPDATE t SET (", "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET "):
        read_updates(start + text)
