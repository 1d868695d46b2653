# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who of a stage of the return lacks the feature, and whether the default of all tenants belongs to it. Only reads."""

from __future__ import annotations

from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagsql import Statements, Target
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._flagvalues import put_back_document
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._place import SHOWN, Place, shown
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import READ_SECONDS, Cursor, sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._restore import BATCH, PriorSource
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._serverrows import Prior, Scope, apart, whose
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._severalrows import SeveralRows
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import flag as flag_queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import stageholders as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._target import as_global_default

# To find out why takes a second for some thousands, and the role waits 35 s.
_REASONS = 20_000
_COUNTS = ("missing_count", "changed_since_count", "lacking_count")


def had_default(place: Place, incident_id: str) -> bool:
    """Return whether the incident switched off the default of all tenants, which then came back with the last stage.

    The ledger is asked and not the caller: the profile may say something else by now.
    """
    if place.target.key is None or not place.ledger_state.usable:
        return False
    source = PriorSource.ledger(incident_id, as_global_default(place.target).identity)
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        return bool(list(source.had_it(cursor)))


def who_lacks_it(place: Place, incident_id: str, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return who of a stage, which ``place.tenants`` are, is off, and why; each list with its full length beside it.

    ``missing`` no longer exist, ``changed_since`` were changed by somebody since they were switched off; nothing is
    known of ``lacking``, of whom an undo would put ``unreturned_count`` back.

    :param plan: what the undo would do. If more than _REASONS are off, a stage is to come, and each counts as lacking.
    """
    missing: list[str] = []
    changed: list[str] = []
    lacking: list[str] = []
    stage = place.tenants or []
    off_count = plan["total"] - plan["enabled_after"]
    if not off_count and plan["total"] == len(stage):
        return {"unreturned_count": 0, **dict.fromkeys(_COUNTS, 0), "missing": [], "changed_since": [], "lacking": []}
    if off_count > _REASONS:
        with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
            some = place.rows.to_switch(cursor, place.scope, True, SHOWN)
        return {"unreturned_count": plan["changed_count"], "lacking": some, "lacking_count": off_count}
    with place.session().transaction(READ_SECONDS, mode="READ ONLY") as cursor:
        for start in range(0, len(stage), BATCH):
            off, gone = _off(cursor, place, stage[start : start + BATCH])
            lacking += off
            missing += gone
        priors = _unspent(cursor, place, incident_id, lacking)
        for start in range(0, len(priors), BATCH):
            changed += _changed(cursor, place.target, priors[start : start + BATCH])
    found: dict[str, Any] = {"unreturned_count": len(priors) - len(changed)}
    by_somebody = set(changed)
    shown(found, "missing", sorted(missing, key=str))
    shown(found, "changed_since", sorted(changed, key=str))
    shown(found, "lacking", [tenant for tenant in lacking if tenant not in by_somebody])
    return found


def _off(cursor: Cursor, place: Place, tenants: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return those of the tenants that exist and are off, and those that do not exist."""
    scope = Scope.tenants(tenants)
    # Whoever has several rows is on with one that is.
    on = set(place.rows.to_switch(cursor, scope, False, len(tenants)))
    on.update(place.rows.missing(cursor, tenants, False, len(tenants)))
    off = [tenant for tenant in tenants if tenant not in on]
    there = place.rows.there(cursor, off) if off else set()
    return [tenant for tenant in off if tenant in there], [tenant for tenant in off if tenant not in there]


def _unspent(cursor: Cursor, place: Place, incident_id: str, tenants: Sequence[str]) -> list[Prior]:
    """Return what the ledger still has to put back for these tenants."""
    if not tenants:
        return []
    source = PriorSource.ledger(incident_id, place.target.identity)
    return [prior for batch in source.batches(cursor, tenants) for prior in batch]


def _changed(cursor: Cursor, target: Target, priors: Sequence[Prior]) -> Iterator[str]:
    """Yield the tenants that an undo would leave alone, because their flag was changed since."""
    statements = Statements(target)
    rows = SeveralRows(statements)
    several, single, grown = apart(rows, cursor, priors)
    yield from grown
    if several:
        yield from rows.changed(cursor, several)
    if single and target.is_document:
        alone = {prior.tenant: prior for prior in single}
        scope = Scope.tenants(list(alone))
        statement = statements.format(flag_queries.READ_DOCUMENTS, scope.condition, may_matter=sql.SQL("TRUE"))
        for tenant, text in cursor.rows(statement, {**statements.params, **scope.params}):
            if _document_changed(target, alone[tenant], text):
                yield tenant
    elif single:
        kind = sql.SQL("jsonb") if target.is_jsonb else statements.fragments["column_type"]
        tenants = [prior.tenant for prior in single]
        values = {"tenants": tenants, "writtens": [prior.written for prior in single]}
        for scope_of in whose(tenants):
            statement = statements.format(queries.CHANGED, scope_of, written_type=kind)
            yield from (row[0] for row in cursor.rows(statement, {**statements.params, **values}))


def _document_changed(target: Target, prior: Prior, text: str | None) -> bool:
    again = None if prior.last == prior.prior else prior.last
    back = put_back_document(text, prior.prior, prior.mark or "", prior.written or "", target.flag, again)
    return back.outcome == "changed_since"
