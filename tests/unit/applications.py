# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of an application host, as preflight.yml gets them."""

from __future__ import annotations

from typing import Any

Answer = dict[str, Any]
SAMPLE: Answer = {"metric": "error_rate", "host": "a1", "value": 0.0}


def application(**more: Any) -> Answer:
    """Return the answers of a host on which nothing is missing, with some of them replaced."""
    row = {"url": "http://127.0.0.1:8080", "pid": 7, "serves": "v2", "understood": True, "error": "it serves V2 (12)"}
    process = {"name": "api", "log_files": [{"path": "/l/api.log", "state": "read", "reason": None}]}
    return {
        "ping": {"ping": "pong"},
        "pm2": {"processes": [process], "missing": [], "problems": [], "logs_read": True},
        "health": {"passed": True, "base_url": "http://127.0.0.1:8080", "steps": [{"status": 200, "why": None}]},
        "flag": {"processes": [row]},
        "walk": {"passed": None, "steps": []},
        "lacking": [],
        "samples": {"samples": [SAMPLE]},
        **more,
    }
