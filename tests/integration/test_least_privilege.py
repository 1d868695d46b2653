# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bootstrap.yml's role suffices for scenarios 1 and 2 and triage, by grants on columns, as on PostgreSQL 13."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql

from tests.integration.integrity import CHECKS
from tests.integration.least import BY_TAG, GRANTED, GRANTS, METRICS, ODD, USERS, Place, bootstrapped
from tests.integration.place import Database
from tests.integration.test_integrity_lanes import CARDLESS, CROSS, ORDERING, TWO_LANES

RANK: dict[str, Any] = {
    "error_logs": "ErrorLogs",
    "companies": "Companies",
    "columns": {
        "error_logs": {"company": "companyId", "context": "context", "created_at": "createdAt"},
        "companies": {"id": "id", "name": "name"},
        "users": {"company": "companyId"},
    },
    "contains": "kanban",
    "more_than": 1,
}  # fmt: skip
INTEGRITY = [
    *CHECKS[:1],
    {**CHECKS[1], "references": {"table": "Lanes", "column": "id", "tenant": "companyId"}},
    *CHECKS[2:],
]
# The profile's further checks, as far as this schema has what they need.
MORE: list[dict[str, Any]] = [
    {"name": "hours", "kind": "timeline", "table": "Tags", "time": "createdAt"},
    {**ORDERING, "name": "order", "gaps": "ignored"},
    {**CROSS, "name": "cross"},
    {**CARDLESS, "name": "cardless", "position": "kanbanOrder"},
    {**TWO_LANES, "name": "two_lanes", "unless": "Board"},
    BY_TAG,
    ODD,
]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """One database for all tests of this file: each gives back what it takes away."""
    with bootstrapped() as made:
        yield made


def columns(place: Place) -> set[str]:
    """Return the columns that the role was granted one by one, read without any code of the collection."""
    rows = place.db.rows(
        """SELECT c.relname || '.' || a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid,
           aclexplode(a.attacl) AS g WHERE g.grantee = %s::regrole AND g.privilege_type = 'SELECT'""",
        (place.role,),
    )
    return {row[0] for row in rows}


def test_those_columns_are_granted_and_no_others(place: Place) -> None:
    assert columns(place) == {
        *(f"ErrorLogs.{name}" for name in ("companyId", "context", "createdAt", "severity")),
        *(f"Users.{name}" for name in ("companyId", "profile")),
        *(f"Tags.{name}" for name in ("id", "companyId", "createdAt", "kanban", "name")),
        *(f"Lanes.{name}" for name in ("id", "companyId")),
        # Its key, for the check that names rows.
        *(f"TicketTags.{name}" for name in ("id", "ticketId", "tagId", "createdAt")),
        *(f"Tickets.{name}" for name in ("id", "companyId", "kanbanLane", "kanbanOrder", "createdAt", "updatedAt")),
        "Queue.job",
    }
    assert [row["name"] for row in place.said["left_out"]] == ["SELECT count(*) FROM nothing"]
    assert "does not exist" in place.said["left_out"][0]["why"]
    for closed in (
        'message FROM "ErrorLogs"',
        '"lastMessage" FROM "Tickets"',
        'email FROM "Users"',
        'secret FROM "Queue"',
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            place.as_role(f"SELECT {closed}")
    assert place.db.rows(GRANTED, (place.role,)) == [("Companies", "SELECT")], "nothing of it may be written"
    # What the inspection of the queries made is gone.
    assert place.db.value("SELECT count(*) FROM pg_class WHERE relname = 'kanban_reads'") == 0


def test_the_role_suffices(place: Place) -> None:
    modules = place.modules
    ranked = place.flagged.ok("affected_tenants_info", users_query=USERS, window=10**7, **RANK)
    assert ranked["measured"]
    assert ranked["users_count"] is not None
    assert not [text for text in ranked["warnings"] if "not shown" in text or "not counted" in text], ranked["warnings"]
    checked = modules.ok("integrity_info", checks=INTEGRITY)
    assert (checked["complete"], checked["not_applicable"], checked["corrupt"]) == (True, [], True)
    more = modules.ok("integrity_info", checks=[*MORE, *INTEGRITY])
    assert (more["not_known"], more["not_applicable"]) == ([], ["hours"])
    timed = [one for one in more["checks"][: len(MORE)] if one["count"] and one["kind"] != "sql"]
    assert timed
    assert all(one["first_at"] for one in timed), timed
    slow = modules.ok("slow_queries_info", interval=0)
    assert (slow["available"], slow["text_hidden_count"], slow["warnings"]) == (True, 0, [])
    named = place.flagged.ok("feature_flag", state="disabled", incident_id="INC-1", tenants=["10", "20"])
    assert named["changed_count"] > 0
    paused = place.flagged.ok("feature_flag", state="paused", incident_id="INC-1")
    assert "latch" in str(paused)
    event = {"phase": "assess", "event": "ranking frozen", "data": ranked["freeze"]}
    modules.ok("incident", incident_id="INC-1", event=event)
    frozen = place.flagged.ok("affected_tenants_info", incident_id="INC-1", users_query=USERS, **RANK)
    assert frozen["frozen"] is bool(ranked["tenants"])
    gate = modules.ok(
        "metric_gate",
        metrics=[
            {"name": name, **{k: v for k, v in METRICS[name].items() if k != "where"}} for name in ("errors", "queue")
        ],
        thresholds={"errors": {"max": 10**9}, "queue": {"max": 10**9}},
        gate="g",
        incident_id="INC-1",
    )
    assert (gate["ledger_kept"], [one["value"] is None for one in gate["samples"]]) == (True, [False, False]), gate
    place.flagged.restore("INC-1")
    modules.ok("incident", incident_id="INC-1", state="closed")


def rank(place: Place) -> str:
    """Rank; return what is said about rights."""
    result = place.flagged.run("affected_tenants_info", users="Users", **RANK)
    if result.get("failed"):
        assert result["error"]["code"] == "missing_privilege", result
        return str(result["msg"])
    return " ".join(text for text in result["warnings"] if "lacks" in text)


def check(place: Place) -> str:
    """Check the data; return what is said about rights."""
    result = place.modules.ok("integrity_info", checks=INTEGRITY)
    wrong = [one for one in result["checks"] if one["status"] not in ("ok", "corrupt")]
    assert {one["code"] for one in wrong} <= {"missing_privilege"}, wrong
    assert result["complete"] is not bool(wrong)
    return " ".join(one["why"] for one in wrong)


@pytest.mark.parametrize(
    ("look", "grants"),
    [
        (rank, {"ErrorLogs": ("companyId", "context", "createdAt"), "Users": ("companyId",)}),
        (
            check,
            {
                "Tags": ("id", "companyId"),
                "Lanes": ("id", "companyId"),
                "Tickets": ("id", "companyId", "kanbanLane"),
                "TicketTags": ("ticketId", "tagId"),
            },
        ),
    ],
)
def test_each_grant_that_is_taken_away_is_noticed_by_name(
    place: Place, look: Callable[[Place], str], grants: dict[str, tuple[str, ...]]
) -> None:
    for table, names in grants.items():
        for column in names:
            quoted = f'"{column}"' if column != column.lower() else column
            place.db.rows(f'REVOKE SELECT ("{column}") ON "{table}" FROM {place.role}')
            told = look(place)
            expected = f'GRANT SELECT ({quoted}) ON public."{table}" TO {place.role};'
            assert set(GRANTS.findall(told)) == {expected}, told
            # The line is ready to be typed.
            place.db.rows(expected)
    assert look(place) == ""


def test_a_closed_schema_is_no_missing_table(place: Place) -> None:
    for move in ("ErrorLogs", "Tags"):
        place.db.rows(f'CREATE SCHEMA closed; ALTER TABLE "{move}" SET SCHEMA closed')
        told = (rank if move == "ErrorLogs" else check)(place)
        place.db.rows(f'ALTER TABLE closed."{move}" SET SCHEMA public; DROP SCHEMA closed')
        assert GRANTS.findall(told) == [f"GRANT USAGE ON SCHEMA closed TO {place.role};"], told


def test_what_else_is_taken_away_is_noticed(place: Place) -> None:
    def without(privilege: str, look: Callable[[], str]) -> str:
        place.db.rows(f"REVOKE {privilege} FROM {place.role}")
        try:
            return look()
        finally:
            place.db.rows(f"GRANT {privilege.replace('ALL', 'SELECT')} TO {place.role}")

    def sample() -> str:
        metrics = [{"name": "queue", "source": "sql", "query": METRICS["queue"]["query"]}]
        (one,) = place.modules.ok("metric_gate", metrics=metrics)["samples"]
        return f"{one['code']}: {one['error']}" if one["value"] is None else ""

    def append() -> str:
        event = {"phase": "assess", "event": "noted", "data": {}}
        result = place.modules.run("incident", incident_id="INC-9", event=event)
        return f"{result['error']['code']}: {result['msg']}" if result.get("failed") else ""

    def slow() -> str:
        return " ".join(place.modules.ok("slow_queries_info", interval=0)["warnings"])

    told = without('SELECT (job) ON "Queue"', sample)
    assert told.startswith("missing_privilege: permission denied for table Queue"), told
    assert f'GRANT SELECT ON it TO "{place.role}"' in told
    assert sample() == ""
    told = without("INSERT ON kanban_rollback.events", append)
    assert told.startswith("missing_privilege: permission denied for table events"), told
    assert append() == ""
    place.modules.ok("incident", incident_id="INC-9", state="closed")
    assert f'GRANT pg_read_all_stats TO "{place.role}";' in without("pg_read_all_stats", slow)
    assert slow() == ""


def test_one_that_owns_another_table_grants_what_it_may(db: Database) -> None:
    owner, role = db.role("owner", f"ALL ON DATABASE {db.name}"), db.role("least")
    db.rows("CREATE TABLE theirs (id int, x text); CREATE TABLE ours (id int, x text)")
    db.rows(sql.SQL("ALTER TABLE ours OWNER TO {}").format(sql.Identifier(owner)))
    reads = [{"table": "theirs", "columns": ["x"]}, {"table": "ours", "columns": ["x", "y"], "key": True}]
    wish: dict[str, Any] = {"grant_to": [role], "reads": reads, "queries": ["SELECT 1; DROP TABLE ours"]}
    made = db.modules(owner).ok("ledger", **wish)
    assert made["granted"] == [f"SELECT (x, tableoid, ctid) ON public.ours TO {role}"]
    told = {row["name"]: row["why"] for row in made["left_out"]}
    assert set(told) == {"ours.y", "public.theirs", "SELECT 1; DROP TABLE ours"}
    assert "permission denied" in told["public.theirs"] or "could not be granted" in told["public.theirs"]
    with db.as_role(role) as session, session.cursor() as cursor:
        cursor.execute("SELECT tableoid, ctid, x FROM ours")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT id FROM ours")
    again = db.modules(owner).ok("ledger", **wish)
    assert (again["changed"], again["granted"], again["left_out"]) == (False, [], made["left_out"])


def test_absent_takes_it_all_back(place: Place) -> None:
    place.bootstrap("absent")
    assert place.db.rows("SELECT 1 FROM pg_roles WHERE rolname = %s", (place.role,)) == []
    assert not place.db.has_ledger()
