# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which logs are evidence, those that matter most first. Neither Ansible nor a driver."""

from __future__ import annotations

import glob
import itertools
import os
import stat
from typing import Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._pm2process import Row, log_paths_of

# If the patterns match more files than this, the list is cut before it is sorted.
MOST_MATCHES = 2000
# What a process that is down logged before, errors, and the rest.
_DOWN, _ERRORS, _REST = range(3)


def named_logs(rows: Sequence[Row]) -> dict[str, int]:
    """Return the logs that pm2's processes name, each with its rank: the lower, the more it matters."""
    found: dict[str, int] = {}
    for row in rows:
        paths = log_paths_of(row)
        for path in paths:
            rank = _ERRORS if path == row.get("pm_err_log_path") or len(paths) == 1 else _REST
            if row.get("status") != "online":
                rank = _DOWN
            if path.startswith("/"):
                found[path] = min(rank, found.get(path, rank))
    return found


def logs_below(home: str) -> dict[str, int]:
    """Return the logs in pm2's home with their ranks, as far as their names tell, for when pm2 does not."""
    paths = matching([f"{glob.escape(home)}/logs/*.log"])
    return {path: _ERRORS if "error" in os.path.basename(path) else _REST for path in paths}


def matching(patterns: Sequence[str]) -> list[str]:
    """Return the files that some shell patterns match."""
    found = itertools.chain.from_iterable(glob.iglob(os.path.expanduser(pattern)) for pattern in patterns)
    return list(itertools.islice(found, MOST_MATCHES))


def in_order(named: Mapping[str, int], matches: Sequence[str]) -> list[str]:
    """Return the logs, each file once: by rank, then the most recently written first.

    :param named: those that pm2 names stay even where there is no such file, so that this can be said.
    :param matches: of patterns; they count only if they are regular files.
    """
    found: dict[object, tuple[int, float, str]] = {}
    for path in (*named, *map(os.path.realpath, matches)):
        key: object = path
        written = 0.0
        try:
            status = os.stat(path)
            regular, key, written = stat.S_ISREG(status.st_mode), (status.st_dev, status.st_ino), status.st_mtime
        except OSError:
            regular = False
        if regular or path in named:
            found.setdefault(key, (named.get(path, _REST), -written, path))
    return [path for _rank, _age, path in sorted(found.values())]
