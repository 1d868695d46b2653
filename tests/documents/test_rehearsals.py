# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rehearsals and timings, typed as on their pages, on real hosts, in this checkout."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator

import pytest

from tests.documents import started
from tests.documents.commands import ROOT
from tests.playbooks.runner import ANSIBLE
from tests.rehearsal.estate import STATE

SECONDS = 1200
pytestmark = [pytest.mark.drill, pytest.mark.timeout(3 * SECONDS), pytest.mark.usefixtures("cleared")]


@pytest.fixture
def cleared(hosts_can_be_made: None) -> Iterator[None]:
    typed("make", "venv-rehearse")
    yield
    typed("make", "hosts-down")
    for path in (ANSIBLE / "tmp").glob("molecule.*"):
        shutil.rmtree(path)
    assert not (STATE / "hosts").exists()


def typed(*words: str, **variables: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MAKE", "PYTEST"))}
    done = started.run(words, ROOT, env={**kept, **variables}, timeout=SECONDS)
    assert done.returncode == 0, (done.stdout + done.stderr)[-20000:]
    return done.stdout


def test_stage_by_stage_by_molecule() -> None:
    page = (ROOT / "docs/rehearse-hosts.md").read_text()
    block = page.partition("for one stage at a time")[2].partition("### Podman or Docker")[0]
    export, *lines = [line.split("  #")[0].strip() for line in block.splitlines() if line.startswith("    ")]
    create, plan, destroy, whole, removed = lines
    tools = f"{ROOT}/.venv-rehearse/bin"
    assert export == "export PATH=$PWD/.venv-rehearse/bin:$PATH REHEARSAL_PYTHON=$PWD/.venv-rehearse/bin/python"
    around = {"PATH": f"{tools}:{os.environ['PATH']}", "REHEARSAL_PYTHON": f"{tools}/python", "NO_COLOR": "1"}
    # Molecule keeps files there; otherwise they would be in somebody's home.
    around["ANSIBLE_HOME"] = str(ANSIBLE)
    typed(*create.split(), **around)
    assert (STATE / "hosts").exists()
    assert "PLAN, nothing was changed" in typed(*plan.split(), **around)
    typed(*destroy.split(), **around)
    assert not STATE.exists()
    told = typed(*whole.split(), **around)
    assert "CONTAINED" in told
    # It leaves its hosts up, as it was told to.
    assert (STATE / "hosts").exists()
    typed(*removed.split(), **around)
    assert not STATE.exists()


def rehearse(target: str, scenario: str) -> None:
    told = typed("make", f"rehearse-{target}")
    assert re.search(rf"^{scenario} passed in \d+ s", told, re.MULTILINE), told[-5000:]


# By itself, because the documentation names its command.
def test_scenario3_is_rehearsed() -> None:
    rehearse("3", "scenario3")


@pytest.mark.parametrize(("target", "scenario"), [("1", "scenario1"), ("2", "scenario2"), ("triage", "triage")])
def test_one_is_rehearsed(target: str, scenario: str) -> None:
    rehearse(target, scenario)


@pytest.mark.parametrize(("scenario", "runs"), [("scenario1", 5), ("scenario3", 8)])
def test_a_scenario_is_timed(scenario: str, runs: int) -> None:
    """Its exit status says that the p95 is what it has to be."""
    told = typed("make", "timings", f"PLAYBOOK={scenario}", f"N={runs}")
    assert f"{scenario}: {runs} runs under load on hosts over SSH" in told
