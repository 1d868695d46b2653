# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's commands, typed as written, on real servers: what docs/plan-mapping.md says of each is true."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.integration.metrics import application
from tests.integration.place import Database
from tests.integration.planned import (
    DEDUPE,
    DISABLE,
    INVALID_LANES,
    ONLY_WHO_IS_ON,
    ORPHANS,
    RANK,
    SLOW,
    WORST,
    shell,
)
from tests.support.dataset import DataSet
from tests.support.redis_server import Redis
from tests.support.servers import workspace

# No commit here changes what servers do with the plan, so it need not be tested at each.
pytestmark = pytest.mark.drill

COUNTED = "SELECT (SELECT count(*) FROM tags), (SELECT count(*) FROM tickettags)"


def make(db: Database, *, quoted: bool = False, corruption: bool = False, keyed: bool = True) -> None:
    """Load a small application; in lower case, so that the plan's names match its tables."""
    with db.connect() as session:
        DataSet(tenants=30, tickets=200, quoted=quoted, corruption=corruption, keyed=keyed).load(session)


def on(db: Database) -> int:
    """Return how many companies are on by the rule that off is absent, null or false."""
    number: int = db.value(
        "SELECT count(*) FROM companies WHERE coalesce(settings -> 'kanbanV2Enabled', 'null') NOT IN ('null', 'false')"
    )
    return number


def refused(db: Database, statement: str) -> str:
    """Run a statement that the server refuses; return what it says."""
    with pytest.raises(psycopg2.Error) as told:
        db.rows(statement)
    return str(told.value)


def test_names_fold_and_the_shell_eats_quotes(db: Database) -> None:
    make(db, quoted=True)
    psql = f"psql -X -U {db.server.user} -d {db.name}"
    for statement in ("SELECT count(*) FROM Companies", 'SELECT count(*) FROM "Companies"'):
        rc, said = shell(db, f'{psql} -c "{statement}"')
        assert rc != 0
        assert 'relation "companies" does not exist' in said


def test_the_ranking_and_the_slow_queries_are_refused_by_every_server_of_today(db: Database) -> None:
    make(db)
    assert "aggregate function calls cannot contain window function calls" in refused(db, RANK)
    db.rows("CREATE EXTENSION pg_stat_statements")
    assert 'column "total_time" does not exist' in refused(db, SLOW)


@pytest.mark.parametrize("value", ['""', '"sim"', '"enabled"', "2", "{}"])
def test_one_company_whose_flag_is_no_boolean_keeps_all_of_them_on(db: Database, value: str) -> None:
    db.rows("CREATE TABLE companies (id serial, settings jsonb)")
    db.rows("""INSERT INTO companies (settings) SELECT '{"kanbanV2Enabled": true}' FROM generate_series(1, 9)""")
    db.rows("INSERT INTO companies (settings) VALUES (jsonb_build_object('kanbanV2Enabled', %s::jsonb))", (value,))
    assert "invalid input syntax for type boolean" in refused(db, DISABLE + ONLY_WHO_IS_ON)
    assert on(db) == 10


@pytest.mark.parametrize(
    ("settings", "says"), [("[]", "path element"), ('"migrated"', "scalar"), ("null", "scalar")], ids=str
)
def test_without_a_condition_settings_that_are_no_object_keep_all_of_them_on(
    db: Database, settings: str, says: str
) -> None:
    db.rows("CREATE TABLE companies (id serial, settings jsonb)")
    db.rows("""INSERT INTO companies (settings) VALUES ('{"kanbanV2Enabled": true}'), (%s)""", (settings,))
    assert says in refused(db, DISABLE)
    assert on(db) == 1


def test_without_a_condition_every_row_is_rewritten_and_who_had_it_is_lost(db: Database) -> None:
    db.rows("CREATE TABLE companies (id serial, settings jsonb)")
    db.rows("""INSERT INTO companies (settings) VALUES ('{"kanbanV2Enabled": true}'), ('{}'), (NULL)""")
    before = db.snapshot("companies")
    db.rows(DISABLE)
    after = db.snapshot("companies")
    assert not {row.place for row in before.rows} & {row.place for row in after.rows}
    assert db.rows("SELECT DISTINCT settings::text FROM companies") == [('{"kanbanV2Enabled": false}',)]


def test_without_coalesce_it_says_update_1_and_nothing_is_written(db: Database) -> None:
    db.rows("CREATE TABLE companies (id serial, settings jsonb)")
    db.rows("INSERT INTO companies VALUES (1, NULL)")
    statement = "UPDATE Companies SET settings = jsonb_set(settings, '{kanbanV2Enabled}', 'true') WHERE id = "
    rc, said = shell(db, f'psql -X -U {db.server.user} -d {db.name} -c "{statement}1"')
    assert (rc, said.strip()) == (0, "UPDATE 1")
    assert db.value("SELECT settings FROM companies") is None
    assert "invalid input syntax for type integer" in refused(db, statement + "'TEST_COMPANY_ID'")


@pytest.mark.parametrize("kind", ["json", "text"])
def test_settings_of_another_type_are_refused(db: Database, kind: str) -> None:
    db.rows(f"CREATE TABLE companies (id serial, settings {kind})")
    assert re.search(f"COALESCE.*{kind}.*jsonb|COALESCE.*jsonb.*{kind}", refused(db, DISABLE))


def test_one_row_that_somebody_holds_keeps_all_of_them_on(db: Database) -> None:
    make(db)
    before = on(db)
    with (
        db.transaction("SELECT FROM companies WHERE id = 1 FOR UPDATE"),
        db.connect("plan") as session,
        session.cursor() as cursor,
    ):
        # As typed it has no bound at all.
        cursor.execute("SET statement_timeout = '1s'")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            cursor.execute(DISABLE)
    assert on(db) == before > 0


def test_ranked_twice_other_companies_are_switched_than_were_listed(db: Database) -> None:
    db.rows("CREATE TABLE errorlogs (companyid int, context text, createdat timestamptz DEFAULT now())")
    log = "INSERT INTO errorlogs SELECT c, 'kanban' FROM generate_series(%s, %s) c, generate_series(1, %s)"
    db.rows(log, (1, 25, 11))
    # Five that were deleted long ago, or are off: they use up places of the twenty.
    db.rows(log, (901, 905, 50))
    listed = {row[0] for row in db.rows(WORST)}
    db.rows(log, (11, 25, 5))
    switched = {row[0] for row in db.rows(WORST)}
    assert len(listed) == len(switched) == 20
    assert len(switched - listed) >= 5
    assert set(range(901, 906)) <= listed & switched


def test_duplicates_without_an_id_are_refused_and_with_a_null_one_stay(db: Database) -> None:
    db.rows("CREATE TABLE tickettags (ticketid int, tagid int)")
    db.rows("INSERT INTO tickettags VALUES (1, 1), (1, 1)")
    assert 'column "id" does not exist' in refused(db, DEDUPE)
    db.rows("ALTER TABLE tickettags ADD id integer")
    db.rows("INSERT INTO tickettags VALUES (2, 2, NULL), (3, 3, 7), (3, 3, 8)")
    db.rows(DEDUPE)
    assert db.value("SELECT count(*) FROM tickettags") == 5


def test_an_orphan_takes_links_along_that_nobody_is_told_of(db: Database) -> None:
    db.rows("CREATE TABLE companies (id int PRIMARY KEY)")
    db.rows("CREATE TABLE tags (id int PRIMARY KEY, companyid int)")
    db.rows("CREATE TABLE tickettags (ticketid int, tagid int REFERENCES tags ON DELETE CASCADE)")
    db.rows("INSERT INTO tags VALUES (1, NULL)")
    db.rows("INSERT INTO tickettags SELECT g, 1 FROM generate_series(1, 103) g")
    rc, said = shell(db, f'psql -X -U {db.server.user} -d {db.name} -c "{ORPHANS}"')
    assert (rc, said.strip()) == (0, "DELETE 1")
    assert db.value("SELECT count(*) FROM tickettags") == 0
    db.rows("ALTER TABLE tickettags DROP CONSTRAINT tickettags_tagid_fkey, ADD FOREIGN KEY (tagid) REFERENCES tags")
    db.rows("INSERT INTO tags VALUES (2, NULL); INSERT INTO tickettags VALUES (1, 2)")
    assert "violates foreign key constraint" in refused(db, ORPHANS)


def test_a_ticket_without_company_counts_as_one_in_a_wrong_lane(db: Database) -> None:
    make(db)
    assert db.value(INVALID_LANES) == 0
    db.rows("UPDATE tickets SET companyid = NULL WHERE id IN (SELECT id FROM tickets WHERE kanbanlane > 0 LIMIT 3)")
    assert db.value(INVALID_LANES) == 3


def test_the_recovery_block_fails_rolls_back_and_ends_with_0(db: Database, directory: Path) -> None:
    make(db, keyed=False)
    before = db.rows(COUNTED)
    script = directory / "recovery.sql"
    script.write_text(f"BEGIN;\n{DEDUPE};\n{ORPHANS};\nSELECT 'Tags órfãs' AS check;\nCOMMIT;\n")
    rc, said = shell(db, f"psql -X -U {db.server.user} -d {db.name} -f {script}")
    assert rc == 0
    assert "current transaction is aborted" in said
    # This is what COMMIT answers, and then it is over.
    assert "ROLLBACK" in said.splitlines()
    assert db.rows(COUNTED) == before


def test_the_dump_is_nothing_or_less_than_asked_for_and_anybodys_to_read(db: Database, directory: Path) -> None:
    make(db, quoted=True)
    line = f"pg_dump -U {db.server.user} -d {db.name} -t Tags -t Tickets -t TicketTags -f dump.sql"
    rc, said = shell(db, line, directory)
    assert (rc, list(directory.glob("dump.sql"))) == (1, [])
    assert "no matching tables were found" in said
    db.rows('ALTER TABLE "Tags" RENAME TO tags')
    rc, said = shell(db, line, directory)
    text = (directory / "dump.sql").read_text()
    assert (rc, said) == (0, "")
    assert re.findall(r"^CREATE TABLE (\S+)", text, re.MULTILINE) == ["public.tags"]
    assert (directory / "dump.sql").stat().st_mode & 0o777 == 0o644


def test_the_dump_put_back_over_the_tables_doubles_what_has_no_key_and_ends_with_0(
    db: Database, directory: Path
) -> None:
    make(db, keyed=False)
    links = db.value("SELECT count(*) FROM tickettags")
    who = f"-U {db.server.user} -d {db.name}"
    assert shell(db, f"pg_dump {who} -t Tags -t Tickets -t TicketTags -f dump.sql", directory)[0] == 0
    rc, said = shell(db, f"psql -X -q {who} -f dump.sql", directory)
    assert rc == 0
    assert said.count("ERROR:") >= 3
    assert db.value("SELECT count(*) FROM tickettags") == 2 * links > 0


@pytest.fixture(scope="module")
def cache() -> Iterator[Redis]:
    """A Redis that nobody else uses."""
    with workspace() as directory, Redis(directory / "redis") as started:
        yield started


def test_a_flush_takes_the_write_block_the_sessions_and_the_queues(cache: Redis) -> None:
    kept = ("kanban:emergency:write-block", "sessions:5511", "bull:campaigns:repeat")
    with cache.client() as client:
        client.mset(dict.fromkeys(kept, "true"))
        client.flushdb()
        assert client.exists(*kept) == 0


def test_a_block_is_evicted_where_redis_is_a_cache_and_gone_after_a_restart(cache: Redis) -> None:
    with cache.client() as client:
        client.set("kanban:emergency:write-block", "true", ex=3600)
        room = client.info("memory")["used_memory"] + 500_000
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("maxmemory", room)
        for number in range(3000):
            client.set(f"cache:{number}", "x" * 1000)
        assert client.exists("kanban:emergency:write-block") == 0
        client.config_set("maxmemory", 0)
        client.set("kanban:emergency:write-block", "true", ex=3600)
    cache.stop()
    cache.start()
    with cache.client() as client:
        assert client.exists("kanban:emergency:write-block") == 0


def test_memory_is_not_in_the_part_of_info_that_is_asked_for(cache: Redis) -> None:
    with cache.client() as client:
        assert "used_memory_human" not in client.info("stats")
        assert "used_memory_human" in client.info("memory")


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="redis-cli is not installed")
def test_a_block_that_was_refused_ends_with_0(cache: Redis) -> None:
    line = f"redis-cli -h {cache.host} -p {cache.port} SET kanban:emergency:write-block true EX 3600"
    done = subprocess.run(line.split(), capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0
    assert "NOAUTH" in done.stdout + done.stderr


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="curl or jq is not installed")
def test_an_application_that_is_down_or_says_nothing_ends_with_0(db: Database, directory: Path) -> None:
    with application(directory / "app") as app:
        app.says("health", {"status": "down"}, 503)
        app.says("metrics", {"errors": 7})
        assert shell(db, f"curl -s -X GET {app.url}/health") == (0, '{"status": "down"}')
        assert shell(db, f"curl -s -X GET {app.url}/metrics | jq '.errorRate'") == (0, "null\n")
        assert shell(db, f"curl -s -X GET {app.url}/nowhere | jq '.errorRate'") == (0, "")
