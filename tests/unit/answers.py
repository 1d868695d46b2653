# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of hosts as feature_flag gives them, for the tests of what is concluded from them."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdict import verdict

Answer = dict[str, Any]

UNREACHABLE: Answer = {"unreachable": True, "msg": "Failed to connect via ssh:\nConnection timed out", "changed": False}
REFUSED: Answer = {
    "failed": True,
    "msg": "db2:5432/crm: password authentication failed.",
    "changed": False,
    "error": {"code": "connection_failed"},
}


def database(cluster: str = "7001/5", writable: bool = True, **facts: Any) -> Answer:
    """Return which database answered."""
    place = {"name": "crm", "address": "192.0.2.1:5432", "server_version": "17.12 (Debian 17.12-1)", "pooled": False}
    return {**place, "cluster": cluster, "writable": writable, **facts}


def answer(cluster: str = "7001/5", *, on: int = 0, total: int = 1000, changed: int = 300, **more: Any) -> Answer:
    """Return the answer of a host whose database was acted on; ``on`` tenants still have the flag."""
    found: Answer = {
        "changed": changed > 0,
        "database": database(cluster),
        "total": total,
        "enabled_before": on + changed,
        "enabled_after": on,
        "changed_count": changed,
        "contained_ms": 420,
        "elapsed_ms": 450,
        "blocked": [],
        "priors": {"kept_in": "ledger", "path": None, "unsaved": []},
        "incident": {"incident_id": "INC-20261125-001", "open_before": []},
    }
    if on:
        found.update(failed=True, msg=f"{on} tenants are still on.", error={"what": f"{on} tenants are still on."})
    return {**found, **more}


def replica(cluster: str = "7001/5", on: int = 0) -> Answer:
    """Return the answer of a replica: it counts, and can change nothing."""
    found = answer(cluster, changed=0, database=database(cluster, writable=False))
    return {**found, "enabled_after": on}


def swept(cluster: str = "7001/5", **more: Any) -> Answer:
    """Return the later answer: the sweep found all earlier transactions ended, the latch is up."""
    sweep = {"settled": True, "switched_again": 0, "waiting_for": []}
    return answer(cluster, **{"changed": 0, "sweep": sweep, "latch": {"raised": True}, **more})


def judge(
    first: dict[str, Answer],
    later: dict[str, Answer] | None = None,
    *,
    what: str = "contain",
    **more: Any,
) -> dict[str, Any]:
    """Return the verdict on answers by host; all hosts of ``first`` should have answered."""
    options: dict[str, Any] = {
        "run": {"incident_id": "INC-20261125-001"},
        "seconds": 3.4,
        "objective": 120,
        "environment": "production",
        **more,
    }
    return verdict(list(first), list(first.values()), [(later or {}).get(name, {}) for name in first],
                   what=what, **options)  # fmt: skip


def text(result: dict[str, Any]) -> str:
    """Return the last screen as one text."""
    return "\n".join(result["lines"])
