# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what was seen to what is missing: one check per fact. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError, Timeout

MUST, SHOULD = "must", "should"
NAMED = 5  # Most names in one sentence; the counts beside them are complete.
GIGABYTE = 1e9
HOUR = 3600.0
# Above this the oldest open transaction is a reason to look: the kill waits for it row by row.
LONG_SECONDS = 300.0


@dataclass(frozen=True)
class Check:
    """One thing that the scenarios need.

    :param ok: None if it could not be found out.
    :param severity: ``must`` keeps the place from being ready, ``should`` does not.
    """

    name: str
    ok: bool | None
    severity: str
    what: str
    why: str = ""
    todo: str = ""

    def as_result(self) -> dict[str, Any]:
        """Return it as the module's result shows it."""
        return asdict(self)


# What a failure means on the day. An error's own words are about the call that it ended, which changed nothing.
_WHY = {
    "flag": "The kill would fail, and every tenant stay on.",
    "kill": "The kill would fail, and every tenant stay on.",
    "ledger": "Prior values would go to files on the host, and recovery and re-enabling have no lease.",
    "blockers": "Who holds a tenant's row could not be named.",
    "break_glass": "On the day that Ansible is broken the script would stop there.",
    "dump_tables": "The dump would fail, and with it what scenario 3 preserves.",
    "snapshot": "The dump would fail: its parts would not fit together.",
    "tools": "The dump would fail, and with it what scenario 3 preserves.",
    "dump_proof": "A dump that cannot be proven as asked is not begun, so scenario 3 would have none.",
}


def of_error(name: str, severity: str, error: KanbanError | None, good: str) -> Check:
    """Return the check for something that was tried: ``error``: its failure, if any; ``good``: the text for success."""
    if error is None:
        return Check(name, True, severity, good)
    if isinstance(error, Timeout):
        # Somebody held the table for that moment: it says nothing about this role.
        what = f"It could not be tried: {error.what}"
        return Check(name, None, severity, what, "Somebody holds the table.", "Run preflight again.")
    return Check(name, False, severity, error.what, _WHY.get(name, error.why), error.todo)


def server_check(user: str, version: str, warnings: Sequence[str]) -> Check:
    """Return what a reader should know about the connection."""
    if warnings:
        return Check(
            "server",
            False,
            SHOULD,
            " ".join(warnings),
            "Who blocks the kill may then not be named in full, and a dump refuses a pooler.",
            "Connect directly to the primary, as a member of pg_read_all_stats (bootstrap.yml grants it).",
        )
    return Check("server", True, SHOULD, f"Connected as {user} to PostgreSQL {version}.")


def replica_check() -> Check:
    """Return the one check of a server in recovery."""
    return Check("server", True, SHOULD, "A replica: nothing is acted on here while it is one.")


def ledger_check(present: bool, usable: bool, creatable: bool, error: KanbanError | None) -> Check:
    """Return whether incidents and prior values can be recorded in the database."""
    if present and usable:
        return of_error("ledger", MUST, error, "The ledger is there and this role may write it.")
    why = _WHY["ledger"]
    grant = "Run bootstrap.yml as a role that may make schemas; it grants this role what it needs."
    if present:
        return Check("ledger", False, MUST, "The ledger is there, but this role may not use it.", why, grant)
    if error is None and creatable:
        what = "There is no ledger yet; this role could make it on the day."
        return Check("ledger", False, SHOULD, what, "It would be made in the middle of an incident.", grant)
    return Check("ledger", False, MUST, "There is no ledger, and this role may not make one.", why, grant)


def kill_check(error: KanbanError | None, triggers: Sequence[str], drawn: Sequence[str] = ()) -> Check:
    """Return whether this role may run the kill; ``triggers``: the table's own; ``drawn``: grants for new rows' ids."""
    if error is None and drawn:
        what = "This role lacks USAGE on sequences that fill rows of the flag's table."
        why = "Tenants without a row of their own would stay on."
        return Check("kill", False, MUST, what, why, f"Grant it (bootstrap.yml does): {' '.join(drawn)}")
    good = "The server planned the kill's statements and checked this role's privileges; none was run."
    if triggers:
        good += f" The table's own triggers ({', '.join(triggers[:NAMED])}) fire on the day: a rehearsal tries them."
    return of_error("kill", MUST, error, good)


def latch_check(problem: str | None) -> Check:
    """Return whether the latch of this flag can be raised after a kill; ``problem``: why not."""
    if problem is None:
        return Check("latch", True, SHOULD, "The latch can be raised.")
    why = "After the kill a request that read the settings before it can switch a tenant on again."
    todo = "Run bootstrap.yml as the owner of the flag's table: it installs the latch, for this role to raise."
    return Check("latch", False, SHOULD, problem, why, todo)


def same_name_check(several: Mapping[str, Sequence[str]], flags: str) -> Check:
    """Return whether each table that is named without a schema is in one schema only.

    :param several: by name, the tables of that name, the likeliest first; ``flags``: the name of the flag's table.
    """
    if not several:
        return Check("same_name", True, MUST, "Each table's name means one table.")
    each = "; ".join(f"{name}: {', '.join(tables[:NAMED])}" for name, tables in list(several.items())[:NAMED])
    name = flags if flags in several else next(iter(several))
    key = "companies" if name == flags else re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return Check(
        "same_name",
        False,
        MUST,
        f"Tables of the same name are in several schemas ({each}).",
        "A stop switches and fences each of them, and is contained in part until one is named.",
        f"Name the one that the application uses, for instance kanban_tables: {{{key}: {several[name][0]}}}",
    )


def ddl_guard_check(guards: Sequence[Sequence[Any]], raisers: Sequence[Sequence[Any]]) -> Check:
    """Return whether fence and latch are raised past event triggers, which may refuse DDL.

    :param guards: each with its name, whether it fires in the role of a replica, and the lines that mend either case.
    :param raisers: the roles that raise, each with whether it may take that role, and the line that lets it, if any.
    """
    firm = [guard for guard in guards if guard[1]]
    lines = [line for _name, _always, line, _off in firm]
    unable = [raiser for raiser in raisers if not raiser[1]]
    lines += [grant or "" for _name, _may, grant in unable]
    if "" in lines:
        lines = [off for _name, _always, _line, off in guards]
    if not lines:
        names = ", ".join(name for name, *_lines in guards[:NAMED])
        return Check("ddl_guard", True, MUST, f"Fence and latch are raised past the event triggers ({names}).")
    who = f" for {', '.join(name for name, *_may in unable[:NAMED])}" if unable else ""
    named = ", ".join(name for name, *_lines in (guards if unable else firm)[:NAMED])
    return Check(
        "ddl_guard",
        False,
        MUST,
        f"Event triggers ({named}) fire{who} when fence and latch are raised.",
        "One that refuses DDL would keep both down during a stop.",
        f"As a superuser: {' '.join(lines)}",
    )


def fence_triggers_check(texts: Sequence[str]) -> Check:
    """Return whether triggers of the application get around the fence."""
    if not texts:
        return Check("fence_triggers", True, SHOULD, "No trigger of the application's own gets around the fence.")
    todo = "Read those functions; where one changes a fenced column, fence that table without columns."
    return Check("fence_triggers", False, SHOULD, " ".join(texts), "Such a change would pass the fence unseen.", todo)


def terminate_check(asked: bool, may: bool) -> Check:
    """Return whether sessions that hold rows can be ended, if that is asked for."""
    if not asked:
        lacks = "" if may else "; this role could not end them, as it is no member of pg_signal_backend"
        what = f"Sessions that hold rows are named, not ended (on_blocked=report){lacks}."
        return Check("terminate", True, SHOULD, what)
    if may:
        return Check("terminate", True, MUST, "Sessions that hold rows can be ended.")
    return Check(
        "terminate",
        False,
        MUST,
        "This role is no member of pg_signal_backend.",
        "kanban_on_blocked=terminate would end nobody, and their tenants stay on.",
        "GRANT pg_signal_backend TO the role, or set kanban_on_blocked=report.",
    )


def unreadable_check(names: Sequence[str]) -> Check:
    """Return whether the schema of the whole database can be read, as a dump does."""
    if not names:
        return Check("dump_schema", True, MUST, "Every table of the database can be read.")
    return Check(
        "dump_schema",
        False,
        MUST,
        f"This role may not read {_number(len(names), 1000)} tables ({', '.join(names[:NAMED])}).",
        "pg_dump locks every table to read the schema, so the dump fails without.",
        "GRANT pg_read_all_data TO the role (PostgreSQL 14 and newer), or SELECT on these tables.",
    )


def disk_check(disk: Mapping[str, Any]) -> Check:
    """Return whether the dump has room: ``path``, ``free_bytes`` (None: unknown), ``needed_bytes``."""
    free, needed, path = disk["free_bytes"], disk["needed_bytes"], disk["path"]
    if path is None:
        return Check(
            "disk",
            None,
            SHOULD,
            "No dump_dir was given.",
            "Nobody knows whether a dump has room.",
            "Set kanban_dump_dir to a directory on a disk of its own.",
        )
    if free is None:
        return Check("disk", None, MUST, f"The disk of {path} could not be asked.", "", "Look at its rights.")
    text = f"{free / GIGABYTE:,.2f} GB are free for {path}, a dump asks for {needed / GIGABYTE:,.2f} GB"
    if free >= needed:
        return Check("disk", True, MUST, f"{text}.")
    return Check(
        "disk",
        False,
        MUST,
        f"{text} (the spare included).",
        "The dump would end with a full disk, and on the database's own disk take the database with it.",
        "Free space, or set kanban_dump_dir to another disk.",
    )


def backup_check(dump: Mapping[str, Any] | None, archiver: Mapping[str, Any] | None, most: float) -> Check:
    """Return whether there is something to restore from: a proven dump, or a working archive of WAL."""
    if most <= 0:
        return Check("backup", True, SHOULD, "The age of backups is not asked for (backup_max_age 0).")
    ages = []
    if dump:
        ages.append(f"the newest proven dump is {dump['age_seconds'] / HOUR:,.1f} h old")
    if archiver and archiver["enabled"] and archiver["age_seconds"] is not None:
        ages.append(f"WAL was last archived {archiver['age_seconds'] / HOUR:,.1f} h ago")
    failing = bool(archiver and archiver["enabled"] and archiver["failing"])
    if failing:
        ages.append("archiving fails")
    fresh_dump = dump is not None and dump["age_seconds"] <= most
    fresh_wal = bool(archiver and archiver["enabled"] and not failing and (archiver["age_seconds"] or most + 1) <= most)
    text = "; ".join(ages) or "there is neither a proven dump nor archived WAL"
    text = text[0].upper() + text[1:]
    if fresh_dump or fresh_wal:
        return Check("backup", True, MUST, f"{text}.")
    return Check(
        "backup",
        False,
        MUST,
        f"{text}; at most {most / HOUR:,.1f} h are allowed.",
        "What corruption destroyed comes back only from a backup that is older than it, and not much older.",
        "Mend the backup, or say in kanban_backup_sources where it is; where backups are proven elsewhere set "
        "kanban_backup_max_age=0.",
    )


def forecast_check(forecast: Mapping[str, Any], deadline: float) -> Check:
    """Return whether the kill can be expected within its deadline."""
    text = (
        f"{forecast['on']:,} of {forecast['tenants']:,} tenants would be switched off in about "
        f"{forecast['seconds']:.1f} s; {forecast['locked_now']} rows are held now"
    )
    if forecast["seconds"] > deadline:
        return Check(
            "forecast",
            False,
            SHOULD,
            f"{text}.",
            f"The deadline is {deadline:g} s; what is still on then is named, and the same command goes on.",
            "Raise kanban_deadline.",
        )
    oldest = forecast["open_transactions"]["oldest_seconds"]
    if oldest is not None and oldest > LONG_SECONDS:
        return Check(
            "forecast",
            False,
            SHOULD,
            f"{text}, and the oldest open transaction is {oldest:,.0f} s old.",
            "Rows that it holds stay on, and what it read before the kill it can write back.",
            "Find out what it is, and mend what leaves transactions open.",
        )
    return Check("forecast", True, SHOULD, f"{text}.")


def default_check(default: str, switched: bool) -> Check:
    """Return whether a stop leaves the default of all tenants on; ``default``: ``on``, ``off`` or ``absent``."""
    if default == "on" and not switched:
        return Check(
            "flag_default",
            False,
            SHOULD,
            "The default of all tenants is on, and kanban_global_default: false leaves it on.",
            "Tenants without a row of their own have the feature by it, so a stop is not contained.",
            "Set kanban_global_default: true. A stop switches it first, and the undo puts it back.",
        )
    return Check("flag_default", True, SHOULD, f"The default of all tenants: {default}.")


def unreadable_settings_check(number: int, sample: Sequence[str]) -> Check:
    """Return whether every tenant's settings can be read."""
    if not number:
        return Check("settings", True, SHOULD, "Every tenant's settings can be read.")
    return Check(
        "settings",
        False,
        SHOULD,
        f"The settings of {number:,} tenants are no JSON ({', '.join(map(str, sample[:NAMED]))}).",
        "Nobody can tell whether their flag is on, so they are left and fail the kill.",
        "Mend them in the application.",
    )


def orm_check(orm: Mapping[str, Any]) -> Check:
    """Return whether the application saves whole rows, which the fence refuses because they name its columns."""
    if not orm["available"]:
        return Check(
            "orm_saves",
            None,
            SHOULD,
            f"The application's updates could not be seen: {orm['reason']}",
            "A save of the whole row names the fenced columns, so the fence would refuse it.",
            "CREATE EXTENSION pg_stat_statements (and shared_preload_libraries), and grant pg_read_all_stats.",
        )
    found = orm["statements"]
    if not found:
        seen = f"; the texts of {orm['hidden']} statements are hidden from this role" if orm["hidden"] else ""
        return Check("orm_saves", None if orm["hidden"] else True, SHOULD, f"No save of whole rows was seen{seen}.")
    tables = ", ".join(sorted({row["table"] for row in found})[:NAMED])
    return Check(
        "orm_saves",
        False,
        SHOULD,
        f"{sum(row['calls'] for row in found):,} saves of whole rows of {tables} name the fenced columns: "
        f"{found[0]['query']}",
        "A statement's fence refuses what names a column, changed or not: every such save would fail.",
        "Set when_changed: true for that table in kanban_fence_tables.",
    )


def _number(number: int, most: int) -> str:
    return f"{number:,}" if number < most else f"at least {most:,}"
