# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's default view as the live view uses it: complete, except for the files that results carry."""

from __future__ import annotations

from typing import Any, Mapping

from ansible.plugins.callback.default import CallbackModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._livetext import without_files

# From -vvvv on nothing is left out.
ALL = 4


class Default(CallbackModule):  # type: ignore[misc]
    """Ansible's default view."""

    def _dump_results(self, result: Mapping[str, Any], *arguments: Any, **options: Any) -> str:
        """Return a result as text, without journals, plans and people's words, which would bury everything else."""
        brief = result if self._display.verbosity >= ALL else without_files(result)
        text: str = super()._dump_results(brief, *arguments, **options)
        return text
