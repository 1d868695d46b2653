# Copyright (c) 2026, The chatia.kanban_rollback authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.bench [--only NAME] [--runs N] [--size TENANTS] [--list]`, from the root of the checkout.

The exit status is 0 whatever the figures are: they are read by people, on machines that are noisy.
"""

from __future__ import annotations

import argparse
import os
import sys

from tools.gates import heed_signals

from .entries import ENTRIES
from .entry import CHECKOUT, Settings
from .runner import Report, measure
from .table import keep, table


def main(arguments: list[str] | None = None) -> int:
    """Measure the chosen entries, print the table, keep the figures; 0 done, 130 interrupted."""
    names = [entry.name for entry in ENTRIES]
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=names, help=f"one of {', '.join(names)}")
    parser.add_argument("--runs", metavar="N", type=_positive, help="how often each arm runs (default: as entries say)")
    parser.add_argument("--size", metavar="TENANTS", type=_positive, default=Settings.tenants, help="%(default)s")
    parser.add_argument("--list", action="store_true", help="list the entries and end")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(f"{entry.name:10}{entry.title} ({entry.runs} runs)" for entry in ENTRIES))
        return 0
    settings = Settings(tenants=max(1000, options.size), runs=options.runs)
    load = os.getloadavg()
    if load[0] > 0.5 * (os.cpu_count() or 1):
        print(f"The machine is busy (load {load[0]:.1f}): ratios will be spread more widely.", file=sys.stderr)
    heed_signals()
    reports: list[Report] = []
    try:
        for entry in ENTRIES:
            if not options.only or entry.name in options.only:
                print(f"{entry.name}: {entry.title}", file=sys.stderr, flush=True)
                reports.append(measure(entry, settings))
    except KeyboardInterrupt:
        print("interrupted; the entries that were complete:", file=sys.stderr)
        print(table(reports))
        return 130
    print(f"\n{table(reports)}\n")
    print(f"Every single figure: {keep(reports, settings, load).relative_to(CHECKOUT)}")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
