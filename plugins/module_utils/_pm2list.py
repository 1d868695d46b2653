# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be kept of ``pm2 jlist``: never the environment, never arguments. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError

# Why a missing answer matters; evidence and pm2_info say the same.
WHY = "What the application's processes are doing is not known here."
# Nothing else of ``pm2 jlist`` is kept: it prints the whole environment, passwords included, and the arguments.
_PROCESS = ("name", "pid", "pm_id")
_STATE = (
    "status",
    "restart_time",
    "unstable_restarts",
    "pm_uptime",
    "created_at",
    "exec_mode",
    "instances",
    "node_version",
    "version",
    "pmx_module",
    "pm_exec_path",
    "pm_out_log_path",
    "pm_err_log_path",
    "pm_log_path",
    "disable_logs",
)
_USE = ("memory", "cpu")


def processes_of(text: str) -> list[dict[str, Any]]:
    """Return what may be kept of the answer to ``pm2 jlist``; raises KanbanError if it is not a list.

    Notices (a newer pm2 than the daemon's) come before the list, on lines of their own.
    """
    return [_kept(process) for process in whole_list(text)]


def whole_list(text: str) -> list[dict[str, Any]]:
    """Return the answer with all its secrets, for those who look for these; raises KanbanError if it is not a list."""
    for start in [0, *(place + 1 for place, letter in enumerate(text) if letter == "\n")]:
        if text[start : start + 1] != "[":
            continue
        try:
            found, _end = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            continue
        if all(isinstance(one, dict) for one in found):
            return list(found)
    raise KanbanError(
        "bad_answer",
        "pm2 jlist printed no list of processes.",
        WHY,
        "Run pm2 jlist by hand as the owner of pm2's home and see what it prints; it shows passwords.",
    )


def _kept(process: Mapping[str, Any]) -> dict[str, Any]:
    state, use = _map(process.get("pm2_env")), _map(process.get("monit"))
    kept = {name: _plain(process.get(name)) for name in _PROCESS}
    kept.update({name: _plain(state[name]) for name in _STATE if name in state})
    kept.update({name: _plain(use[name]) for name in _USE if name in use})
    return kept


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _plain(value: Any) -> Any:
    """Return a number or text; anything else could hold what was not meant to be kept."""
    return value if value is None or isinstance(value, (str, int, float, bool)) else None
