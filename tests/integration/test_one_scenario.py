# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook inside another has hosts only if it was decided on, whoever names the hosts.

A task that is skipped on a host leaves its result there, over the one that the last screen judges by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration import playbook
from tests.playbooks.runner import CHECKOUT

PLAYBOOKS = CHECKOUT / "playbooks"
TIERS: dict[str, dict[str, dict[str, Any]]] = {"db": {"db1": {}}, "redis": {"redis1": {}}, "app": {"app1": {}}}
NAMED = {"kanban_db_hosts": "db1", "kanban_redis_hosts": "redis1", "kanban_app_hosts": "app1"}
CONTROLLER = ("localhost", "{{ 'localhost' | chatia.kanban_rollback.loaded }}")
HALVES = {"triage_act.yml", "triage_decide.yml"}
# As rehearse.yml names what it rehearses.
REHEARSED = "{{ kanban_rehearse | default('scenario3') }}"


def plays(name: str, rehearsed: str = "") -> Iterator[tuple[str, str, bool]]:
    """Yield each play of a playbook and of those within it, in order: its file, its name, if it is the controller's.

    :param rehearsed: the playbook that rehearse.yml chooses by the command line.
    """
    for play in yaml.safe_load((PLAYBOOKS / name).read_text(encoding="utf-8")):
        inner = play.get("ansible.builtin.import_playbook")
        if inner:
            yield from plays(rehearsed if "{{" in inner else inner, rehearsed)
        else:
            named = play["name"].replace(REHEARSED, rehearsed.removesuffix(".yml"))
            yield name, named, play["hosts"] in CONTROLLER


def acting(directory: Path, name: str, decided: Mapping[str, Any], extra: Mapping[str, str] | None = None) -> set[str]:
    """Run a playbook without its tasks, given a decision; return the files that have a play with hosts."""
    hosts = playbook.inventory(directory, {}, **TIERS, controller={"localhost": dict(decided)})
    options = ("--tags", "none", *hosts, *playbook.given(directory, NAMED if extra is None else extra))
    run = playbook.run(directory, str(PLAYBOOKS / name), *options)
    assert run.rc == 0, run.output
    ran = re.findall(r"^PLAY \[(.*)\] \**\n(skipping: no hosts matched)?", run.output, re.MULTILINE)
    known = list(plays(name, f"{(extra or {}).get('kanban_rehearse', '')}.yml"))
    assert [told for told, _skipped in ran] == [play for _file, play, _controllers in known], run.output
    acted = zip(known, ran, strict=True)
    return {file for (file, _play, controllers), (_told, skipped) in acted if not controllers and not skipped}


def triage(acts: str, **more: Any) -> dict[str, Any]:
    """What triage leaves on the controller."""
    return {"__triage": {"acts": acts, "reason": "", "scenario": acts}, **more}


@pytest.mark.drill
def test_scenario_2_that_holds_has_no_host_of_scenario_1(directory: Path) -> None:
    assert acting(directory, "scenario2.yml", {"__decision": {"decision": "hold"}}) == {"scenario2.yml"}


@pytest.mark.drill
@pytest.mark.parametrize("extra", [{}, NAMED], ids=["groups", "named"])
def test_scenario_2_that_escalates_has_the_hosts_of_scenario_1(directory: Path, extra: Mapping[str, str]) -> None:
    decided = {"__decision": {"decision": "escalate"}}
    assert acting(directory, "scenario2.yml", decided, extra) == {"scenario2.yml", "scenario1.yml"}


@pytest.mark.parametrize(
    "acts", ["scenario3", *(pytest.param(name, marks=pytest.mark.drill) for name in ("scenario1", "scenario2"))]
)
def test_triage_acts_on_what_it_decided_alone(directory: Path, acts: str) -> None:
    assert acting(directory, "triage_act.yml", triage(acts)) == {*HALVES, f"{acts}.yml"}


@pytest.mark.drill
def test_triage_that_holds_in_scenario_2_has_no_host_of_scenario_1(directory: Path) -> None:
    held = triage("scenario2", __decision={"decision": "hold"})
    assert acting(directory, "triage_act.yml", held, {}) == {*HALVES, "scenario2.yml"}


@pytest.mark.drill
def test_triage_that_decided_on_nothing_has_no_host_of_any(directory: Path) -> None:
    assert acting(directory, "triage_act.yml", triage("")) == HALVES


def test_triage_goes_on_to_scenario_1_by_way_of_scenario_2(directory: Path) -> None:
    worse = triage("scenario2", __decision={"decision": "escalate"})
    assert acting(directory, "triage_act.yml", worse) == {*HALVES, "scenario2.yml", "scenario1.yml"}


@pytest.mark.drill
@pytest.mark.parametrize("scenario", ["scenario1", "scenario2", "scenario3"])
def test_a_rehearsal_has_hosts_of_its_scenario_alone(directory: Path, scenario: str) -> None:
    decided = {"__rehearse_runs": True, "__decision": {"decision": "hold"}}
    wanted = {"rehearse.yml", f"{scenario}.yml"}
    assert acting(directory, "rehearse.yml", decided, {"kanban_rehearse": scenario}) == wanted


@pytest.mark.drill
def test_a_rehearsal_that_escalates_goes_on_to_scenario_1_and_one_that_puts_back_to_none(directory: Path) -> None:
    escalates = {"__rehearse_runs": True, "__decision": {"decision": "escalate"}}
    wanted = {"rehearse.yml", "scenario2.yml", "scenario1.yml"}
    assert acting(directory, "rehearse.yml", escalates, {"kanban_rehearse": "scenario2"}) == wanted
    idle = {"__rehearse_runs": False}
    assert acting(directory, "rehearse.yml", idle, {**NAMED, "kanban_rehearse": "scenario3"}) == {"rehearse.yml"}
