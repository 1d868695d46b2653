# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""SQL that gives a function to the owner of the table which it works on.

What a SECURITY DEFINER function meets on a table (defaults, policies) may be code of the table's owner. It then runs
with the rights of the function's owner, who is mostly a superuser and should not be.
"""

from __future__ import annotations

# An owner needs this right for the moment in which it becomes the owner, unless a superuser gives the function.
MAY_CREATE = "SELECT has_schema_privilege(%(owner)s, 'kanban_rollback', 'CREATE')"
LET_CREATE = "GRANT CREATE ON SCHEMA kanban_rollback TO {owner}"
KEEP_FROM_CREATING = "REVOKE CREATE ON SCHEMA kanban_rollback FROM {owner}"
GIVE = "ALTER FUNCTION kanban_rollback.{function} OWNER TO {owner}"
