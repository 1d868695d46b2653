# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a stage of the return has the feature, and whether the default of all tenants goes with it. Only reads."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restore import PriorSource
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default


def had_default(place: Place, incident_id: str) -> bool:
    """Return whether the incident switched off the default of all tenants, which then came back with the last stage.

    The ledger is asked and not the caller: the profile may say something else by now.
    """
    if place.target.key is None or not place.ledger_state.usable:
        return False
    source = PriorSource.ledger(incident_id, as_global_default(place.target).identity)
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        return bool(list(source.had_it(cursor)))
