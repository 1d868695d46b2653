# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's own query finds."""

from __future__ import annotations

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integritychecks import Check
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._integrityrelations import Relations, Rows, key_of
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import sql
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import integrity as queries
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sqlsingle import flaw_of

TENANT, MOMENT = "tenant", "moment"
MOST_KEYS = 8


def given_query(check: Check, relations: Relations) -> Rows:
    """Return what to count; raises BadInput for an unusable query, ServerError if the server refuses it."""
    text = str(check.needed("query")).strip().rstrip("; \n\t")
    flaw = flaw_of(text)
    if flaw:
        raise check.wrong("bad_query", f"has a query that {flaw}")
    # The driver takes % for a placeholder.
    query = sql.SQL(text.replace("%", "%%"))
    names = relations.columns_of(query)
    keys = [name for name in names if name not in (TENANT, MOMENT)][:MOST_KEYS]
    if not keys or len(set(names)) < len(names):
        raise check.wrong("bad_query", f"has a query with the columns {', '.join(names)}: they need names, one a key")
    bad = sql.SQL(queries.GIVEN).format(
        tenant=sql.SQL("t.tenant::text" if TENANT in names else "NULL::text"),
        key=key_of(keys),
        moment=sql.SQL("t.moment::timestamptz" if MOMENT in names else queries.NO_MOMENT),
        query=query,
    )
    return Rows(bad, keys, sql.SQL(queries.AFFECTED if TENANT in names else queries.NOT_KNOWN))
