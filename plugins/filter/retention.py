# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters by which report.yml chooses what is over, and says what it did."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._journalkept import (
    journal_screen,
    journals_over,
    records_over,
    words_over,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportledger import (
    incident_to_close,
    incidents_to_report,
    ledgers_of,
    ledgers_unread,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._reportscreen import report_screen
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retention import days_of, what_is_over
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionledgers import open_incidents
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._retentionscreen import retention_screen


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "journal_screen": journal_screen,
            "journals_over": journals_over,
            "incident_to_close": incident_to_close,
            "incidents_to_report": incidents_to_report,
            "ledgers_of": ledgers_of,
            "ledgers_unread": ledgers_unread,
            "retention_days": days_of,
            "open_incidents": open_incidents,
            "records_over": records_over,
            "report_screen": report_screen,
            "retention_screen": retention_screen,
            "what_is_over": what_is_over,
            "words_over": words_over,
        }
