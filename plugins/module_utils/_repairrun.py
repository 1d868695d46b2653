# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds a repair or a restore: the session, the incident, the lease, and the result."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._bounds import Deadline
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import KanbanError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._incidententry import (
    look_at_ledger,
    refuse_replica,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._patience import open_session
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import APPLICATION, Login
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairlease import lease
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairplace import (
    Request,
    Work,
    find_incident_of,
    no_incident,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._repairundoentry import refuse_purged


def carry_out(
    login: Login, request: Request, check_mode: bool, source: str, work_on: Callable[[Work, bool], None]
) -> tuple[dict[str, Any], KanbanError | None]:
    """Do one piece of work on its own session; return the result and the error that it ends with.

    :param source: the module's name, as events record it.
    :param work_on: does the work, given the Work and whether it should only look.

    Raises KanbanError.
    """
    deadline = Deadline(request.deadline)
    session = open_session(login, APPLICATION, deadline)
    try:
        facts = look_at_ledger(session, request.who.environment)
        refuse_replica(facts.server)
        work = Work(session, facts, request, deadline, source)
        find_incident_of(work)
        if check_mode:
            work_on(work, True)
        else:
            if work.incident is None:
                refuse_purged(work)
                raise no_incident(request.who.incident_id)
            with lease(work):
                work_on(work, False)
    finally:
        session.close()
    common = {**facts.as_result(), "incident_id": work.incident, "elapsed_ms": deadline.elapsed_ms}
    warnings = [*facts.warnings, *work.result.pop("warnings", [])]
    return {"changed": False, **work.result, **common, "warnings": warnings}, work.error
