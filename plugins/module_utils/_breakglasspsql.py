# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``break-glass.sql`` as psql reads it: the statements of ``_breakglass``, in order, with words for a person who is
awake at three in the morning. It contains no password and no timestamp, so a second preflight writes the same file."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglass import (
    KEEP_TABLE,
    LEDGER_TABLE,
    Script,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglassmissing import (
    make_missing,
    make_missing_again,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglassredis import block_text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._breakglasswords import (
    ABOUT_DOCUMENTS,
    ABOUT_PLACE,
    AFTERWARDS,
    WORDS,
    flat,
    say,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor, Login, identifier, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import breakglass as queries

# A line that raises: with ON_ERROR_STOP psql then ends with status 3.
_STOP = "DO 'BEGIN RAISE EXCEPTION USING MESSAGE = {message}; END';"
_LEFT_ALONE = "Left alone, because it or what is on it is another role's:"


@dataclass(frozen=True)
class Surroundings:
    """What the script says about systems other than the database.

    :param block_key: the Redis key of the write block; None leaves the block out.
    :param redis_hosts: how Redis is reached from each of its hosts, as ``block_lines`` takes it.
    """

    block_key: str | None = None
    redis_hosts: Sequence[Mapping[str, Any]] = ()

    @property
    def block(self) -> list[str]:
        """What to type for the write block, and where."""
        return block_text(self.block_key, self.redis_hosts) if self.block_key else []


def break_glass(cursor: Cursor, login: Login, targets: Sequence[Target], around: Surroundings) -> str:
    """Return the whole script; its first target is the tenants' flag."""
    keep = sql.SQL(":keep")
    scripts = [Script(target, keep, trying=False) for target in targets]
    # The default of all tenants first: it decides for everybody without a row.
    default_first = list(enumerate(scripts, 1))[::-1]
    parts = [
        _head(login, targets[0], around),
        _SESSION,
        *_keep(cursor, scripts[0]),
        *[f"{text};" for text in scripts[0].function_texts(cursor)],
        "\\if :{?undo}",
        *[line for script in scripts for line in _undo(cursor, script)],
        *_fence(queries.LOWER_FENCE, "no_fence"),
        *_all_back(cursor, scripts),
        "\\else",
        # Containment first, and no part of it depends on another: one refused row fails the statement for all.
        "\\set ON_ERROR_STOP off",
        *[line for number, script in default_first for line in _off(cursor, script, number)],
        *_block(around),
        say("The fence: Kanban writes are refused from here on, where it is installed"),
        *_fence(queries.RAISE_FENCE, "no_fence"),
        *[line for number, script in default_first for line in _off_held(cursor, script, number)],
        "\\set ON_ERROR_STOP on",
        *_count(cursor, scripts),
        "\\endif",
        AFTERWARDS,
    ]
    return "\n\n".join(parts) + "\n"


def _comment(*lines: str) -> str:
    """Return a comment; a name from a catalog with a line break must not end it."""
    return "\n".join(f"-- {flat(line)}".rstrip() for line in lines)


def _head(login: Login, target: Target, around: Surroundings) -> str:
    options = {"-h": login.unix_socket or login.host, "-p": login.port, "-U": login.user, "-d": login.database}
    words = " ".join(f"{name} {shlex.quote(str(value))}" for name, value in options.items() if value)
    lines = [
        "break-glass.sql, written by preflight.yml of chatia.kanban_rollback: for the day Ansible itself is broken.",
        f"Switches {target.identity} off for every tenant, with psql alone.",
        "",
        f"Off:   psql -X {words} -f THIS_FILE",
        f"Undo:  psql -X {words} -v undo=1 -f THIS_FILE",
        "",
        *WORDS,
        f"in the table {target.table.schema}.{KEEP_TABLE}.",
        *ABOUT_PLACE,
    ]
    if target.is_document:
        lines += ["", f"The flag is inside of a document of type {target.column.type_name}.", *ABOUT_DOCUMENTS]
    if around.block:
        lines += ["", "The write block, in a shell:", *around.block]
    return _comment(*lines)


_SESSION = (
    """\
\\set ON_ERROR_STOP on
\\set QUIET on
\\pset pager off
\\pset footer off
SET client_encoding = 'UTF8';
SET client_min_messages = warning;
SET application_name = 'chatia.kanban_rollback break-glass';
-- Nothing here waits for ever, and COMMIT does not wait for a standby that is dead.
SET lock_timeout = '2s';
SET statement_timeout = '120s';
-- A limit for whole transactions, which PostgreSQL has from 17 on, would end this session.
SELECT :SERVER_VERSION_NUM >= 170000 AS kanban_limits_whole \\gset
\\if :kanban_limits_whole
SET transaction_timeout = 0;
\\endif
SET synchronous_commit = local;
-- An error beats "0 tenants" read through a policy.
SET row_security = off;
SET default_transaction_read_only = off;

\\echo 'Which server is this'
SELECT current_database() AS database, session_user AS role, clock_timestamp() AS now,
       COALESCE(host(inet_server_addr()), 'local socket') AS server, inet_server_port() AS port;
SELECT pg_is_in_recovery() AS is_replica \\gset
\\if :is_replica
"""
    + _STOP.format(message="''This server is a replica: run this on the primary.''")
    + """
\\endif"""
)


def _keep(cursor: Cursor, script: Script) -> list[str]:
    """Return the lines that set where the priors go, and under which incident."""
    ledger = cursor.filled(sql.SQL("SELECT %(name)s AS keep"), {"name": LEDGER_TABLE})
    own = cursor.filled(sql.SQL("SELECT %(incident)s AS incident"), {"incident": "BREAK-GLASS"})
    set_incident = "SELECT set_config('kanban_rollback.break_glass', :'incident', false) AS incident;"
    return [
        _comment("Where prior values are kept, and under which incident."),
        f"{queries.HAS_LEDGER.strip()} \\gset",
        "\\if :has_ledger",
        f"{ledger} \\gset",
        "\\if :{?incident}\n\\elif :{?undo}",
        f"{script.text(cursor, queries.LAST_OF_FLAG)} \\gset",
        "\\if :{?incident}\n\\else",
        _STOP.format(message="''Nothing is kept for this flag in the ledger.''"),
        "\\endif",
        "\\else",
        f"{queries.OPEN_OR_NEW.strip()} \\gset",
        "\\endif",
        set_incident,
        "\\if :{?undo}\n\\else",
        f"{script.text(cursor, script.format(queries.OPEN_INCIDENT))};",
        "\\endif",
        "\\else",
        "\\if :{?not_the_ledger}",
        say("No ledger is used, because this is none:", "not_the_ledger"),
        "\\endif",
        f"\\if :{{?incident}}\n\\else\n{own} \\gset\n\\endif",
        *_keep_beside(cursor, script),
        set_incident,
        "\\endif",
        say("Prior values are kept in", "keep"),
    ]


def _keep_beside(cursor: Cursor, script: Script) -> list[str]:
    """Return the lines that find, or make, the table that stands in for the ledger."""
    choose = "EXECUTE kanban_keep \\gset"
    make = f"\\if :keep_is_there\n\\else\n{script.text(cursor, script.format(queries.CREATE_KEEP))};\n{choose}\n\\endif"
    missing = "\\if :keep_is_there\n\\else"
    return [
        f"PREPARE kanban_keep AS\n{script.text(cursor, queries.KEEP_PLACE)};",
        choose,
        f"\\if :{{?keep_others}}\n{say(_LEFT_ALONE, 'keep_others')}\n\\endif",
        "\\if :{?undo}",
        missing,
        _STOP.format(message="''Nothing is kept for this flag in a table that this role may trust.''"),
        "\\endif\n\\else",
        # Twice, in case that somebody takes the name meanwhile: the second one is a name that nobody can foresee.
        "\\set ON_ERROR_STOP off",
        make,
        make,
        "\\set ON_ERROR_STOP on",
        missing,
        _STOP.format(message="''No table for prior values could be made: the ERROR above says why.''"),
        "\\endif\n\\endif",
    ]


def _off(cursor: Cursor, script: Script, number: int) -> list[str]:
    """Switch off whatever is free of one flag."""
    which = "the default of all tenants" if script.target.global_default else "every tenant whose row is free"
    parts = [say(f"Off: {which}"), *[f"{script.text(cursor, statement)};" for statement in script.off(one=False)]]
    return [*parts, *make_missing(cursor, script, number)]


def _block(around: Surroundings) -> list[str]:
    """Return what a person types for the block meanwhile: psql cannot reach Redis."""
    if not around.block:
        return []
    return ["\n".join(say(line) for line in ["The write block: now, in another terminal", *around.block])]


def _off_held(cursor: Cursor, script: Script, number: int) -> list[str]:
    """Switch off the rest of one flag one by one, because nobody knows how many are held and for how long."""
    name = f"kanban_off_{number}"
    one = script.off(one=True)
    left = [
        script.text(cursor, script.format(queries.LEFT_OVER, name=sql.SQL(f"{name}_{i}"))) + "\n\\gexec"
        for i in range(1, len(one) + 1)
    ]
    apart, last = make_missing_again(cursor, script, number)
    return [
        say("Off: what was held, one by one; each waits a quarter of a second"),
        "SET lock_timeout = '250ms';",
        *apart,
        *[f"PREPARE {name}_{i} (text) AS\n{script.text(cursor, statement)};" for i, statement in enumerate(one, 1)],
        *left,
        *last,
        "SET lock_timeout = '2s';",
    ]


def _count(cursor: Cursor, scripts: Sequence[Script]) -> list[str]:
    """Show the result; anything that is still on ends the script with an error."""
    parts = [say("What holds"), "SET lock_timeout = '1s';"]
    for script in scripts:
        name = cursor.filled(identifier(script.target.table.schema, script.target.table.name), {})
        holders = cursor.filled(sql.SQL(queries.HOLDERS), {"name": name}).strip()
        still = script.text(cursor, script.count_statement())
        parts += [
            # A table that somebody holds cannot be counted, but who holds it is shown all the same.
            "\\set ON_ERROR_STOP off\n\\set all_off off\n\\set total NULL\n\\set still_on NULL",
            f"{still} \\gset",
            "SELECT :total AS total, :still_on AS still_on;",
            "\\if :all_off\n\\else",
            f"{script.text(cursor, script.who_is_still_on())};",
            say("Who holds the table and its rows, with the statement that ends it"),
            f"{holders};",
            "\\set ON_ERROR_STOP on",
            _STOP.format(message="''STILL ON: see the tenants above. End who holds them, and run this again.''"),
            "\\endif",
        ]
    return [*parts, "\\set ON_ERROR_STOP on", say("All off.")]


def _fence(statement: str, unless: str) -> list[str]:
    """Raise or lower the installed fence, by the function that its owner left for this."""
    return [
        f"{queries.HAS_FENCE.strip()} \\gset",
        f"\\if :{{?{unless}}}\n\\elif :has_fence",
        f"{statement.strip()};",
        "\\else",
        say("No fence that this role may move is installed (bootstrap.yml installs it)."),
        "\\endif",
    ]


def _undo(cursor: Cursor, script: Script) -> list[str]:
    """Put back what was kept for one flag."""
    return [
        say("Undo: every tenant as it was before"),
        f"SELECT set_config('kanban_rollback.passage', {queries.INCIDENT}, false) AS passage;",
        *[f"{script.text(cursor, statement)};" for statement in script.back()],
        f"{script.text(cursor, script.count_statement())};",
    ]


def _all_back(cursor: Cursor, scripts: Sequence[Script]) -> list[str]:
    """Report what is left and end the script with an error; the same command goes on with it."""
    parts = []
    for script in scripts:
        parts += [
            f"{script.text(cursor, script.format(queries.NOT_BACK))} \\gset",
            "\\if :all_back\n\\else",
            "SELECT :not_back AS not_back, :'tenants' AS tenants;",
            _STOP.format(message="''NOT ALL BACK: these are held (type it again), were changed since, or are gone.''"),
            "\\endif",
        ]
    return parts
