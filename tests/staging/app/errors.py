# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as a Node application has them: a stack on stderr, a row in ErrorLogs, and a crash that ends the process."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import UTC, datetime
from typing import NoReturn

import psycopg2

from .database import Database

_INSERT = """
INSERT INTO "ErrorLogs" ("companyId", severity, context, message)
VALUES (%(company)s, %(severity)s, %(context)s, %(message)s)
"""
# Where a compiled TypeScript application has its files.
_STACK = """\
    at {service} (/home/app/chatia/dist/services/KanbanServices/{service}.js:{line}:17)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at async /home/app/chatia/dist/routes/kanbanRoutes.js:31:9"""
_CRASH = """\
/home/app/chatia/dist/services/TicketServices/ShowTicketService.js:41
    return ticket.board.lane;
                        ^

{message}
    at ShowTicketService (/home/app/chatia/dist/services/TicketServices/ShowTicketService.js:41:25)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at async show (/home/app/chatia/dist/controllers/TicketController.js:118:18)

Node.js v20.19.2"""


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Errors:
    """Writes errors where people and the plan look for them; never raises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(
        self, context: str, message: str, company: int | None, *, severity: str = "error", stack: bool = True
    ) -> None:
        """Log an error (``kanban.move``, ``TypeError: …``) and store it; if the database is gone, only log it."""
        service = "".join(part.title() for part in context.split(".")) + "Service"
        traced = "\n" + _STACK.format(service=service, line=20 + len(context)) if stack else ""
        level = "ERROR" if severity == "error" else "WARN"
        print(f"{_stamp()} {level} [{context}] {message}{traced}", file=sys.stderr, flush=True)
        values = {"company": company, "severity": severity, "context": context, "message": message[:2000]}
        with contextlib.suppress(psycopg2.Error):
            await self._database.rows(_INSERT, values)

    async def crash(self, message: str, company: int) -> NoReturn:
        """End the process as Node does on an unhandled error."""
        values = {"company": company, "severity": "fatal", "context": "kanban.open", "message": message}
        with contextlib.suppress(psycopg2.Error):
            await self._database.rows(_INSERT, values)
        print(_CRASH.format(message=message), file=sys.stderr, flush=True)
        # No handler runs and no connection is closed: that is what a crash is.
        os._exit(1)


def said(line: str) -> None:
    """Log an ordinary line."""
    print(f"{_stamp()} INFO {line}", flush=True)
