# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module says of the prior values that it kept: what no disk took is in it until the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._keeper import Keeper
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import Change, PriorFile
from tests.unit.answers import UNREACHABLE, Answer, answer, judge, text

NAME = "INC-1-0123456789ab.priors.jsonl"


def keeper(*places: Path) -> Keeper:
    return Keeper("INC-1", "run-1", "flag", PriorFile(NAME, places), use_ledger=False)


def batch(tenant: int) -> Change:
    return Change("disabled", "false", 1, f"{{{tenant}}}", "{true}")


def test_what_no_disk_took_is_kept_in_the_result_beside_what_a_later_switch_kept(tmp_path: Path) -> None:
    first, second = keeper(), keeper(tmp_path / "state")
    first.in_file(batch(1))
    told = first.as_result(True, [])
    assert (told["kept_in"], [one["tenants"] for one in told["unsaved"]]) == ("result", ["{1}"])
    second.in_file(batch(2))
    told = second.as_result(True, told["unsaved"])
    assert (told["kept_in"], [one["tenants"] for one in told["unsaved"]]) == ("result", ["{1}"])
    assert told["path"] == str(tmp_path / "state" / NAME)


def test_a_switch_of_nobody_kept_nothing() -> None:
    assert keeper().as_result(False, []) == {
        "kept_in": "nothing to keep", "path": None, "unsaved": [], "file_name": NAME,
    }  # fmt: skip


@pytest.mark.parametrize("now", [answer(changed=0), UNREACHABLE])
def test_what_an_answer_alone_had_is_shown_after_it_was_replaced(now: Answer) -> None:
    first = keeper()
    first.in_file(batch(1))
    result = judge({"db1": now}, earlier=[[answer(), answer(priors=first.as_result(True, []))]])
    assert "SAVE THE NEXT 1 LINES" in text(result)
    assert NAME in text(result)
    assert not result["lines"][-1].endswith("It is safe to close this terminal.")
