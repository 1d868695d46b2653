# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tier without hosts: one that somebody typed is missing, one that nobody named need not be there."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._preflightscreen import preflight


def test_a_tier_whose_name_is_misspelt_is_missing_under_that_name() -> None:
    def of(app: str, hosts: list[str] | None = None) -> dict[str, Any]:
        groups = {"all": ["db1"], "db": ["db1"]}
        patterns = {"kanban_db_hosts": "db", "kanban_redis_hosts": "none", "kanban_app_hosts": app}
        lists = {"db": ["db1"], **({} if app == "none" else {"app": hosts or []})}
        answers: dict[str, list[Any]] = {"ping": [{}], "info": [{}]}
        found = preflight(lists, ["db1"], answers, hosts={"patterns": patterns, "groups": groups, "not_written": ""})
        items = [item for item in found["items"] if item["name"] in ("group", "application")]
        return {item["name"]: (item["must"], item["what"]) for item in items}

    assert of("aplication") == {"group": (True, "aplication of kanban_app_hosts is no host, and no group with hosts.")}
    # Nobody typed a name: an application's tier need not be there.
    assert of("app") == {"application": (False, "The group 'app' has no hosts.")}
    assert list(of("none")) == ["application"]
