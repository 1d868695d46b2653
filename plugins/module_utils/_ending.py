# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a function that returns a result and perhaps an error to ``exit_json`` or ``fail_json``, for all modules."""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, NamedTuple, Optional, Tuple

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._nolog import harmless, told, without

Outcome = Tuple[Dict[str, Any], Optional[KanbanError]]
Work = Callable[[], Outcome]


class Driver(NamedTuple):
    """A library that a module cannot do without, what for, and why it could not be loaded (None: it was)."""

    name: str
    reason: str
    error: ImportError | None


def params_of(module: AnsibleModule, names: Collection[str], unlogged: Collection[str] = ()) -> dict[str, Any]:
    """Return the parameters, and let what is no secret in the options of these names take nothing out of the result.

    :param unlogged: options that are no secret themselves, and have ``no_log`` for the host's system log alone: Ansible
        writes there how a module was invoked, people's own words and addresses too. Of a secret within them it knows
        the letters, not what becomes of a backslash when it is written as part of a whole.

    They have ``no_log`` all the same: where a parameter is wrong, Ansible ends the module before this. From here on
    they are hidden whole, for the result shows how the module was invoked.
    """
    params: dict[str, Any] = module.params
    module.no_log_values -= harmless(module.argument_spec, params, names, unlogged)
    module.no_log_values -= told(module.argument_spec, params, unlogged)
    module.params = without(module.argument_spec, params, (*names, *unlogged))
    return params


def run(module: AnsibleModule, work: Work, driver: Driver | None = None) -> None:
    """Do the work and end the module; the only place where it fails."""
    if driver and driver.error is not None:
        module.fail_json(
            msg=missing_required_lib(driver.name, reason=f"{driver.reason}; bootstrap.yml installs it"),
            exception=str(driver.error),
        )
    try:
        result, error = work()
    except KanbanError as failure:
        result, error = {"changed": False}, failure
    for warning in result.pop("warnings", []):
        module.warn(warning)
    if error is not None:
        module.fail_json(**{**result, **error.as_result()})
    module.exit_json(**result)
