# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's clock, for screen, live view and journal alike. Pure: neither Ansible nor a driver."""

from __future__ import annotations

import time
from datetime import datetime, timezone

# The recorder loads this in the process that Ansible starts with, before it reads a playbook; all processes that
# evaluate a filter later are copies of that one, and have its value.
_LOADED = time.time()


def epoch(moment: datetime) -> float:
    """Return seconds since 1970 of a moment in UTC, which Ansible's ``now(utc=true)`` gives without a zone.

    Its own ``timestamp()`` takes it for local time: hours off if the controller is not in UTC, and by another hour
    from one moment to the next when clocks change.
    """
    return moment.replace(tzinfo=timezone.utc).timestamp()


def run_began(now: float) -> float:
    """Return when the command was read, in seconds since 1970; ``now`` if that is not known."""
    return min(float(now), _LOADED)
