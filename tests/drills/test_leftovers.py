# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finished run has left on the controller is seen; the drill of the judges shows the rest, on an estate."""

from __future__ import annotations

from pathlib import Path

from tests.drills.leftovers import of_runs
from tests.playbooks.runner import Running, kept_in


def test_what_a_run_leaves_on_the_controller(tmp_path: Path) -> None:
    run = Running(["true"], tmp_path / "0.log", variables=kept_in(tmp_path))
    assert run.wait().rc == 0
    assert of_runs([run]) == set()
    left = tmp_path / "ansible-local-1"
    left.mkdir()
    assert of_runs([run]) == {f"controller: file {left}"}
    run.killed = True
    assert of_runs([run]) == set()
