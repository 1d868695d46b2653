# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents are open, and who left it unknown."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import open_incidents

OPEN = {"incident_id": "INC-1", "aliases": ["INC-2", "INC-3"]}
LEDGER = {"present": True, "usable": True}


def test_names_of_all_ledgers_with_their_aliases() -> None:
    answers: list[dict[str, Any]] = [
        {"open": [OPEN], "ledger": LEDGER, "prior_files": ["/a"]},
        {"open": [{"incident_id": "INC-4"}], "ledger": LEDGER},
        {"open": [], "ledger": {"present": False, "usable": False}},
    ]
    found = open_incidents(answers, ["db1", "db2", "db3"])
    assert found == {"names": ["INC-1", "INC-2", "INC-3", "INC-4"], "prior_files": ["/a"], "silent": []}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({}, "db2: no answer"),
        ({"unreachable": True, "msg": "No route to host"}, "db2: No route to host"),
        ({"failed": True, "msg": "password", "open": [], "ledger": LEDGER}, "db2: password"),
        ({"open": [], "ledger": {"present": True, "usable": False}}, "db2: its ledger cannot be read as this role"),
        ({"open": []}, "db2: no answer"),
    ],
)
def test_a_host_that_leaves_it_unknown_is_silent(answer: dict[str, Any], words: str) -> None:
    found = open_incidents([{"open": [OPEN], "ledger": LEDGER}, answer], ["db1", "db2"])
    assert found["silent"] == [words]
