# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries, in the order in which they are measured: one file each."""

from __future__ import annotations

from ..entry import Entry
from .contained import ENTRY as CONTAINED
from .contended import ENTRY as CONTENDED
from .dump import ENTRY as DUMP
from .fence import DORMANT, RAISED
from .first_off import ENTRY as FIRST_OFF
from .integrity import ENTRY as INTEGRITY
from .kill import ENTRY as KILL
from .last_screen import ENTRY as LAST_SCREEN
from .memory import ENTRY as MEMORY
from .proof import ENTRY as PROOF
from .purge import ENTRY as PURGE
from .ranking import BARE as RANKING_BARE
from .ranking import INDEXED as RANKING
from .repair import ENTRY as REPAIR
from .restore import ENTRY as RESTORE
from .scenario1 import ENTRY as SCENARIO1

ENTRIES: tuple[Entry, ...] = (KILL, CONTENDED, LAST_SCREEN, FIRST_OFF, CONTAINED, DORMANT, RAISED, DUMP, MEMORY)
ENTRIES += (PURGE, PROOF, RANKING, RANKING_BARE, INTEGRITY, REPAIR, RESTORE, SCENARIO1)
