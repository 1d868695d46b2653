# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The view of a run for the person on call: a line for each step, its figure, and a clock against the objective."""

from __future__ import annotations

DOCUMENTATION = r"""
name: live
type: stdout
short_description: One line for each step, with the figure that matters and a clock
version_added: 0.1.0
author:
  - The chatia.kanban_rollback authors (@chatia)
description:
  - Shows a run of this collection's playbooks to the person who is on call. It shows where the run acts and for whom,
    each step with the figure that matters and a clock against the objective, complete screens, and whether the terminal
    may be closed.
  - Tasks that only keep records are silent. With C(-v) and more everything is shown as Ansible's default callback does,
    plus the first lines, the clocks and the last lines. Up to C(-vvv), only the length is shown of files that a result
    carries (a journal, or what people wrote). Failures are Ansible's own messages in full, except those after which a
    run continues by itself, which are one line each.
  - The checkout's C(ansible.cfg) enables it. Elsewhere C(ANSIBLE_STDOUT_CALLBACK=chatia.kanban_rollback.live) switches
    it on, and C(ANSIBLE_STDOUT_CALLBACK=default) off. See docs/live-view.md.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as stdout in configuration
"""

import functools
import sys
import time
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from ansible import constants, context

from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _live as live
from ansible_collections.chatia.kanban_rollback.plugins.module_utils import _livetext as text
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalfile import incident_folder
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._liveprogress import progress_said
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._liveterminal import Terminal
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._markdown import clean
from ansible_collections.chatia.kanban_rollback.plugins.plugin_utils._livedefault import Default
from ansible_collections.chatia.kanban_rollback.plugins.plugin_utils._livereading import (
    COLLECTION,
    Profile,
    has_warnings,
    is_rescued,
    role_of,
)

_COLORS = {
    text.HEADING: constants.COLOR_HIGHLIGHT,
    text.GOOD: constants.COLOR_OK,
    text.ODD: constants.COLOR_WARN,
    text.BAD: constants.COLOR_ERROR,
}
_NAMING = ("run", "release", "reenable")
_SET_FACT = ("set_fact", "ansible.builtin.set_fact", "ansible.legacy.set_fact")
_DEBUG = ("debug", "ansible.builtin.debug", "ansible.legacy.debug")
_FAIL = ("fail", "ansible.builtin.fail", "ansible.legacy.fail")


def _safely(hook: Callable[..., None]) -> Callable[..., None]:
    """Keep this view's own errors inside a hook: Ansible's own output of that event is shown instead."""
    name = hook.__name__

    @functools.wraps(hook)
    def safe(self: CallbackModule, *arguments: Any, **options: Any) -> None:
        default = getattr(Default, name, None)
        with self.terminal:
            if self.is_verbose and default is not None:
                default(self, *arguments, **options)
            try:
                hook(self, *arguments, **options)
            except Exception as error:
                self.broke(error)
                if not self.is_verbose and default is not None:
                    default(self, *arguments, **options)

    return safe


def _silent(name: str) -> Callable[..., None]:
    """Return a hook that prints nothing: its event is reported elsewhere, or nothing was done."""

    def hook(self: CallbackModule, *_arguments: Any, **_options: Any) -> None:
        """Print nothing."""

    hook.__name__ = name
    return _safely(hook)


class CallbackModule(Default):
    """Ansible's events, as lines for a person."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "chatia.kanban_rollback.live"

    v2_playbook_on_include = _silent("v2_playbook_on_include")
    v2_playbook_on_no_hosts_matched = _silent("v2_playbook_on_no_hosts_matched")
    v2_runner_item_on_ok = _silent("v2_runner_item_on_ok")
    v2_runner_item_on_skipped = _silent("v2_runner_item_on_skipped")
    v2_runner_on_async_ok = _silent("v2_runner_on_async_ok")

    def __init__(self) -> None:
        super().__init__()
        self.is_verbose = self._display.verbosity > 0
        self.terminal = Terminal(lambda at: "" if self._live is None else self._live.status(at))
        self._live: live.Live | None = None
        self._profile: Profile | None = None
        self._directory = self._failure = self._ended_on = ""
        self._asked = False

    def broke(self, error: Exception) -> None:
        """Warn, once, that this view failed, by the kind of error only, because its text may hold anything."""
        self._display.warning(
            f"The live view has an error of its own ({type(error).__name__}); the run is not affected. "
            "What it cannot show is shown as Ansible does."
        )

    @_safely
    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Print which playbook this is."""
        name = Path(str(playbook._file_name)).stem
        self._live = live.Live(time.time(), name, bool(context.CLIARGS.get("check")), not self.is_verbose)
        self._print(self._live.first())
        if not self.is_verbose:
            self.terminal.begin()

    @_safely
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a play."""
        # The default callback needs these to show an event on its own.
        self._play, self._last_task_name, self._last_task_banner = play, None, None
        apart = str(play.strategy).rpartition(".")[2] in ("free", "host_pinned")
        file = Path(str(play.get_path() or "").rpartition(":")[0]).stem
        self._print(self._run.play_began(time.time(), str(play.get_name()), file, apart))

    @_safely
    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Print the result of the previous task."""
        self._print(self._run.task_began(time.time()))

    @_safely
    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Print the result of the previous task."""
        self._print(self._run.task_began(time.time()))

    @_safely
    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Begin a task on a host; before the first of ours, print where this is."""
        now, step = time.time(), self._step(host, task)
        if not self._asked and role_of(task).startswith(COLLECTION):
            # Only once, even if that fails.
            self._asked = True
            self._profile = Profile(self._play, host, task, self._display.vvv)
            facts = self._profile.facts()
            self._directory = str(facts["directory"] or "")
            self._print(self._run.about(facts))
        self._print(self._run.host_began(now, step, self._profile.limit(step.host, task) if self._profile else None))

    @_safely
    def v2_runner_on_ok(self, result: Any) -> None:
        """Print a step, a screen, or nothing."""
        task, action = result._task, str(result._task.action)
        step = self._step(result._host, task)
        step.changed = bool(result.is_changed())
        is_async = action.endswith("async_status")
        names = action in _SET_FACT and step.role in _NAMING
        # Reading a result copies it, so read only those that may hold something of use.
        if not task.no_log and (step.ours or is_async or names or action in _DEBUG):
            step.result = result._result
        self._warn(result)
        if names:
            self._name(step.result)
        if action in _DEBUG:
            if "msg" not in step.result:
                self._print(self._run.task_began(step.at))
                self._show_default("v2_runner_on_ok", result)
                return
            self._run.skipped(step.host, step.task)
            self._print(self._run.message(step.at, step.name, step.role, step.result["msg"]))
            self._slow()
            return
        self._print(self._run.ended(step))

    @_safely
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print a failure: in one line if the run continues by itself, otherwise as Ansible does."""
        self._trouble("v2_runner_on_failed", result, live.FAILED, bool(ignore_errors) or is_rescued(result._task))

    @_safely
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print that a host is gone: in one line if the run continues by itself, otherwise as Ansible does."""
        self._trouble("v2_runner_on_unreachable", result, live.UNREACHABLE, bool(result._task.ignore_unreachable))

    @_safely
    def v2_runner_on_skipped(self, result: Any) -> None:
        """Print nothing."""
        self._warn(result)
        self._run.skipped(result._host.get_name(), result._task._uuid)

    @_safely
    def v2_runner_retry(self, result: Any) -> None:
        """Print the progress, if there is no terminal that shows it."""
        step = self._step(result._host, result._task)
        if step.ours and not result._task.no_log:
            self._run.running.told(step.host, step.task, progress_said(result._result))
        self._slow()

    @_safely
    def v2_runner_on_async_poll(self, result: Any) -> None:
        """Print how long it has been under way, if there is no terminal that shows it."""
        self._slow()

    @_safely
    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Print the failure of an item as Ansible does, unless the run continues by itself."""
        if not is_rescued(result._task):
            self._print(self._run.heading())
            self._show_default("v2_runner_item_on_failed", result)

    @_safely
    def v2_on_file_diff(self, result: Any) -> None:
        """Show a difference as Ansible does, below its heading."""
        answer = result._result
        if answer.get("changed") and (answer.get("diff") or answer.get("results")):
            self._print(self._run.heading())
            self._show_default("v2_on_file_diff", result)

    @_safely
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print how the run ended."""
        self.terminal.end()
        troubled = {*stats.failures, *stats.dark}
        if troubled and not self.is_verbose:
            self._print(self._run.task_began(time.time()))
            self._recap(stats, sorted(troubled - {self._ended_on}))
        told = stats.custom.get("_run", {})
        verdict = str(told.get("kanban_verdict", ""))
        self._print(self._run.last(time.time(), bool(troubled), self._failure, verdict, self._place()))

    @property
    def _run(self) -> live.Live:
        if self._live is None:
            raise RuntimeError("no playbook has begun")
        return self._live

    def _step(self, host: Any, task: Any) -> live.Step:
        action = str(task.action)
        name, role = str(task.name or action), role_of(task).rpartition(".")[2]
        ours = action.startswith(COLLECTION)
        module = action[len(COLLECTION) :] if ours else action
        return live.Step(time.time(), task._uuid, host.get_name(), name, role, module, ours, task.check_mode is True)

    def _trouble(self, hook: str, result: Any, state: str, handled: bool) -> None:
        step = self._step(result._host, result._task)
        step.state, step.handled, step.result = state, handled, result._result
        if handled:
            self._warn(result)
            self._print(self._run.ended(step))
            return
        message = str(step.result.get("msg", step.name))
        self._run.skipped(step.host, step.task)
        self._print(self._run.task_began(step.at))
        ours = str(result._task.action) in _FAIL and role_of(result._task).startswith(COLLECTION)
        if ours and self._run.has_screen:
            # A run of ours ends this way after its screen, which says so; the last lines repeat it.
            self._ended_on = step.host
            return
        self._failure = self._failure or f"{step.host}: {message}"
        self._print(self._run.heading())
        self._show_default(hook, result)

    def _show_default(self, hook: str, result: Any) -> None:
        if not self.is_verbose:
            getattr(Default, hook)(self, result)

    def _warn(self, result: Any) -> None:
        if has_warnings(result):
            self._handle_warnings(result._result)

    def _name(self, answer: Mapping[str, Any]) -> None:
        """Read how a run, or the return that found it, names its incident."""
        facts = answer.get("ansible_facts") or {}
        run, found = facts.get("__run"), facts.get("__reenable_incident") or {}
        if run:
            given = str(run["given"]).lower() == "true"
            self._print(self._run.name(str(run["incident_id"]), given, float(run["started"])))
        if found.get("agreed"):
            self._print(self._run.name(str(found["incident_id"]), True))

    def _slow(self) -> None:
        if self.terminal.is_due():
            self._print(self._run.slow(time.time()))

    def _place(self) -> str:
        """Return the directory of the run's journal; empty if none is kept."""
        if not self._run.incident or not self._directory:
            return ""
        place = Path(self._directory).expanduser() / incident_folder(self._run.incident)
        return str(place) if place.is_dir() else ""

    def _recap(self, stats: Any, names: Sequence[str]) -> None:
        for name in names:
            counts = stats.summarize(name)
            told = " ".join(f"{what}={count}" for what, count in counts.items() if count)
            self._print([text.Line(f"{clean(name, 60)}: {told}", text.BAD)])

    def _print(self, lines: Sequence[text.Line]) -> None:
        if not lines:
            return
        width = self.terminal.width
        for line in lines:
            self._display.display(text.folded(line, width), color=_COLORS.get(line.kind))
        sys.stdout.flush()
        self.terminal.said()
