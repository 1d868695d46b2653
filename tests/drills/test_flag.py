# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the flag's judge asks of a watch, and what it keeps for the table of rounds."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.drills.figures import Figures
from tests.drills.flag import Flag
from tests.drills.watch import Look


def seen(*on: int) -> tuple[Flag, Any]:
    """A flag whose watch has looked once a second since a run began, ten seconds ago."""
    began = time.monotonic() - 10
    looks = [Look(began + place, count) for place, count in enumerate(on, 1)]
    return Flag(cast("Any", SimpleNamespace(looks=looks)), Figures()), SimpleNamespace(began=began)


def test_what_comes_back_before_the_command_is_typed_again_is_found() -> None:
    for for_good in (True, False):
        flag, running = seen(9, 0, 0)
        flag.judge(running, for_good=for_good)
        flag.watch.looks.append(Look(time.monotonic(), 3))
        if for_good:
            with pytest.raises(AssertionError, match="found: 3 companies on again"):
                flag.judge_stayed(time.monotonic())
            flag.comes_back()
        flag.judge_stayed(time.monotonic())


def test_how_long_it_was_on_again_is_kept_and_named_if_it_may_not_be_on_a_machine_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.drills.flag.patience", lambda: 3.0)
    flag, running = seen(9, 0, 4, 4, 4, 0)
    flag.judge(running, returns=1)
    assert ("beyond", "on again for 2.0 s, 1 s where nothing else loads the machine") in flag.figures.properties()
    flag, running = seen(9, 0, 4, 4, 4, 0)
    flag.judge(running, returns=3)
    assert "beyond" not in dict(flag.figures.properties())
