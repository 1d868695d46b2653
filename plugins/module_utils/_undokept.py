# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an undo has all that its incident's kills kept: some of it may lie on a host that is not asked.

An undo puts back what it finds. Without this, one that finds nothing would end as one that had nothing to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput, KanbanError, ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._postgres import Cursor
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._sql import undokept as queries


@dataclass(frozen=True)
class Kept:
    """What the ledger knows of an incident's kills.

    ``elsewhere``: how many more tenants its kills report than it has prior values of, counting repetitions; ``paths``:
    the files that they name; ``flags``: which flags they were about.
    """

    elsewhere: int
    paths: Sequence[str]
    flags: Sequence[str]

    def refuse_other_flag(self, incident_id: str, flags: Sequence[str]) -> None:
        """Raise BadInput if the kills were all about other flags than these."""
        if self.flags and not set(self.flags) & set(flags):
            raise BadInput(
                "other_flag",
                f"Incident {incident_id} switched off {', '.join(self.flags[:3])}, and this is about {flags[0]}.",
                "Under this flag nobody would get anything back. Nothing was changed.",
                "Give kanban_flag and kanban_tables as they were when it was stopped.",
            )

    def error(self) -> KanbanError | None:
        """Return the error to end with if prior values lie elsewhere."""
        if self.elsewhere <= 0:
            return None
        where = f"in {', '.join(self.paths)} of a host that ran a kill" if self.paths else "in the results of its kills"
        return KanbanError(
            "priors_elsewhere",
            f"Of {self.elsewhere:,} tenants that this incident switched off the prior values are not here but {where}.",
            "Those tenants stay off. All others are as they were before the incident.",
            "Copy such a file into /var/lib/kanban_rollback of this host (0600, the same owner), or save there what a "
            "kill's last screen showed; then run the same command again.",
        )


def read_kept(cursor: Cursor, incident_id: str, recorded: int) -> Kept | None:
    """Return what the ledger knows; None if this role may not read its events. Raises ServerError.

    :param recorded: of how many tenants it has prior values, counting repetitions.
    """
    try:
        with cursor.savepoint():
            reported, paths, flags = cursor.row(queries.KEPT, {"incident": incident_id})
    except ServerError as error:
        if error.code != "missing_privilege":
            raise
        return None
    return Kept(int(reported) - recorded, paths, flags)
