# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the least-privileged role does, and what each action says of rights: nothing if the role has what it takes.

Each can be called again and again: what it changes is put back, by itself or at the beginning of the next call.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

from tests.integration.granted import first, said
from tests.integration.least import METRICS, USERS, Place
from tests.integration.module import Modules, Result
from tests.integration.repairs import FENCED
from tests.integration.restores import backup
from tests.integration.test_least_privilege import RANK
from tests.support.binaries import postgres
from tests.support.dataset import KEY

_NUMBERS = itertools.count(1)
# As the profile fences it.
LANES = {"name": "Tickets", "operations": ["UPDATE", "DELETE", "TRUNCATE"], "columns": ["kanbanLane", "kanbanOrder"]}
PRIORS = ("ledger", "nothing to keep")


def flagged(place: Place) -> Modules:
    """Return modules that run as the role on the flag that the profile names, under an incident of their own."""
    return place.modules.having(**place.said["flag"], incident_id=f"INC-{next(_NUMBERS)}", run_id="run-1")


def kill(place: Place, modules: Modules | None = None) -> str:
    """Switch off who is on, in the ledger and under the latch."""
    latch = place.db.value("SELECT proname FROM pg_proc WHERE proname LIKE 'lower\\_latch\\_%%'")
    place.db.rows(f"SELECT kanban_rollback.{latch}()")
    column, table = ("value", "Settings") if "key" in place.said["flag"] else ("settings", "Companies")
    on = f"'enabled' WHERE key = '{KEY}'" if table == "Settings" else """'{"kanbanV2Enabled": true}' WHERE id < 9"""
    place.db.rows(f'UPDATE "{table}" SET "{column}" = {on}')
    if table == "Settings":
        place.db.rows(f"""DELETE FROM "Settings" WHERE key = '{KEY}' AND "companyId" = 3""")
    result = (modules or flagged(place)).run(
        "feature_flag", state="disabled", latch=True, state_dir=str(place.directory / "state")
    )
    if not result.get("failed"):
        assert result["enabled_after"] == 0, result
        assert result["warnings"] or (result["priors"]["kept_in"] in PRIORS and result["latch"]["raised"]), result
    return said(result)


def undo(place: Place) -> str:
    """Put the flag back, which ends the latch."""
    modules = flagged(place)
    return first(
        lambda: kill(place, modules),
        lambda: said(modules.run("feature_flag", state="restored", state_dir=str(place.directory / "state"))),
    )


def record(place: Place) -> str:
    """Keep an incident with its lease and events, known by a second name, and close it."""
    named = f"INC-{next(_NUMBERS)}"
    modules = place.modules.having(incident_id=named, run_id="run-1")
    event = {"phase": "assess", "event": "noted", "data": {}}
    return first(
        lambda: said(modules.run("incident", lease="held", event=event)),
        lambda: said(modules.run("incident", aliases=[f"INC-{next(_NUMBERS)}"])),
        lambda: said(place.modules.run("incident_info", incident_id=named)),
        lambda: said(modules.run("incident", lease="released")),
        lambda: said(modules.run("incident", state="closed")),
    )


def mark(place: Place) -> str:
    """Give a ledger that has no mark the mark of its environment."""
    place.db.rows("DELETE FROM kanban_rollback.meta WHERE key = 'environment'")
    told = said(place.modules.run("incident", incident_id=f"INC-{next(_NUMBERS)}", environment="staging"))
    place.db.rows("DELETE FROM kanban_rollback.meta WHERE key = 'environment'")
    return told


def keep_files(place: Place) -> str:
    """Keep a journal that grows."""
    place.modules.ok("incident", incident_id="INC-FILES")
    line = f"{next(_NUMBERS)}\n"
    files = [{"name": f"journal-run-{line.strip()}.jsonl", "text": line * times} for times in (1, 2)]
    told = [
        lambda: said(place.modules.run("incident_files", incident_id="INC-FILES", files=[files[0]])),
        lambda: said(place.modules.run("incident_files", incident_id="INC-FILES", files=[files[1]])),
    ]
    return first(*told)


OVER = """
INSERT INTO kanban_rollback.incidents (incident_id, closed_at) VALUES ('{0}', now() - interval '99 days');
INSERT INTO kanban_rollback.files (incident_id, name, run_id, text) VALUES ('{0}', 'journal-r.jsonl', 'r', 'x');
WITH made AS (
  INSERT INTO kanban_rollback.repairs (incident_id, run_id, plan_hash, plan) VALUES ('{0}', 'r', 'h', '{{}}')
  RETURNING repair_id
)
INSERT INTO kanban_rollback.quarantined (repair_id, place, schema_name, table_name, columns, check_name, before)
SELECT repair_id, 1, 'public', 'Tags', '{{}}', 'c', '(1)' FROM made
"""
LEFT = """
SELECT count(*) FROM kanban_rollback.incidents AS i JOIN kanban_rollback.repairs USING (incident_id)
JOIN kanban_rollback.quarantined USING (repair_id) JOIN kanban_rollback.files AS f ON f.incident_id = i.incident_id
"""


def purge(place: Place) -> str:
    """Purge what retention allows: all of it, or nothing."""
    place.db.rows(OVER.format(f"INC-OVER-{next(_NUMBERS)}"))
    there = place.db.value(LEFT)
    told = said(place.modules.run("ledger", state="purged", retention_days=90))
    assert place.db.value(LEFT) == (there if told else 0)
    return told


def fence(place: Place) -> str:
    """Raise the fence, prove it, lower it."""
    modules = place.modules.having(tables=[*FENCED[:2], LANES])

    def each(result: Result, *good: str) -> str:
        told = [row for row in result.get("tables") or [] if row["status"] not in good]
        # A fence that is up but could not be tried is not the same as one that is not up.
        return said(result, "not_proven") or " ".join(str(row["reason"]) for row in told)

    return first(
        lambda: each(modules.run("write_fence", incident_id="INC-FENCE"), "proven"),
        lambda: each(modules.run("write_fence_info", prove=True), "proven"),
        lambda: each(modules.run("write_fence", state="absent", incident_id="INC-FENCE"), "lowered"),
    )


def rank(place: Place) -> str:
    """Rank the tenants by their errors, and count their users."""
    return said(place.modules.having(**place.said["flag"]).run("affected_tenants_info", users_query=USERS, **RANK))


def check(place: Place) -> str:
    """Look at the data by the profile's checks."""
    result = place.modules.ok("integrity_info", checks=place.said["checks"])
    told = [one for one in result["checks"] if one["status"] not in ("ok", "corrupt", "not_applicable")]
    assert {one["code"] for one in told} <= {"missing_privilege"}, told
    assert result["complete"] is not bool(told)
    return " ".join([*(one["why"] for one in told), *result["warnings"]])


def gate(place: Place) -> str:
    """Take the profile's figures that a query gives."""
    metrics = [{"name": name, **METRICS[name]} for name in ("errors", "queue")]
    metrics = [{key: value for key, value in one.items() if key != "where"} for one in metrics]
    samples = place.modules.ok("metric_gate", metrics=metrics)["samples"]
    return " ".join(f"{one['code']}: {one['error']}" for one in samples if one["value"] is None)


def slow(place: Place) -> str:
    """Show what is slow, with the text of everybody's statements."""
    return " ".join(place.modules.ok("slow_queries_info", interval=0)["warnings"])


def end_a_session(place: Place) -> str:
    """Switch off a tenant whose row a session holds, which is ended for it."""
    modules = flagged(place)
    place.db.rows("""UPDATE "Companies" SET settings = '{"kanbanV2Enabled": true}' WHERE id = 1""")
    if "app" not in place.db.roles:
        place.db.roles["app"] = place.password
        place.db.rows("CREATE ROLE app LOGIN PASSWORD %s", (place.password,))
        place.db.rows('GRANT CONNECT ON DATABASE kanban TO app; GRANT USAGE ON SCHEMA public TO app; '
                      'GRANT SELECT, UPDATE ON "Companies" TO app')  # fmt: skip
    with place.db.as_role("app") as holder:
        holder.autocommit = False
        with holder.cursor() as cursor:
            cursor.execute('SELECT FROM "Companies" WHERE id = 1 FOR UPDATE')
        result = modules.run("feature_flag", state="disabled", tenants=["1"], on_blocked="terminate", deadline=2)
        ended = bool(result["terminated"])
        holder.close()
    assert ended is not bool(result.get("failed")), result
    return "" if ended else " ".join(result["warnings"])


def plan_repair(place: Place) -> str:
    """Plan the profile's repairs, which looks at everything that they need."""
    result = place.modules.run("integrity_repair", True, checks=place.said["checks"], incident_id="INC-REPAIR")
    told = [reason["what"] for reason in result["plan"]["refused"]] if "plan" in result else []
    return " ".join([*told, said(result)]).strip()


def repair(place: Place) -> str:
    """Repair, and bring it back; what a run before this one left repaired is brought back first."""
    modules = place.modules.having(incident_id="INC-REPAIR", run_id="run-1", checks=place.said["checks"])

    def apply() -> str:
        plan = modules.ok("integrity_repair", True)
        return said(modules.run("integrity_repair", plan_hash=plan["plan_hash"], approved_by="ana"))

    def back() -> str:
        return said(modules.run("integrity_repair", state="undone"))

    return first(back, apply, back)


# Rows of each table that are gone, changed, or have a number that is given out again.
DAMAGE = """
DELETE FROM "TicketTags" WHERE id IN (SELECT id FROM "TicketTags" ORDER BY id LIMIT 2);
DELETE FROM "Tags" WHERE id IN (SELECT id FROM "Tags" ORDER BY id DESC LIMIT 2);
DELETE FROM "Tickets" WHERE id IN (SELECT id FROM "Tickets" ORDER BY id DESC LIMIT 2);
"""
CHANGE = """
UPDATE "Tags" SET color = 'red' WHERE id = 5; UPDATE "Tickets" SET "lastMessage" = 'x' WHERE id = 5;
UPDATE "TicketTags" SET "updatedAt" = "updatedAt" + interval '1 s' WHERE id = 5
"""
# No undo of a restore sets them back.
AGAIN = """
SELECT setval('"Tags_id_seq"', 1), setval('"Tickets_id_seq"', 1), setval('"TicketTags_id_seq"', 1)
"""
RESTORED = ["Tags", "Tickets", "TicketTags"]


def _restoring(place: Place) -> Modules:
    """Return modules that compare with a backup from before the damage, and bring its rows back."""
    dump = place.directory / "before.dump"
    if not dump.exists():
        place.modules.ok("incident", incident_id="INC-RESTORE")
        made = backup(place.db, place.directory, "custom", *RESTORED)["path"]
        (place.directory / made).rename(dump)
        place.db.rows(DAMAGE)
        place.db.rows(CHANGE)
        place.db.rows(AGAIN)
    source = {"kind": "file", "path": str(dump)}
    return place.modules.having(
        incident_id="INC-RESTORE", run_id="run-1", allow_unfenced=True, source=source, tables=RESTORED,
        changed="restore", bin_dir=str(postgres()),
    )  # fmt: skip


def plan_restore(place: Place) -> str:
    """Compare with the backup."""
    result = _restoring(place).run("pg_restore_tables", True)
    told = [reason["what"] for reason in result["plan"]["refused"]] if "plan" in result else []
    return " ".join([*told, _of_rights(result)]).strip()


def _of_rights(result: Result) -> str:
    """Return what is said of rights: there is no fence here, and nobody asked how much room there is."""
    told = [text for text in result["warnings"] if not re.search("Without the fence: |How much space", text)]
    return said({**result, "warnings": told})


def restore(place: Place) -> str:
    """Bring rows back and take them away again; what a run before this one left is taken away first."""
    modules = _restoring(place)
    place.db.rows(AGAIN)

    def apply() -> str:
        plan = modules.ok("pg_restore_tables", True)
        assert plan["plan"]["total_rows"] > 0
        return _of_rights(modules.run("pg_restore_tables", plan_hash=plan["plan_hash"], approved_by="ana"))

    def back() -> str:
        return _of_rights(modules.run("pg_restore_tables", state="undone"))

    return first(back, apply, back)


def rehearse(place: Place) -> str:
    """Plant rows that are wrong, and take them away again."""
    modules = place.modules.having(incident_id="INC-REHEARSE", environment="staging")
    modules.ok("incident")
    named = {"column": "companyId", "text_column": "context", "text": "kanban", "time": "createdAt"}
    orphans = {"column": "companyId", "references": {"table": "Companies", "column": "id"}, "time": "createdAt"}
    kinds = [
        {"kind": "errors", "table": "ErrorLogs", "tenants": ["1"], **named},
        {"kind": "orphan", "table": "Tags", **orphans},
        {"kind": "duplicate", "table": "TicketTags", "columns": ["ticketId", "tagId"], "time": "createdAt"},
    ]

    def gone() -> str:
        return said(modules.run("rehearsal_data", state="absent"))

    # What a run before this one left planted goes first: it would be taken for this one's.
    return first(gone, lambda: said(modules.run("rehearsal_data", kinds=kinds, rows=3)), gone)


def dump(place: Place) -> str:
    """Dump what a restore would need, with the schema of the whole database."""
    dest = place.directory / f"dump-{next(_NUMBERS)}"
    given: dict[str, Any] = {
        "tables": RESTORED,
        "dest": str(dest),
        "incident_id": "INC-DUMP",
        "min_free": "10M",
        "deadline": 60,
    }
    return said(place.modules.run("pg_dump", bin_dir=str(postgres()), **given))
