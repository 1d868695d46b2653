# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands and settings for a scratch instance: pgBackRest, postgresql.conf, pg_dump. Neither Ansible nor a driver.

Of production's configuration, only what recovery cannot do without is used, and pg_control has that.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Collection, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._dumpplan import (
    NAMES_PER_PATTERN,
    conninfo,
    quoted,
)

PORT = 5432
# pgBackRest always restores these, and refuses options that name them.
BUILT_IN = ("postgres", "template0", "template1")
# The first version that reads recovery's settings from postgresql.conf.
LEAST_MAJOR = 12
# The log may need more than the backup had: slots for prepared transactions cost little.
_LEAST_PREPARED = 64
_LOCK_WAIT_MS = 10_000
_LOGIN_TRIGGERS = 17
# From pg_control: with lower values, recovery ends.
_CONTROL = {
    "max_connections": "max_connections",
    "max_worker_processes": "max_worker_processes",
    "max_wal_senders": "max_wal_senders",
    "max_prepared_transactions": "max_prepared_xacts",
    "max_locks_per_transaction": "max_locks_per_xact",
}
_MB = 1 << 20


@dataclass(frozen=True)
class Stanza:
    """What to use of pgBackRest: the program, the stanza, its configuration, and which backup.

    ``only_repo``: the only repository to ask; ``repo``: the one that the backup is in.
    """

    program: str
    name: str
    config: str | None
    only_repo: int | None
    repo: int | None
    label: str

    def argv(self, directory: str, repo: int | None) -> list[str]:
        """Return the arguments of every command. Locks are in the scratch directory, and no log is written at all.

        Otherwise a lock, a log or a spool of production would be touched, or production's own commands have to wait.
        """
        return [
            self.program,
            *([f"--config={self.config}"] if self.config else []),
            *([f"--repo={repo}"] if repo else []),
            f"--stanza={self.name}",
            f"--pg1-path={directory}/data",
            f"--lock-path={directory}/lock",
            "--log-level-file=off",
            "--log-level-console=off",
            "--log-level-stderr=warn",
            "--no-log-timestamp",
        ]


def restore_argv(stanza: Stanza, directory: str, database: str, others: Collection[str], target: str) -> list[str]:
    """Return the command that restores one database, with all that is kept elsewhere brought into the directory.

    Links and maps in the configuration are for production's own paths, so they are reset to none.

    :param others: the cluster's other databases, which are left out as empty files.
    """
    built_in = database in BUILT_IN
    left_out = [f"--db-exclude={name}" for name in sorted(set(others) - set(BUILT_IN))] if built_in else []
    resets = ["link-map", "tablespace-map", "recovery-option", *([] if left_out else ["db-exclude"])]
    return [
        *stanza.argv(directory, stanza.repo),
        *([] if built_in else [f"--db-include={database}"]),
        *left_out,
        *(f"--reset-{name}" for name in resets),
        f"--tablespace-map-all={directory}/tablespaces",
        "--no-link-all",
        "--no-delta",
        "--archive-mode=off",
        "--type=time",
        f"--target={target}",
        "--target-exclusive",
        f"--set={stanza.label}",
        "restore",
    ]


def restore_command(stanza: Stanza, directory: str) -> str:
    """Return how the instance gets files of the log. Not ahead of time: those would be in production's spool."""
    words = [shlex.quote(word) for word in [*stanza.argv(directory, stanza.only_repo), "--no-archive-async"]]
    # PostgreSQL replaces %f and %p, and turns %% into %.
    return " ".join(words).replace("%", "%%") + ' archive-get %f "%p"'


def parse_control(text: str) -> dict[str, str]:
    """Return what pg_controldata printed, by name."""
    pairs = (line.partition(":") for line in text.splitlines())
    return {name.strip(): value.strip() for name, _colon, value in pairs}


def settings_text(
    control: Mapping[str, str], directory: str, command: str, target: str, timeline: int, major: int
) -> str:
    """Return the instance's postgresql.conf; raises KeyError or ValueError if pg_control lacks what is needed.

    :param timeline: production's own, which is followed.

    It is promoted at the target: a paused one would keep the locks of transactions of that moment, for instance of a
    TRUNCATE, and pg_dump would wait for them for ever.
    """
    needed = {name: str(int(control[f"{told} setting"])) for name, told in _CONTROL.items()}
    needed["max_prepared_transactions"] = str(max(_LEAST_PREPARED, int(needed["max_prepared_transactions"])))
    segment = int(control["Bytes per WAL segment"])
    settings = {
        # Only we can connect, by one socket in a directory of ours.
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_directories": f"{directory}/socket",
        "unix_socket_permissions": "0700",
        "hba_file": f"{directory}/pg_hba.conf",
        "ident_file": f"{directory}/pg_ident.conf",
        "external_pid_file": "",
        "ssl": "off",
        # Nothing goes out: no log to the archive, no subscription of production, no program of an extension.
        "archive_mode": "off",
        "archive_command": "",
        "primary_conninfo": "",
        "max_logical_replication_workers": "0",
        "shared_preload_libraries": "",
        "session_preload_libraries": "",
        "local_preload_libraries": "",
        **({"event_triggers": "off"} if major >= _LOGIN_TRIGGERS else {}),
        # Recover to just before the target, then go on.
        "restore_command": command,
        "recovery_target_time": target,
        "recovery_target_inclusive": "off",
        "recovery_target_action": "promote",
        "recovery_target_timeline": str(timeline),
        "hot_standby": "off",
        **needed,
        # Little memory, and nothing that has to survive a crash.
        "shared_buffers": "64MB",
        "huge_pages": "off",
        "work_mem": "4MB",
        "maintenance_work_mem": "32MB",
        "max_parallel_workers": "0",
        "jit": "off",
        "autovacuum": "off",
        "fsync": "off",
        "full_page_writes": "off",
        "synchronous_commit": "off",
        "synchronous_standby_names": "",
        "min_wal_size": f"{2 * segment // _MB}MB",
        "max_wal_size": f"{max(256, 4 * segment // _MB)}MB",
        "dynamic_shared_memory_type": "mmap",
        "restart_after_crash": "off",
        # Its messages are read, and shown if it fails: in English, and with nothing of a row.
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_min_messages": "warning",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_checkpoints": "off",
        "log_line_prefix": "",
        "log_timezone": "UTC",
        "timezone": "UTC",
        "lc_messages": "C",
        "lc_monetary": "C",
    }
    lines = [f"{name} = '{_escaped(value)}'" for name, value in settings.items()]
    return "\n".join(lines) + "\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def dump_argv(
    program: str, socket: str, user: str, database: str, relations: Sequence[tuple[str, str]], major: int, encoding: str
) -> list[str | bytes]:
    """Return the pg_dump that writes the rows of relations to its standard output, in the format of COPY.

    Without relations it writes the definitions of all of them instead.

    What a role or a database is set to load at each login is not loaded.

    :param encoding: Python's name of the database's encoding.
    """
    by_schema: dict[str, list[str]] = {}
    for schema, name in sorted(relations):
        by_schema.setdefault(schema, []).append(quoted(name))
    patterns: list[str | bytes] = []
    for schema, names in by_schema.items():
        for start in range(0, len(names), NAMES_PER_PATTERN):
            some = "|".join(names[start : start + NAMES_PER_PATTERN])
            patterns.append(f"--table={quoted(schema)}.({some})".encode(encoding))
    loaded = ["session_preload_libraries=", "local_preload_libraries="]
    loaded += ["event_triggers=off"] if major >= _LOGIN_TRIGGERS else []
    text, _password = conninfo(
        {
            "host": socket,
            "port": PORT,
            "user": user,
            "dbname": database,
            "sslmode": "disable",
            "options": " ".join(f"-c {one}" for one in loaded),
        }
    )
    what = "--data-only" if relations else "--schema-only"
    given = [what, "--format=plain", "--no-password", f"--lock-wait-timeout={_LOCK_WAIT_MS}"]
    return [program, *given, f"--dbname={text}", *patterns]


def as_target(moment: float) -> str:
    """Return a moment in the form that recovery takes."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%d %H:%M:%S.%f+00")


def as_taken(moment: float) -> str:
    """Return a moment in the form in which results show when rows are from."""
    return datetime.fromtimestamp(moment, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


_STOPPED = re.compile(r"recovery stopping before (?:commit|abort) of transaction \d+, time ([^\r\n]+)")
_READY = "database system is ready to accept connections"
_RESTORED = re.compile(r'restored log file "([0-9A-F]{24})" from archive')


def has_arrived(said: str) -> bool:
    """Return whether the instance says that it is ready."""
    return _READY in said


def stopped_before(said: str) -> str | None:
    """Return the time of the first transaction that is not in it, in the instance's words; None if it did not stop.

    Without that line it may have read to the end of the log that there was, which is another moment.
    """
    found = _STOPPED.search(said)
    return found.group(1).strip() if found else None


def restored_last(said: str) -> str | None:
    """Return the last file of the log that came from the archive."""
    found = _RESTORED.findall(said)
    return found[-1] if found else None


def segment_after(name: str, segment_bytes: int) -> str:
    """Return the file of the log that follows the given one, on the same timeline."""
    per_log = (1 << 32) // segment_bytes
    number = int(name[8:16], 16) * per_log + int(name[16:24], 16) + 1
    return f"{name[:8]}{number // per_log:08X}{number % per_log:08X}"
