# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which incidents are open, and which hosts leave that unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _retentionledgers
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionledgers import (
    MOST_LISTED,
    open_incidents,
)

OPEN = {"incident_id": "INC-1", "aliases": ["INC-2", "INC-3"]}
LEDGER = {"present": True, "usable": True}


def test_names_of_all_ledgers_with_their_aliases() -> None:
    answers: list[dict[str, Any]] = [
        {"open": [OPEN], "ledger": LEDGER, "prior_files": ["/a"]},
        {"open": [{"incident_id": "INC-4"}], "ledger": LEDGER},
        {"open": [], "ledger": {"present": False, "usable": False}},
    ]
    found = open_incidents(answers, ["db1", "db2", "db3"])
    names = ["INC-1", "INC-2", "INC-3", "INC-4"]
    assert found == {"names": names, "closed": [], "prior_files": ["/a"], "cut": False, "silent": []}


def test_closed_ones_with_their_aliases() -> None:
    closed = {"incident_id": "INC-7", "aliases": ["INC-8"], "closed_at": "2026-01-01T00:00:00Z"}
    listed = [{**OPEN, "closed_at": None}, closed]
    found = open_incidents([{"open": [OPEN], "incidents": listed, "ledger": LEDGER}], ["db1"])
    assert found["names"] == ["INC-1", "INC-2", "INC-3"]
    assert found["closed"] == ["INC-7", "INC-8"]


def test_a_ledger_that_lists_only_its_newest_does_not_deny_the_others() -> None:
    told: dict[str, Any] = {"open": [], "incidents": [], "ledger": LEDGER, "more_incidents": True}
    assert open_incidents([{**told, "more_incidents": False}, told], ["db1", "db2"])["cut"] is True


def test_what_bears_the_id_that_an_open_incident_was_opened_as_stays() -> None:
    """Its evidence and its journals lie beside those of the closed incident of this id."""
    closed = {"incident_id": "INC-7", "aliases": [], "closed_at": "2026-01-01T00:00:00Z", "opened_as": "INC-7"}
    is_open: dict[str, Any] = {"incident_id": "INC-7-2", "aliases": [], "closed_at": None, "opened_as": "INC-7"}
    found = open_incidents([{"open": [is_open], "incidents": [is_open, closed], "ledger": LEDGER}], ["db1"])
    assert found["names"] == ["INC-7", "INC-7-2"]


def test_a_ledger_with_more_open_ones_than_it_lists_is_silent() -> None:
    most = [{"incident_id": f"INC-{number}"} for number in range(MOST_LISTED)]
    assert open_incidents([{"open": most[1:], "ledger": LEDGER}], ["db1"])["silent"] == []
    silent = open_incidents([{"open": most, "ledger": LEDGER}], ["db1"])["silent"]
    assert silent == ["db1: 100 incidents are open in its ledger, and no more are listed"]
    # The number is the ledger's limit.
    source = Path(_retentionledgers.__file__).with_name("_ledger.py").read_text(encoding="utf-8")
    assert f"only_open: bool = False, limit: int = {MOST_LISTED}\n" in source


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


def test_a_host_of_the_inventorys_group_that_was_not_asked_is_silent() -> None:
    """An incident that is closed here may be open there."""
    groups = {"all": ["db1", "db2", "db3"], "db": ["db1", "db2", "db3"]}
    answer = {"open": [], "ledger": LEDGER}
    narrow = open_incidents([answer], ["db1"], pattern="db1", groups=groups, typed=True)
    assert narrow["silent"] == [
        "db2, db3: NOT ASKED: the inventory's group db has them. Type it again without kanban_db_hosts, or name them "
        "too; where they are gone for good, take them out of the group"
    ]
    assert open_incidents([answer] * 3, ["db1", "db2", "db3"], pattern="db", groups=groups, typed=True)["silent"] == []
    # The inventory's own pattern is not a narrower one, whatever other hosts are in its group of databases.
    assert open_incidents([answer], ["db1"], pattern="kanban", groups={**groups, "kanban": ["db1"]})["silent"] == []
    # A host outside the group may be asked as well, and an inventory need not have the group.
    more = {"all": ["db1", "db4"], "db": ["db1"]}
    assert open_incidents([answer] * 2, ["db1", "db4"], pattern="db1,db4", groups=more, typed=True)["silent"] == []
    assert open_incidents([answer], ["db4"], pattern="db4", groups={"all": ["db4"]}, typed=True)["silent"] == []


def test_a_name_that_leads_to_no_host_is_silent() -> None:
    found = open_incidents([{"open": [], "ledger": LEDGER}], ["db1"], pattern="db1,dbb2", groups={"all": ["db1"]})
    assert found["silent"] == ["dbb2: NOT ASKED: no host, and no group with hosts, has that name. Mend kanban_db_hosts"]


def test_of_many_hosts_that_were_not_asked_a_few_are_named() -> None:
    names = [f"db{number}" for number in range(1, 41)]
    found = open_incidents([{"open": [], "ledger": LEDGER}], names[:1], groups={"all": names, "db": names}, typed=True)
    assert found["silent"][0].startswith("db2, db3, db4, db5, db6 and 34 more: NOT ASKED: ")
