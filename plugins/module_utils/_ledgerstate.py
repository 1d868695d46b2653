# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reading of the ledger found, and the messages about one that another role made. Pure: asks no server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError

_TOLD = ("present", "usable", "version", "environment", "reason")


@dataclass(frozen=True)
class LedgerState:
    """The state of the ledger: ``present`` and usable, version and environment, and whether this role could make it.

    ``reason`` says why an existing ledger cannot be used. ``foreign``: because it is not the ledger, or not all of it.
    ``stranger``: the schema's owner, if it is no superuser, not the acting role and no role that this is a member of;
    ``stranger_logs_in``: whether that owner may log in.
    """

    present: bool
    usable: bool
    creatable: bool
    version: int | None = None
    environment: str | None = None
    reason: str | None = None
    foreign: bool = False
    stranger: str | None = None
    stranger_logs_in: bool = False

    @property
    def why_none(self) -> str:
        """The beginning of a sentence that says why nothing is read from it, if it is not usable."""
        return f"The ledger here cannot be used ({self.reason})" if self.reason else "There is no ledger here"

    def as_result(self) -> dict[str, Any]:
        """Return what results show of it."""
        return {name: getattr(self, name) for name in _TOLD}


def refuse_foreign(state: LedgerState) -> None:
    """Refuse to take for the ledger what is none; raises ServerError, which containment survives."""
    if state.foreign:
        raise ServerError(
            "foreign_ledger",
            f"What is in the schema kanban_rollback is not the ledger, or not all of it: {state.reason}.",
            "Whoever reads or writes it may run somebody else's code with their own rights. Nothing was changed.",
            "Look at it as a superuser. Where it is the ledger, take away what was added to it, or give its tables "
            "the schema's owner; otherwise rename or drop the schema and run bootstrap.yml.",
        )


def owner_warning(state: LedgerState) -> str | None:
    """Return what to say of a ledger whose owner is a stranger to the acting role; None of any other."""
    if state.stranger is None:
        return None
    return (
        f"The schema kanban_rollback belongs to role {state.stranger}, which is no superuser, not the role that acts "
        "and none that this was made a member of. That role can change or delete what the ledger keeps, and what it "
        "puts on the ledger's tables may run with the rights of whoever acts."
    )
