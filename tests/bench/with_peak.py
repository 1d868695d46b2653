# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module and, when it ends, write its greatest resident set in kB to a descriptor: argv is descriptor, module.

The kernel's ``ru_maxrss`` would not do: it counts what the caller had in memory before the child became this program.
"""

from __future__ import annotations

import atexit
import os
import re
import runpy
import sys
from pathlib import Path


def _tell(descriptor: int) -> None:
    found = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(encoding="utf-8"), re.MULTILINE)
    if found:
        os.write(descriptor, found.group(1).encode())


if __name__ == "__main__":
    atexit.register(_tell, int(sys.argv[1]))
    module = sys.argv[2]
    # The module reads the rest of the command line.
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")
