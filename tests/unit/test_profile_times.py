# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stop uses for a time that is no number is the profile's own count, which stands in its defaults."""

from __future__ import annotations

import re
from pathlib import Path

PROFILE = Path(__file__).parents[2] / "roles" / "kanban"


def test_what_a_stop_falls_back_to_is_the_default() -> None:
    used = re.findall(r"\[(kanban_\w+) \| float\((\d+)\)", (PROFILE / "vars" / "main.yml").read_text(encoding="utf-8"))
    assert {name for name, _value in used} == {"kanban_deadline", "kanban_sweep_seconds", "kanban_drain_seconds"}
    defaults = (PROFILE / "defaults" / "main.yml").read_text(encoding="utf-8")
    assert dict(used) == {name: re.findall(rf"^{name}: (\d+)$", defaults, re.MULTILINE)[0] for name, _value in used}
