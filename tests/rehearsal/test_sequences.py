# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scenarios of molecule/ say they do is there: Molecule passes over a directory without tests and succeeds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.rehearsal.estate import CHECKOUT
from tests.rehearsal.run import SCENARIOS

MOLECULE = Path(CHECKOUT, "molecule")


def steps(scenario: str) -> list[list[str]]:
    """Return the words of each step: what it does, and with what."""
    said = yaml.safe_load((MOLECULE / scenario / "molecule.yml").read_text())
    return [step.split() for step in said["scenario"]["test_sequence"]]


def looks(scenario: str) -> list[list[Path]]:
    """Return the directories of each step that verifies."""
    return [
        [(MOLECULE / scenario / name).resolve() for name in names]
        for step, *names in steps(scenario)
        if step == "verify"
    ]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_looks_after_the_stop_and_after_the_return_and_each_time_there_are_tests(scenario: str) -> None:
    after_the_stop, after_the_return = looks(scenario)
    for directory in (*after_the_stop, *after_the_return):
        assert list(directory.glob("test_*.py")), directory
    assert MOLECULE / "default" / "returned" in after_the_return


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_each_playbook_of_a_step_is_there(scenario: str) -> None:
    files = [MOLECULE / scenario / name for step, *names in steps(scenario) if step == "side_effect" for name in names]
    assert files
    assert [path for path in files if not path.is_file()] == []


def test_no_directory_of_tests_is_forgotten() -> None:
    used = {directory for scenario in SCENARIOS for found in looks(scenario) for directory in found}
    assert {path.parent for path in MOLECULE.rglob("test_*.py")} == used
