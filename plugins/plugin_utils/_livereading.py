# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the live view reads from Ansible's objects: who and where, time limits, whether a failure is handled."""

from __future__ import annotations

from typing import Any, Callable

from ansible.template import Templar

COLLECTION = "chatia.kanban_rollback."
# Contents of the first lines, by the profile's variables; each is templated separately, because any may be wrong.
_ABOUT = {
    "environment": "kanban_environment",
    "operator": "kanban_operator",
    "objectives": "__kanban_rto_seconds",
    "reenable": "kanban_reenable",
    "directory": "kanban_incidents_dir",
}
_TIERS = {"db": "__kanban_db_hosts", "redis": "__kanban_redis_hosts", "app": "__kanban_app_hosts"}


class Profile:
    """The profile as our first task sees it, read once per run. ``note`` is called with what could not be read."""

    def __init__(self, play: Any, host: Any, task: Any, note: Callable[[str], None]) -> None:
        """Read the variables."""
        self._variables = play.get_variable_manager().get_vars(play=play, host=host, task=task)
        self._templar = Templar(loader=play.get_loader(), variables=self._variables)
        self._note = note
        self._limits: dict[str, float | None] = {}
        self._jobs: dict[str, float] = {}

    def facts(self) -> dict[str, Any]:
        """Return the facts for the first lines, without what the inventory gets wrong."""
        found = {name: self._read(variable) for name, variable in _ABOUT.items()}
        return {**found, "hosts": {tier: self._read(variable) or [] for tier, variable in _TIERS.items()}}

    def limit(self, host: str, task: Any) -> float | None:
        """Return how many seconds a task of ours may take on a host; None if it does not say, or is not ours."""
        if task.action.endswith(("async_status", ".progress_info")):
            # A task that asks for a job waits for as long as the job may take.
            return self._jobs.get(host) if task.until else None
        if not task.action.startswith(COLLECTION):
            return None
        job = self._known(task.async_val)
        if job:
            self._jobs[host] = job
        return job or self._known(task.timeout)

    def _known(self, given: Any) -> float | None:
        # Most tasks have one of a few texts, and many hosts the same task.
        key = str(given)
        if key not in self._limits:
            self._limits[key] = self._seconds(given)
        return self._limits[key] or None

    def _seconds(self, given: Any) -> float | None:
        try:
            return float(self._templar.template(given)) if given else None
        except Exception as error:
            self._note(f"live: a time limit: {type(error).__name__}")
            return None

    def _read(self, variable: str) -> Any:
        try:
            return self._templar.template(self._variables[variable])
        except Exception as error:
            self._note(f"live: {variable}: {type(error).__name__}")
            return None


def role_of(task: Any) -> str:
    """Return the full name of a task's role; empty if it is in none."""
    return str(task._role.get_name(include_role_fqcn=True)) if task._role else ""


def is_rescued(task: Any) -> bool:
    """Tell whether a block around a task has a rescue for its failure, so that the run continues."""
    inner, outer = task, task._parent
    while outer is not None:
        rescue = getattr(outer, "rescue", None)
        if rescue:
            # A failure in a rescue or always section is handled by an outer block.
            beside = {each._uuid for each in [*rescue, *outer.always]}
            if inner._uuid not in beside:
                return True
        inner, outer = outer, outer._parent
    return False


def has_warnings(result: Any) -> bool:
    """Tell whether a result has warnings or deprecations, if possible without reading all of it."""
    if hasattr(result, "warnings"):
        return bool(result.warnings or result.deprecations)
    return bool(result._result.get("warnings") or result._result.get("deprecations"))
