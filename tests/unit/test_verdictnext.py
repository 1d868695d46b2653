# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a last screen: what is to be typed, and what is not."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import KEEP_OPEN
from tests.unit.answers import REFUSED, UNREACHABLE, Answer, answer, judge, text

UNSAVED: Answer = {"kept_in": "result", "path": None, "file_name": "x", "unsaved": [{"action": "disabled"}]}


@pytest.mark.parametrize(("host", "unsaved"), [(answer(), False), (UNREACHABLE, False), (answer(priors=UNSAVED), True)])
def test_inside_of_a_rehearsal_nobody_is_told_to_type_or_to_close_anything(host: Answer, unsaved: bool) -> None:
    stays = "This was rehearsed. Leave this terminal open and type nothing: it is verified and put back as before now."
    lines = judge({"db1": host}, rehearsed=True)["lines"]
    assert lines[-1] == (KEEP_OPEN if unsaved else stays)
    text = "\n".join(lines)
    assert stays in text
    assert "ansible-playbook" not in text
    assert "safe to close" not in text
    assert "Next" not in text
    assert stays not in "\n".join(judge({"db1": host}, rehearsed=True, final=False)["lines"])


SCRIPTS = {
    "db1": "psql -X -h 10.0.0.5 -p 5432 -U kanban_rollback -d chatia_db -f /i/break-glass/db1.sql",
    "db2": "psql -X -h localhost -p 5432 -U postgres -d chatia_db -f /i/break-glass/db2.sql",
}


def test_a_failed_stop_names_the_break_glass_script_first_and_no_undo_of_what_was_not_done() -> None:
    result = judge({"db1": UNREACHABLE, "db2": REFUSED, "db3": {}}, break_glass=SCRIPTS)
    lines = result["lines"]
    began = lines.index("Break-glass for db1, with psql alone, where its database can be reached:")
    assert lines[began + 1 : began + 5] == [
        f"{SCRIPTS['db1']} -v no_fence=1",
        "Break-glass for db2, with psql alone, on db2 itself, with the file copied there:",
        f"{SCRIPTS['db2']} -v no_fence=1",
        "db3: no break-glass script on this controller; preflight.yml writes it.",
    ]
    assert lines[began + 5].startswith("Next: ")
    assert "reenable" not in text(result)


@pytest.mark.parametrize("began", [True, False])
def test_a_stop_in_part_is_undone_where_anything_was_switched_off_or_refused(began: bool) -> None:
    refuses = {"kind": "contain", "holds": False, "good": "", "bad": ["the fence on db2 is not known"], "lines": []}
    part = {**refuses, "began": True} if began else refuses
    result = judge({"db1": UNREACHABLE}, break_glass=SCRIPTS, parts=[part])
    assert SCRIPTS["db1"] in result["lines"], "writes are to be refused as well"
    assert ("reenable" in text(result)) == began
    assert "reenable" in text(judge({"db1": answer(), "db2": UNREACHABLE})), "somebody was switched off"
    assert "reenable" not in text(judge({"db1": answer(changed=0), "db2": UNREACHABLE}))


def test_who_holds_a_row_is_no_case_for_break_glass() -> None:
    blocked = answer(on=1, failed=True, blocked=[{"tenant": "7", "pid": None}], blocked_count=1)
    assert "Break-glass" not in text(judge({"db1": blocked}, break_glass=SCRIPTS))
    assert "Break-glass" not in text(judge({"db1": UNREACHABLE}, break_glass=SCRIPTS, check_mode=True))
    assert "Break-glass" not in text(judge({"db1": UNREACHABLE}, break_glass=SCRIPTS, named=True))
