# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a ledger that is somebody else's."""

from __future__ import annotations

import pytest

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import ServerError
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._ledgerstate import (
    LedgerState,
    owner_warning,
    refuse_foreign,
)

GOOD = LedgerState(True, True, True, version=1, environment="staging")
FOREIGN = LedgerState(True, False, False, reason="kanban_rollback.meta is a view", foreign=True)


def test_only_what_is_not_the_ledger_is_refused() -> None:
    refuse_foreign(GOOD)
    refuse_foreign(LedgerState(True, False, False, reason="permission denied for table meta"))
    with pytest.raises(ServerError, match=r"not all of it: kanban_rollback\.meta is a view\.") as refused:
        refuse_foreign(FOREIGN)
    assert refused.value.code == "foreign_ledger"


def test_results_do_not_tell_who_owns_it() -> None:
    told = {"present": True, "usable": True, "version": 1, "environment": "staging", "reason": None}
    assert GOOD.as_result() == told


def test_a_stranger_is_named() -> None:
    assert owner_warning(GOOD) is None
    warning = owner_warning(LedgerState(True, True, True, stranger="app"))
    assert warning
    assert "role app" in warning


def test_why_nothing_is_read_is_said() -> None:
    assert FOREIGN.why_none == "The ledger here cannot be used (kanban_rollback.meta is a view)"
    assert LedgerState(False, False, True).why_none == "There is no ledger here"
