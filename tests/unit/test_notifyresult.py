# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What report.yml says about messages that were sent again, and a subject that is one line."""

from __future__ import annotations

from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyresult import messages_again
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import line_of


def test_what_report_says_of_messages() -> None:
    whole: dict[str, Any] = {"sent": [], "not_sent": [], "unknown": []}
    one = {"message": "m", "route": "slack:#a", "why": "429"}
    results = [
        {**whole, "__communicate_incident": "A"},
        {**whole, "__communicate_incident": "B", "sent": [one], "not_sent": [one], "unknown": [one]},
        {"__communicate_incident": "C", "msg": "no disk"},
    ]
    results[1]["partly"] = [{**one, "route": "mail:b", "why": "not taken for 1"}, {**one, "why": "of an earlier call"}]
    results[1]["sent"].append(results[1]["partly"][0])
    results[1]["partly"][1]["message"] = "earlier"
    b, c = messages_again(results)
    assert b.endswith("; mail b: not taken for 1")
    assert b.startswith("Messages of B: 2 sent now; 1 not sent (slack #a: 429); 1 of which it is not known")
    assert c == "Messages of C: not sent: no disk"


def test_a_subject_is_one_line() -> None:
    assert line_of("**a**\nb\x1b[2J") == "a b�[2J"
