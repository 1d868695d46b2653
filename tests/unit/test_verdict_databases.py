# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host answers for which database: a replica for none, two hosts that lead to the same one only once."""

from __future__ import annotations

import pytest

from tests.unit.answers import UNREACHABLE, Answer, answer, judge, replica, swept


def test_a_replica_has_nothing_to_do_and_is_no_database_of_its_own() -> None:
    result = judge({"db1": answer(), "db2": replica(on=300)})
    assert (result["verdict"], result["failed"]) == ("contained", False)
    assert "all 1,000 tenants" in result["headline"]
    assert "db2: a replica, nothing to do" in result["lines"]


@pytest.mark.parametrize(
    "hosts",
    [
        {"db2": replica()},
        {"db1": UNREACHABLE, "db2": replica()},
        {"db1": answer("other/1"), "db2": replica()},
    ],
)
def test_a_replica_without_its_primary_accounts_for_nothing(hosts: dict[str, Answer]) -> None:
    result = judge(hosts)
    assert result["failed"]
    assert result["verdict"] == ("degraded" if "other/1" in str(hosts) else "failed")
    assert "db2: a replica whose primary did not answer: its tenants are NOT accounted for" in result["lines"]
    assert "db2: a replica, nothing to do" not in result["lines"]


def test_a_primary_that_answered_with_an_error_is_not_said_to_be_silent() -> None:
    result = judge({"db1": {"failed": True, "error": {"code": "missing_privilege", "what": "No."}}, "db2": replica()})
    whose = "may be db1, which answered with an error"
    assert f"db2: a replica whose primary {whose}: its tenants are NOT accounted for" in result["lines"]


def test_a_replica_that_became_the_primary_counts_by_its_later_answer() -> None:
    result = judge({"db1": UNREACHABLE, "db2": replica(on=300)}, {"db2": swept(changed=300)})
    assert (result["verdict"], result["failed"]) == ("degraded", True)
    assert "0 of 1,000 tenants that could be counted" in result["headline"]
    assert result["headline"].endswith("Not counted: db1.")


def test_two_hosts_that_lead_to_one_database_count_it_once() -> None:
    result = judge({"db1": answer(changed=200), "db2": answer(changed=100), "db3": answer("9/9", total=10, changed=1)})
    assert result["verdict"] == "contained"
    assert "all 1,010 tenants (301 were switched off now)" in result["headline"]


def test_two_databases_of_one_server_are_two() -> None:
    result = judge({"db1": answer("7001/5"), "db2": answer("7001/6")})
    assert "all 2,000 tenants" in result["headline"]
