# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's part of ``write_fence``: a fence that the kill has raised already is told, not raised again."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Answers by itself where it was given the answer, and else runs the module."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        answer = arguments.pop("answer", None)
        if isinstance(answer, Mapping) and answer and arguments.get("state", "present") == "present":
            return {**result, **answer}
        done = self._execute_module(module_args=arguments, task_vars=task_vars, wrap_async=self._task.async_val)
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return {**result, **done}
