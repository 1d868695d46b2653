# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients of HTTP services share: where a key may be sent, and how long to wait. Neither Ansible nor a driver."""

from __future__ import annotations

import email.utils
import ipaddress
import time
from typing import Any, Mapping
from urllib.parse import SplitResult

from ansible_collections.chatia.kanban_rollback.plugins.module_utils._errors import BadInput


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine by its name or address; no resolver is asked."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def guarded(parts: SplitResult, what: str, why: str) -> SplitResult:
    """Return the parts of a URL that something secret is sent to; raises BadInput if it would travel in the clear.

    :param what: the option, for instance ``api_url``.
    :param why: what somebody on the way could do with the secret.
    """
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise BadInput(
            "key_in_the_clear",
            f"{what} is no https address.",
            f"{why} Nothing was sent.",
            "Give an https address; http is for a server on this machine.",
        )
    return parts


def retry_after(headers: Mapping[str, Any]) -> float | None:
    """Return the seconds that Retry-After asks for, as a number or as a date; None if it asks for none."""
    text = str(headers.get("Retry-After", "")).strip()
    try:
        if text.isdigit():
            return float(text[:9])
        wanted = email.utils.parsedate_to_datetime(text).timestamp() - time.time()
        return max(0.0, wanted)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
