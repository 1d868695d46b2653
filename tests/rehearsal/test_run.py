# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How rehearsals are counted: one that failed is played once more if asked for, and both results are reported."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.hosts.files import fleet_id
from tests.rehearsal import run
from tests.rehearsal.estate import CHECKOUT
from tests.rehearsal.run import Played
from tools import gates
from tools.summary import read_junit

GOOD, BAD, GONE = "", "verify failed", "verify failed (something is lost)"


class Plays:
    """A stand-in for a rehearsal, which takes minutes: how each try of a scenario goes, and which were played."""

    def __init__(self, records: Path, problems: Mapping[str, Iterator[str]]) -> None:
        self.records, self.problems = records, problems
        self.played: list[str] = []

    def __call__(self, scenario: str) -> Played:
        self.played.append(scenario)
        (self.records / f"{scenario}.log").write_text(f"try {self.played.count(scenario)}")
        problem = next(self.problems[scenario])
        return Played(scenario, 1.5, problem, lost=problem == GONE)


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="rehearsals are root's, and so is their lock")


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Use a separate place for records, lock and count, and pretend that this machine can make hosts."""
    monkeypatch.setattr(run, "RECORDS", tmp_path)
    monkeypatch.setattr(run, "STATE", tmp_path / "state")
    monkeypatch.setattr(run, "LOCK", tmp_path / "lock")
    for module in (run, gates):
        monkeypatch.setattr(module, "JUNIT", tmp_path)
    monkeypatch.setattr(run, "what_is_missing", str)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield tmp_path
    for number, handler in before.items():
        signal.signal(number, handler)


def play(
    records: Path, monkeypatch: pytest.MonkeyPatch, *options: str, **problems: tuple[str, ...]
) -> tuple[int, Plays]:
    plays = Plays(records, {scenario: iter(tries) for scenario, tries in problems.items()})
    monkeypatch.setattr(run, "play", plays)
    return run.main([*options, *problems]), plays


def test_one_that_fails_is_played_once_more_and_told(
    records: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, plays = play(records, monkeypatch, "--tries", "2", scenario1=(BAD, GOOD), triage=(GOOD,))
    assert (status, plays.played) == (0, ["scenario1", "scenario1", "triage"])
    assert "RERUN rehearse::scenario1: verify failed" in capsys.readouterr().out.splitlines()
    counted = read_junit(records / "rehearse.xml")
    assert (counted.passed, counted.failed) == (2, 0)
    assert (records / "scenario1-1.log").read_text() == "try 1"


@pytest.mark.parametrize(("options", "tries"), [(("--tries", "2"), 2), ((), 1)])
def test_one_that_never_goes_well_has_failed(
    records: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], tries: int
) -> None:
    status, plays = play(records, monkeypatch, *options, scenario2=(BAD, BAD, GOOD), scenario3=(GOOD,))
    assert (status, plays.played) == (1, ["scenario2"] * tries + ["scenario3"])
    counted = read_junit(records / "rehearse.xml")
    assert (counted.passed, counted.failed, counted.names) == (1, 1, ("rehearse::scenario2",))


def test_one_that_lost_something_is_not_played_again(records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, plays = play(records, monkeypatch, "--tries", "2", scenario1=(GONE, GOOD))
    assert (status, plays.played) == (1, ["scenario1"])


@pytest.mark.parametrize(
    ("test", "lost"),
    [
        ("default/returned/test_account.py::test_no_acknowledged_write_and_no_message_is_missing[local]", True),
        ("default/refused/test_dump.py::test_what_was_acknowledged_before_the_dump_is_in_it[local]", True),
        ("default/refused/test_controller.py::test_no_write_of_the_board_is_acknowledged_any_more", True),
        ("default/standing/test_controller.py::test_the_run_is_in_the_journal[local]", False),
        ("default/returned/test_databases.py::test_every_company_has_its_settings_as_before[local]", True),
        ("default/off/test_databases.py::test_nobody_has_v2[ansible://db1]", False),
        ("default/off/test_databases.py::test_evidence_is_whole_and_for_its_owner_alone[ansible://db1]", True),
        ("default/off/test_application.py::test_evidence_is_whole_and_for_its_owner_alone[ansible://app1]", True),
        ("default/refused/test_databases.py::test_the_dump_is_whole_and_for_its_owner_alone[ansible://db1]", True),
    ],
)
def test_loss_is_known_by_the_test_that_found_it(test: str, lost: bool) -> None:
    path = CHECKOUT / "molecule" / test.partition("::")[0]
    assert path.exists() or not lost
    output = f"INFO     ...\nFAILED ../{test}\nERROR    [scenario1 > verify] Executed: Failed\n"
    assert run.is_lost(output) is lost


def test_where_it_cannot_be_played_an_older_count_does_not_stand_for_it(
    records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert play(records, monkeypatch, scenario1=(GOOD,))[0] == 0
    monkeypatch.setattr(run, "what_is_missing", lambda: "the hosts need root")
    assert run.main(["scenario1"]) == 1
    assert not (records / "rehearse.xml").exists()


def test_what_a_killed_one_has_left_is_removed_and_nothing_of_others(records: Path) -> None:
    def leave(state: Path) -> subprocess.Popen[bytes]:
        (state / "people").mkdir(parents=True)
        return subprocess.Popen(["sleep", "60"], env={"PATH": os.defpath, "KANBAN_REHEARSAL": str(state)})

    ours, theirs = records / "state", records / "of others"
    with leave(ours) as left, leave(theirs) as others:
        try:
            assert run.main(["--clear"]) == 0
            assert left.wait(10) == -signal.SIGKILL
            assert others.poll() is None
        finally:
            left.kill()
            others.kill()
    assert not ours.exists()
    assert theirs.is_dir()


@pytest.mark.parametrize(
    ("leaves", "told"),
    [
        ("", ""),
        # Started by it, as the people are.
        ("setsid sleep 61 >/dev/null 2>&1 &", "left behind: process sleep 61"),
        # Of its hosts, with nothing of ours in its environment, like SSH's shared connections.
        (
            "setsid env -i bash -c 'exec -a \"ssh: /run/kanban-hosts-{fleet}/x\" sleep 6' >/dev/null 2>&1 &",
            "left behind: process ssh: /run/kanban-hosts-{fleet}/x 6",
        ),
        ("mkdir -p '{state}'", "left behind: {state}"),
    ],
    ids=["nothing", "process", "of its hosts", "file"],
)
def test_what_destroy_has_left_is_a_problem(
    records: Path, monkeypatch: pytest.MonkeyPatch, leaves: str, told: str
) -> None:
    state = records / "state"
    words = {"state": state, "fleet": fleet_id(state / "hosts")}
    molecule = records / "molecule"
    # Within a second, what it leaves behind has started.
    molecule.write_text(f"#!/bin/sh\n{leaves.format(**words)}\nsleep 1\n")
    molecule.chmod(0o755)
    monkeypatch.setattr(run, "beside", lambda _program: str(molecule))
    monkeypatch.setattr(run, "left_behind", partial(run.left_behind, seconds=0.5))
    assert run.play("scenario1").problem == told.format(**words)
    assert not state.exists()
