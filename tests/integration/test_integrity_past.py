# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables compared with their own past: hours that depart from it, and rows that are gone since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.integrity import find, load
from tests.integration.place import Database

TIMELINE: dict[str, Any] = {"kind": "timeline", "table": "Tags", "time": "createdAt"}
MASS: dict[str, Any] = {**TIMELINE, "kind": "mass_delete"}
SINCE: dict[str, Any] = {"kind": "missing_since", "table": "Tags", "column": "id"}
# So many hours ago, by the server's clock, which is the one that counts.
AGO = "date_trunc('hour', now()) - interval '{} hours'"


def past(db: Database, days: int = 30, kind: str = "timestamptz") -> None:
    """Fill a table: about 100 rows an hour, 30 on weekends, and a campaign a week ago that should alarm nobody."""
    db.rows(f'CREATE TABLE "Tags" (id serial PRIMARY KEY, "createdAt" {kind})')
    zone = "" if kind == "timestamptz" else " AT TIME ZONE 'America/Sao_Paulo'"
    db.rows(f"""
        INSERT INTO "Tags" ("createdAt")
        SELECT (h + interval '1 minute'){zone}
        FROM generate_series({AGO.format(24 * days)}, now() - interval '1 hour', '1 hour') AS h,
        LATERAL generate_series(1, CASE WHEN extract(isodow FROM h AT TIME ZONE 'UTC') > 5 THEN 30 ELSE 100 END
                                   + extract(day FROM h AT TIME ZONE 'UTC')::int % 5)""")
    grow(db, 24 * 7 + 1, 5000, zone)
    db.rows('ANALYZE "Tags"')


def grow(db: Database, hours: int, rows: int, zone: str = "") -> None:
    db.rows(f"""INSERT INTO "Tags" ("createdAt") SELECT ({AGO.format(hours)} + interval '2 minutes'){zone}
        FROM generate_series(1, {rows})""")


def hour(db: Database, hours: int) -> str:
    """Return that hour as results name it."""
    return str(db.value(f"""SELECT to_char(({AGO.format(hours)}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')"""))


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp"])
def test_the_hour_of_departure_is_named(db: Database, kind: str) -> None:
    past(db, kind=kind)
    zone = "" if kind == "timestamptz" else " AT TIME ZONE 'America/Sao_Paulo'"
    # What is usual follows the zone's own days; the data above follows those of UTC.
    given = {} if kind == "timestamptz" else {"time_zone": "America/Sao_Paulo", "threshold": 8}
    if kind == "timestamptz":
        for check in (TIMELINE, MASS):
            found = find(db, check)
            assert (found["status"], found["count"], found["first_at"], found["groups"]) == ("ok", 0, None, None), found
    grow(db, 3, 900, zone)
    grow(db, 2, 900, zone)
    found = find(db, {**TIMELINE, **given, "departure": "more"})
    assert (found["count"], found["affected_tenants"]) == (2, None), found
    assert (found["first_at"][:16], found["last_at"][:16]) == (hour(db, 3)[:16], hour(db, 2)[:16])
    assert found["samples"][0]["hour"] == hour(db, 3)
    assert int(found["samples"][0]["rows"]) > 900
    assert float(found["samples"][0]["usual"]) < 110
    assert find(db, {**TIMELINE, **given, "threshold": 1000, "departure": "more"})["count"] == 0


def test_rows_that_are_gone_show_in_their_hours(db: Database) -> None:
    past(db)
    # A weekend, which is quieter, does not look like lost rows either.
    assert find(db, {**MASS, "window_hours": 160, "baseline_days": 20})["count"] == 0
    between = f'"createdAt" >= {AGO.format(6)} AND "createdAt" < {AGO.format(4)}'
    db.rows(f'DELETE FROM "Tags" WHERE {between}')
    for check in (TIMELINE, MASS):
        found = find(db, check)
        assert (found["count"], [one["hour"] for one in found["samples"]]) == (2, [hour(db, 6), hour(db, 5)]), found
        assert (found["samples"][0]["rows"], found["first_at"][:16]) == ("0", hour(db, 6)[:16])
    assert find(db, {**TIMELINE, "departure": "more"})["count"] == 0
    assert find(db, {**MASS, "window_hours": 3})["count"] == 0
    # Too many rows are no deletion, unless the column says when rows were deleted.
    grow(db, 2, 900)
    assert find(db, MASS)["count"] == 2
    assert find(db, {**MASS, "departure": "more"})["count"] == 1


def test_the_hour_that_is_not_over_has_not_too_few(db: Database) -> None:
    past(db)
    assert find(db, MASS)["count"] == 0
    db.rows('INSERT INTO "Tags" ("createdAt") SELECT now() FROM generate_series(1, 900)')
    found = find(db, TIMELINE)
    assert [one["hour"] for one in found["samples"]] == [hour(db, 0)]
    # Rows of another year, or without a time, change nothing either.
    db.rows("""INSERT INTO "Tags" ("createdAt") SELECT v FROM generate_series(1, 900),
        unnest(ARRAY[NULL, 'infinity', '-infinity', '2099-01-01']::timestamptz[]) AS v""")
    assert find(db, TIMELINE)["samples"] == found["samples"]


def test_without_a_past_nobody_can_tell(db: Database) -> None:
    past(db, days=10)
    found = find(db, TIMELINE)
    assert (found["status"], found["code"]) == ("not_applicable", "too_little_history")
    db.rows('TRUNCATE "Tags"')
    assert find(db, MASS)["status"] == "not_applicable"
    db.rows('ALTER TABLE "Tags" ALTER "createdAt" TYPE date')
    assert "knows no hours" in find(db, TIMELINE)["why"]
    for option in ({"window_hours": 0}, {"baseline_days": 3}, {"threshold": 0}):
        found = find(db, {**TIMELINE, **option})
        assert (found["status"], found["code"]) == ("failed", "bad_time")
    db.rows('ALTER TABLE "Tags" ALTER "createdAt" TYPE timestamp')
    for option in ({"window_hours": 0}, {"baseline_days": 3}, {"threshold": 0}):
        found = find(db, {**TIMELINE, **option})
        assert (found["code"], next(iter(option)) in found["why"]) == ("bad_check", True), found
    assert find(db, {**TIMELINE, "time_zone": "America/Nowhere"})["status"] == "failed"


def test_the_time_of_rows_is_told_where_it_can_be(db: Database) -> None:
    past(db)
    check = {"kind": "null_reference", "table": "Tags", "column": "createdAt"}
    db.rows('ALTER TABLE "Tags" ADD born date, ADD odd text, ADD owner int')
    db.rows("""UPDATE "Tags" SET born = '2026-02-03' WHERE id < 3""")
    for time, first in (("born", "2026-02-03T00:00:00Z"), ("gone", None), ("odd", None), (None, None)):
        found = find(db, {**check, "column": "owner", "time": time})
        assert (found["first_at"], found["last_at"], found["count"] > 0) == (first, first, True), time
    db.rows('UPDATE "Tags" SET "createdAt" = \'infinity\' WHERE id = 1')
    assert find(db, {**check, "column": "owner", "time": "createdAt"})["count"] > 0
    role = db.role("ops", 'SELECT (id, owner) ON "Tags"')
    one = {"name": "a", **check, "column": "owner", "time": "born"}
    (found,) = db.modules(role).ok("integrity_info", checks=[one])["checks"]
    assert (found["status"], found["first_at"]) == ("corrupt", None)


def test_rows_that_were_there_by_their_keys(db: Database) -> None:
    past(db)
    db.rows('DELETE FROM "Tags" WHERE id IN (7, 9)')
    found = find(db, {**SINCE, "against": {"ids": ["7", "8", "9", "odd%s'"]}})
    assert (found["count"], found["exact"]) == (3, True)
    assert sorted(one["id"] for one in found["samples"]) == ["7", "9", "odd%s'"]
    assert find(db, {**SINCE, "against": {"ids": []}})["count"] == 0
    many = [str(10 + i) for i in range(60_000)]
    assert find(db, {**SINCE, "against": {"ids": many}})["count"] == 60_000 - db.value(
        'SELECT count(*) FROM "Tags" WHERE id BETWEEN 10 AND 60009'
    )
    assert "100000 are the most" in find(db, {**SINCE, "against": {"ids": ["1"] * 100_001}})["why"]


def test_rows_that_were_there_by_their_number(db: Database) -> None:
    past(db)
    then = db.value('SELECT count(*) FROM "Tags"')
    at = str(db.value("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"))
    db.rows('DELETE FROM "Tags" WHERE id IN (7, 9)')
    against = {"rows": then, "at": at}
    found = find(db, {**SINCE, "against": against})
    assert (found["count"], found["exact"]) == (2, False)
    assert found["samples"] == [{"rows_then": str(then), "rows_now": str(then - 2)}]
    # New rows do not make up for lost ones if the time of each is known.
    db.rows('INSERT INTO "Tags" ("createdAt") SELECT now() FROM generate_series(1, 5)')
    assert find(db, {**SINCE, "against": against})["count"] == 0
    found = find(db, {**SINCE, "against": against, "time": "createdAt"})
    assert (found["count"], found["exact"]) == (2, True)
    for odd in ({}, {"rows": 1, "ids": ["1"]}):
        assert find(db, {**SINCE, "against": odd})["status"] == "failed"
    assert find(db, {**SINCE, "against": {"rows": 1, "at": "some day"}, "time": "createdAt"})["status"] == "failed"
    role = db.role("ops", 'SELECT ("createdAt") ON "Tags"')
    (found,) = db.modules(role).ok("integrity_info", checks=[{"name": "a", **SINCE, "against": against}])["checks"]
    assert (found["code"], "SELECT (id)" in found["why"]) == ("missing_privilege", True)


def test_rows_that_a_dump_has(db: Database, directory: Path) -> None:
    data = load(db, corruption=False)
    place = directory / "INC-1"
    modules = db.modules()
    modules.ok("pg_dump", tables=["Tags", "Tickets"], dest=str(place), incident_id="INC-1")
    check = {**SINCE, "against": {"manifest": str(place)}}
    assert find(db, check)["count"] == 0
    db.rows('DELETE FROM "TicketTags"; DELETE FROM "Tags" WHERE id % 2 = 0')
    db.rows("INSERT INTO \"Tags\" (name, kanban) SELECT 'new', 0 FROM generate_series(1, 9)")
    gone = data.tenants * 5 // 2
    assert find(db, check)["count"] == gone - 9
    assert find(db, {**check, "time": "createdAt"})["count"] == gone
    found = find(db, {**check, "table": "TicketTags"})
    assert (found["status"], found["code"]) == ("failed", "not_in_dump")
    (place / "manifest.json").write_text((place / "manifest.json").read_text().replace("Tags", "Tugs"))
    assert find(db, check)["code"] == "manifest_broken"
    assert find(db, {**check, "against": {"manifest": str(directory / "none")}})["code"] == "no_manifest"
