# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures in the words of two languages; what was not measured is said not to be."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyformat import (
    message_clock,
    message_day,
    message_duration,
    message_number,
    message_percent,
)


@pytest.mark.parametrize(
    ("done", "text"),
    [
        (message_number(1284, "pt_BR"), "1.284"),
        (message_number(1284.5, "en", 1), "1,284.5"),
        (message_number(0, "pt_BR"), "0"),
        (message_number(None, "pt_BR"), "não medido"),
        (message_number(True), "not measured"),
        (message_percent(0.995, "pt_BR"), "99,5%"),
        (message_percent(0.99999), "99.9%"),
        (message_percent(1), "100%"),
        (message_percent("1"), "not measured"),
        (message_duration(1, "pt_BR"), "1 segundo"),
        (message_duration(59.6), "1 minute"),
        (message_duration(252, "pt_BR"), "4,2 minutos"),
        (message_duration(7200), "2 hours"),
        (message_duration(None, "es"), "not measured"),
        (message_clock("2026-11-25T03:04:05.000000Z"), "03:04"),
        (message_clock("2026-11-26T03:04:05.000000Z", "en", "2026-11-25T23:00:00.000000Z"), "2026-11-26 03:04"),
        (message_clock(None, "pt_BR"), "não medido"),
        (message_clock("{{ 7*7 }}"), "not measured"),
        (message_day("2026-11-25T03:04:05.000000Z"), "2026-11-25"),
    ],
)
def test_figures_in_the_words_of_a_language(done: str, text: str) -> None:
    assert done == text
