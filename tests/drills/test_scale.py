# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""30 application hosts and 4 primaries: more databases cost little more, a dead host costs its connect timeout once."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.drills.deadhost import CONNECT_SECONDS, too_much
from tests.drills.lights import PLACE
from tests.drills.scale import Fleet, fleet
from tests.hosts.host import until
from tests.hosts.machine import call
from tests.playbooks.runner import CHECKOUT

pytestmark = [pytest.mark.drill, pytest.mark.timeout(1800)]

PRIMARIES, APPS = 4, 30
SCENARIO = CHECKOUT / "playbooks" / "scenario3.yml"
# There is no Redis, and these tests are not about what follows the stop.
STOP_ALONE = {"kanban_redis_hosts": "none", "kanban_app_hosts": "none", "kanban_dump_tables": []}
# Each round stops the one primary and the four in turn, and which comes first alternates. The four take 1.1 to 1.8
# times as long as the one beside them, so rounds are added until it is certain on which side of the limit they are, or
# until the time is up: forty rounds take half an hour on cores of half the usual speed.
LEAST, MOST = 10, 40
MOST_SECONDS = 1500
LIMIT = 1.5
# The ledger's own record, in its database's time: all hosts share one clock.
_FENCED = "SELECT extract(epoch FROM max(at::timestamptz)) FROM kanban_rollback.events WHERE event = 'fence_raised'"


@pytest.fixture(scope="module")
def light(hosts_can_be_made: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    began = time.monotonic()
    with fleet(tmp_path_factory.mktemp("light"), PRIMARIES, APPS) as made:
        print(f"\n{len(made.hosts)} light hosts up in {time.monotonic() - began:.1f} s")
        yield made


def stopped(light: Fleet, incident: str, primaries: Sequence[str]) -> float:
    """Return the seconds from the command until the last of these primaries has recorded that its fence is up.

    The fence comes after the flag.
    """
    light.fresh()
    light.disconnect()
    typed = time.time()
    run = light.start(SCENARIO, incident, {**STOP_ALONE, "kanban_db_hosts": ",".join(primaries)}).wait(timeout=300)
    assert run.rc == 0, run.output
    assert [light.switched_on(name) for name in primaries] == [0] * len(primaries)
    assert len(fences(light.lines(incident))) == len(primaries)
    return max(float(light.psql(name, _FENCED)) for name in primaries) - typed


def certain(growths: Sequence[float]) -> bool:
    """Tell whether the mean growth is on one side of LIMIT by twice its standard error."""
    logarithms = [math.log(growth) for growth in growths]
    error = statistics.stdev(logarithms) / math.sqrt(len(logarithms))
    return abs(statistics.mean(logarithms) - math.log(LIMIT)) > 2 * error


def fences(lines: Sequence[dict[str, Any]]) -> list[str]:
    raised = [line["data"] for line in lines if line["event"] == "task ended" and line["source"] == "write_fence"]
    return sorted({data["host"] for data in raised if data["task"] == "Raise the fence" and not data["failed"]})


def test_four_primaries_are_stopped_in_less_than_one_and_a_half_times_the_time_of_one(
    light: Fleet, record_property: Callable[[str, object], None]
) -> None:
    counts: dict[int, list[float]] = {1: [], PRIMARIES: []}
    # Compared within a round: the machine's speed varies by a quarter from minute to minute.
    growths: list[float] = []
    end = time.monotonic() + MOST_SECONDS
    while (number := len(growths)) < LEAST or (number < MOST and time.monotonic() < end and not certain(growths)):
        for count in sorted(counts, reverse=bool(number % 2)):
            counts[count].append(round(stopped(light, f"INC-{number}-{count}", light.primaries[:count]), 2))
        growths.append(counts[PRIMARIES][-1] / counts[1][-1])
    growth = statistics.geometric_mean(growths)
    print(f"\nuntil the stop, 1 primary: {counts[1]}, {PRIMARIES}: {counts[PRIMARIES]}: {growth:.2f} x")
    record_property("growth", f"{growth:.2f} x in {len(growths)} rounds")
    assert growth < LIMIT


def test_a_dead_host_of_thirty_costs_its_connect_timeout_once(light: Fleet) -> None:
    extra = {"kanban_redis_hosts": "none", "kanban_connect_timeout": CONNECT_SECONDS}
    light.fresh()
    whole = light.start(SCENARIO, "INC-WHOLE", extra).wait(timeout=900)
    assert whole.rc == 0, whole.output
    light.fresh()
    light.disconnect()
    light.freeze("app17")
    try:
        degraded = light.start(SCENARIO, "INC-DEAD", extra).wait(timeout=900)
    finally:
        light.thaw("app17")
    assert degraded.rc == 2, degraded.output
    assert "no evidence of app17" in degraded.screen
    assert [light.switched_on(name) for name in light.primaries] == [0] * PRIMARIES
    lines = light.lines("INC-DEAD")
    tried = [line["data"] for line in lines if line["event"] == "task ended" and line["data"]["host"] == "app17"]
    waited = [task["seconds"] for task in tried if task["unreachable"]]
    print(f"\nwith a dead host {degraded.seconds:.1f} s, without {whole.seconds:.1f} s; it was waited for {waited}")
    assert len(waited) == 1
    assert waited[0] > CONNECT_SECONDS - 0.5
    assert too_much(whole.seconds, degraded.seconds, waited) == []
    # The stop waits for no application host, dead or alive.
    flags = max(line["at"] for line in lines if line["source"] == "write_fence" and line["data"]["play"] == 2)
    asked = min(task["started"] for task in tried if task["unreachable"])
    assert flags < asked


_MAKER = """
import sys, time
from pathlib import Path
from tests.drills.scale import fleet
with fleet(Path(sys.argv[1]), 1, 2):
    print("up", flush=True)
    time.sleep(600)
"""


def test_nothing_of_light_hosts_is_left_when_who_made_them_is_killed(hosts_can_be_made: None, tmp_path: Path) -> None:
    before = sorted(PLACE.iterdir())
    argv = [sys.executable, "-c", _MAKER, str(tmp_path)]
    maker = subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    try:
        assert maker.stdout is not None
        assert maker.stdout.readline() == "up\n"
        started = descendants(maker.pid)
        # One that waits, the first of the tree, two per host, and PostgreSQL's own.
        assert len(started) > 10
        # Nobody else ever sees their network and files.
        assert "10.214." not in call(["ip", "-brief", "address"]).stdout
        assert f" {PLACE} " not in Path("/proc/self/mounts").read_text()
    finally:
        maker.kill()
        maker.wait(10)
    until(lambda: not started & set(running()), "every process of the light hosts to be gone", timeout=60)
    assert sorted(PLACE.iterdir()) == before


def running() -> dict[tuple[int, str], int]:
    """Return the parent of each process on the machine, by the process's number and start time."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        found[int(path.parent.name), fields[19]] = int(fields[1])
    return found


def descendants(ancestor: int) -> set[tuple[int, str]]:
    """Return the descendants of a process."""
    parents, found = running(), {ancestor}
    while more := {pid for (pid, _began), parent in parents.items() if parent in found} - found:
        found |= more
    return {process for process in parents if process[0] in found - {ancestor}}
