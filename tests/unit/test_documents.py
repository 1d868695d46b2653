# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which databases are asked to keep what a run leaves."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import ledgers_to_ask

HOSTS = ["db1", "db2", "db3"]


def answer(cluster: str, writable: bool = True, **more: Any) -> dict[str, Any]:
    return {"database": {"cluster": cluster, "writable": writable}, **more}


KILL = [answer("one"), answer("one", writable=False), answer("two")]
# Its host is gone.
LOST: dict[str, Any] = {"unreachable": True, "changed": False}


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        ([KILL], ["db1", "db3"]),
        ([[LOST, {}, answer("two", unreachable=True)]], []),
        ([KILL, [{"skipped": True}, {"skipped": True}, {}]], ["db1", "db3"]),
        ([KILL, [LOST, answer("one"), answer("two")]], ["db2", "db3"]),
        ([KILL, [LOST, answer("one"), {}], [LOST, answer("one"), answer("two")]], ["db2", "db3"]),
        ([KILL, [answer("one"), answer("one"), {}]], ["db1", "db3"]),
    ],
    ids=["kill", "nobody", "skipped", "took over", "still leads", "both take writes"],
)
def test_who_leads_now_is_asked_and_each_cluster_once(answers: list[list[dict[str, Any]]], found: list[str]) -> None:
    assert ledgers_to_ask(HOSTS, answers) == found


def test_no_more_than_some() -> None:
    three = [answer("one"), answer("two"), answer("three")]
    assert ledgers_to_ask(HOSTS, [three]) == ["db1", "db2"]
    assert ledgers_to_ask(HOSTS, [three], most=3) == HOSTS
