# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed after tasks of the stop and during later ones: the same command again completes it.

After, as soon as it is done on some host: each task of the roles that contain and preserve, and of the dump's job, in
its own drill (MOMENTS). During, while it is at work or has just reported a first host: each task of the other roles
from the play after the stop on, all in one incident (LATER). Neither: role ``run``, which names the run and its
incident before anything is stopped, and tasks of no role.
"""

from __future__ import annotations

import re
import time

import pytest

from tests.drills.drill import HASTY, Drill
from tests.playbooks.runner import Running
from tests.playbooks.turns import killed_in_turn, tasks

# What a healthy run does. The run that completes each of these drills must do nothing else, so a new task must be added
# here.
MOMENTS = (
    "contain : Switch the flag off",
    "contain : Raise the fence",
    "contain : Set the write block",
    "contain : Note when containment was done here",
    "contain : Keep the flag off until every earlier transaction has ended",
    "contain : Read the write block back",
    "preserve : Gather evidence that was started during containment",
    "job : Forget an earlier job",
    "job : Make a directory for the job",
    "job : Let the job's user reach what is in it",
    "job : Make a directory for Ansible's notes of the job",
    "job : Find what killed runs have left",
    "preserve : Dump the tables, and prove the dump",
    "job : Wait until it is proven",
    "job : Keep the job's result",
    "job : Remove its notes",
    "job : Remove its directory",
    "preserve : Keep what is known of the dump",
    "preserve : Gather Redis's own figures",
    "preserve : Gather processes, logs and metrics",
    "contain : Read which server leads, and who is on",
    "contain : Note who is on again",
    "contain : Read whether the fence is up",
)
# On a host nothing depends on these, so each run of one incident is killed at the next of them.
LATER = ("verdict : ", "communicate : ", "assess : ", "recover : ", "validate : ")
# What only a run after a killed one does.
AFTER = {
    "job : Open the directories for other runs",
    "job : Find their notes",
    "job : Check which old directories are in use",
}
FAST = "contain : Switch the flag off"
_DONE = re.compile(r"^(ok|changed): ", re.MULTILINE)
_ROLE = re.compile(r"\w+ : ")
_COLLECTION = "chatia.kanban_rollback."


def done(output: str) -> set[str]:
    """Return the tasks of roles that were done on some host."""
    titles = {title.removeprefix(_COLLECTION) for _play, title, said in tasks(output) if _DONE.search(said)}
    return {title for title in titles if _ROLE.match(title)}


def kill_after(running: Running, moment: str, timeout: float = 200) -> None:
    """Kill the run as soon as a task is done on some host."""
    while moment not in done(running.output):
        assert running.alive, f"it ended without {moment!r}:\n{running.output}"
        assert running.seconds < timeout, f"not within {timeout:g} s: {moment!r}\n{running.output}"
        time.sleep(0.02)
    running.kill()


@pytest.mark.drill
@pytest.mark.parametrize(
    "moment", [pytest.param(moment, marks=pytest.mark.fast if moment == FAST else ()) for moment in MOMENTS]
)
def test_controller_killed(drill: Drill, moment: str) -> None:
    drill.estate.site.disconnect()
    running = drill.start()
    kill_after(running, moment)
    drill.flag.judge(running)
    completed = drill.finish()
    others = (*LATER, "run : ")
    unknown = {title for title in done(completed.output) - {*MOMENTS, *AFTER} if not title.startswith(others)}
    assert not unknown, f"put these into MOMENTS: {unknown}"


@pytest.mark.drill
def test_controller_killed_over_and_over(drill: Drill) -> None:
    """Typing the command again and again gets further each time, and finally to the end."""

    def left(_task: str) -> None:
        drill.flag.judge(drill.running[-1])
        # People go home by themselves after half an hour, which this takes on a busy machine.
        if not drill.crowd.at_work:
            drill.crowd.begin()

    last, killed = killed_in_turn(lambda: drill.start(extra=HASTY), left, moments=LATER, since="2. Stopped")
    print(f"killed at {len(killed)} tasks: {killed}")
    passed_over = {
        task for task in done(last.output) if task.startswith(LATER) and not any(task in at for at in killed)
    }
    assert not passed_over, f"expected: killed at each of them; found: never at {passed_over}"
    drill.finish()
