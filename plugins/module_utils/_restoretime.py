# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a file of pg_dump was made. A script names the zone of its clock, an archive does not."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_WRITTEN = "%Y-%m-%d %H:%M:%S"
_OFFSET = re.compile(r"[+-]\d\d(\d\d)?")


def taken_at(text: str | None) -> tuple[str | None, dict[str, str]]:
    """Return the moment in UTC, and as ``zone`` this host's time zone if nothing tells which one was meant.

    None if there is no such moment.

    :param text: ``2026-11-25 10:11:12``, with or without a zone as the C library abbreviates it, for instance
        ``UTC``, ``-03`` or ``EST``. Of these only offsets say the same everywhere.
    """
    if text is None:
        return None, {}
    clock, zone = text[:19], text[20:].replace("UTC", "+00").replace("GMT", "+00")
    try:
        if _OFFSET.fullmatch(zone):
            return _utc(datetime.strptime(f"{clock} {zone:0<5}", f"{_WRITTEN} %z")), {}
        local = datetime.strptime(clock, _WRITTEN).astimezone()
        # Meant otherwise, it is hours off, and the backup may be too late: whoever approves has to know.
        return _utc(local), {"zone": str(local.tzname())}
    except (ValueError, OverflowError):
        return None, {}


def _utc(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
