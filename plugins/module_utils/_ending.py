# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How every module ends: from a function's result and error, if any, to ``exit_json`` or ``fail_json``."""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, NamedTuple, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._driver import missing_driver
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._nolog import harmless, told, without

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]
Work = Callable[[], Outcome]


class Driver(NamedTuple):
    """A library that a module requires, and why it could not be loaded (None if it was)."""

    name: str
    error: ImportError | None


def params_of(module: AnsibleModule, names: Collection[str], unlogged: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters, and keep values of these options that are not secret from being censored in the result.

    :param unlogged: options that are not secret themselves, and have ``no_log`` only because of the host's system log:
        Ansible logs there how a module was invoked, including people's own words and addresses. It knows a secret
        within them by its letters, not by what becomes of a backslash when the whole option is written out.

    They need ``no_log`` all the same: if a parameter is wrong, Ansible ends the module before this runs. From here on
    they are hidden as a whole, because the result shows how the module was invoked.
    """
    params: dict[str, Any] = module.params
    module.no_log_values -= harmless(module.argument_spec, params, names, unlogged)
    module.no_log_values -= told(module.argument_spec, params, unlogged)
    module.params = without(module.argument_spec, params, (*names, *unlogged))
    return params


def run(module: AnsibleModule, work: Work, driver: Driver | None = None) -> None:
    """Do the work and end the module; this is the only place where it fails."""
    try:
        if driver and driver.error is not None:
            raise missing_driver(driver.name, driver.error)
        result, error = work()
    except KanbanError as failure:
        result, error = {"changed": False}, failure
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if error is not None:
        module.fail_json(**{**result, **error.as_result()})
    module.exit_json(**result)
