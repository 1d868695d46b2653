# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A quarantine accounts only for missing writes whose own move it has, with the card as the repair left it.

A dump accounts only for those whose card is with another company, put there by the move itself.
"""

from __future__ import annotations

import pytest

from tests.rehearsal.quarantine import Kept, carried_off, spoilt
from tests.staging.account import ACKNOWLEDGED, Entry, compare

# The application put card 7 into lane 31 of another company as it acknowledged lane 12, order 7300.
CARD = Kept(7, 7300, (None, 7300))


@pytest.mark.parametrize(
    ("acknowledged", "found", "accounted"),
    [
        ([12, 7300], (None, 7300), True),
        # A later move of the same card, which is not in the quarantine.
        ([12, 7400], (None, 7300), False),
        # It is neither where it was acknowledged nor where the repair left it.
        ([12, 7300], (31, 7300), False),
        ([12, 7300], (None, 7100), False),
        ([12, 7300], None, False),
    ],
)
def test_a_missing_move_is_accounted_for(
    acknowledged: list[int], found: tuple[int | None, int | None] | None, accounted: bool
) -> None:
    entries = [Entry(1, 0, "move", 2, {"lane:7": acknowledged}, ACKNOWLEDGED)]
    report = compare(entries, {} if found is None else {7: (*found, None)}, {})
    assert len(report.missing) == 1
    assert spoilt(report, [CARD]) == (report.missing if accounted else [])


def test_of_another_card_it_says_nothing() -> None:
    entries = [Entry(1, 0, "move", 2, {"lane:8": [12, 7300], "message:9": "hello"}, ACKNOWLEDGED)]
    report = compare(entries, {8: (None, 7300, None), 9: (None, None, "other")}, {})
    assert len(report.missing) == 2
    assert spoilt(report, [CARD]) == []


@pytest.mark.parametrize(
    ("found", "accounted"),
    [
        ((31, 7300), True),
        # Another lane of its own company; not the order of the write; no lane; no card.
        ((13, 7300), False),
        ((31, 7100), False),
        ((None, 7300), False),
        (None, False),
    ],
)
def test_in_the_dump_it_is_in_a_lane_of_others_with_its_own_order(
    found: tuple[int | None, int | None] | None, accounted: bool
) -> None:
    entries = [Entry(1, 0, "move", 2, {"lane:7": [12, 7300]}, ACKNOWLEDGED)]
    report = compare(entries, {} if found is None else {7: (*found, None)}, {})
    assert len(report.missing) == 1
    assert carried_off(report, {31, 32}) == (report.missing if accounted else [])
