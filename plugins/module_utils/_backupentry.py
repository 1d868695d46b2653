# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``backup_info`` does: ask each source within its time, judge what it has, and choose. Needs the driver."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backup import (
    Backup,
    Wanted,
    ahead,
    asked_moment,
    furthest,
    is_young,
    newest,
    newest_first,
    point_in_time,
    system_identifier,
    utc,
    why_none,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backuparchiver import (
    Archive,
    archiver_result,
    no_archiver,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupserver import read_server
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._backupsources import ASK, Looking
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._catalog import Server
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Login

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]

MOST_LIMIT = 1000


@dataclass(frozen=True)
class Request:
    """What is asked; the fields are the module's options."""

    sources: Sequence[Mapping[str, Any]]
    before: str | None = None
    max_age: float | None = None
    of_database: str | None = None
    tables: Sequence[str] = ()
    verify: str = "contents"
    timeout: float = 60.0
    ask_server: bool = True
    max_behind: int = 3
    limit: int = 20
    bin_dir: str | None = None

    def check(self) -> float | None:
        """Return the moment that is asked about; raises BadInput for anything that cannot be asked."""
        problems = [
            *(["sources is empty"] if not self.sources else []),
            *([] if self.timeout >= 1 else [f"timeout is {self.timeout:g}, less than 1 s"]),
            *([] if self.max_age is None or self.max_age > 0 else [f"max_age is {self.max_age:g}"]),
            *([] if self.max_behind >= 0 else [f"max_behind is {self.max_behind}"]),
            *([] if 0 <= self.limit <= MOST_LIMIT else [f"limit is {self.limit}, not from 0 to {MOST_LIMIT}"]),
            *(["tables has an empty name"] if "" in self.tables else []),
        ]
        if problems:
            raise BadInput(
                "bad_option",
                f"{'; '.join(problems)}.",
                "Nothing was looked at.",
                "Leave the option out, or see ansible-doc chatia.kanban_rollback.backup_info.",
            )
        return asked_moment("before", self.before)


def find_backups(login: Login, request: Request) -> Outcome:
    """Return the module's result; raises BadInput. A source or a server that gives no answer is part of the result."""
    moment, started, now = request.check(), time.monotonic(), time.time()
    server, archive, archiver = _server(login, request)
    cluster = system_identifier(server.cluster if server else None)
    wanted = Wanted(request.of_database, request.tables, cluster)
    look = Looking(request.verify == "contents", request.timeout, request.bin_dir, moment, wanted, archive)
    sources, backups = [], []
    for number, source in enumerate(request.sources):
        shown, found = _source(number, source, look, now)
        sources.append(shown)
        backups += found
    result = {
        "changed": False,
        **_answers(backups, sources, moment, request.max_age, now),
        "backups": [one.as_result(now) for one in newest_first(backups)[: request.limit]],
        "backups_count": len(backups),
        "sources": sources,
        "complete": not any(one["error"] for one in sources),
        "archiver": archiver,
        "database": server.as_result() if server else None,
        "cluster": cluster,
        "sampled_at": utc(now),
        "elapsed_ms": round((time.monotonic() - started) * 1000),
        "warnings": [f"{one['name']}: {text}" for one in sources for text in one["warnings"]],
    }
    return result, None


def _answers(
    backups: Sequence[Backup], sources: Sequence[dict[str, Any]], moment: float | None, most: float | None, now: float
) -> dict[str, Any]:
    """Return the answers to what was asked; None for what was not asked."""
    first = newest(backups)
    earlier = None if moment is None else newest(backups, moment)
    last = furthest(backups)
    return {
        "newest": first.as_result(now) if first else None,
        "newest_why": "" if first else why_none(backups, sources),
        "recent": None if most is None else first is not None and is_young(first.as_of, now, most),
        "furthest": last.as_result(now) if last else None,
        "recent_with_log": None if most is None else last is not None and is_young(last.latest, now, most),
        "before": earlier.as_result(now) if earlier else None,
        "before_why": "" if earlier or moment is None else why_none(backups, sources, moment),
        "lost_seconds": None if earlier is None else _lost(earlier, moment),
        "point_in_time": None if moment is None else point_in_time(backups, moment),
    }


def _lost(backup: Backup, moment: float | None) -> int | None:
    """Return how many seconds of data before the moment would be lost if this backup were restored."""
    if moment is None or backup.as_of is None:
        return None
    return max(0, round(moment - (backup.latest or backup.as_of)))


def _server(login: Login, request: Request) -> tuple[Server | None, Archive | None, dict[str, Any]]:
    if not request.ask_server:
        return None, None, no_archiver()
    try:
        server, archive = read_server(login)
    except KanbanError as error:
        return None, None, no_archiver(error.told())
    return server, archive, archiver_result(archive, request.max_behind)


def _source(number: int, source: Mapping[str, Any], look: Looking, now: float) -> tuple[dict[str, Any], list[Backup]]:
    """Ask one source; anything that is wrong with it is part of what is shown."""
    deadline = Deadline(look.seconds)
    found: list[Backup] = []
    warnings: list[str] = []
    error: dict[str, Any] | None = None
    try:
        ASK[source["kind"]](number, source, look, deadline, found, warnings)
    except KanbanError as problem:
        error = problem.told()
    warnings += ahead(found, now)
    good = newest(found)
    kept = ("path", "stanza", "server", "repo")
    shown = {
        "kind": source["kind"],
        "name": source.get("name") or _name(source),
        **{name: source.get(name) for name in kept},
        "found": len(found),
        "newest": good.label if good else None,
        "newest_as_of": utc(good.as_of) if good else None,
        "refused": [{"label": one.label, "why_not": one.why_not} for one in newest_first(found) if one.usable is False][
            :20
        ],
        "warnings": warnings,
        "error": error,
        "elapsed_ms": deadline.elapsed_ms,
    }
    return shown, found


def _name(source: Mapping[str, Any]) -> str:
    what = source.get("path") or source.get("stanza") or source.get("server") or source.get("config") or ""
    return f"{source['kind']} {what}".strip()
