# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filter that is used only to have the other filters loaded early."""

from __future__ import annotations

from typing import Any, Callable

from jinja2 import Environment, pass_environment


@pass_environment
def loaded(environment: Environment, value: Any) -> Any:
    """Return ``value`` unchanged.

    Ansible starts a process for each task and host, and each would read and compile every file of filters again, which
    takes 0.1 s of a core, and those of tests, 10 ms. It evaluates a play's ``hosts`` before it starts any, and they all
    share what is loaded there: the use of this filter loads the filters, and its request for one test loads the tests.
    """
    environment.tests.get("defined")
    return value


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {"loaded": loaded}
