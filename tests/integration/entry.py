# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process in which a test runs one module: `python -m tests.integration.entry feature_flag`, arguments on stdin.

Ansible's own wrapper does the same with a zipped copy; `test_through_ansible.py` shows that both give one result.
"""

from __future__ import annotations

import importlib
import sys
import traceback

from ansible.module_utils import basic

MODULES = "ansible_collections.chatia.kanban_rollback.plugins.modules"


def load(name: str) -> None:
    """Load a module and its imports before the fork: they would take half the time of a short call."""
    importlib.import_module(f"{MODULES}.{name}")


def run(name: str) -> int:
    """Run a module with the arguments on stdin, its result to stdout; return its exit status."""
    basic._ANSIBLE_ARGS = sys.stdin.buffer.read()
    # Since core 2.19 a module must be told how to serialize its results; older versions ignore this.
    basic._ANSIBLE_PROFILE = "legacy"
    try:
        importlib.import_module(f"{MODULES}.{name}").main()
    except SystemExit as end:
        return int(end.code or 0)
    except BaseException:
        traceback.print_exc()
    return 1


if __name__ == "__main__":
    sys.exit(run(sys.argv[1]))
