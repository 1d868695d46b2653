# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run without the ledger left in a file: of which incident, and since when."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._priorfile import (
    Change,
    PriorFile,
    file_name,
    find_files,
    in_force,
    read_file,
)

NAME = file_name("INC-1", "cluster", "flag")


def batch(number: int) -> Change:
    """Return a batch with a number to know it by."""
    return Change("disabled", "false", 1, f'{{"{number}"}}', "{true}")


def test_a_file_that_was_written_last_before_a_moment_is_left_out(tmp_path: Path) -> None:
    PriorFile(NAME, [tmp_path]).append(batch(1))
    os.utime(tmp_path / NAME, (1000, 1000))
    assert find_files(NAME, [tmp_path], 1000) == [tmp_path / NAME]
    assert find_files(NAME, [tmp_path], 1001) == []


def test_a_file_that_another_run_took_over_meanwhile_has_nothing_any_more(tmp_path: Path) -> None:
    assert read_file(tmp_path / NAME) == []


def test_a_kill_looks_at_few_of_the_files_that_nobody_needs(tmp_path: Path) -> None:
    for number in range(5):
        path = tmp_path / file_name(f"INC-{number}", "cluster", "flag")
        PriorFile(path.name, [tmp_path]).append(batch(1))
        os.utime(path, (number, number))
    assert [left.incident_id for left in in_force([tmp_path], "cluster", "flag")] == ["INC-4", "INC-3", "INC-2"]


def test_the_incident_of_a_kill_that_only_a_file_knows_of_is_found_by_its_name(tmp_path: Path) -> None:
    kill, back = batch(1), replace(batch(1), action="restored")
    PriorFile(file_name("INC-1", "cluster", "flag"), [tmp_path]).append(kill)
    PriorFile(file_name("INC-2", "another cluster", "flag"), [tmp_path]).append(kill)
    # An id that is not in the name of its file.
    PriorFile(file_name("the one of Ana", "cluster", "flag"), [tmp_path]).append(kill)
    (left,) = in_force([tmp_path], "cluster", "flag")
    assert (left.incident_id, left.path) == ("INC-1", tmp_path / file_name("INC-1", "cluster", "flag"))
    assert 0 <= time.time() - left.at < 60
    assert in_force([tmp_path], "cluster", "another flag") == []
    PriorFile(file_name("INC-1", "cluster", "flag"), [tmp_path]).append(back)
    assert in_force([tmp_path], "cluster", "flag") == []
