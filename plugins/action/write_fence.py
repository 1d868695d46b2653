# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of ``write_fence``: report a fence that the kill has raised already, and raise no other."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.plugins.action import ActionBase

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._fenceproof import together


class ActionModule(ActionBase):  # type: ignore[misc]
    """Returns a given proven answer directly, and otherwise runs the module."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = self._task.args.get("answer")
        job = self._task.async_val
        raising = self._task.args.get("state", "present") == "present" and not self._task.check_mode and not job
        # The module refuses anything else that was given.
        answer = dict(given) if isinstance(given, Mapping) and raising else {}
        if answer.pop("holds", False) is True:
            return {**result, **answer}
        arguments = dict(self._task.args)
        if isinstance(given, Mapping):
            del arguments["answer"]
        done = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=job)
        if job:
            return {**result, **done}
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return {**result, **done, **(together(answer, done) if answer else {})}
