# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a scenario's last screen when a rehearsal goes on after it."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._verdictnext import KEEP_OPEN
from tests.unit.answers import UNREACHABLE, Answer, answer, judge

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
