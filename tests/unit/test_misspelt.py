# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that nothing reads is named, and a team's own names are left alone."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._misspelt import (
    HANDED_ON,
    misspelt,
    misspelt_lines,
    misspelt_parts,
)

ROOT = Path(__file__).resolve().parents[2]
KNOWN = {"kanban_recovery", "kanban_reason", "kanban_app_url"}


def test_of_an_inventorys_names_those_that_look_like_ours_are_found() -> None:
    given = ["kanban_recovry", "kanban_reason", "kanban_team_of_ours", "ansible_host", "recovry", "kanban_app_urls"]
    assert misspelt(given, [], KNOWN) == {"kanban_app_urls": "kanban_app_url", "kanban_recovry": "kanban_recovery"}


def test_of_names_that_were_typed_each_unknown_one_is_found() -> None:
    typed = ["kanban_recovry", "kanban_team_of_ours", "awx_job_id", "kanban_reason"]
    assert misspelt([], typed, KNOWN) == {"kanban_recovry": "kanban_recovery", "kanban_team_of_ours": ""}


def test_what_one_job_hands_to_the_next_is_known() -> None:
    assert misspelt([], HANDED_ON, KNOWN) == {}
    handed = set()
    for path in (ROOT / "roles").glob("*/tasks/*.yml"):
        for block in re.findall(r"set_stats:\n((?: {4,}.*\n)+)", path.read_text(encoding="utf-8")):
            handed |= set(re.findall(r"\bkanban_[a-z_]+(?='?:)", block))
    spec = (ROOT / "roles" / "profile" / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    known = set(re.findall(r"^ {6}(kanban_\w+):", spec, re.MULTILINE))
    assert handed - known == HANDED_ON


def test_a_last_screen_names_them_and_keeps_its_verdict() -> None:
    assert misspelt_parts({}) == []
    (part,) = misspelt_parts({"kanban_recovry\nDONE": "kanban_recovery"})
    assert (part["holds"], part["bad"], part["good"]) == (True, [], "")
    line = "kanban_recovry DONE is no variable of this collection, so nothing reads it; is kanban_recovery meant?"
    assert part["lines"] == [f"IGNORED: {line}"]
    assert misspelt_lines({"kanban_x": ""}) == ["kanban_x is no variable of this collection, so nothing reads it."]
