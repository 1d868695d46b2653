# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who had the feature with a value that switching on would not write. Only reads."""

from __future__ import annotations

from dataclasses import replace
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import json_is_on
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._jsontext import NotJson, leaf, same_value
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import Place
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restore import PriorSource
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Prior
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import SEVERAL


def other_values(place: Place, incident_id: str, tenants: Sequence[str]) -> list[dict[str, str | None]]:
    """Return those of the tenants that had another value than the one that is written to switch on, each with it.

    Raises ServerError. ``value`` is None if it was absent or if there were several, and for what cannot be read.
    """
    if not tenants:
        return []
    source = replace(PriorSource.ledger(incident_id, place.target.identity), spent=True)
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        priors = [prior for batch in source.batches(cursor, tenants) for prior in batch]
    return [{"tenant": prior.tenant, "value": value} for prior in priors for value in _other(place.target, prior)]


def _other(target: Target, prior: Prior) -> list[str | None]:
    """Return a tenant's value in a list; an empty one if it was off, or on as switching on makes it."""
    value = prior.prior if prior.depth == target.full_depth else None
    written = target.written(enabled=True)
    if prior.depth == SEVERAL:
        return [None]
    if not (target.is_jsonb or target.is_document):
        off = (None, target.flag.scalar_off(target.column.kind))
        return [] if value == written or (value in off and not (value is None and target.null_is_on)) else [value]
    try:
        if target.is_document:
            value = leaf(value, target.flag.path) if value and value.strip() else None
        same = value is not None and written is not None and same_value(value, written)
        return [] if same or not json_is_on(value, target.flag) else [value]
    except NotJson:
        return [None]
