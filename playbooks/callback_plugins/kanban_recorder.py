# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flight recorder: what a run did, host by host, as lines of JSON in the incident's directory."""

from __future__ import annotations

DOCUMENTATION = r"""
name: kanban_recorder
type: notification
short_description: Record a run in its incident's directory
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Lies beside the playbooks, so it is loaded for each of them without any configuration, also where they run by their
    full name from an installed collection.
  - Writes C(journal-<run>.jsonl) below C(kanban_incidents_dir) on the controller; see docs/journal.md. What cannot be
    written is said in one warning at the end, and fails or delays nothing.
  - Prints what C(status.yml) has found after Ansible's recap, and ends that playbook with its exit status, 2 or 3.
    Ansible itself cannot end with 3. Callbacks that come after this one then miss the end of the run.
"""

import functools
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

try:
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils._clock import run_began
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journaldetails import EXIT
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalrun import Named, Recorder, Task
    from ansible_collections.chatia.kanban_rollback.plugins.module_utils._version import collection_version
except ImportError:
    # The playbooks run without their collection, so there is nothing to record.
    Recorder = None  # type: ignore[assignment,misc]

COLLECTION = "chatia.kanban_rollback."
# Contents of the first line, by the profile's variables; each is templated separately, because any may be wrong.
_WHO = {"operator": "kanban_operator", "environment": "kanban_environment", "rehearsal": "kanban_rehearsal"}
# Limit of the tasks that have started and not ended; more than any number of forks.
_MOST_STARTED = 20000
_MOST_TROUBLED = 100
_STATS = "ansible.builtin.set_stats"
_FACTS = ("set_fact", "ansible.builtin.set_fact")
_COUNTS = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored")


def _safely(hook: Callable[..., None]) -> Callable[..., None]:
    """Keep the recorder's own errors inside a hook: the run matters, its record does not."""

    @functools.wraps(hook)
    def safe(self: CallbackModule, *arguments: Any, **options: Any) -> None:
        try:
            hook(self, *arguments, **options)
        except Exception as error:
            self.fail(error)

    return safe


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible's events, translated for the recorder."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "kanban_recorder"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.disabled = Recorder is None
        self._recorder: Recorder | None = None
        self._play: Any = None
        self._started: dict[tuple[str, str], float] = {}
        self._jobs: dict[tuple[str, str], str] = {}
        self._failure = ""
        self._status: Mapping[str, Any] | None = None
        self._begun = False
        # Ansible counts on from one playbook of a command to the next, and keeps what the roles hand on.
        self._before: dict[str, Counter[str]] = {}
        self._handed_on: set[str] = set()

    def fail(self, error: Exception) -> None:
        """Stop recording; the end of the run reports only the kind of error, because its text may hold anything."""
        self._failure = self._failure or type(error).__name__

    @_safely
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Begin a run."""
        file = Path(str(playbook._file_name))
        facts = {
            "version": collection_version(file.parent.parent),
            "host": socket.gethostname(),
            "check_mode": _check_mode(),
        }
        self._failure = ""
        self._started.clear()
        self._jobs.clear()
        self._handed_on.clear()
        # The first playbook of a command began when the command was read; a later one begins now.
        began = time.time() if self._begun else run_began(time.time())
        self._begun = True
        self._recorder = Recorder(began, file.stem, facts)

    @_safely
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a play."""
        self._play = play
        if self._recorder is not None:
            self._recorder.play_began(time.time(), str(play.get_name()))

    @_safely
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Begin a task on a host; before the one that names the run, read who and where."""
        if len(self._started) < _MOST_STARTED:
            self._started[host.get_name(), task._uuid] = time.time()
        if self._recorder is not None and self._recorder.named is None and _role(task) == "run":
            found = self._variables(host, task)
            rehearsal = boolean(found.pop("rehearsal", False), strict=False)
            self._recorder.about(found.pop("directory", ""), {**found, "rehearsal": rehearsal})

    @_safely
    def v2_runner_on_ok(self, result: Any) -> None:
        """Record a task's end."""
        self._take_status(result)
        self._ended(result)

    @_safely
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Record a task's end."""
        self._ended(result, failed=True, ignored=bool(ignore_errors))

    @_safely
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Record a task's end."""
        self._ended(result, unreachable=True)

    @_safely
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Count a skipped task."""
        self._started.pop((result._host.get_name(), result._task._uuid), None)
        if self._recorder is not None:
            self._recorder.skipped()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """End the run, and report in one line what was not recorded."""
        self._end(stats)
        recorder, self._recorder = self._recorder, None
        problem = self._failure or (recorder.problem if recorder is not None else "")
        if problem:
            self._display.warning(f"The run's journal is not whole, the run itself is not affected: {problem}")
        status, self._status = self._status, None
        if status is not None:
            self._display.display(status["text"])
            if status["exit_status"]:
                # Not an Exception, so Ansible lets it pass; it cleans up, and exits with this status.
                raise SystemExit(status["exit_status"])

    def _take_status(self, result: Any) -> None:
        """Take what status.yml has found; its next task reads from the environment whether that was done."""
        if _role(result._task) == "status" and result._task.action in _FACTS:
            status = (result._result.get("ansible_facts") or {}).get("__status")
            if status:
                self._status = {"text": str(status["text"]), "exit_status": int(status["exit_status"])}
                os.environ["KANBAN_STATUS_TAKEN"] = str(status["id"])

    @_safely
    def _end(self, stats: Any) -> None:
        before, self._before = self._before, {name: Counter(getattr(stats, name)) for name in _COUNTS}
        if self._recorder is None:
            return
        told = stats.custom.get("_run", {})
        facts = {name: str(told[name])[:100] for name in EXIT if name in told and name in self._handed_on}
        counts = {name: now - before.get(name, Counter()) for name, now in self._before.items()}
        troubled = sorted({*counts["failures"], *counts["dark"]})
        recap = {name: sum(count.values()) for name, count in counts.items()}
        recap["failed"], recap["unreachable"] = recap.pop("failures"), recap.pop("dark")
        hosts = len({host for count in counts.values() for host in count})
        data = {"exit": facts, "hosts": hosts, "recap": recap, "troubled": troubled[:_MOST_TROUBLED]}
        self._recorder.end(time.time(), data)

    def _ended(self, result: Any, **status: bool) -> None:
        now = time.time()
        host, task = result._host.get_name(), result._task
        began = self._started.pop((host, task._uuid), None)
        if self._recorder is None or self._failure:
            return
        action, role = str(task.action), _role(task)
        module = action.removeprefix(COLLECTION)
        # Reading a result copies it, so read only those that may hold something of use.
        names = module in _FACTS and role in ("run", "release", "reenable")
        ours = action.startswith(COLLECTION)
        # Statistics also go into the journal before the run's end, because the copy that a ledger keeps lacks the end.
        stats = action == _STATS
        answer: Mapping[str, Any] = result._result if (ours or names or stats) and not task.no_log else {}
        if "ansible_job_id" in answer:
            module = self._began(host, answer, module)
        if names:
            self._name(answer)
        if stats:
            self._handed_on.update((answer.get("ansible_stats") or {}).get("data") or ())
        changed = bool(result.is_changed())
        told = answer if (ours or stats) and "censored" not in answer else {}
        self._recorder.task_ended(
            Task(host, str(task.name or action), role, module, began, now, changed, result=told, **status)
        )

    def _began(self, host: str, answer: Mapping[str, Any], module: str) -> str:
        """Return the module that started a job, because another module reports its result."""
        job = host, str(answer["ansible_job_id"])
        return self._jobs.get(job, module) if answer.get("finished") else self._jobs.setdefault(job, module)

    def _name(self, answer: Mapping[str, Any]) -> None:
        facts = answer.get("ansible_facts") or {}
        run, found = facts.get("__run"), facts.get("__reenable_incident") or {}
        if self._recorder is None:
            return
        named = self._recorder.named
        # An id that a person gave may be an alias; then wait for the ledger's answer.
        if found.get("agreed") and named is not None and not named.given:
            self._recorder.join(str(found["incident_id"]))
        if run:
            self._recorder.name(Named(str(run["id"]), str(run["incident_id"]), str(run["given"]).lower() == "true"))

    def _variables(self, host: Any, task: Any) -> dict[str, str]:
        """Return who runs this and where incidents are kept, except for what the inventory gets wrong."""
        variables = self._play.get_variable_manager().get_vars(play=self._play, host=host, task=task)
        templar = Templar(loader=self._play.get_loader(), variables=variables)
        found = {}
        for name, variable in {**_WHO, "directory": "kanban_incidents_dir"}.items():
            try:
                found[name] = str(templar.template(variables[variable]))[:1000]
            except Exception as error:
                self._display.vvv(f"kanban_recorder: {variable}: {type(error).__name__}")
        return found


def _role(task: Any) -> str:
    """Return the short name of a task's role; tasks of the role ``job`` belong to the role that starts the job."""
    role, outer = task._role, task._parent
    while outer is not None and role is not None and str(role.get_name()).rpartition(".")[2] == "job":
        role, outer = getattr(outer, "_role", None) or role, outer._parent
    return str(role.get_name()).rpartition(".")[2] if role else ""


def _check_mode() -> bool:
    return bool(context.CLIARGS.get("check"))
