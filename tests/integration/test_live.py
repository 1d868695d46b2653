# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view as a person reads it: on a terminal, in a file, with -v, and when it has an error of its own."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chronicleentry import read_runs
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._chroniclemoments import (
    contained_at,
    seconds_between,
)
from tests.integration import playbook
from tests.integration.crowd import on, population
from tests.integration.onscreen import holds, person, seen
from tests.integration.place import Database
from tests.playbooks.runner import CHECKOUT, Running

TENANTS = 50
# Clears a screen, colours red, moves the cursor home, and reverses the direction of writing.
HOSTILE = "INC-1 \x1b[2J\x1b[31mred\x1b[H\u202e"
RED = {"31", "0;31", "1;31"}


@pytest.fixture
def db50(db: Database) -> Database:
    """Fifty companies that are on."""
    population(db, TENANTS)
    return db


def test_a_stop_as_it_is_read_on_a_terminal_and_in_a_file(db50: Database, directory: Path) -> None:
    db50.rows("UPDATE companies SET settings = settings || %s WHERE id = 1", (json.dumps({"name": HOSTILE}),))
    run = seen(db50, directory, "scenario3", "-e", json.dumps({"kanban_reason": HOSTILE, "kanban_operator": HOSTILE}))
    # Ansible warns of the tiers that are not there.
    lines = [line for line in run.lines if not line.startswith("[WARNING]: Could not match")]
    assert (run.rc, on(db50)) == (0, []), run.sent
    # Where it is, before anything else.
    assert lines[0] == "scenario3.yml: P0 CRITICAL, data is lost or corrupted: the IMMEDIATE STOP"
    assert lines[1] == "Environment  PRODUCTION"
    assert lines[2].startswith("Operator     INC-1 �[2J�[31mred�[H�")
    assert re.fullmatch(r"Started +\d\d:\d\d:\d\d local, \d\d:\d\d:\d\d UTC", lines[3])
    assert lines[4].startswith("Hosts        db: db1; redis: NONE; app: NONE")
    # A heading with its clock, then the database, then a line for each step with its figure.
    heading = lines.index("1. Contain: flag off for every tenant, fence, write block")
    assert re.fullmatch(r"00:\d\d / 02:00   \d\d:\d\d:\d\d local, \d\d:\d\d:\d\d UTC", lines[heading + 1])
    folded = " ".join(" ".join(lines).split())
    assert re.search(rf"Database {db50.name} at .*?, cluster \d+/\d+, {TENANTS} of {TENANTS} tenants on", folded)
    kill = rf"\d\d:\d\d Switch the flag off \[db1\]: {TENANTS} of {TENANTS} tenants off in 0\.\d\d s"
    assert len(re.findall(kill, folded)) == 1
    assert len(re.findall(r"Raise the fence \[db1\]: fence proven on 1 table in", folded)) == 1
    assert "latch up" in folded
    # Without checks nothing is validated, which is recorded as well as reported.
    assert len(holds(lines, r"^\d\d:\d\d  .*: FAILED, the run goes on")) == 1
    assert "Count what is corrupt [db1]: FAILED, the run goes on: No check is given" in folded
    recorded = "SELECT count(*) FROM kanban_rollback.events WHERE event = 'data not validated'"
    assert db50.rows(recorded) == [(1,)]
    assert not holds(lines, r"^(TASK|PLAY|ok:|changed:|skipping:|included:)")
    # Tasks that only keep records are silent, and what a line has said is not repeated.
    assert not holds(lines, "Note when containment was done|Name the run and its incident|tenants switched off in")
    # The screens are whole, and the last lines say how it ended.
    assert len(holds(lines, "^Result$")) == 2
    assert f"CONTAINED: Kanban V2 is off for all {TENANTS} tenants" in folded
    (incident,) = (directory / "incidents").iterdir()
    done = re.match(r"DONE \(contained\) after (\d\d):(\d\d), ", lines[-4])
    assert done
    ended_after = 60 * int(done[1]) + int(done[2])
    # One clock for the steps, the screen, the journal and the last line, whatever the controller's time zone.
    told = [found for line in lines if (found := re.match(r"(\d\d):(\d\d)  ", line))]
    steps = [60 * int(found[1]) + int(found[2]) for found in told]
    stop = next(float(found[1]) for line in lines if (found := re.match(r"Time: ([\d.]+) s, within ", line)))
    runs, _said = read_runs(incident, incident.name, Deadline(10))
    assert steps == sorted(steps)
    assert 0 < steps[-1] <= ended_after <= steps[-1] + 20
    assert seconds_between(runs[0].reading.began_at, contained_at(runs[0])) == pytest.approx(stop, abs=0.3)
    assert lines[-3:-1] == [f"Journal: {incident}", "It is safe to close this terminal."]
    # Within the width of the terminal, except what is to be copied and what Ansible itself prints.
    long = [line for line in lines if len(line) > 80]
    copied = r"ansible-playbook |/incidents/|errors\.md#|WARNING"
    assert not [line for line in long if not re.search(copied, line)], long
    # Colours, none of them red, and nothing that moves the cursor.
    assert "0;32" in run.colors
    assert not run.colors & RED
    assert run.sequences == []
    # Tasks that take long are redrawn on the last line, and nothing of that stays.
    slow = r"\d\d:\d\d( / 02:00)?  for \d\d:\d\d(, at most \d+:\d\d)?: \S"
    assert all(re.match(slow, drawn) for drawn in run.drawn), run.drawn
    assert not holds(lines, r"\d\d:\d\d  for ")


@pytest.mark.drill
def test_the_same_again_in_a_file_and_in_ansible_s_own_words(db50: Database, directory: Path) -> None:
    argv, around = person(db50, directory, "scenario3")
    around["ANSIBLE_STDOUT_CALLBACK"] = "chatia.kanban_rollback.live"
    plain = Running(argv, directory / "kept", CHECKOUT, around).wait(timeout=120)
    assert plain.rc == 0, plain.output
    assert not set("\x1b\r") & set(plain.output)
    # A step is one line, however long.
    step = rf"(?m)^\d\d:\d\d  Switch the flag off \[db1\]: {TENANTS} of {TENANTS} tenants off in .*$"
    assert len(re.findall(step, plain.output)) == 1
    assert plain.output.rstrip().endswith("It is safe to close this terminal.")
    more = Running([*argv, "-v"], directory / "more", CHECKOUT, around).wait(timeout=120)
    assert more.rc == 0, more.output
    for own in (
        "PLAY [1. Contain: ",
        "TASK [chatia.kanban_rollback.contain : Switch",
        "enabled_before: 0",
        "PLAY RECAP",
    ):
        assert own in more.output
    for added in (
        "Environment  PRODUCTION",
        "00:00 / 02:00   ",
        "open already, this run goes on with it",
        "DONE (contained)",
    ):
        assert added in more.output
    assert not re.findall(step, more.output)
    assert len(re.findall(r"^Result\r?$", more.output, re.MULTILINE)) == 2
    narrow = seen(db50, directory, "reenable", "-e", "kanban_reenable=all", columns=40)
    assert narrow.rc == 0, narrow.sent
    steps = [line for line in narrow.lines if re.match(r"\d\d:\d\d  ", line)]
    assert steps
    assert all(len(line) <= 40 for line in steps)
    assert "00:00 / 01:00" in narrow.sent


@pytest.mark.drill
def test_a_database_that_does_not_answer_is_a_line_and_the_run_goes_on(db50: Database, directory: Path) -> None:
    seen(db50, directory, "preflight")
    run = seen(db50, directory, "scenario3", "-e", "kanban_postgresql_port=1")
    text = " ".join(" ".join(run.lines).split())
    assert run.rc == 2
    assert "Switch the flag off [db1]: FAILED, the run goes on: " in text
    assert "Raise the fence [db1]: FAILED, the run goes on: as above" in text
    assert "fatal:" not in text
    assert "NOT CONTAINED: 1 of 1 hosts did not answer" in text
    by_psql, next_ = text.index("Break-glass for db1, with psql alone, on db1 itself"), text.index("Next: ")
    assert by_psql < text.index(f"psql -X -h 127.0.0.1 -p {db50.server.port}") < next_
    assert "/break-glass/db1.sql" in text[by_psql:next_]
    assert "kanban_reenable=all" not in text, "nothing was switched off, so there is nothing to undo"
    assert re.search(r"FAILED, after 00:\d\d, .* exit status is not 0. Journal: \S+ This terminal may be closed;", text)
    assert run.colors & RED


@pytest.mark.drill
def test_a_run_that_ends_without_a_screen_says_why(db50: Database, directory: Path) -> None:
    run = seen(db50, directory, "scenario3", "--limit", "db1")
    text = " ".join(" ".join(run.lines).split())
    assert run.rc == 2
    assert "leaves out localhost, so nobody counted who did not. Type it again with --limit 'db1,localhost'" in text


@pytest.mark.drill
def test_a_watch_says_how_it_stands_and_that_the_terminal_may_be_closed(db50: Database, directory: Path) -> None:
    run = seen(
        db50,
        directory,
        "scenario1",
        "-e",
        json.dumps({"kanban_validate_seconds": 12, "kanban_watch_minutes": {"scenario1": 0}}),
    )
    text = "\n".join(run.lines)
    assert text.count("This terminal may be closed while it watches; the same command again goes on.") == 1, text
    assert len(re.findall(r"(?m)^\d\d:\d\d  validation, ", text)) == 1, text
    assert [drawn for drawn in run.drawn if "validation, " in drawn]


BROKEN = """
DOCUMENTATION = '''
name: broken
type: stdout
extends_documentation_fragment: [default_callback, result_format_callback]
'''
import importlib.util
spec = importlib.util.spec_from_file_location("plugin", "{file}")
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
whole = module.live.Live.ended

def ended(self, step):
    if step.name == "break":
        raise ValueError("secret")
    return whole(self, step)

module.live.Live.ended = ended

class CallbackModule(module.CallbackModule):
    CALLBACK_NAME = "broken"
"""
PLAY = """
- name: One
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: break, ansible.builtin.command: "true"}
    - {name: break, ansible.builtin.command: "true"}
    - {name: whole, ansible.builtin.command: "true"}
    - {name: silent, ansible.builtin.command: "true", changed_when: false}
    - block:
        - {name: inner, ansible.builtin.command: "sh -c 'echo low >&2; exit 3'"}
      rescue:
        - {name: screen, ansible.builtin.debug: {msg: ["{{ hostile }}", second]}}
    - block:
        - {name: looped, ansible.builtin.command: "{{ item }}", loop: ["true", "false"]}
      rescue:
        - {name: end, ansible.builtin.command: "sh -c 'echo whole error >&2; exit 3'"}
"""


def test_an_error_of_its_own_is_said_once_and_failures_are_ansible_s_own(directory: Path) -> None:
    (directory / "callback_plugins").mkdir()
    (directory / "callback_plugins/broken.py").write_text(BROKEN.format(file=CHECKOUT / "plugins/callback/live.py"))
    variables = {"ansible_python_interpreter": sys.executable}
    options = playbook.inventory(directory, variables, all_of_them={"localhost": {"ansible_connection": "local"}})
    extra = playbook.given(directory, {"hostile": "{{ 7*7 }} \x1b[2J"})
    name = playbook.written(directory, PLAY)
    run = playbook.run(directory, name, *options, *extra, ANSIBLE_STDOUT_CALLBACK="broken")
    assert run.rc == 2, run.output
    assert run.output.count("The live view has an error of its own (ValueError)") == 1
    assert "secret" not in run.output
    # Ansible prints what the view could not.
    assert len(re.findall(r"TASK \[break\] \*+\nchanged: \[localhost\]", run.output)) == 2
    assert re.search(r"(?m)^00:\d\d  whole \[localhost\]: done$", run.output)
    assert "silent" not in run.output
    assert "inner [localhost]: FAILED, the run goes on: " in run.output
    assert "screen\n{{ 7*7 }} �[2J\nsecond\n" in run.output
    assert "looped [localhost]: FAILED, the run goes on: " in run.output
    # Nobody handles the last failure, which is shown in full.
    assert "fatal: [localhost]: FAILED! => " in run.output
    assert "whole error" in run.output
    assert "stderr_lines" in run.output
    assert "fatal" not in run.output.partition("TASK [end]")[0]
    assert re.search(r"(?m)^localhost: .*failures=1", run.output)
    assert "ENDED WITH A FAILURE, after 00:" in run.output


FILES = """
- name: One
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.copy: {content: "{{ 'who called ' * 60 }}", dest: "{{ playbook_dir }}/journal", mode: "0600"}
    - chatia.kanban_rollback.incident_words: {path: "{{ playbook_dir }}", incident_id: INC-1}
    - ansible.builtin.slurp: {src: "{{ playbook_dir }}/journal"}
      register: there
    - ansible.builtin.set_fact: {keep: [{name: journal, text: "{{ there.content | b64decode }}"}]}
    - ansible.builtin.fail: {msg: "{{ there.content | b64decode }}whole"}
"""


def test_of_files_that_results_carry_only_the_length_is_shown_and_a_failure_whole(directory: Path) -> None:
    options = playbook.inventory(
        directory, {"ansible_python_interpreter": sys.executable}, all_of_them={"localhost": {}}
    )
    name = playbook.written(directory, FILES)
    run = playbook.run(directory, name, *options, "-vvv", ANSIBLE_STDOUT_CALLBACK="chatia.kanban_rollback.live")
    before, _end, after = run.output.partition("TASK [ansible.builtin.fail]")
    assert run.rc == 2, run.output
    assert "who called who called" not in before.partition("TASK [ansible.builtin.set_fact]")[2]
    assert "(660 characters, shown with -vvvv)" in before
    assert "(880 characters, shown with -vvvv)" in before
    assert "who called whole" in after
