# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan's own statements, and a shell to type them into."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.integration.place import Database

# The plan's statements, to the letter.
DISABLE = """
UPDATE Companies
SET settings = jsonb_set(
  COALESCE(settings, '{}'::jsonb),
  '{kanbanV2Enabled}',
  'false'
)"""
ONLY_WHO_IS_ON = " WHERE COALESCE(settings->>'kanbanV2Enabled', 'false')::boolean = true"
RANK = """
SELECT
  el.companyId,
  c.name,
  COUNT(*) as error_count,
  AVG(EXTRACT(EPOCH FROM (el.createdAt - LAG(el.createdAt) OVER (PARTITION BY el.companyId ORDER BY el.createdAt)))) as avg_time_between_errors
FROM ErrorLogs el
JOIN Companies c ON c.id = el.companyId
WHERE
  el.createdAt > NOW() - INTERVAL '1 hour'
  AND el.context LIKE '%kanban%'
GROUP BY el.companyId, c.name
HAVING COUNT(*) > 10
ORDER BY error_count DESC
LIMIT 20
"""  # noqa: E501 - as the plan has it
WORST = """
  SELECT companyId
  FROM ErrorLogs
  WHERE
    createdAt > NOW() - INTERVAL '1 hour'
    AND context LIKE '%kanban%'
  GROUP BY companyId
  HAVING COUNT(*) > 10
  ORDER BY COUNT(*) DESC
  LIMIT 20
"""
SLOW = "SELECT query, calls, total_time / calls as avg_time_ms, min_time, max_time FROM pg_stat_statements"
INVALID_LANES = """
SELECT COUNT(*) FROM Tickets
WHERE
  kanbanLane IS NOT NULL
  AND kanbanLane NOT IN (
    SELECT id FROM Lanes WHERE companyId = Tickets.companyId
  )
"""
DEDUPE = """
DELETE FROM TicketTags
WHERE id NOT IN (
  SELECT MIN(id)
  FROM TicketTags
  GROUP BY tagId, ticketId
)"""
ORPHANS = "DELETE FROM Tags WHERE companyId IS NULL OR companyId NOT IN (SELECT id FROM Companies)"


def shell(db: Database, line: str, cwd: Path | None = None) -> tuple[int, str]:
    """Type a line into a shell that reaches the database; return its exit status and all its output."""
    server = db.server
    environment = {
        "PATH": f"{server.programs}{os.pathsep}{os.environ['PATH']}",
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGPASSWORD": server.password,
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", f"umask 022; {line}"],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
