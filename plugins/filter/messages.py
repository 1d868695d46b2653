# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filters of messages: which are due, their figures and foreign text, and what the last screen says."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._documents import ledgers_to_ask
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyalert import alert_message, alert_outbox
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyformat import (
    message_clock,
    message_day,
    message_duration,
    message_number,
    message_percent,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyplan import (
    ending_of,
    incidents_to_tell,
    messages_planned,
    stop_state,
)
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifyresult import messages_again, messages_lines
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifystep import not_told, step_message
from ansible_collections.chatia.kanban_rollback.plugins.module_utils._notifytext import foreign, foreign_lines


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {
            "incidents_to_tell": incidents_to_tell,
            "ledgers_to_ask": ledgers_to_ask,
            "message_clock": message_clock,
            "message_day": message_day,
            "message_duration": message_duration,
            "message_line": foreign,
            "message_number": message_number,
            "message_percent": message_percent,
            "message_words": foreign_lines,
            "messages_again": messages_again,
            "messages_ending": ending_of,
            "messages_lines": messages_lines,
            "messages_not_told": not_told,
            "messages_of_alert": alert_message,
            "messages_of_alert_place": alert_outbox,
            "messages_of_step": step_message,
            "messages_planned": messages_planned,
            "messages_stop_state": stop_state,
        }
