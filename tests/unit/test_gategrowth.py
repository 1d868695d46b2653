# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Growth: the line through all samples of a watch, and through its window."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gate import DEGRADED, NO_DATA, OK
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._gategrowth import Line, line_from
from tests.unit.test_gate import Value, gate, tries


def test_a_point_keeps_what_has_left_the_window() -> None:
    """A leak of 2 % a minute, of which a window of five minutes sees 10 %; over half an hour it is 60 %."""
    values: list[Value] = [100 + number / 3 for number in range(181)]
    given, line = tries(*values), Line()
    for one, value in zip(given, values, strict=True):
        line = line.plus(one["samples"][0]["at"], float(value or 0))
        one["samples"][0]["line"] = line.as_sample()
    found = gate(given, max=20, growth="percent", no_data="ignore")
    assert (found["verdict"], found["metrics"][0]["value"]) == (DEGRADED, pytest.approx(60))
    # Growth that began late shows in the window alone.
    late: list[Value] = [max(100.0, 2 * number - 220) for number in range(180)]
    given, line = tries(*late), Line()
    for one, value in zip(given, late, strict=True):
        line = line.plus(one["samples"][0]["at"], float(value or 0))
        one["samples"][0]["line"] = line.as_sample()
    assert gate(given, max=20, growth="percent")["verdict"] == DEGRADED


def test_growth_is_that_of_the_line_through_the_window() -> None:
    steady = tries(*[100 + number for number in range(8)])
    found = gate(steady, max=5, growth="percent", consecutive=1)
    (host,) = found["metrics"][0]["hosts"]
    # 7 more on 100 in 70 s; nothing is judged before the sixth sample.
    assert (found["verdict"], host["value"], host["signs"]) == (DEGRADED, pytest.approx(7), "gbb")
    found = gate(steady, max=6, growth="per_minute", consecutive=1)
    assert (found["verdict"], found["metrics"][0]["value"]) == (OK, pytest.approx(6))
    assert gate(tries(100, 101), max=5, growth="percent")["verdict"] == NO_DATA
    # A process that was restarted is not growth.
    assert gate(tries(100, 100, 100, 10, 10, 10, 10), max=5, growth="percent")["verdict"] == OK
    assert gate(tries(*[0.0] * 8), max=5, growth="percent")["verdict"] == NO_DATA


def test_what_is_no_line_is_none() -> None:
    line = Line().plus(5, 1)
    assert line_from(line.as_sample()) == line
    for wrong in (None, 3, {}, {**line.as_sample(), "v": "x"}, {**line.as_sample(), "tt": float("nan")}, vars(Line())):
        assert line_from(wrong) is None
