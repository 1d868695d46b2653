# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m tests.drills down`` removes the estate that a killed run left behind."""

from __future__ import annotations

import argparse
import sys

from tests.drills.ground import STATE
from tests.hosts.machine import HostsError
from tests.rehearsal.estate import take_down


def main() -> int:
    """Remove the estate; 1 if something cannot be removed, with the reason on standard error."""
    parser = argparse.ArgumentParser(prog="python -m tests.drills", description="The estate of the drills.")
    parser.add_argument("command", choices=["down"], help="remove hosts, people and files")
    parser.parse_args()
    if not STATE.exists():
        return 0
    try:
        take_down(STATE)
    except HostsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
