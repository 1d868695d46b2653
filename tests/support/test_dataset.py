# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data set: its figures as the database has them, read by this file's own statements."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from psycopg2.extensions import connection

from tests.support.dataset import DataSet
from tests.support.servers import Postgres, workspace

SHAPES: list[dict[str, Any]] = [
    {},
    {"quoted": False, "ids": "uuid", "corruption": True, "keyed": False},
    {"settings": "json", "corruption": True, "on_delete": None},
    {"settings": "text", "quoted": False, "on_delete": "NO ACTION"},
    {"store": "key_value", "ids": "uuid"},
    {"store": "column", "quoted": False},
    {"store": "column", "column_type": "boolean", "share_on": Decimal("0.77")},
]


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with workspace() as directory, Postgres(directory / "pg", fsync=False) as running:
        yield running


@pytest.fixture
def session(server: Postgres) -> Iterator[connection]:
    server.create_database("data")
    try:
        with server.connect("data") as opened:
            yield opened
    finally:
        server.drop_database("data")


def one(session: connection, statement: str) -> Any:
    with session.cursor() as cursor:
        cursor.execute(statement)
        row = cursor.fetchone()
        assert row
        return row[0]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(map(str, shape.values())) or "plain")
def test_the_figures_are_those_expected(session: connection, shape: dict[str, Any]) -> None:
    data = DataSet(tenants=700, tickets=2_500, **shape)
    data.load(session)
    companies, tags, tickets, lanes, pairs = map(data.sql_name, ("Companies", "Tags", "Tickets", "Lanes", "TicketTags"))
    company, lane = data.sql_name("companyId"), data.sql_name("kanbanLane")
    pair = f"({data.sql_name('ticketId')}, {data.sql_name('tagId')})"
    assert one(session, f"SELECT count(*) FROM {companies}") == data.tenants
    assert one(session, f"SELECT count(*) FROM {tickets}") == data.tickets
    assert data.count_on(session) == data.expected_on() == int(700 * data.share_on)
    assert {
        "orphan_tags": one(
            session,
            f"SELECT count(*) FROM {tags} t WHERE NOT EXISTS (SELECT 1 FROM {companies} c WHERE c.id = t.{company})",
        ),
        "duplicate_ticket_tags": one(session, f"SELECT count(*) - count(DISTINCT {pair}) FROM {pairs}"),
        "invalid_lanes": one(
            session,
            f"SELECT count(*) FROM {tickets} t WHERE t.{lane} IS NOT NULL AND t.{company} IS NOT NULL AND NOT EXISTS "
            f"(SELECT 1 FROM {lanes} l WHERE l.id = t.{lane} AND l.{company} = t.{company})",
        ),
        "tickets_without_company": one(session, f"SELECT count(*) FROM {tickets} WHERE {company} IS NULL"),
    } == data.expected_corruption()
    assert bool(sum(data.expected_corruption().values())) == data.corruption


def test_an_application_can_insert_behind_the_rows(session: connection) -> None:
    data = DataSet(tenants=10, tickets=50)
    data.load(session)
    assert one(session, """INSERT INTO "Companies" ("name") VALUES ('Nova') RETURNING "id" """) == 11


def test_two_loads_are_the_same(server: Postgres) -> None:
    digests = []
    for _time in range(2):
        server.create_database("data")
        try:
            with server.connect("data") as session:
                DataSet(tenants=300, tickets=1_000, corruption=True).load(session)
                rows = (
                    """md5(string_agg(concat_ws('|', "id", "companyId", "kanbanLane", "status"), ',' ORDER BY "id"))"""
                )
                settings = """md5(string_agg(coalesce("settings"::text, 'NULL'), ',' ORDER BY "id"))"""
                digests.append(
                    (
                        one(session, f'SELECT {rows} FROM "Tickets"'),
                        one(session, f'SELECT {settings} FROM "Companies"'),
                    )
                )
        finally:
            server.drop_database("data")
    assert digests[0] == digests[1]
