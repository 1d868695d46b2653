# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many people use what an incident switched off."""

from __future__ import annotations

# Set-based: one pass over the users, the tenants hashed once. Compared as text, because the ledger keeps ids as text.
SWITCHED_OFF = """
SELECT DISTINCT tenant FROM kanban_rollback.flag_changes AS c CROSS JOIN LATERAL unnest(c.tenants) AS one(tenant)
WHERE c.incident_id = %(incident)s AND c.action = 'disabled'
"""
USERS = """
SELECT count(*) FROM {users} AS u WHERE u.{company}::text IN (SELECT unnest(%(tenants)s::text[]))
"""
