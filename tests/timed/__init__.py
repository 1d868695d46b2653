# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a scenario takes, over and over on real hosts with people at work: ``python -m tests.timed scenario3``."""

import sys
from pathlib import Path

# Journals are written by the collection's own code, and outside of pytest nothing has said where that is.
_COLLECTIONS = str(Path(__file__).resolve().parents[2] / ".ansible" / "collections")
if _COLLECTIONS not in sys.path:
    sys.path.append(_COLLECTIONS)
